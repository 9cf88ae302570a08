"""A query that is too slow, too large or in somebody's way ends, is told, and leaves nothing."""

import asyncio
import resource
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, LiteralString

import pytest
from psycopg import AsyncConnection, conninfo

from bot.settings import Settings
from bot.systems.database import Database
from bot.systems.postgres import DatabaseError
from bot.views import action_ids
from sandbox.shop import Shop
from tests.conftest import Walk
from tests.test_silent_database import Line

Conn = AsyncConnection[Any]

PAYMENTS = "order-service/payment-refund-failures"
SLOW = "SELECT pg_sleep(60)"
OURS = """
    SELECT pid, state, query FROM pg_stat_activity
    WHERE datname = current_database() AND usename = 'runbolt_ro'
"""


@pytest.fixture
def shared_shop(shop: Shop) -> Shop:
    """Sessions are counted here, so the bot looks at a shop of the test's own."""
    return shop


@pytest.fixture
async def admin(shop: Shop) -> AsyncIterator[Conn]:
    """Somebody who sees every session, and can be in the way."""
    async with await AsyncConnection.connect(shop.dsn, autocommit=True) as conn:
        yield conn


async def none_left(admin: Conn, seconds: float = 5.0) -> None:
    """Wait until the bot has no session in this database; fails when one stays."""
    async with asyncio.timeout(seconds):
        while await (await admin.execute(OURS)).fetchall():
            pass


async def under_way(admin: Conn, query: str = "") -> int:
    """Wait until the bot's query runs, or one of its queries; its pid."""
    async with asyncio.timeout(5):
        while True:
            for pid, state, text in await (await admin.execute(OURS)).fetchall():
                if state == "active" and query in text:
                    return int(pid)


async def look(walk: Walk, step: str = "stuck-orders") -> str:
    channel = await walk.declare(severity="sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, PAYMENTS)
    await walk.press_step("oncall", step, channel)
    return walk.text(channel)


async def test_lock_leaves_no_open_session(walk: Walk, admin: Conn) -> None:
    async with admin.transaction():
        await admin.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        seen = await look(walk)

    assert "The query waited 2 s for a lock that another session holds. Nothing was read" in seen
    await none_left(admin)


async def test_answer_leaves_no_open_session(walk: Walk, admin: Conn) -> None:
    assert "23 orders stuck in PENDING" in await look(walk)
    await none_left(admin)


class TestWithAWideQuery:
    """Somebody wrote a query whose answer is enormous."""

    @pytest.fixture
    def given(self, given: Settings, playbooks: Path) -> Settings:
        (playbooks / "sql").mkdir()
        wide = "SELECT id, repeat('wide', 25 * 1000 * 1000) FROM orders LIMIT 1; -- 100 MB\n"
        (playbooks / "sql" / "stuck-orders.sql").write_text(wide, encoding="utf-8")
        return given

    async def test_it_is_told_in_slack_and_never_read(self, walk: Walk, admin: Conn) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        seen = await look(walk)

        assert "The result is larger than 8 MB, so it was not read. Nothing was changed." in seen
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 60 * 1024  # KiB
        await none_left(admin)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (SLOW, "stopped after 0.5 s"),
        ("SELECT no_such_column FROM orders", "does not exist"),
        ("SELECT * FROM users", "may not read"),
        ("SELECT repeat('x', 300 * 1000 * 1000) || repeat('y', 900 * 1000 * 1000)", "refused"),
    ],
)
async def test_a_refusal_leaves_no_session(
    query: LiteralString, words: str, shop: Shop, admin: Conn
) -> None:
    with pytest.raises(DatabaseError, match=words):
        await Database(shop.ro_dsn, seconds=0.5 if query is SLOW else 20).select(query)

    await none_left(admin)


@pytest.mark.parametrize("_time", range(12))
async def test_cancelled_wait_ends_query(_time: int, shop: Shop, admin: Conn) -> None:
    """Each time at another moment: while the limits are set, before the query starts, in it."""
    asking = asyncio.create_task(Database(shop.ro_dsn, seconds=60).select(SLOW))
    await under_way(admin)

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    await none_left(admin)


