"""Log lines: their source and time, which of them are errors, and the newest that fit."""

import re
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from bot import redaction
from bot.model import Model
from bot.model.text import printable, truncate
from bot.systems.kubernetes import Container, Pod

LEVEL = re.compile(r'\blevel"?\s{0,2}[=:]\s{0,2}"?([A-Za-z]{3,9}|\d\d)\b')
# 50 and 60 are error and fatal in the logs of pino and bunyan.
ERROR_LEVELS = {"error", "err", "fatal", "critical", "crit", "alert", "emerg", "panic", "50", "60"}
ERROR_WORDS = re.compile(
    r"\b(?:(?:ERROR|FATAL|CRITICAL|PANIC|Traceback|[A-Z][A-Za-z]{0,40}Error)\b|panic:)"
)
SUMMARY_LENGTH = 200
MESSAGE = re.compile(r'"(?:msg|message)"\s?:\s?"((?:[^"\\]|\\.){1,400})"')


class Source(Model):
    """The log of one container, or of the `previous` run of it; `label` is its name for people."""

    pod: str
    container: str
    label: str
    previous: bool = False


class Line(NamedTuple):
    """One line; `at` is its time in a form that sorts, or empty."""

    at: str
    source: Source
    text: str


def log_sources(pod: Pod) -> list[Source]:
    """The logs that a pod has; of init containers that ended well, none."""
    several = len(pod.all_containers) > 1
    failed = [container for container in pod.init_containers if not _is_done(container)]
    return [
        source
        for container in (*failed, *pod.containers)
        for source in _container_sources(pod, container, several=several)
    ]


def _is_done(init_container: Container) -> bool:
    has_ended = not init_container.running and init_container.exit_code == 0
    return has_ended and not init_container.sidecar


def _container_sources(pod: Pod, container: Container, *, several: bool) -> list[Source]:
    """The log of a container, and of its previous run if that one failed."""
    label = f"{pod.name}/{container.name}" if several else pod.name
    current = Source(pod=pod.name, container=container.name, label=label)
    previous = current.model_copy(
        update={"previous": True, "label": f"{label} (previous container)"}
    )
    if container.running:
        failed = container.exit_code not in (None, 0)
        return [previous, current] if failed and container.restarts else [current]
    if container.exit_code is None:
        return []
    # Until it waits for its next start, the run that has just ended is still the present one.
    return [current] if container.terminated or not container.restarts else [previous]


class TimestampSplitter:
    """Splits the time off each line of one source, and masks private keys of several lines."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._at = ""
        self._in_key = False

    def lines(self, texts: Sequence[str]) -> list[Line]:
        """Split the next lines; a line without a time gets that of the line before."""
        return [self._line(text) for text in texts]

    def _line(self, raw: str) -> Line:
        first_word, _, rest = raw.partition(" ")
        timestamp = _sortable_time(first_word)
        self._at = timestamp or self._at
        text = _as_shown(rest if timestamp else raw)
        return Line(self._at, self._source, redaction.REDACTED if self._is_in_key(text) else text)

    def _is_in_key(self, text: str) -> bool:
        """Whether this line belongs to a private key; remembers whether the next one does."""
        in_key = self._in_key or ("-----BEGIN" in text and "PRIVATE KEY" in text)
        self._in_key = in_key and "-----END" not in text
        return in_key


def _as_shown(text: str) -> str:
    """The line as a terminal shows it: of a progress bar the last state, and no codes."""
    return printable(text.rstrip("\r").rpartition("\r")[2])


def _sortable_time(stamp: str) -> str:
    """The time in UTC, without the Z, which sorts after the point of a fraction; else empty."""
    try:
        if len(stamp) >= 19 and stamp.endswith("Z"):
            datetime.fromisoformat(stamp[:19])
            return stamp[:-1]
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return ""
    return moment.astimezone(UTC).isoformat()[:-6] if moment.tzinfo and len(stamp) >= 19 else ""


def masked(lines: Sequence[Line]) -> list[Line]:
    """The lines with their secrets masked."""
    texts = redaction.redact_lines([line.text for line in lines])
    return [line._replace(text=text) for line, text in zip(lines, texts, strict=True)]


class TailBuffer:
    """Keeps the newest lines that fit into `max_characters`, and at least one."""

    def __init__(self, max_characters: int) -> None:
        self._lines: deque[Line] = deque()
        self._max_characters = max_characters
        self._characters = 0

    def add(self, lines: Sequence[Line]) -> None:
        """Append lines, and drop the oldest where they do not fit."""
        for line in lines:
            self._lines.append(line)
            self._characters += len(line.text)
            while self._characters > self._max_characters and len(self._lines) > 1:
                self._characters -= len(self._lines.popleft().text)

    def lines(self) -> list[Line]:
        """The lines that are left, oldest first."""
        return list(self._lines)


def is_error(text: str) -> bool:
    """Whether a line reports an error: by its level if it has one, else by its words."""
    level = LEVEL.search(text)
    if level is not None:
        return level[1].lower() in ERROR_LEVELS
    return ERROR_WORDS.search(text) is not None


def summary(text: str) -> str:
    """The message of a JSON line, or the line itself; cut off after 200 characters."""
    message = MESSAGE.search(text)
    return truncate(message[1] if message else text.strip(), SUMMARY_LENGTH)
