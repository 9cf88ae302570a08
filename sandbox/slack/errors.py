"""The errors of the simulated Slack: codes for the app, sentences for users."""

from typing import Any

Obj = dict[str, Any]


class SlackError(Exception):
    """An error that the app gets as `{"ok": false, "error": code, ...}`."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.code = code
        self.more = more

    @property
    def answer(self) -> Obj:
        """The body of the answer."""
        return {"ok": False, "error": self.code, **self.more}


class Refusal(Exception):
    """What Slack's own client does not let a user do, as a sentence."""

    def __init__(self, sentence: str, errors: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.errors = errors or {}


def refuse_arguments(code: str, problems: list[str]) -> SlackError:
    """An error that lists invalid arguments as Slack does."""
    messages = [f"[ERROR] {problem}" for problem in problems]
    return SlackError(code, response_metadata={"messages": messages}, errors=problems)
