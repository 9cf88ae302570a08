"""The door to the service's database: limits hold, nothing is written, and troubles are words."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import time, timedelta
from typing import LiteralString

import pytest
from psycopg import AsyncConnection, sql

from bot.actions.database.connections import DatabaseConnections
from bot.systems import Systems
from bot.systems.database import Database
from bot.systems.postgres import DatabaseError
from bot.systems.tcp import PortStatus, TcpProber
from sandbox.shop import Shop
from tests.cluster_fixtures import systems
from tests.silent_servers import silent_server

__all__ = ["systems"]


@pytest.fixture
def door(shared_shop: Shop) -> Database:
    return Database(shared_shop.ro_dsn, seconds=0.5)


# Closes what it is put into, ends the transaction, writes, and opens what closes after it.
OUT: LiteralString = """
    SELECT 1 AS x) AS q LIMIT 1) AS runbolt_asked) SELECT 1; COMMIT;
    UPDATE orders SET status = 'CANCELLED';
    WITH runbolt_found AS (
        SELECT runbolt_asked.*, 1 AS runbolt_row, 1 AS runbolt_bytes
        FROM (SELECT * FROM (SELECT 1 AS x
"""


def asking(systems: Systems, database: Database) -> Systems:
    return replace(systems, database=database)


async def test_rows_come_under_their_names(door: Database) -> None:
    found = await door.select("SELECT %(a)s::int AS a, 'x' AS b", {"a": 3})

    assert found.columns == ("a", "b")
    assert found.rows == [(3, "x")]
    assert not found.truncated


async def test_no_more_rows_than_the_cap(door: Database) -> None:
    found = await door.select("SELECT generate_series(1, 1000000)", max_rows=10)

    assert len(found.rows) == 10
    assert found.truncated


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT pg_sleep(5)", "stopped after 0.5 s"),
        ("DELETE FROM orders", "refused the query"),
        ("SELECT 1; DELETE FROM orders", "refused the query"),
        ("SELECT * FROM pg_authid", "may not read"),
        ("SELECT FROM WHERE", "syntax error"),
        (f"SELECT {'1, ' * 1664} 1", "refused the query: target lists can have at most"),
        ("SELECT * FROM no_such_table", "does not exist"),
        ("WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone", "Nothing was"),
    ],
)
async def test_what_the_database_refuses(query: LiteralString, words: str, door: Database) -> None:
    with pytest.raises(DatabaseError, match=words):
        await door.select(query)


async def test_even_the_owner_writes_nothing(shop: Shop) -> None:
    door = Database(shop.dsn)
    with pytest.raises(DatabaseError, match="read-only"):
        await door.select("SELECT nextval('order_items_id_seq')")


async def test_nobody_is_notified(shop: Shop) -> None:
    """Not even by the owner, who may."""
    async with await AsyncConnection.connect(shop.dsn, autocommit=True) as conn:
        await conn.execute("LISTEN jobs")
        await Database(shop.dsn).select("SELECT pg_notify('jobs', 'run')")
        await conn.execute("NOTIFY jobs, 'last'")
        received = [notification.payload async for notification in conn.notifies(stop_after=1)]

    assert received == ["last"]


async def test_even_owner_stays_in_transaction(shop: Shop) -> None:
    with pytest.raises(DatabaseError, match="multiple commands"):
        await Database(shop.dsn).select(OUT)

    async with await AsyncConnection.connect(shop.dsn) as conn:
        found = await conn.execute("SELECT count(DISTINCT status) > 1 FROM orders")
        assert await found.fetchone() == (True,)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT customer_email::integer FROM orders",
        "SELECT ('Alice \"Al\" Doe' || left(customer_email, 0))::integer FROM orders",
        "SELECT ('Alice, born ' || left(customer_email, 0))::date FROM orders",
    ],
)
async def test_refusal_hides_row_values(query: LiteralString, door: Database) -> None:
    with pytest.raises(DatabaseError, match=r'refused the query: invalid .*: "\[masked\]"') as told:
        await door.select(query)

    assert "@" not in str(told.value)
    assert "Al" not in str(told.value)


async def test_refusal_masks_address_as_column(door: Database) -> None:
    with pytest.raises(DatabaseError, match=r'column "\[masked\]" does not exist'):
        await door.select('SELECT "alice@example.com" FROM orders')


async def test_a_lock_is_not_waited_for(shop: Shop) -> None:
    conn = await AsyncConnection.connect(shop.dsn)
    async with conn:
        await conn.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseError, match="waited 2 s for a lock"):
            await Database(shop.ro_dsn).select("SELECT count(*) FROM orders")


async def test_no_url_names_the_variable() -> None:
    with pytest.raises(DatabaseError, match="ORDERS_DATABASE_URL is not set"):
        await Database(None).select("SELECT 1")


async def test_a_refused_password_is_not_repeated(shared_shop: Shop) -> None:
    wrong = shared_shop.ro_dsn.replace("runbolt_ro:", "runbolt_ro:hunter2")
    with pytest.raises(DatabaseError, match="password authentication failed") as caught:
        await Database(wrong).select("SELECT 1")
    assert "hunter2" not in str(caught.value)


async def test_nobody_at_the_address() -> None:
    with pytest.raises(DatabaseError, match="cannot be reached") as caught:
        await Database("postgresql://u:hunter2@127.0.0.1:1/orders").select("SELECT 1")
    assert "hunter2" not in str(caught.value)


@pytest.fixture
async def silent_port() -> AsyncIterator[int]:
    async with silent_server() as port:
        yield port


async def test_silent_server_is_given_up(silent_port: int) -> None:
    with pytest.raises(DatabaseError):
        await Database(f"postgresql://u:p@127.0.0.1:{silent_port}/orders", seconds=0.1).select(
            "SELECT 1"
        )


async def test_ports_are_told_apart(silent_port: int) -> None:
    network = TcpProber()

    assert await network.probe("127.0.0.1", silent_port, 2) is PortStatus.OPEN
    assert await network.probe("127.0.0.1", 1, 2) is PortStatus.REFUSED
    assert await network.probe("no-such-host.invalid", 80, 5) is PortStatus.UNKNOWN_HOST


async def test_connections_are_counted(systems: Systems, shop: Shop) -> None:
    conn = await AsyncConnection.connect(shop.service_dsn)
    async with conn:
        await conn.execute("SELECT 1")
        read = DatabaseConnections(database=shop.database)
        reading = await read.read(asking(systems, Database(shop.ro_dsn)))

    assert reading.ok
    assert reading.text == (
        f"{shop.database} uses 1 of 100 connections (1 %)\n1 idle in transaction"
    )
    assert reading.table is not None
    assert reading.table.rows == (("idle in transaction", "1", "1 %"),)


async def test_nearly_full_database_brings_warning(systems: Systems, shop: Shop) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(4):
            conn = await AsyncConnection.connect(shop.dsn, autocommit=True)
            await stack.enter_async_context(conn)
        limit = sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 5")
        await conn.execute(limit.format(sql.Identifier(shop.database)))
        read = DatabaseConnections(database=shop.database)
        reading = await read.read(asking(systems, Database(shop.ro_dsn)))

    assert not reading.ok
    assert reading.text.startswith(f"Nearly full: {shop.database} uses 4 of 5 connections (80 %)")


async def test_an_unknown_database_is_said(systems: Systems, door: Database) -> None:
    reading = await DatabaseConnections(database="nothing").read(asking(systems, door))

    assert (reading.ok, reading.text) == (False, "The server has no database named nothing.")


async def test_connections_without_url_name_variable(systems: Systems) -> None:
    with pytest.raises(DatabaseError, match="ORDERS_DATABASE_URL"):
        await DatabaseConnections().read(systems)


AS_SHOWN: tuple[tuple[LiteralString, object], ...] = (
    ("'infinity'::timestamptz", "infinity"),
    ("'-infinity'::date", "-infinity"),
    ("'20000-01-01'::timestamp", "20000-01-01 00:00:00"),
    ("'24:00'::time", "24:00:00"),
    ("'24:00'::timetz", "24:00:00+00"),
    ("'10000000 years'::interval", "10000000 years"),
    ("'-178000000 years'::interval", "-178000000 years"),
    ("repeat('9', 5000)::json", "9" * 5000),
    ("(repeat('[', 101) || repeat(']', 101))::json", "[" * 101 + "]" * 101),
    ("(repeat('[', 3000) || repeat(']', 3000))::jsonb", "[" * 3000 + "]" * 3000),
    # These Python has.
    ("'14 months 1 day 02:03:04'::interval", timedelta(days=426, seconds=7384)),
    ("'23:59:59'::time", time(23, 59, 59)),
    ("'[[]]'::jsonb", [[]]),
)


async def test_values_that_python_has_not_are_text(shared_shop: Shop) -> None:
    database = Database(shared_shop.ro_dsn)

    for value, shown in AS_SHOWN:
        assert (value, (await database.select(f"SELECT {value}")).rows) == (value, [(shown,)])
