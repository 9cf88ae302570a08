"""What the two roles of deploy/sql/roles.sql can do at a real PostgreSQL, and what they can't."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import pytest
from psycopg import AsyncConnection, OperationalError, sql
from psycopg.errors import (
    InsufficientPrivilege,
    LockNotAvailable,
    QueryCanceled,
    RaiseException,
    ReadOnlySqlTransaction,
    UndefinedColumn,
)
from psycopg.rows import dict_row

from sandbox.databases import OPERATOR, READER, ROLES, lock_roles, run_file
from sandbox.shop import Shop

READABLE = ("orders", "order_items", "webhook_events", "refunds", "disputes")
UNDELIVERED = """
   SELECT * FROM webhook_events
   WHERE processed_at IS NULL
   AND created_at > NOW() - INTERVAL '1 hour';
"""
STUCK = """
   -- Find stuck orders
   SELECT id, status, created_at, stripe_payment_intent_id
   FROM orders
   WHERE status = 'PENDING'
   AND created_at < NOW() - INTERVAL '30 minutes';
"""
RECENT = """
   SELECT user_id, COUNT(*) as order_count, SUM(total_cents) as total
   FROM orders
   WHERE created_at > NOW() - INTERVAL '24 hours'
   GROUP BY user_id
   ORDER BY order_count DESC
   LIMIT 20;
"""
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'orders';"
LONG = """
   SELECT pid, now() - pg_stat_activity.query_start AS duration, query
   FROM pg_stat_activity
   WHERE state = 'active' AND now() - query_start > interval '5 seconds';
"""
TERMINATE = """
   SELECT pg_terminate_backend(pid) FROM pg_stat_activity
   WHERE duration > interval '30 seconds' AND state = 'active';
"""


async def rows(dsn: str, *queries: str | sql.Composed) -> list[dict[str, Any]]:
    """Run them one after the other in one session; the rows of the last."""
    conn = await AsyncConnection.connect(dsn, row_factory=dict_row, autocommit=True)
    async with conn:
        for query in queries:
            cursor = await conn.execute(query.encode() if isinstance(query, str) else query)
        return await cursor.fetchall() if cursor.description else []


async def refused(dsn: str, *queries: str | sql.Composed) -> None:
    """Check that the last of them is not permitted, whatever the session set before."""
    with pytest.raises(InsufficientPrivilege):
        await rows(dsn, "SET default_transaction_read_only = off", *queries)


def about(table: str, query: LiteralString) -> sql.Composed:
    return sql.SQL(query).format(sql.Identifier(*table.split(".")))


@asynccontextmanager
async def session(dsn: str) -> AsyncIterator[tuple[AsyncConnection[Any], int]]:
    """A session to be ended, and its backend's pid."""
    conn = await AsyncConnection.connect(dsn, autocommit=True)
    try:
        yield conn, conn.info.backend_pid
    finally:
        await conn.close()


async def test_every_document_query_runs(shop: Shop) -> None:
    undelivered = await rows(shop.ro_dsn, UNDELIVERED)
    assert len(undelivered) == 17
    assert {"stripe_event_id", "type", "payload", "error"} <= undelivered[0].keys()

    stuck = await rows(shop.ro_dsn, STUCK)
    assert len(stuck) == 23
    assert all(row["stripe_payment_intent_id"].startswith("pi_") for row in stuck)

    recent = await rows(shop.ro_dsn, RECENT)
    assert len(recent) == 20
    assert recent[0]["order_count"] > 2 * recent[4]["order_count"]

    assert await rows(shop.ro_dsn, CONNECTIONS)
    assert isinstance(await rows(shop.ro_dsn, LONG), list)


async def test_document_terminate_query_fails(shop: Shop) -> None:
    with pytest.raises(UndefinedColumn, match='column "duration" does not exist'):
        await rows(shop.dsn, TERMINATE)
    with pytest.raises(UndefinedColumn, match='column "duration" does not exist'):
        await rows(shop.ops_dsn, TERMINATE)


@pytest.mark.parametrize("table", READABLE)
async def test_the_reader_reads_the_named_tables(shop: Shop, table: str) -> None:
    found = await rows(shop.ro_dsn, about(table, "SELECT count(*) AS n FROM {}"))
    assert found[0]["n"] > 90


@pytest.mark.parametrize("table", ["public.users", "pg_authid", "pg_statistic", "pg_largeobject"])
async def test_neither_role_reads_any_other(shop: Shop, table: str) -> None:
    for dsn in (shop.ro_dsn, shop.ops_dsn):
        await refused(dsn, about(table, "SELECT * FROM {} LIMIT 1"))


@pytest.mark.parametrize("table", READABLE)
async def test_operator_reads_no_table(shop: Shop, table: str) -> None:
    await refused(shop.ops_dsn, about(f"public.{table}", "SELECT count(*) FROM {}"))


