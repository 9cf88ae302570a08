"""Somebody's sessions with queries under way, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg import Error as PostgresError

from bot.systems.sessions import DatabaseSession, OwnSession, TerminationResult
from sandbox.shop import Shop

Conn = AsyncConnection[Any]

# Answers when a session's query has run for a second, and at once when it has not begun.
LONG_ENOUGH = """
    SELECT pg_sleep_until(query_start + interval '1.1 s') FROM pg_stat_activity
    WHERE pid = %s AND state = 'active'
"""
SLEEP = "SELECT pg_sleep(60)"
# Goes on for long when it gets the lock, too.
WAIT = """
    WITH changed AS (UPDATE orders SET status = 'PENDING' WHERE customer_email = 'bob@example.com')
    SELECT pg_sleep(60)
"""


class Unrecorded:
    """Lets sessions be ended without recording it."""

    async def opened(self, own: OwnSession) -> None:
        """The session is open."""

    async def sending(self, session: DatabaseSession) -> None:
        """It may be ended."""

    async def answered(self, session: DatabaseSession, result: TerminationResult) -> None:
        """It was answered."""


class Session:
    """Somebody's session with a query under way."""

    def __init__(self, conn: Conn, query: str) -> None:
        self.conn = conn
        self.pid = conn.info.backend_pid
        self.running = asyncio.create_task(self._run(query))

    async def _run(self, query: str) -> str:
        """How the query ended: with an SQLSTATE, or empty."""
        try:
            await self.conn.execute(query.encode())
        except PostgresError as error:
            return error.sqlstate or type(error).__name__
        return ""

    async def ended(self) -> bool:
        """Whether an administrator's command ended the session, waited for."""
        async with asyncio.timeout(10):
            return await self.running == "57P01"

    async def alive(self) -> bool:
        """Whether the session still runs its query."""
        return not self.running.done() and not self.conn.closed


class Sessions:
    """Opens sessions of the service and others, and closes what is left of them."""

    def __init__(self, shop: Shop, admin: Conn, stack: AsyncExitStack) -> None:
        self.shop = shop
        self.admin = admin
        self._stack = stack

    async def open(self, *queries: str, dsn: str = "", **more: Any) -> Session:
        """A session that runs the last of its queries; it has run for a second."""
        target = dsn or self.shop.service_dsn
        conn = await AsyncConnection.connect(target, autocommit=True, **more)
        self._stack.push_async_callback(conn.close)
        *before, last = queries or (SLEEP,)
        for query in before:
            await conn.execute(query.encode())
        session = Session(conn, last)
        self._stack.push_async_callback(stop, session.running)
        await self.has_run(session.pid)
        return session

    async def block_one(self) -> tuple[Session, Session]:
        """One that holds a lock and is busy, and one that waits for it."""
        holds = await self.open("BEGIN", "LOCK TABLE orders IN EXCLUSIVE MODE", SLEEP)
        return holds, await self.open(WAIT)

    async def has_run(self, pid: int) -> None:
        while not await (await self.admin.execute(LONG_ENOUGH, [pid])).fetchall():
            pass

    async def cancel(self, session: Session) -> None:
        """End its query, and not the session."""
        await self.admin.execute("SELECT pg_cancel_backend(%s)", [session.pid])
        await session.running

    async def of_role(self, role: str) -> int:
        """How many sessions a role has open in this database."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND datname = %s"
        [row] = await (await self.admin.execute(query, [role, self.shop.database])).fetchall()
        return int(row[0])

    async def begun(self) -> int:
        """How many sessions this database has had, once none of the bot's is left."""
        while await self.of_role("runbolt_ro"):
            pass
        query = "SELECT sessions FROM pg_stat_database WHERE datname = %s"
        [row] = await (await self.admin.execute(query, [self.shop.database])).fetchall()
        return int(row[0])


async def stop(task: asyncio.Task[str]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def sessions(shop: Shop) -> AsyncIterator[Sessions]:
    async with AsyncExitStack() as stack:
        conn = await AsyncConnection.connect(shop.dsn, autocommit=True)
        admin = await stack.enter_async_context(conn)
        yield Sessions(shop, admin, stack)
