"""Looking for an expression in lines, in a process that can be ended."""

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
# Of an answer in one line, which has a few characters for each line asked about.
ANSWER_CAP = 8 * 1024 * 1024
# Some expressions take years on some lines, and Python cannot stop one: only end its process.
WORKER = """
import json, re, sys
def search(pattern):
    find, plain = re.compile(pattern, re.IGNORECASE).search, pattern.lower()
    # Most are a word or two between bars, which Python finds twenty times as fast without `re`.
    if not re.fullmatch("[a-z0-9_ /:-]+", plain):
        return find
    return lambda line: plain in line.lower() if line.isascii() else find(line)
parts = [search(part) for part in json.loads(sys.stdin.readline())]
for asked in sys.stdin:
    found = []
    for at, line in enumerate(json.loads(asked)):
        by = [number for number, part in enumerate(parts) if part(line)]
        if by:
            found.append([at, by])
    print(json.dumps(found), flush=True)
"""
# What refers to another part of the expression, or says how to read all of it.
BOUND = re.compile(r"^\(\?[aiLmsux]+\)|\\[1-9]|\(\?P=|\(\?\(")
TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


def _expression(text: str) -> str:
    try:
        re.compile(text, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"expects a regular expression ({error})") from error
    return text


Expression = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_expression)]


def alternatives(pattern: str) -> tuple[str, ...]:
    """What stands between the bars on the outside: `a(b|c)|d` is `a(b|c)` or `d`.

    The whole, where its parts mean nothing by themselves.
    """
    parts, depth = [""], 0
    for token in TOKEN.findall(pattern):
        depth += (token == "(") - (token == ")")
        if token == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    alone = BOUND.search(pattern) is None and all(parts)
    return tuple(dict.fromkeys(parts)) if alone else (pattern,)


class Match(NamedTuple):
    """A line that the expression is in: its place, and which alternatives are."""

    at: int
    parts: tuple[int, ...]


class Matcher:
    """Asks the process; after it failed once, every question fails as that one did."""

    def __init__(self, pattern: str, worker: asyncio.subprocess.Process, seconds: float) -> None:
        self._pattern = pattern
        self._worker = worker
        self._seconds = seconds
        self._failure: UserError | None = None
        self._turn = asyncio.Lock()

    async def find(self, texts: Sequence[str]) -> list[Match]:
        """Where the expression is; raises UserError when looking takes too long or breaks off."""
        async with self._turn:
            if self._failure is not None:
                raise self._failure
            try:
                async with asyncio.timeout(self._seconds):
                    said = await self.ask(texts)
            except (TimeoutError, OSError) as error:
                self._failure = await self._in_words(late=isinstance(error, TimeoutError))
                raise self._failure from error
            if not said:
                self._failure = await self._in_words(late=False)
                raise self._failure
            return [Match(at, tuple(parts)) for at, parts in json.loads(said)]

    async def ask(self, question: Sequence[str]) -> bytes:
        """Say one line and hear one; the first that is said is not answered."""
        await self.tell(question)
        assert self._worker.stdout is not None
        return await self._worker.stdout.readline()

    async def tell(self, words: Sequence[str]) -> None:
        """Say one line."""
        assert self._worker.stdin is not None
        self._worker.stdin.write(json.dumps(list(words)).encode() + b"\n")
        await self._worker.stdin.drain()

    async def _in_words(self, *, late: bool) -> UserError:
        if late:
            return UserError(
                f"Looking for {self._pattern} took longer than {self._seconds:g} s, so it was "
                "stopped. Nothing was changed. Write `match` without a repetition inside of a "
                "repetition."
            )
        code = await self._worker.wait()
        return UserError(
            f"Looking for {self._pattern} broke off (exit {code}). Nothing was changed. "
            "The machine may be short of memory: try again with fewer lines."
        )


@asynccontextmanager
async def matcher(pattern: str, seconds: float = SECONDS) -> AsyncIterator[Matcher]:
    """The process, ended when nobody needs it; `seconds` bound each question."""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-c", WORKER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=ANSWER_CAP,
    )
    try:
        made = Matcher(pattern, worker, seconds)
        await made.tell(alternatives(pattern))
        yield made
    finally:
        await _end(worker)


async def _end(worker: asyncio.subprocess.Process) -> None:
    """Leave nothing behind, however the wait for it ended."""
    if worker.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            worker.kill()
        await worker.wait()