async def test_new_table_is_not_readable(shop: Shop) -> None:
    await rows(shop.service_dsn, "CREATE TABLE cards (number text)")
    await refused(shop.ro_dsn, "SELECT * FROM cards")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO disputes SELECT * FROM disputes",
        "UPDATE orders SET status = 'CANCELLED'",
        "DELETE FROM orders",
        "TRUNCATE orders CASCADE",
        "SELECT * FROM orders FOR UPDATE",
        "BEGIN READ WRITE; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE",
        "SELECT setval('order_items_id_seq', 1)",
        "CREATE TABLE public.mine (n integer)",
        "CREATE TEMPORARY TABLE mine (n integer)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION public.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "CREATE EXTENSION dblink",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "ALTER TABLE orders ADD COLUMN mine integer",
        "CREATE INDEX ON orders (currency)",
        "DROP TABLE orders CASCADE",
        "COPY orders TO PROGRAM 'cat'",
        "COPY orders FROM '/etc/passwd'",
        "SELECT pg_read_file('/etc/passwd')",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "SELECT pg_reload_conf()",
        "SET ROLE order_service",
        "SET SESSION AUTHORIZATION order_service",
        "GRANT order_service TO CURRENT_USER",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "ALTER ROLE order_service PASSWORD 'mine'",
        "SELECT pg_stat_reset()",
    ],
)
@pytest.mark.parametrize("role", [READER, OPERATOR])
async def test_write_without_read_only_is_refused(shop: Shop, role: str, statement: str) -> None:
    qualified = re.sub(r"\b(orders|disputes|order_items_id_seq)\b", r"public.\1", statement)
    await refused(shop.server.dsn(shop.database, role), qualified)


async def test_grant_by_reader_has_no_effect(shop: Shop) -> None:
    await rows(
        shop.ro_dsn,
        "SET default_transaction_read_only = off",
        "GRANT SELECT ON orders TO PUBLIC",
    )
    await refused(shop.ops_dsn, "SELECT count(*) FROM public.orders")


async def test_write_is_refused_as_read_only(shop: Shop) -> None:
    for dsn in (shop.ro_dsn, shop.ops_dsn):
        with pytest.raises(ReadOnlySqlTransaction):
            await rows(dsn, "CREATE TABLE public.mine (n integer)")


@pytest.mark.parametrize("role", [READER, OPERATOR])
async def test_each_role_has_its_limits(shop: Shop, role: str) -> None:
    dsn = shop.server.dsn(shop.database, role)
    found = await rows(
        dsn,
        "SELECT current_setting('statement_timeout') AS statement,"
        " current_setting('lock_timeout') AS lock,"
        " current_setting('idle_in_transaction_session_timeout') AS idle,"
        " current_setting('default_transaction_read_only') AS read_only",
    )
    assert found == [{"statement": "15s", "lock": "2s", "idle": "30s", "read_only": "on"}]


async def test_slow_query_is_ended(shop: Shop) -> None:
    with pytest.raises(QueryCanceled, match="statement timeout"):
        await rows(shop.ro_dsn, "SET statement_timeout = '50ms'", "SELECT pg_sleep(30)")


async def test_query_waiting_for_lock_is_ended(shop: Shop) -> None:
    async with session(shop.service_dsn) as (service, _), service.transaction():
        await service.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(LockNotAvailable):
            await rows(shop.ro_dsn, "SET lock_timeout = '50ms'", "SELECT count(*) FROM orders")


async def test_connections_per_role_are_limited(shop: Shop) -> None:
    async with connections(shop.ops_dsn, 5):
        with pytest.raises(OperationalError, match="too many connections for role"):
            await AsyncConnection.connect(shop.ops_dsn)


@asynccontextmanager
async def connections(dsn: str, count: int) -> AsyncIterator[None]:
    """As many open sessions."""
    opened = [await AsyncConnection.connect(dsn) for _ in range(count)]
    try:
        yield
    finally:
        for conn in opened:
            await conn.close()


async def test_both_roles_see_what_others_run(shop: Shop) -> None:
    query = "SELECT 'what the service ran' AS words"
    async with session(shop.service_dsn) as (service, pid):
        await service.execute(query)
        for dsn in (shop.ro_dsn, shop.ops_dsn):
            seen = await rows(
                dsn,
                sql.SQL(
                    "SELECT query, application_name FROM pg_stat_activity"
                    " WHERE pid = {} AND usename = 'order_service'"
                ).format(pid),
            )
            assert seen == [{"query": query, "application_name": "order-service"}]


async def test_the_reader_ends_nobody_s_backend(shop: Shop) -> None:
    async with session(shop.service_dsn) as (service, pid):
        await refused(shop.ro_dsn, f"SELECT pg_terminate_backend({pid})")
        await refused(shop.ro_dsn, f"SELECT pg_cancel_backend({pid})")
        await service.execute("SELECT 1")


