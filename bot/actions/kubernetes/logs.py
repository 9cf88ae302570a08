"""The last log lines of pods: merged, masked, searched and counted."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pydantic import Field

from bot import redaction
from bot.actions.base import IN_CLUSTER, Read
from bot.actions.kubernetes import log_lines, matching
from bot.actions.kubernetes.log_counts import LogCounts
from bot.actions.kubernetes.log_lines import Line, LineReader, Source, TailBuffer
from bot.actions.kubernetes.matching import Expression, Search
from bot.actions.params import Selector
from bot.actions.wording import plural
from bot.model import Attachment, Chart, ReadResult
from bot.model.text import truncate
from bot.systems import Systems
from bot.systems.kubernetes import Cluster, ClusterError, RequestRefused

MAX_FILE_BYTES = 1024 * 1024
MIN_CHARACTERS_PER_SOURCE = 64 * 1024
EXCERPT_LINES_PER_SOURCE = 12
EXCERPT_SOURCES = 4
EXCERPT_CHARACTERS = 2_500
EXCERPT_LINE_CHARACTERS = 300
MAX_SOURCES = 50
MAX_PARALLEL_READS = 8


class LogCollector:
    """Counts and searches the lines of one source as they arrive, and keeps the newest of them."""

    def __init__(
        self, source: Source, tally: LogCounts, search: Search | None, max_characters: int
    ) -> None:
        self.source = source
        self._counts = tally
        self._search = search
        self._buffer = TailBuffer(max_characters)
        self._reader = LineReader(source)

    def take(self, block: bytes) -> None:
        """Take the next lines. Slow: it belongs in a thread, as the bot has to answer others."""
        self._counts.total += block.count(b"\n")
        for line, alternatives in self._chosen(block):
            self._counts.count(line, alternatives)
            self._buffer.add(line)

    def _chosen(self, block: bytes) -> Iterator[tuple[Line, Sequence[int]]]:
        """All lines; or those that match, masked, each with the alternatives found in it.

        What is masked is searched: otherwise people could search for the secrets themselves.
        """
        if self._search is None:
            yield from ((line, ()) for line in self._reader.lines(block, log_lines.each))
            return
        lines = self._reader.lines(block, self._search.candidates)
        some_may = log_lines.may_have_secret("\n".join(line.text for line in lines))
        for line in lines:
            may_have = some_may and log_lines.may_have_secret(line.text)
            masked = line._replace(text=redaction.redact(line.text)) if may_have else line
            if found := self._search.found(masked.text):
                yield masked, found

    def lines(self) -> list[Line]:
        """The newest lines, masked; those that were searched were masked then."""
        lines = self._buffer.lines()
        return log_lines.masked(lines) if self._search is None else lines


class TailLogs(Read):
    """Read the last `tail` lines of each container in the pods that a label selector names.

    With `match`, only the lines that match this regular expression (of RE2), in upper or lower
    case. They are counted by the alternatives between its outer bars, and by time.
    """

    name: ClassVar = "logs"
    place_keys: ClassVar = IN_CLUSTER
    selector: Selector
    tail: int = Field(default=100, ge=1, le=500_000)
    match: Expression | None = None

    async def read(self, systems: Systems) -> ReadResult:
        """Counts, an excerpt, and the lines as a file.

        Raises ClusterError when the pods cannot be listed, or no log can be read.
        """
        pods = await systems.cluster.pods(self.selector)
        if not pods:
            return ReadResult(
                ok=False, text=f"No pods match {self.selector} in {systems.cluster.place}."
            )
        sources = [source for pod in pods for source in log_lines.log_sources(pod)]
        notes = [
            f"{pod.name} has written nothing: {pod.status}."
            for pod in pods
            if not log_lines.log_sources(pod)
        ]
        if len(sources) > MAX_SOURCES:
            notes.append(f"Only {MAX_SOURCES} of {len(sources)} containers were read.")
        tally = LogCounts()
        lines, errors = await self._collect(systems.cluster, sources[:MAX_SOURCES], tally)
        return self._result(lines, tally, len(pods), [*notes, *map(str, errors)])

    async def _collect(
        self, cluster: Cluster, sources: Sequence[Source], tally: LogCounts
    ) -> tuple[list[Line], list[ClusterError]]:
        """The lines of all sources by time, and the errors of the sources that were not read."""
        search = None if self.match is None else Search(self.match)
        share = max(MAX_FILE_BYTES // max(len(sources), 1), MIN_CHARACTERS_PER_SOURCE)
        collectors = [LogCollector(source, tally, search, share) for source in sources]
        parallel, turn = asyncio.Semaphore(MAX_PARALLEL_READS), asyncio.Lock()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._collect_one(cluster, collector, parallel, turn))
                for collector in collectors
            ]
        errors = [error for task in tasks if (error := task.result()) is not None]
        if errors and len(errors) == len(sources):
            raise errors[0]
        return await asyncio.to_thread(_by_time, collectors), errors

    async def _collect_one(
        self,
        cluster: Cluster,
        collector: LogCollector,
        parallel: asyncio.Semaphore,
        turn: asyncio.Lock,
    ) -> ClusterError | None:
        """Read one log to its end; an error is returned, so that the others are not cancelled."""
        source = collector.source

        async def on_lines(block: bytes) -> None:
            async with turn:  # they count into one tally
                await asyncio.to_thread(collector.take, block)

        try:
            async with parallel:
                await cluster.log(
                    source.pod,
                    source.container,
                    on_lines,
                    tail=self.tail,
                    previous=source.previous,
                )
        except RequestRefused as error:
            # Since the pod was read, the previous log may be gone, or a run has not begun yet.
            return None if source.previous else error
        except ClusterError as error:
            return error
        return None

    def _result(
        self, lines: Sequence[Line], tally: LogCounts, pods: int, notes: Sequence[str]
    ) -> ReadResult:
        attachment = _attachment(self.selector, lines)
        chart, peak = self._chart(tally)
        return ReadResult(
            ok=self._judge(tally),
            is_unjudged=self._judge(tally) is None,
            text=self._verdict(tally, pods),
            charts=(chart,) if chart else (),
            excerpt=_excerpt(lines),
            notes=(*peak, *_not_in_file(attachment, tally.counted), *notes),
            attachment=attachment,
        )

    def _judge(self, tally: LogCounts) -> bool | None:
        """Whether the lines are without errors; None where lines were read and none was judged."""
        if tally.total and not tally.counted:
            return None
        return bool(tally.total) and not tally.errors

    def _chart(self, tally: LogCounts) -> tuple[Chart | None, Sequence[str]]:
        """A chart of the matching lines, and a note about their peak."""
        if self.match is None:
            return None, ()
        peak = tally.peak()
        return tally.chart(matching.alternatives(self.match)), (peak,) if peak else ()

    def _verdict(self, tally: LogCounts, pods: int) -> str:
        text = f"{plural(tally.total, 'line')} from {plural(pods, 'pod')}"
        if self.match is not None:
            text = f"{tally.counted or 'None'} of {text} match {self._matched(tally)}"
        if tally.counted or self.match is None:
            text += f", {plural(tally.errors, 'error')}"
        if tally.last_error is not None:
            last_error = redaction.redact(tally.last_error.text)
            text += f"\nLast error: {log_lines.summary(last_error)}"
        return text

    def _matched(self, tally: LogCounts) -> str:
        """The search, or the count of each of its alternatives."""
        assert self.match is not None
        alternatives = matching.alternatives(self.match)
        if tally.counted and len(alternatives) > 1:
            return f"({tally.counts_text(alternatives)})"
        return self.match


def _by_time(collectors: Sequence[LogCollector]) -> list[Line]:
    return sorted((line for collector in collectors for line in collector.lines()), key=_time)


def _time(line: Line) -> str:
    return line.at


def _excerpt(lines: Sequence[Line]) -> str:
    """The last lines of the sources that wrote last, under their labels; the newest at the end."""
    newest: dict[Source, list[Line]] = {}
    for line in reversed(lines):
        newest.setdefault(line.source, []).append(line)
    parts: list[str] = []
    remaining = EXCERPT_CHARACTERS
    for source, source_lines in list(newest.items())[:EXCERPT_SOURCES]:
        # Half of the rest for each, so that the newest source has space for a whole stack trace.
        parts.append(
            _source_excerpt(source, source_lines[:EXCERPT_LINES_PER_SOURCE], remaining // 2)
        )
        remaining -= len(parts[-1]) + 2
    return "\n\n".join(reversed(parts))


def _source_excerpt(source: Source, newest_first: Sequence[Line], remaining: int) -> str:
    """As many lines as fit into `remaining` characters, and at least one."""
    excerpt: list[str] = []
    remaining -= len(source.label) + 1
    for line in newest_first:
        text = truncate(f"{line.at[11:19]} {line.text}", EXCERPT_LINE_CHARACTERS)
        remaining -= len(text) + 1
        if remaining < 0 and excerpt:
            break
        excerpt.append(text)
    return "\n".join([f"{source.label}:", *reversed(excerpt)])


def _attachment(selector: str, lines: Sequence[Line]) -> Attachment | None:
    """A file with the lines, or with the newest that fit; None when there are none."""
    texts: list[str] = []
    remaining = MAX_FILE_BYTES
    for line in reversed(lines):
        suffix = " (previous container)" if line.source.previous else ""
        text = f"{line.at} {line.source.pod}/{line.source.container}{suffix} {line.text}"
        remaining -= len(text.encode()) + 1
        if remaining < 0:
            break
        texts.append(text)
    if not texts:
        return None
    slug = re.sub(r"[^A-Za-z0-9]+", "-", selector).strip("-")
    return Attachment(name=f"logs-{slug}.txt", text="\n".join(reversed(texts)) + "\n")


def _not_in_file(attachment: Attachment | None, counted: int) -> tuple[str, ...]:
    """A note when the file has fewer lines than were counted."""
    lines = attachment.text.count("\n") if attachment else 0
    if lines == counted:
        return ()
    return (f"All {counted} lines were counted; the file has the last {lines}.",)