async def test_killed_bot_leaves_no_query(shop: Shop, admin: Conn) -> None:
    """A bot that is killed tells the database nothing."""
    line = Line(shop.ro_dsn)
    async with await asyncio.start_server(line.take, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        there = conninfo.make_conninfo(shop.ro_dsn, host="127.0.0.1", port=port)
        asking = asyncio.create_task(Database(there, seconds=60).select(SLOW))
        await under_way(admin, SLOW)
        await line.end()
        with pytest.raises(DatabaseError, match=r"reached: .*server closed the connection unexp"):
            await asking

    await none_left(admin)


async def test_ended_session_is_told(shop: Shop, admin: Conn) -> None:
    asking = asyncio.create_task(Database(shop.ro_dsn, seconds=60).select(SLOW))
    pid = await under_way(admin, SLOW)

    await admin.execute("SELECT pg_terminate_backend(%s)", [pid])

    with pytest.raises(DatabaseError, match="terminating connection"):
        await asking


async def test_too_many_queries_are_refused(shop: Shop, admin: Conn) -> None:
    database = Database(shop.ro_dsn, seconds=1.5)
    asked = (database.select("SELECT pg_sleep(0.5)") for _ in range(12))

    answers = await asyncio.gather(*asked, return_exceptions=True)

    refused = [str(answer) for answer in answers if isinstance(answer, DatabaseError)]
    assert len(refused) == 2
    assert all("too many connections for role" in answer for answer in refused)
    await none_left(admin)


async def test_limits_hold_inside_transaction(shop: Shop) -> None:
    found = await Database(shop.dsn).select(
        "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'),"
        " current_setting('idle_in_transaction_session_timeout'),"
        " current_setting('transaction_read_only')"
    )

    assert found.rows == [("8s", "2s", "10s", "on")]


async def test_compressed_value_counts_full_size(shop: Shop, admin: Conn) -> None:
    await admin.execute(
        "UPDATE webhook_events SET error = repeat('wide', 5 * 1000 * 1000)"
        " WHERE id = (SELECT min(id::text)::uuid FROM webhook_events)"
    )
    [(stored,)] = await (
        await admin.execute("SELECT max(pg_column_size(error)) FROM webhook_events")
    ).fetchall()
    assert stored < 1_000_000

    with pytest.raises(DatabaseError, match="larger than 8 MB"):
        await Database(shop.ro_dsn).select("SELECT max(error) FROM webhook_events")
    with pytest.raises(DatabaseError, match="larger than 8 MB"):
        await Database(shop.ro_dsn).select(
            "SELECT error FROM webhook_events WHERE length(error) > 1000000"
        )


async def test_rows_beyond_limit_are_left_out(shop: Shop) -> None:
    found = await Database(shop.ro_dsn).select(
        "SELECT n, repeat('x', 1000 * 1000) FROM generate_series(20, 1, -1) AS n"
    )

    assert [n for n, _ in found.rows] == list(range(20, 12, -1))
    assert found.truncated


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT 1 AS a, 2 AS a", [(1, 2)]),
        ("SELECT 1;", [(1,)]),
        ("SELECT ';' -- a remark", [(";",)]),
        ("SELECT 1 -- one; two\n", [(1,)]),
        ("SELECT 1; -- one\n-- two\n", [(1,)]),
        ("SELECT 1; /* done;\n and done */", [(1,)]),
        ("SELECT 1 /* one */; -- two\n /* three */ ;", [(1,)]),
        ("SELECT 1; /* one /* two; */ three */", [(1,)]),
        ("SELECT '; -- one'", [("; -- one",)]),
        ("SELECT '; /* one', 2 /* two */;", [("; /* one", 2)]),
        ("SELECT e'it\\'s; ' AS \"; --\"", [("it's; ",)]),
        ("SELECT $a$ ;$$; -- $a$", [(" ;$$; -- ",)]),
        ("SELECT NULL::text, NULL::integer", [(None, None)]),
        ("SELECT n FROM generate_series(3, 1, -1) AS n", [(3,), (2,), (1,)]),
        ("SELECT 1 WHERE false", []),
        ("WITH one AS (SELECT 1) SELECT * FROM one", [(1,)]),
        ("VALUES (1), (2)", [(1,), (2,)]),
    ],
)
async def test_query_within_limits_is_unchanged(
    query: LiteralString, rows: list[tuple[object, ...]], shop: Shop
) -> None:
    found = await Database(shop.ro_dsn).select(query)

    assert (found.rows, found.truncated) == (rows, False)