async def test_operator_ends_service_backend(shop: Shop) -> None:
    async with session(shop.service_dsn) as (service, pid):
        asleep = asyncio.create_task(service.execute("SELECT pg_sleep(30)"))
        ended = await rows(shop.ops_dsn, f"SELECT pg_terminate_backend({pid}, 5000) AS done")
        assert ended == [{"done": True}]
        with pytest.raises(OperationalError, match=r"terminating connection|closed"):
            await asleep


async def test_operator_cannot_end_superuser_backend(shop: Shop) -> None:
    async with session(shop.dsn) as (superuser, pid):
        await refused(shop.ops_dsn, f"SELECT pg_terminate_backend({pid})")
        await refused(shop.ops_dsn, f"SELECT pg_cancel_backend({pid})")
        await superuser.execute("SELECT 1")


async def test_service_recovers_after_backends_end(shop: Shop) -> None:
    async with shop:
        before = await service_pids(shop)
        for pid in before:
            await rows(shop.ops_dsn, f"SELECT pg_terminate_backend({pid}, 5000)")
        async with asyncio.timeout(20):
            while True:
                if len(await service_pids(shop) - before) == len(before):
                    return


async def test_service_connections_have_different_states(shop: Shop) -> None:
    async with shop, asyncio.timeout(20):
        while True:
            states = await service_states(shop)
            if states.keys() >= {"active", "idle", "idle in transaction"}:
                break
        assert 12 >= sum(states.values()) >= 10
    assert not await service_pids(shop)


async def service_pids(shop: Shop) -> set[int]:
    query = (
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = 'order_service'"
    )
    return {row["pid"] for row in await rows(shop.ro_dsn, query)}


async def service_states(shop: Shop) -> dict[str, int]:
    query = (
        "SELECT state, count(*) AS n FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = 'order_service' GROUP BY state"
    )
    return {row["state"]: row["n"] for row in await rows(shop.ro_dsn, query)}


async def test_second_run_removes_extra_rights(shop: Shop) -> None:
    await run_after(
        shop,
        "GRANT UPDATE ON orders TO runbolt_ro",
        "GRANT SELECT ON users TO runbolt_ro",
        "GRANT CREATE ON SCHEMA public TO runbolt_ro",
        f'GRANT TEMPORARY ON DATABASE "{shop.database}" TO runbolt_ro',
        "GRANT pg_write_all_data, pg_signal_backend TO runbolt_ro",
    )

    await refused(shop.ro_dsn, "UPDATE orders SET status = 'CANCELLED'")
    await refused(shop.ro_dsn, "SELECT * FROM users")
    await refused(shop.ro_dsn, "CREATE TABLE public.mine (n integer)")
    await refused(shop.ro_dsn, "CREATE TEMPORARY TABLE mine (n integer)")
    found = await rows(
        shop.dsn,
        "SELECT roleid::regrole::text AS name FROM pg_auth_members"
        " WHERE member = 'runbolt_ro'::regrole",
    )
    assert found == [{"name": "pg_read_all_stats"}]


@pytest.mark.parametrize("attribute", ["SUPERUSER", "CREATEDB", "CREATEROLE", "BYPASSRLS"])
async def test_too_powerful_role_is_refused(shop: Shop, attribute: str) -> None:
    with pytest.raises(RaiseException, match=r"more rights than it may have.*ALTER ROLE"):
        await run_after(shop, f"ALTER ROLE runbolt_ops {attribute}")


async def run_after(shop: Shop, *statements: str) -> None:
    """Run the file after some mischief, in one transaction, since roles are everybody's."""
    async with lock_roles(shop.server), await AsyncConnection.connect(shop.dsn) as conn:
        for statement in statements:
            await conn.execute(statement.encode())
        await run_file(conn, ROLES)


async def test_an_order_page_lacks_its_index(shop: Shop) -> None:
    plan = await rows(
        shop.dsn,
        "EXPLAIN SELECT * FROM order_items WHERE order_id = '00000000-0000-0000-0000-000000000000'",
    )
    assert plan[0]["QUERY PLAN"].startswith("Seq Scan on order_items")


async def test_shop_has_believable_orders(shop: Shop) -> None:
    found = await rows(
        shop.ro_dsn,
        "SELECT count(*) AS orders, count(DISTINCT user_id) AS users,"
        " count(*) - count(DISTINCT stripe_payment_intent_id) AS repeated,"
        " count(*) FILTER (WHERE created_at > now()) AS future,"
        " count(*) FILTER (WHERE extract(hour FROM created_at) BETWEEN 17 AND 21) AS evening,"
        " count(*) FILTER (WHERE customer_email NOT LIKE '%@example.com') AS strangers,"
        " min(total_cents) AS cheapest FROM orders",
    )
    shape = found[0]
    assert shape["orders"] == 10_000
    assert 500 < shape["users"] < 1_600
    assert 0 < shape["repeated"] < 10
    assert shape["future"] == shape["strangers"] == 0
    assert shape["evening"] > 6_000
    assert shape["cheapest"] > 0
