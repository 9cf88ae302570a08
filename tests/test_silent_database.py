"""The bot's own database falls silent: its limits, and what the bot says of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing, suppress

import pytest
from psycopg import conninfo
from psycopg.errors import QueryCanceled

from bot.settings import Settings
from bot.store import db
from tests.conftest import Bot
from tests.test_web import get


class Line:
    """A way to a database, as a port on loopback; nothing is passed on while it is not open."""

    def __init__(self, url: str) -> None:
        found = conninfo.conninfo_to_dict(url)
        self.host, self.port = str(found["host"]), int(found["port"] or 5432)
        self.is_open = asyncio.Event()
        self.is_open.set()
        self._tasks: list[asyncio.Task[None]] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.host.startswith("/"):
            path = f"{self.host}/.s.PGSQL.{self.port}"
            there, to_there = await asyncio.open_unix_connection(path)
        else:
            there, to_there = await asyncio.open_connection(self.host, self.port)
        for source, sink in ((reader, to_there), (there, writer)):
            self._tasks.append(asyncio.create_task(self._pass_on(source, sink)))

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError), closing(sink):
            while said := await source.read(65536):
                await self.is_open.wait()
                sink.write(said)
                await sink.drain()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def line(state: str) -> AsyncIterator[Line]:
    line = Line(state)
    yield line
    await line.end()


@pytest.fixture
async def over(line: Line, state: str) -> AsyncIterator[str]:
    """The URL of the bot's database over the line."""
    server = await asyncio.start_server(line.take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield conninfo.make_conninfo(state, host="127.0.0.1", port=port)
    server.close()


class TestBehindALine:
    @pytest.fixture
    def given(self, given: Settings, over: str) -> Settings:
        return given.model_copy(update={"database_url": over})

    async def test_it_is_said_in_time(self, bot: Bot, line: Line) -> None:
        assert await get(f"{bot.url}/readyz") == (200, "ready")
        line.is_open.clear()

        async with asyncio.timeout(6):
            status, text = await get(f"{bot.url}/readyz")

        assert (status, text) == (503, "the database in DATABASE_URL does not answer")
        line.is_open.set()
        async with asyncio.timeout(20):
            while (await get(f"{bot.url}/readyz"))[0] != 200:
                pass


async def test_a_waiting_statement_is_ended(state: str) -> None:
    pool = await db.open_pool(conninfo.make_conninfo(state, options="-c work_mem=5MB"), size=1)
    query = "SELECT current_setting('statement_timeout'), current_setting('work_mem')"
    try:
        async with pool.connection() as conn:
            assert await (await conn.execute(query)).fetchone() == ("30s", "5MB")
            await conn.execute("SET LOCAL statement_timeout = '50ms'")
            with pytest.raises(QueryCanceled):
                await conn.execute("SELECT pg_sleep(30)")
    finally:
        await pool.close()


async def test_a_silent_server_is_left(state: str) -> None:
    pool = await db.open_pool(state, size=1)
    try:
        async with pool.connection() as conn:
            said = conn.info.get_parameters()
    finally:
        await pool.close()

    assert said["tcp_user_timeout"] == "30000"
    assert said["keepalives_idle"] == "20"


async def test_own_limit_of_url_stays(state: str) -> None:
    pool = await db.open_pool(conninfo.make_conninfo(state, connect_timeout=9), size=1)
    try:
        async with pool.connection() as conn:
            assert conn.info.get_parameters()["connect_timeout"] == "9"
    finally:
        await pool.close()
