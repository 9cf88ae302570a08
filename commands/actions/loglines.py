"""Lines of logs: who wrote them and when, which of them are errors, and the newest that fit."""

import re
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from bot import masking
from bot.cluster import Container, Pod
from bot.model import Noun

LEVEL = re.compile(r'\blevel"?\s{0,2}[=:]\s{0,2}"?([A-Za-z]{3,9}|\d\d)\b')
BAD_LEVELS = {"error", "err", "fatal", "critical", "crit", "alert", "emerg", "panic", "50", "60"}
BAD_WORDS = re.compile(
    r"\b(?:ERROR|FATAL|CRITICAL|PANIC|panic:|Traceback|[A-Z][A-Za-z]{0,40}Error)\b"
)
MESSAGE = re.compile(r'"(?:msg|message)"\s?:\s?"((?:[^"\\]|\\.){1,400})"')


class Source(Noun):
    """One run of one container; `label` is how people call it."""

    pod: str
    container: str
    label: str
    previous: bool = False


class Line(NamedTuple):
    """One line: when, who, what."""

    at: str
    source: Source
    text: str


def sources(pod: Pod) -> list[Source]:
    """What to read of a pod."""
    several = len(pod.containers) > 1
    return [one for container in pod.containers for one in _runs(pod, container, several=several)]


def _runs(pod: Pod, container: Container, *, several: bool) -> list[Source]:
    """What to read of a container: its run before as well, when that one failed."""
    label = f"{pod.name}/{container.name}" if several else pod.name
    now = Source(pod=pod.name, container=container.name, label=label)
    before = now.model_copy(update={"previous": True, "label": f"{label} (previous container)"})
    failed = container.exit_code not in (None, 0)
    if container.running:
        return [before, now] if failed and container.restarts else [now]
    # While it waits to be started again, its last run is the previous one.
    if container.exit_code is None:
        return []
    return [before] if container.restarts else [now]


class Stamps:
    """Splits the time off each line of one source; keeps to itself what is inside of a key."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._at = ""
        self._in_key = False

    def lines(self, texts: Sequence[str]) -> list[Line]:
        """The next lines; one without a time keeps that of the line before."""
        return [self._line(text) for text in texts]

    def _line(self, whole: str) -> Line:
        stamp, _, text = whole.partition(" ")
        known = _time(stamp)
        self._at = known or self._at
        said = text if known else whole
        begins, ends = "-----BEGIN" in said and "PRIVATE KEY" in said, "-----END" in said
        hidden = self._in_key or begins
        self._in_key = hidden and not ends
        return Line(self._at, self._source, masking.MASK if hidden else said)


def _time(stamp: str) -> str:
    """A form that sorts: UTC without the Z, which would come after a fraction's point."""
    try:
        if len(stamp) >= 19 and stamp.endswith("Z"):
            datetime.fromisoformat(stamp[:19])
            return stamp[:-1]
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return ""
    return moment.astimezone(UTC).isoformat()[:-6] if moment.tzinfo and len(stamp) >= 19 else ""


def masked(lines: Sequence[Line]) -> list[Line]:
    """The same lines, with nothing in them that nobody should read."""
    return [line._replace(text=masking.mask(line.text)) for line in lines]


class Newest:
    """The newest lines that fit into `cap` characters."""

    def __init__(self, cap: int) -> None:
        self._kept: deque[Line] = deque()
        self._cap = cap
        self._size = 0

    def add(self, lines: Sequence[Line]) -> None:
        """Take in the next lines, and let go of the oldest."""
        for line in lines:
            self._kept.append(line)
            self._size += len(line.text)
            while self._size > self._cap and len(self._kept) > 1:
                self._size -= len(self._kept.popleft().text)

    def lines(self) -> list[Line]:
        """What is kept, oldest first."""
        return list(self._kept)


def is_error(text: str) -> bool:
    """By its level where a line has one, else by its words."""
    level = LEVEL.search(text)
    if level is not None:
        return level[1].lower() in BAD_LEVELS
    return BAD_WORDS.search(text) is not None


def gist(text: str) -> str:
    """What a line says, without the fields around it."""
    found = MESSAGE.search(text)
    words = found[1] if found else text.strip()
    return words if len(words) <= 200 else f"{words[:199]}…"
