"""Whether a URL answers with 2xx: a health check with one GET."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field
from yarl import URL

from bot import redaction
from bot.actions.base import Read
from bot.model import ReadResult
from bot.model.text import truncate
from bot.systems import Systems
from bot.systems.http import Response

EXCERPT_LENGTH = 1_500
REASON_LENGTH = 60
HOST = r"([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])"


def _check_url(text: str) -> str:
    """Check what the pattern cannot: the host and the port. Raises ValueError."""
    try:
        URL(text)
    except ValueError as error:
        raise ValueError(f"expects a web address ({error})") from error
    return text


Url = Annotated[
    str,
    Field(max_length=500, pattern=rf"^https?://{HOST}(:[0-9]{{1,5}})?(/[!-~]*)?$"),
    AfterValidator(_check_url),
]


class HttpCheck(Read):
    """GET an address that the playbook names; `timeout` is in seconds."""

    name: ClassVar = "http"
    # The bot is inside the network: people must not choose the addresses that it calls.
    playbook_only: ClassVar = frozenset({"url"})
    url: Url
    timeout: Annotated[float, Field(ge=0.1, le=30)] = 5.0

    async def read(self, systems: Systems) -> ReadResult:
        """The status, the duration and the beginning of the body.

        Raises UserError when there is no answer.
        """
        answer = await systems.http.get(self.url, self.timeout)
        return ReadResult(
            ok=200 <= answer.status < 300,
            text=self._verdict(answer),
            excerpt=truncate(redaction.redact(answer.body).strip(), EXCERPT_LENGTH),
            notes=_notes(answer),
        )

    def _verdict(self, answer: Response) -> str:
        reason = redaction.redact(answer.reason)[:REASON_LENGTH]
        status = f"{answer.status} {reason}".rstrip()
        return f"{URL(self.url).authority} answered {status} in {_duration(answer.seconds)}"


def _duration(seconds: float) -> str:
    return f"{round(1000 * seconds)} ms" if seconds < 1 else f"{seconds:.1f} s"


def _notes(answer: Response) -> tuple[str, ...]:
    if not answer.redirect_host:
        return ()
    return (
        f"It redirects to {answer.redirect_host}, which was not requested. To check that one, put "
        "it in the playbook.",
    )
