"""Log lines: their source and time, which of them are errors, and the newest that fit."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from bot import redaction
from bot.actions.kubernetes.matching import STAMP_PATTERN, searched_together
from bot.model import Model
from bot.model.text import printable, truncate
from bot.systems.kubernetes import MAX_LINE_BYTES, Container, Pod

LEVEL = re.compile(r'\blevel"?\s{0,2}[=:]\s{0,2}"?([A-Za-z]{3,9}|\d\d)\b')
# 50 and 60 are error and fatal in the logs of pino and bunyan.
ERROR_LEVELS = {"error", "err", "fatal", "critical", "crit", "alert", "emerg", "panic", "50", "60"}
ERROR_WORDS = re.compile(
    r"\b(?:(?:ERROR|FATAL|CRITICAL|PANIC|Traceback|[A-Z][A-Za-z]{0,40}Error)\b|panic:)"
)
STAMP = re.compile(STAMP_PATTERN.encode())
CONTROL_CHARACTERS = bytes({*range(0x20), 0x7F} - {*b"\t\n"})
# Without one of these, a line of a log has nothing that `redact` masks: a name of a secret or of
# a place where one stands, a long word, many digits, or a letter that looks like another one.
SUSPICIOUS = searched_together(
    "pass|pwd|pw|psk|/p:|add_user|secret|identified|token|key|auth|cred|cookie|cvc|cvv|cvn|pin|iban|bearer|basic|session|login"
    "|sign|salt|otp|code|@|://|-----|[$%\\\\]|[^\\x00-\\x7F]",
    "[a-z0-9+/=_.~-]{12,}",
    "[0-9](?:[ \\t.-]{0,3}[0-9]){8,}",
    "[^a-z0-9]-{1,2}[a-z]|^-",
    "(?:[^ :]+:){4}",
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


class LineReader:
    """Reads the lines of one source from blocks of bytes; each line ends with a newline.

    A block has hundreds of lines, most of which are searched only: a call for each is too slow.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._last_stamp = b""
        self._in_key = False

    def lines(self, block: bytes, find: Callable[[bytes], Iterable[slice]]) -> list[Line]:
        """The lines that `find` chooses, which is given all of them with their times.

        They are as people see them, and of a private key only what says that it is masked. A line
        without a time gets that of the line before.
        """
        if not _is_plain(block) or self._in_key or b"-----BEGIN" in block:
            texts = block.decode("utf-8", "replace").removesuffix("\n").split("\n")
            block = "".join(f"{self._shown(text)}\n" for text in texts).encode()
        lines = [self._line(block, place) for place in find(block)]
        self._last_stamp = self._stamp(block, len(block))
        return lines

    def _shown(self, line: str) -> str:
        """A line as a terminal shows it: of a progress bar the last state, and no codes."""
        stamp = STAMP.match(line.encode())
        start = stamp.end() if stamp else 0
        text = printable(line[start:].rstrip("\r").rpartition("\r")[2])
        in_key = self._in_key or ("-----BEGIN" in text and "PRIVATE KEY" in text)
        self._in_key = in_key and "-----END" not in text
        return line[:start] + (redaction.REDACTED if in_key else text)

    def _line(self, block: bytes, place: slice) -> Line:
        stamp = STAMP.match(block, place.start)
        time = _sortable_time(stamp[1] if stamp else self._stamp(block, place.start))
        start = stamp.end() if stamp else place.start
        text = block[start : min(place.stop, place.start + MAX_LINE_BYTES)]
        return Line(time, self._source, text.decode("utf-8", "replace"))

    def _stamp(self, block: bytes, end: int) -> bytes:
        """The time of the last line before `end` that has one."""
        while end > 0:
            end = block.rfind(b"\n", 0, end - 1) + 1
            if stamp := STAMP.match(block, end):
                return stamp[1]
        return self._last_stamp


def _is_plain(block: bytes) -> bool:
    """Whether people see the lines as they are written."""
    if block.isascii():  # which most are, and this is fast
        return len(block.translate(None, CONTROL_CHARACTERS)) == len(block)
    try:
        text = block.decode()
    except UnicodeDecodeError:
        return False
    return text.replace("\n", "").replace("\t", "").isprintable()


def _sortable_time(stamp: bytes) -> str:
    """The time in UTC, without the Z, which sorts after the point of a fraction; else empty."""
    text = stamp.decode()
    if text.endswith("Z"):
        return text[:-1] if _is_time(text[:19]) else ""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()[:-6]
    except ValueError:
        return ""


@lru_cache(maxsize=1024)  # of each second there may be thousands of lines
def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def each(block: bytes) -> Iterator[slice]:
    """Where each line of a block is."""
    start = 0
    while (end := block.find(b"\n", start)) >= 0:
        yield slice(start, end)
        start = end + 1


def masked(lines: Sequence[Line]) -> list[Line]:
    """The lines with their secrets masked."""
    texts = redaction.redact_lines([line.text for line in lines])
    return [line._replace(text=text) for line, text in zip(lines, texts, strict=True)]


def may_have_secret(text: str) -> bool:
    """Whether `redact` may change one of these lines; fast, and right whenever it says no."""
    return SUSPICIOUS.Match(text) is not None


class TailBuffer:
    """Keeps the newest lines that fit into `max_characters`, and at least one."""

    def __init__(self, max_characters: int) -> None:
        self._lines: deque[Line] = deque()
        self._max_characters = max_characters
        self._characters = 0

    def add(self, line: Line) -> None:
        """Append a line, and drop the oldest where it does not fit."""
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
