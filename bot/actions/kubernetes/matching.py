"""Search log lines with a regular expression, in a process of its own that can be killed."""

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

from bot.model import UserError

SECONDS = 5.0
# A response is one line of JSON, with a few characters for each line that matches.
MAX_RESPONSE_BYTES = 8 * 1024 * 1024
# Some expressions take years on some lines, and Python cannot interrupt one in a thread.
WORKER = """
import json, re, sys
def search(pattern):
    find, plain = re.compile(pattern, re.IGNORECASE).search, pattern.lower()
    # Most patterns are plain words, which Python finds twenty times as fast without `re`.
    if not re.fullmatch("[a-z0-9_ /:-]+", plain):
        return find
    return lambda line: plain in line.lower() if line.isascii() else find(line)
searches = [search(pattern) for pattern in json.loads(sys.stdin.readline())]
for request in sys.stdin:
    matches = []
    for index, line in enumerate(json.loads(request)):
        alternatives = [number for number, search in enumerate(searches) if search(line)]
        if alternatives:
            matches.append([index, alternatives])
    print(json.dumps(matches), flush=True)
"""
# A reference to another part of the expression, or a flag for all of it.
NEEDS_WHOLE = re.compile(r"^\(\?[aiLmsux]+\)|\\[1-9]|\(\?P=|\(\?\(")
TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


def _check_expression(text: str) -> str:
    """Raises ValueError when it is not a regular expression."""
    try:
        re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"expects a regular expression ({error})") from error
    return text


Expression = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_check_expression)]


def alternatives(pattern: str) -> tuple[str, ...]:
    """The parts between the outer bars: `a(b|c)|d` has `a(b|c)` and `d`.

    Only the whole pattern when its parts cannot be searched for one by one.
    """
    parts, depth = [""], 0
    for token in TOKEN.findall(pattern):
        depth += (token == "(") - (token == ")")
        if token == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    separable = NEEDS_WHOLE.search(pattern) is None and all(parts)
    return tuple(dict.fromkeys(parts)) if separable else (pattern,)


class Match(NamedTuple):
    """The index of a line that matches, and the indexes of the alternatives found in it."""

    line_number: int
    parts: tuple[int, ...]


class Matcher:
    """Sends lines to the worker process; after one failure, every search fails with that error."""

    def __init__(self, pattern: str, worker: asyncio.subprocess.Process, seconds: float) -> None:
        self._pattern = pattern
        self._worker = worker
        self._seconds = seconds
        self._failure: UserError | None = None
        self._lock = asyncio.Lock()

    async def search(self, lines: Sequence[str]) -> list[Match]:
        """The lines that match, in order. Raises UserError when it takes too long or fails."""
        async with self._lock:
            if self._failure is not None:
                raise self._failure
            try:
                async with asyncio.timeout(self._seconds):
                    response = await self._query(lines)
            except (TimeoutError, OSError) as error:
                self._failure = await self._error(is_late=isinstance(error, TimeoutError))
                raise self._failure from error
            if not response:
                self._failure = await self._error(is_late=False)
                raise self._failure
            return [Match(index, tuple(numbers)) for index, numbers in json.loads(response)]

    async def _query(self, lines: Sequence[str]) -> bytes:
        await self.send(lines)
        assert self._worker.stdout is not None
        return await self._worker.stdout.readline()

    async def send(self, texts: Sequence[str]) -> None:
        """Write one line of JSON: first the alternatives, which get no response, then requests."""
        assert self._worker.stdin is not None
        self._worker.stdin.write(json.dumps(list(texts)).encode() + b"\n")
        await self._worker.stdin.drain()

    async def _error(self, *, is_late: bool) -> UserError:
        if is_late:
            return UserError(
                f"The search for {self._pattern} took longer than {self._seconds:g} s, so it was "
                "stopped. Nothing was changed. Write `match` without a repetition inside of a "
                "repetition."
            )
        code = await self._worker.wait()
        return UserError(
            f"The search for {self._pattern} stopped with exit code {code}. Nothing was changed. "
            "The machine may be short of memory: try again with fewer lines."
        )


@asynccontextmanager
async def start_matcher(pattern: str, seconds: float = SECONDS) -> AsyncIterator[Matcher]:
    """A Matcher and its worker process, which is killed at the end.

    `seconds` is the time that each search may take.
    """
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", WORKER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=MAX_RESPONSE_BYTES,
    )
    try:
        matcher = Matcher(pattern, worker, seconds)
        await matcher.send(alternatives(pattern))
        yield matcher
    finally:
        await _kill(worker)


async def _kill(worker: asyncio.subprocess.Process) -> None:
    if worker.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        await worker.wait()
