"""What pods wrote last, merged, masked and counted."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import ClassVar

from pydantic import Field

from bot import masking
from bot.actions import Read, Systems
from bot.cluster import Cluster, ClusterError, Refused
from bot.model import Attachment, Chart, Reading, UserError
from commands.actions import loglines, matching
from commands.actions.fields import Selector
from commands.actions.logcounts import Tally
from commands.actions.loglines import Line, Newest, Source, Stamps
from commands.actions.matching import Expression, Matcher

KEPT_BYTES = 1024 * 1024
KEPT_OF_ONE = 64 * 1024
EXCERPT_LINES = 12
EXCERPT_SOURCES = 4
EXCERPT_CHARACTERS = 2_500
LINE_CHARACTERS = 300
SOURCES = 50
AT_ONCE = 8


class Ear:
    """Hears what one source says, piece by piece, and keeps the newest end of it."""

    def __init__(self, source: Source, tally: Tally, matcher: Matcher | None, cap: int) -> None:
        self.source = source
        self._tally = tally
        self._matcher = matcher
        self._newest = Newest(cap)
        self._stamps = Stamps(source)

    async def hear(self, texts: list[str]) -> None:
        """The next lines; raises UserError when they cannot be searched."""
        lines = self._stamps.lines(texts)
        self._tally.read += len(lines)
        if self._matcher is not None:
            await self._search(self._matcher, lines)
            return
        for line in lines:
            self._tally.count(line)
        self._newest.add(lines)

    async def _search(self, matcher: Matcher, lines: Sequence[Line]) -> None:
        found = {one.at: one.parts for one in await matcher.find([line.text for line in lines])}
        # Masking takes a while, in which the bot has to answer others: so not all, and elsewhere.
        shown = dict(zip(found, await _mask([lines[at] for at in found]), strict=True))
        # What is masked cannot be searched for.
        changed = [at for at in found if shown[at].text != lines[at].text]
        again = await matcher.find([shown[at].text for at in changed]) if changed else []
        found = {at: parts for at, parts in found.items() if at not in changed}
        found |= {changed[one.at]: one.parts for one in again}
        for at in sorted(found):
            self._tally.count(shown[at], found[at])
        self._newest.add([shown[at] for at in sorted(found)])

    async def kept(self) -> list[Line]:
        """The newest lines, masked."""
        lines = self._newest.lines()
        return lines if self._matcher else await _mask(lines)


async def _mask(lines: Sequence[Line]) -> list[Line]:
    return await asyncio.to_thread(loglines.masked, lines) if lines else []


class TailLogs(Read):
    """Read the last `tail` lines of each container that a label selector names.

    With `match`, only those in which the regular expression is found, as `grep -i` does, counted
    by what stands between its outer bars, and by time.
    """

    name: ClassVar = "logs"
    selector: Selector
    tail: int = Field(default=100, ge=1, le=500_000)
    match: Expression | None = None

    async def read(self, systems: Systems) -> Reading:
        """Counts, the last lines, and all of them as a file; raises what hit every container."""
        pods = await systems.cluster.pods(self.selector)
        if not pods:
            return Reading(ok=False, text=f"No pods match {self.selector}.")
        found = [source for pod in pods for source in loglines.sources(pod)]
        notes = [
            f"{pod.name} has written nothing: {pod.status}."
            for pod in pods
            if not loglines.sources(pod)
        ]
        if len(found) > SOURCES:
            notes.append(f"Only {SOURCES} of {len(found)} containers were read.")
        tally = Tally()
        lines = await self._collect(systems.cluster, found[:SOURCES], tally, notes)
        return self._reading(lines, tally, len(pods), notes)

    async def _collect(
        self, cluster: Cluster, sources: Sequence[Source], tally: Tally, notes: list[str]
    ) -> list[Line]:
        gate = asyncio.Semaphore(AT_ONCE)
        cap = max(KEPT_BYTES // max(len(sources), 1), KEPT_OF_ONE)
        async with _matcher(self.match) as matcher:
            ears = [Ear(source, tally, matcher, cap) for source in sources]
            async with asyncio.TaskGroup() as group:
                work = [group.create_task(self._listen(cluster, ear, gate)) for ear in ears]
        failed = [error for task in work if (error := task.result()) is not None]
        searching = [error for error in failed if not isinstance(error, ClusterError)]
        if searching or (failed and len(failed) == len(work)):
            raise (searching or failed)[0]
        notes += [str(error) for error in failed]
        return sorted([line for ear in ears for line in await ear.kept()], key=_when)

    async def _listen(
        self, cluster: Cluster, ear: Ear, gate: asyncio.Semaphore
    ) -> UserError | None:
        """Hear a source to its end; what went wrong, if anything."""
        source = ear.source
        try:
            async with gate:
                await cluster.log(
                    source.pod,
                    source.container,
                    ear.hear,
                    tail=self.tail,
                    previous=source.previous,
                )
        except Refused as error:
            # Between the look at the pod and this one, a run was forgotten or not yet begun.
            return None if source.previous else error
        except UserError as error:
            return error
        return None

    def _reading(
        self, lines: Sequence[Line], tally: Tally, pods: int, notes: Sequence[str]
    ) -> Reading:
        attachment = _attachment(self.selector, lines)
        chart, peak = self._by_time(tally)
        return Reading(
            ok=bool(tally.read) and not tally.errors,
            text=self._verdict(tally, pods),
            charts=(chart,) if chart else (),
            excerpt=_excerpt(lines),
            notes=(*peak, *_left_out(attachment, tally.found), *notes),
            attachment=attachment,
        )

    def _by_time(self, tally: Tally) -> tuple[Chart | None, Sequence[str]]:
        if self.match is None:
            return None, ()
        peak = tally.peak()
        return tally.chart(matching.alternatives(self.match)), (peak,) if peak else ()

    def _verdict(self, tally: Tally, pods: int) -> str:
        text = f"{_many(tally.read, 'line')} from {_many(pods, 'pod')}"
        if self.match is not None:
            text = f"{tally.found or 'None'} of {text} match {self._matched(tally)}"
        if tally.found or self.match is None:
            text += f", {_many(tally.errors, 'error')}"
        if tally.last_error is not None:
            said = masking.mask(tally.last_error.text)
            text += f"\nLast error: {loglines.gist(said)}"
        return text

    def _matched(self, tally: Tally) -> str:
        assert self.match is not None
        parts = matching.alternatives(self.match)
        counted = tally.found and len(parts) > 1
        return f"({tally.words(parts)})" if counted else self.match


@asynccontextmanager
async def _matcher(pattern: str | None) -> AsyncIterator[Matcher | None]:
    if pattern is None:
        yield None
        return
    async with matching.matcher(pattern) as matcher:
        yield matcher


def _when(line: Line) -> str:
    return line.at


def _excerpt(lines: Sequence[Line]) -> str:
    """The last lines of those who wrote last, each under its name, the newest at the end."""
    newest: dict[Source, list[Line]] = {}
    for line in reversed(lines):
        newest.setdefault(line.source, []).append(line)
    parts: list[str] = []
    room = EXCERPT_CHARACTERS
    for source, said in list(newest.items())[:EXCERPT_SOURCES]:
        # Half of what is left, so that whoever wrote last has room for a whole stack trace.
        parts.append(_part(source, said[:EXCERPT_LINES], room // 2))
        room -= len(parts[-1]) + 2
    return "\n\n".join(reversed(parts))


def _part(source: Source, newest_first: Sequence[Line], room: int) -> str:
    kept: list[str] = []
    room -= len(source.label) + 1
    for line in newest_first:
        words = f"{line.at[11:19]} {line.text}"
        words = words if len(words) <= LINE_CHARACTERS else f"{words[: LINE_CHARACTERS - 1]}…"
        room -= len(words) + 1
        if room < 0 and kept:
            break
        kept.append(words)
    return "\n".join([f"{source.label}:", *reversed(kept)])


def _attachment(selector: str, lines: Sequence[Line]) -> Attachment | None:
    """Every line, the newest end of them when they are more than a file may hold."""
    kept: list[str] = []
    room = KEPT_BYTES
    for line in reversed(lines):
        before = " (previous container)" if line.source.previous else ""
        whole = f"{line.at} {line.source.pod}/{line.source.container}{before} {line.text}"
        room -= len(whole.encode()) + 1
        if room < 0:
            break
        kept.append(whole)
    if not kept:
        return None
    slug = re.sub(r"[^A-Za-z0-9]+", "-", selector).strip("-")
    return Attachment(name=f"logs-{slug}.txt", text="\n".join(reversed(kept)) + "\n")


def _left_out(attachment: Attachment | None, found: int) -> tuple[str, ...]:
    held = attachment.text.count("\n") if attachment else 0
    return (
        () if held == found else (f"All {found} lines were counted; the file has the last {held}.",)
    )


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
