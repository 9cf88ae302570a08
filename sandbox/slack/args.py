"""The arguments of a Web API call, from its query, form or JSON."""

import json
from typing import Any

from sandbox.slack.errors import Obj, SlackError, refuse_arguments

YES, NO = ("1", "true", "True"), ("0", "false", "False", "")


class Args:
    """Reads arguments as the types that a method needs; raises SlackError."""

    def __init__(self, arguments: Obj) -> None:
        self.arguments = arguments

    def has(self, name: str) -> bool:
        """Whether the argument was given."""
        return self.arguments.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        value = self.arguments.get(name)
        if value is None:
            return default
        if isinstance(value, dict | list | bool):
            raise _invalid(name, "must be a string")
        return str(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean, in any of the forms that clients send."""
        value = self.arguments.get(name)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        if str(value) not in YES + NO:
            raise _invalid(name, "must be a boolean")
        return str(value) in YES

    def number(self, name: str, default: int, most: int) -> int:
        """A positive number within bounds."""
        value = self.text(name)
        if not value:
            return default
        if not value.isdecimal() or not 1 <= int(value) <= most:
            raise _invalid(name, f"must be between 1 and {most}")
        return int(value)

    def ids(self, name: str) -> list[str]:
        """A list of ids, sent as a list or separated by commas."""
        value = self.arguments.get(name)
        if isinstance(value, str) and not value.startswith("["):
            return [part.strip() for part in value.split(",") if part.strip()]
        ids = self.data(name) or []
        if not isinstance(ids, list):
            raise _invalid(name, "must be a list of ids")
        return [str(element) for element in ids]

    def data(self, name: str) -> Any:
        """Structured data, sent as itself or as JSON in a string."""
        value = self.arguments.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError as error:
            raise _invalid(name, "must be valid JSON") from error


def check_names(arguments: Obj, required: set[str], known: set[str]) -> None:
    """Raise SlackError for missing and unknown arguments."""
    missing = [name for name in sorted(required) if arguments.get(name) in (None, "", [])]
    problems = [f"missing required field: {name}" for name in missing]
    problems += [f"unknown argument: {name}" for name in sorted(arguments.keys() - known)]
    if problems:
        raise refuse_arguments("invalid_arguments", problems)


def _invalid(name: str, problem: str) -> SlackError:
    return refuse_arguments("invalid_arguments", [f"{name} {problem}"])
