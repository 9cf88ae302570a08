"""Logs: the newest lines of every container, the last run of one that crashed."""

import asyncio
import re
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from pydantic import Field

from bot.actions import Read, Systems
from bot.cluster import ClusterError, Container, Pod
from bot.masking import mask
from bot.model import Attachment, Reading
from commands.actions.pods import Selector

FILE_CAP = 1024 * 1024
EXCERPT_LINES = 15
EXCERPT_CAP = 2_500
AT_ONCE = 8
ERROR = re.compile(r"\b(error|fatal|panic|critical|exception|traceback)\b", re.IGNORECASE)


class Line(NamedTuple):
    """One line: when it was written (RFC 3339, so that text order is time order), where, what."""

    at: str
    pod: str
    text: str


class Source(NamedTuple):
    """One container's log, or why there is none."""

    pod: str
    crashed: bool
    lines: list[Line]
    failure: ClusterError | None


class TailLogs(Read):
    """Show the newest lines of all containers that a label selector names."""

    name: ClassVar = "logs"
    selector: Selector
    tail: int = Field(default=100, ge=1, le=5_000)

    async def read(self, systems: Systems) -> Reading:
        """The count of error lines, the last lines, and a file with all of them, masked."""
        pods = await systems.cluster.pods(self.selector)
        wanted = [(pod, container) for pod in pods for container in pod.containers]
        if not wanted:
            return Reading(ok=False, text=f"No pods match {self.selector}")
        turns = asyncio.Semaphore(AT_ONCE)
        cap = FILE_CAP // len(wanted)
        reads = (self._source(systems, turns, pod, one, cap) for pod, one in wanted)
        return _reading(await asyncio.gather(*reads))

    async def _source(
        self, systems: Systems, turns: asyncio.Semaphore, pod: Pod, container: Container, cap: int
    ) -> Source:
        crashed = not container.running and container.restarts > 0
        try:
            async with turns:
                tail = await systems.cluster.log(
                    pod.name, container.name, tail=self.tail, cap=cap, previous=crashed
                )
        except ClusterError as error:
            return Source(pod.name, crashed, [], error)
        return Source(pod.name, crashed, [_line(pod.name, raw) for raw in tail.lines()], None)


def _line(pod: str, raw: str) -> Line:
    at, _, text = raw.partition(" ")
    return Line(at, pod, mask(text))


def _reading(sources: Sequence[Source]) -> Reading:
    failures = [one.failure for one in sources if one.failure is not None]
    lines = sorted(line for one in sources for line in one.lines)
    if failures and not lines:
        raise failures[0]
    errors = sum(bool(ERROR.search(line.text)) for line in lines)
    words = "\n".join(f"{line.at} {line.pod} {line.text}" for line in lines)
    return Reading(
        ok=errors == 0 and not failures,
        text=_summary(sources, len(lines), errors),
        excerpt=_excerpt(lines),
        notes=tuple(f"{one.pod}: {one.failure}"[:300] for one in sources if one.failure)[:5],
        attachment=Attachment(name="logs.txt", text=words) if lines else None,
    )


def _summary(sources: Sequence[Source], lines: int, errors: int) -> str:
    pods = len({one.pod for one in sources})
    crashed = len({one.pod for one in sources if one.crashed})
    text = f"{lines} lines from {pods} {'pod' if pods == 1 else 'pods'}, {errors} with errors"
    return f"{text}; the last run of {crashed} that crashed" if crashed else text


def _excerpt(lines: Sequence[Line]) -> str:
    """The newest lines that fit, oldest first."""
    kept: list[str] = []
    room = EXCERPT_CAP
    for line in reversed(lines[-EXCERPT_LINES:]):
        shown = f"{line.pod.rpartition('-')[2]}  {line.text}"[:400]
        room -= len(shown) + 1
        if room < 0:
            break
        kept.append(shown)
    return "\n".join(reversed(kept))
