"""Whether a web address answers well: a health check, as curl would ask for it."""

import re
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field
from yarl import URL

from bot import masking
from bot.actions import Read, Systems
from bot.http import Answer
from bot.model import Reading

EXCERPT = 1_500
# Neither a chat nor a database wants them.
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
HOST = r"([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])"


def _whole(text: str) -> str:
    """What the pattern cannot tell: whether the port and the host can be."""
    try:
        URL(text)
    except ValueError as error:
        raise ValueError(f"expects a web address ({error})") from error
    return text


Url = Annotated[
    str,
    Field(max_length=500, pattern=rf"^https?://{HOST}(:[0-9]{{1,5}})?(/[!-~]*)?$"),
    AfterValidator(_whole),
]


class HttpCheck(Read):
    """GET an address that the playbook names; `timeout` is in seconds."""

    name: ClassVar = "http"
    # Nobody may have the bot ask an address of their own: it stands inside of the network.
    fixed: ClassVar = frozenset({"url"})
    url: Url
    timeout: Annotated[float, Field(ge=0.1, le=30)] = 5.0

    async def read(self, systems: Systems) -> Reading:
        """The status, how long it took, and how the answer begins."""
        answer = await systems.http.get(self.url, self.timeout)
        excerpt = masking.mask(CONTROL.sub("", answer.body)).strip()
        return Reading(
            ok=200 <= answer.status < 300,
            text=self._verdict(answer),
            excerpt=excerpt if len(excerpt) <= EXCERPT else f"{excerpt[: EXCERPT - 1]}…",
            notes=_notes(answer),
        )

    def _verdict(self, answer: Answer) -> str:
        reason = masking.mask(CONTROL.sub("", answer.reason))[:60]
        status = f"{answer.status} {reason}".rstrip()
        return f"{URL(self.url).authority} answered {status} in {_words(answer.seconds)}"


def _words(seconds: float) -> str:
    return f"{round(1000 * seconds)} ms" if seconds < 1 else f"{seconds:.1f} s"


def _notes(answer: Answer) -> tuple[str, ...]:
    if not answer.elsewhere:
        return ()
    return (
        f"It redirects to {answer.elsewhere}, which was not asked: name that one if you mean it.",
    )
