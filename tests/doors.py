"""The doors of one replica: each statement, request and call passes one, and can be stopped there.

The doors are those of the libraries (psycopg's wait for the server, aiohttp's request), so the
bot's own code is what runs. What a replica does belongs to it by a context variable, which every
task that it starts inherits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import psycopg
import pytest

CURRENT: ContextVar["Doors | None"] = ContextVar("doors", default=None)

Trouble = Callable[[], Awaitable[None]]


class Killed(BaseException):
    """The process is dead: nothing leaves it any more, and no handler of it may go on."""


@dataclass
class Doors:
    """Counts what passes once it is `armed`; at one door, the first that fits, trouble begins.

    It is given by its number or by how its name begins: `statement`, or `PATCH http://…`. `before`
    happens when something is about to leave, `after` when its answer has come.
    """

    stop_at: int | str | None = None
    before: Trouble | None = None
    after: Trouble | None = None
    armed: bool = False
    dead: bool = False
    passed: list[str] = field(default_factory=list)
    struck: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.open.set()

    async def enter(self, name: str) -> bool:
        """Something is about to leave; True where trouble awaits its answer. Raises Killed."""
        self.check_alive()
        await self.open.wait()
        if not self.armed:
            return False
        self.passed.append(name)
        if self.struck.is_set() or not self._stops_at(name):
            return False
        self.struck.set()
        if self.before is not None:
            await self.before()
        await self.open.wait()
        self.check_alive()
        return self.after is not None

    def _stops_at(self, name: str) -> bool:
        if isinstance(self.stop_at, str):
            return name.startswith(self.stop_at)
        return len(self.passed) - 1 == self.stop_at

    def check_alive(self) -> None:
        """Raise Killed for the dead."""
        if self.dead:
            raise Killed

    async def kill(self) -> None:
        """The process dies: from now on every door of it is shut."""
        self.dead = True

    async def suspend(self) -> None:
        """The process stands still until `resume`."""
        self.open.clear()

    def resume(self) -> None:
        """The process goes on where it stood."""
        self.open.set()


@contextmanager
def replica(doors: Doors) -> Iterator[None]:
    """Whatever is started in here belongs to the replica of these doors."""
    token = CURRENT.set(doors)
    try:
        yield
    finally:
        CURRENT.reset(token)


async def _wait(conn: Any, *arguments: Any, **named: Any) -> Any:
    """psycopg's `AsyncConnection.wait`, behind a door."""
    doors = CURRENT.get()
    if doors is None:
        return await WAIT(conn, *arguments, **named)
    try:
        troubled = await doors.enter("statement")
        answer = await WAIT(conn, *arguments, **named)
        doors.check_alive()
    except Killed:
        conn.pgconn.finish()  # the kernel closes what a dead process had open
        raise
    if troubled and doors.after is not None:
        conn.pgconn.finish()
        raise psycopg.OperationalError("the connection is lost")
    return answer


async def _request(session: Any, method: str, url: Any, **named: Any) -> Any:
    """aiohttp's `ClientSession._request`, behind a door."""
    doors = CURRENT.get()
    if doors is None:
        return await REQUEST(session, method, url, **named)
    troubled = await doors.enter(f"{method} {url}")
    response = await REQUEST(session, method, url, **named)
    doors.check_alive()
    if troubled and doors.after is not None:
        response.close()
        raise aiohttp.ServerDisconnectedError
    return response


WAIT = psycopg.AsyncConnection.wait
REQUEST = aiohttp.ClientSession._request


async def nothing() -> None:
    """No trouble but the one that is there already."""


@pytest.fixture
def doors_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """The libraries' doors are watched in this test."""
    put_in_place(monkeypatch)


def put_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Watch the libraries' doors until `monkeypatch` is undone."""
    monkeypatch.setattr(psycopg.AsyncConnection, "wait", _wait)
    monkeypatch.setattr(aiohttp.ClientSession, "_request", _request)
