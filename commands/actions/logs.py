"""What pods wrote last, merged, masked and counted."""

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar, NamedTuple

from pydantic import AfterValidator, Field

from bot import masking
from bot.actions import Read, Systems
from bot.cluster import Cluster, ClusterError, Container, Pod, Refused
from bot.model import Attachment, Noun, Reading, UserError
from commands.actions.fields import Selector

KEPT_BYTES = 1024 * 1024
EXCERPT_LINES = 15
EXCERPT_CHARACTERS = 2_500
LINE_CHARACTERS = 300
SOURCES = 50
AT_ONCE = 8
LEVEL = re.compile(r'\blevel"?\s{0,2}[=:]\s{0,2}"?([A-Za-z]{3,9}|\d\d)\b')
BAD_LEVELS = {"error", "err", "fatal", "critical", "crit", "alert", "emerg", "panic", "50", "60"}
BAD_WORDS = re.compile(
    r"\b(?:ERROR|FATAL|CRITICAL|PANIC|panic:|Traceback|[A-Z][A-Za-z]{0,40}Error)\b"
)
MATCH_SECONDS = 5.0
# Some expressions take years on some lines, and Python cannot stop one: only end its process.
MATCHER = """
import json, re, sys
pattern, lines = json.load(sys.stdin)
search = re.compile(pattern, re.IGNORECASE).search
json.dump([at for at, line in enumerate(lines) if search(line)], sys.stdout)
"""
MESSAGE = re.compile(r'"(?:msg|message)"\s?:\s?"((?:[^"\\]|\\.){1,400})"')


def _expression(text: str) -> str:
    try:
        re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"expects a regular expression ({error})") from error
    return text


Expression = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_expression)]


class Source(Noun):
    """One run of one container."""

    pod: str
    container: str
    label: str
    previous: bool = False


class Line(NamedTuple):
    """One line: when, who, what."""

    at: str
    source: Source
    text: str


