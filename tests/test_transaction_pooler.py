"""All databases behind pgbouncer in transaction mode: limits hold, and nothing lasts too long."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from psycopg import AsyncConnection
from psycopg.errors import QueryCanceled

from bot.settings import Settings
from bot.store import db
from bot.systems.database import Database
from bot.systems.postgres import DatabaseError
from bot.systems.sessions import (
    DatabaseSession,
    OwnSession,
    SessionTerminator,
    TerminationResult,
)
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.shop import Shop
from tests.conftest import Bot, Walk
from tests.outages import read_only
from tests.pooler import needs_pgbouncer, pooled
from tests.rollbacks import DONE, broken
from tests.sessions import Sessions, Unrecorded, sessions
from tests.test_web import get

__all__ = ["broken", "sessions"]

pytestmark = needs_pgbouncer

VARIABLES = ("database_url", "orders_database_url", "orders_database_admin_url")
LEFT_BEHIND = """
    SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),
        (SELECT count(*) FROM pg_prepared_statements),
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')
"""


@pytest.fixture
async def shared_shop(shop: Shop) -> Shop:
    """Sessions are ended here, so the bot looks at a shop of the test's own."""
    return shop


@pytest.fixture
async def given(given: Settings) -> AsyncIterator[Settings]:
    """The environment of a replica whose databases are all behind the pooler."""
    async with pooled(*addresses(given)) as urls:
        yield given.model_copy(update=dict(zip(VARIABLES, urls, strict=True)))


def addresses(given: Settings) -> list[str]:
    """The URLs of all databases."""
    return [str(getattr(given, name)) for name in VARIABLES]


async def left_behind(url: str) -> tuple[object, ...]:
    """What the next one finds in a session of the pooler's."""
    async with await AsyncConnection.connect(url) as conn:
        [row] = await (await conn.execute(LEFT_BEHIND)).fetchall()
    return tuple(row)


async def test_whole_incident(
    walk: Walk,
    bot: Bot,
    given: Settings,
    broken: Cluster,
    sessions: Sessions,
    state: str,
    shop: Shop,
) -> None:
    slow = await sessions.open()
    channel = await walk.declare(severity="sev1")
    await walk.press_step("oncall", "database-connections", channel)
    await walk.ask_for_rollback(channel)
    await walk.press("second", action_ids.APPROVE, channel)
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="It is over")
    slowness = await walk.declare("Orders are slow", "sev3")
    await walk.press_step("oncall", "end-queries", slowness)
    await walk.submit("oncall", longer_than="1 s", reason="Orders wait for a lock")
    await walk.press("second", action_ids.APPROVE, slowness)
    await bot.tick()

    assert walk.step(channel, "Database connections").state.endswith("details in the thread")
    assert walk.execution(channel).state == DONE
    assert walk.card(channel)["Status"] == "Resolved"
    assert walk.execution(slowness).state == DONE
    assert await slow.ended()
    assert await get(f"{bot.url}/readyz") == (200, "ready")
    direct = (state, shop.ro_dsn, shop.ops_dsn)
    assert [await left_behind(url) for url in addresses(given)] == [
        await left_behind(url) for url in direct
    ]


async def test_waiting_statement_is_ended(state: str) -> None:
    async with pooled(state) as [url]:
        pool = await db.open_pool(url, size=1)
        try:
            async with pool.connection() as conn:
                shown = await conn.execute("SHOW statement_timeout")
                assert await shown.fetchone() == ("30s",)
                await conn.execute("SET LOCAL statement_timeout = '50ms'")
                with pytest.raises(QueryCanceled):
                    await conn.execute("SELECT pg_sleep(30)")
        finally:
            await pool.close()


async def test_queries_keep_their_limits(shop: Shop) -> None:
    async with pooled(shop.dsn) as [url]:
        database = Database(url, seconds=0.5)
        for query, refusal in (
            ("SELECT pg_sleep(5)", "stopped after 0.5 s"),
            ("SELECT nextval('order_items_id_seq')", "read-only"),
            ("SELECT set_config('transaction_read_only', 'off', false)", "read-write mode"),
        ):
            with pytest.raises(DatabaseError, match=refusal):
                await database.select(query)
        assert await left_behind(url) == ("0", "0", 0, 0)


class Rival(Unrecorded):
    """Works through the same pooler while a session is about to be ended."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.pids: list[int] = []

    async def opened(self, own: OwnSession) -> None:
        """Note the session that is recorded as the bot's own."""
        self.pids.append(own.pid)

    async def sending(self, session: DatabaseSession) -> None:
        """Note the session that the pooler lends meanwhile."""
        async with await AsyncConnection.connect(self.url) as conn:
            [(pid,)] = await (await conn.execute("SELECT pg_backend_pid()")).fetchall()
            self.pids.append(pid)


async def test_own_session_is_kept_while_it_ends_others(shop: Shop) -> None:
    now = datetime.now(UTC)
    gone = DatabaseSession(
        pid=1,
        backend_start=now,
        query_start=now,
        running_seconds=1,
        user="",
        application_name="",
        wait_event="",
        blocked_pids=(),
        query="",
    )
    async with pooled(shop.ops_dsn) as [url]:
        rival = Rival(url)

        results = await SessionTerminator(url).terminate([gone], rival)

    own, lent = rival.pids
    assert own != lent
    assert results == [TerminationResult.GONE]


async def test_stale_session_is_given_up(walk: Walk, bot: Bot, state: str) -> None:
    channel = await walk.declare()
    async with read_only(state):
        await bot.world.pool.drain()
        await walk.slack.wait_for(lambda: bot.world.pool.is_read_only, seconds=10)

    async with asyncio.timeout(10):
        await walk.say("oncall", "/incident note It is DNS", channel)

    assert (await walk.timeline(channel))[-1] == "@oncall noted: It is DNS"