class TailLogs(Read):
    """Read the last `tail` lines of each container that a label selector names.

    With `match`, only those in which the regular expression is found, as `grep -i` does.
    """

    name: ClassVar = "logs"
    selector: Selector
    tail: int = Field(default=100, ge=1, le=5000)
    match: Expression | None = None

    async def read(self, systems: Systems) -> Reading:
        """Counts, the last lines, and all of them as a file; raises what hit every container."""
        pods = await systems.cluster.pods(self.selector)
        if not pods:
            return Reading(ok=False, text=f"No pods match {self.selector}.")
        found = [source for pod in pods for source in _sources(pod)]
        notes = [
            f"{pod.name} has written nothing: {pod.status}." for pod in pods if not _sources(pod)
        ]
        if len(found) > SOURCES:
            notes.append(f"Only {SOURCES} of {len(found)} containers were read.")
        lines = await self._collect(systems.cluster, found[:SOURCES], notes)
        kept = lines if self.match is None else await matching(self.match, lines)
        return self._reading(kept, len(lines), len(pods), tuple(notes))

    async def _collect(
        self, cluster: Cluster, sources: Sequence[Source], notes: list[str]
    ) -> list[Line]:
        gate = asyncio.Semaphore(AT_ONCE)
        cap = max(KEPT_BYTES // max(len(sources), 1), 64 * 1024)
        async with asyncio.TaskGroup() as group:
            reads = [group.create_task(self._tail(cluster, one, cap, gate)) for one in sources]
        answers = [task.result() for task in reads]
        failed = [answer for answer in answers if isinstance(answer, ClusterError)]
        if failed and len(failed) == len(answers):
            raise failed[0]
        notes += [str(error) for error in failed]
        good = [answer for answer in answers if not isinstance(answer, ClusterError)]
        return sorted((line for lines in good for line in lines), key=lambda line: line.at)

    async def _tail(
        self, cluster: Cluster, source: Source, cap: int, gate: asyncio.Semaphore
    ) -> list[Line] | ClusterError:
        try:
            async with gate:
                kept = await cluster.log(
                    source.pod,
                    source.container,
                    tail=self.tail,
                    cap=cap,
                    previous=source.previous,
                )
        except Refused as error:
            # Between the look at the pod and this one, a run was forgotten or not yet begun.
            return [] if source.previous else error
        except ClusterError as error:
            return error
        # Masking a megabyte takes a while, in which the bot has to answer others.
        return await asyncio.to_thread(_stamped, kept.lines(), source)

    def _reading(
        self, lines: Sequence[Line], read: int, pods: int, notes: tuple[str, ...]
    ) -> Reading:
        errors = [line for line in lines if is_error(line.text)]
        text = f"{_many(read, 'line')} from {_many(pods, 'pod')}"
        if self.match is not None:
            text = f"{len(lines) or 'None'} of {text} match {self.match}"
        text += f", {_many(len(errors), 'error')}" if lines or self.match is None else ""
        if errors:
            text += f"\nLast error: {_gist(errors[-1].text)}"
        return Reading(
            ok=bool(read) and not errors,
            text=text,
            excerpt=_excerpt(lines),
            notes=notes,
            attachment=_attachment(self.selector, lines),
        )


async def matching(
    pattern: str, lines: Sequence[Line], seconds: float = MATCH_SECONDS
) -> list[Line]:
    """The lines that an expression is found in; raises UserError when it takes too long."""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", MATCHER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(seconds):
            asked = json.dumps([pattern, [line.text for line in lines]])
            said, _ = await worker.communicate(asked.encode())
    except TimeoutError as error:
        raise UserError(
            f"Looking for {pattern} took longer than {seconds:g} s, so it was stopped. "
            "Nothing was changed. Write `match` without a repetition inside of a repetition."
        ) from error
    finally:
        await _end(worker)
    if worker.returncode:
        raise UserError(
            f"Looking for {pattern} broke off (exit {worker.returncode}). Nothing was changed. "
            "The machine may be short of memory: try again with fewer lines."
        )
    return [lines[at] for at in json.loads(said)]


async def _end(worker: asyncio.subprocess.Process) -> None:
    """Leave nothing behind, however the wait for it ended."""
    if worker.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        await worker.wait()


def _sources(pod: Pod) -> list[Source]:
    several = len(pod.containers) > 1
    return [one for container in pod.containers for one in _runs(pod, container, several=several)]


def _runs(pod: Pod, container: Container, *, several: bool) -> list[Source]:
    """What to read of a container: its run before as well, when that one failed."""
    short = pod.name.rpartition("-")[2]
    label = f"{short}/{container.name}" if several else short
    now = Source(pod=pod.name, container=container.name, label=label)
    before = now.model_copy(update={"previous": True})
    failed = container.exit_code not in (None, 0)
    if container.running:
        return [before, now] if failed and container.restarts else [now]
    # While it waits to be started again, its last run is the previous one.
    if container.exit_code is None:
        return []
    return [before] if container.restarts else [now]


def _stamped(lines: Sequence[str], source: Source) -> list[Line]:
    """Split the time off each line and mask it; one without keeps that of the line before."""
    made, at, in_key = [], "", False
    for line in lines:
        stamp, _, text = line.partition(" ")
        known = _time(stamp)
        at = known or at
        said = text if known else line
        begins, ends = "-----BEGIN" in said and "PRIVATE KEY" in said, "-----END" in said
        made.append(Line(at, source, masking.MASK if in_key or begins else masking.mask(said)))
        in_key = (in_key or begins) and not ends
    return made


def _time(stamp: str) -> str:
    """A form that sorts: without the Z, which would come after a fraction's point."""
    try:
        datetime.fromisoformat(stamp[:19])
    except ValueError:
        return ""
    return stamp.removesuffix("Z") if len(stamp) >= 19 else ""


def is_error(text: str) -> bool:
    """By its level where a line has one, else by its words."""
    level = LEVEL.search(text)
    if level is not None:
        return level[1].lower() in BAD_LEVELS
    return BAD_WORDS.search(text) is not None


def _gist(text: str) -> str:
    found = MESSAGE.search(text)
    words = found[1] if found else text.strip()
    return words if len(words) <= 200 else f"{words[:199]}…"


def _excerpt(lines: Sequence[Line]) -> str:
    """The last lines that fit, newest last."""
    kept: list[str] = []
    room = EXCERPT_CHARACTERS
    for line in reversed(lines[-EXCERPT_LINES:]):
        words = f"{line.at[11:19]} {line.source.label} {line.text}"
        words = words if len(words) <= LINE_CHARACTERS else f"{words[: LINE_CHARACTERS - 1]}…"
        room -= len(words) + 1
        if room < 0:
            break
        kept.append(words)
    return "\n".join(reversed(kept))


def _attachment(selector: str, lines: Sequence[Line]) -> Attachment | None:
    """Every line, the newest end of them when they are more than a file may hold."""
    kept: list[str] = []
    room = KEPT_BYTES
    for line in reversed(lines):
        whole = f"{line.at} {line.source.pod}/{line.source.container} {line.text}"
        room -= len(whole.encode()) + 1
        if room < 0:
            break
        kept.append(whole)
    if not kept:
        return None
    slug = re.sub(r"[^A-Za-z0-9]+", "-", selector).strip("-")
    return Attachment(name=f"logs-{slug}.txt", text="\n".join(reversed(kept)) + "\n")


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
