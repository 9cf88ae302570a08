"""Everything that deploy/sql/roles.sql leaves the two roles with, counted out of the catalog."""

import asyncio
from typing import LiteralString

import pytest
from psycopg import AsyncConnection
from psycopg.errors import RaiseException

from sandbox.databases import OPERATOR, READER, ROLES, lock_roles, run_file
from sandbox.shop import Shop
from tests.test_database_roles import READABLE, refused, rows, session

PRIVILEGES = "SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"
HELD = """
    SELECT relation.oid::regclass::text AS name, privilege
    FROM pg_class AS relation
    CROSS JOIN unnest(%s::text[]) AS privilege
    WHERE relnamespace = 'public'::regnamespace
    AND relkind IN ('r', 'p', 'v', 'm', 'f')
    AND relation.oid NOT IN (SELECT objid FROM pg_depend WHERE deptype = 'e')
    AND CASE
        WHEN privilege IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES')
        THEN has_any_column_privilege(%s, relation.oid, privilege)
        ELSE has_table_privilege(%s, relation.oid, privilege)
    END
"""


async def asked(dsn: str, query: LiteralString, *bound: object) -> list[tuple[object, ...]]:
    async with await AsyncConnection.connect(dsn) as conn:
        return await (await conn.execute(query, bound)).fetchall()


@pytest.mark.parametrize(
    ("role", "tables"), [(READER, set(READABLE)), (OPERATOR, set[str]())], ids=[READER, OPERATOR]
)
async def test_roles_hold_only_named_table_rights(shop: Shop, role: str, tables: set[str]) -> None:
    held = await asked(shop.dsn, HELD, list(PRIVILEGES), role, role)

    assert set(held) == {(table, "SELECT") for table in tables}


@pytest.mark.parametrize("role", [READER, OPERATOR])
async def test_roles_cannot_change_database_objects(shop: Shop, role: str) -> None:
    query: LiteralString = """
        SELECT has_schema_privilege(%(role)s, 'public', 'CREATE'),
            has_database_privilege(%(role)s, current_database(), 'CREATE'),
            has_database_privilege(%(role)s, current_database(), 'TEMPORARY'),
            coalesce(bool_or(has_sequence_privilege(%(role)s, oid, 'USAGE, SELECT, UPDATE')), false)
        FROM pg_class WHERE relkind = 'S'
    """
    async with await AsyncConnection.connect(shop.dsn) as conn:
        found = await (await conn.execute(query, {"role": role})).fetchone()

    assert found == (False, False, False, False)


@pytest.mark.parametrize(
    ("role", "groups"),
    [(READER, ["pg_read_all_stats"]), (OPERATOR, ["pg_read_all_stats", "pg_signal_backend"])],
)
async def test_roles_have_only_their_groups(shop: Shop, role: str, groups: list[str]) -> None:
    found = await asked(
        shop.dsn,
        "SELECT roleid::regrole::text, admin_option FROM pg_auth_members"
        " WHERE member = %s::regrole ORDER BY 1",
        role,
    )

    assert found == [(group, False) for group in groups]
    for group in groups:
        await refused(shop.server.dsn(shop.database, role), f"GRANT {group} TO order_service")


@pytest.mark.parametrize("role", [READER, OPERATOR])
async def test_roles_have_no_powerful_attributes(shop: Shop, role: str) -> None:
    found = await asked(
        shop.dsn,
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
        " FROM pg_roles WHERE rolname = %s",
        role,
    )

    assert found == [(False,) * 5]


@pytest.mark.parametrize(("role", "other"), [(READER, OPERATOR), (OPERATOR, READER)])
async def test_neither_role_becomes_the_other(shop: Shop, role: str, other: str) -> None:
    dsn = shop.server.dsn(shop.database, role)

    await refused(dsn, f"SET ROLE {other}")
    await refused(dsn, f"ALTER ROLE {other} PASSWORD 'mine'")
    await refused(dsn, f"ALTER ROLE {other} CONNECTION LIMIT 0")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'order_service'",
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'order_service'",
        "SELECT pg_log_backend_memory_contexts(pg_backend_pid())",
        "SELECT pg_rotate_logfile()",
        "SELECT pg_switch_wal()",
        "SELECT pg_ls_dir('.')",
        "SELECT pg_promote()",
        "SELECT pg_create_restore_point('mine')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT rolpassword FROM pg_authid",
        "CHECKPOINT",
    ],
)
async def test_the_reader_cannot_reach_the_server(shop: Shop, statement: str) -> None:
    async with session(shop.service_dsn) as (service, _):
        await refused(shop.ro_dsn, statement)
        await service.execute("SELECT 1")


@pytest.mark.parametrize("role", [READER, OPERATOR])
async def test_statistics_do_not_show_table_contents(shop: Shop, role: str) -> None:
    await rows(shop.dsn, "ANALYZE users")
    query: LiteralString = "SELECT count(*) FROM pg_stats WHERE tablename = 'users'"

    assert await asked(shop.dsn, query) != [(0,)]
    assert await asked(shop.server.dsn(shop.database, role), query) == [(0,)]


async def test_operator_cannot_end_server_processes(shop: Shop) -> None:
    found = await rows(
        shop.dsn, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
    )
    [row] = found
    ended = await rows(shop.ops_dsn, f"SELECT pg_terminate_backend({row['pid']}) AS done")

    assert ended == [{"done": False}]


async def test_read_only_operator_ends_sessions(shop: Shop) -> None:
    async with session(shop.service_dsn) as (service, pid):
        asleep = asyncio.create_task(service.execute("SELECT pg_sleep(30)"))
        ended = await rows(
            shop.ops_dsn,
            "SET default_transaction_read_only = on",
            f"SELECT pg_terminate_backend({pid}, 5000) AS done",
        )
        assert ended == [{"done": True}]
        await asyncio.gather(asleep, return_exceptions=True)


async def test_function_with_owner_rights_is_told(shop: Shop) -> None:
    await rows(
        shop.service_dsn,
        "CREATE FUNCTION public.cancel_all() RETURNS void LANGUAGE sql SECURITY DEFINER"
        " AS 'UPDATE orders SET status = ''CANCELLED'''",
    )

    [told] = await warnings_of(shop)
    assert "may call functions that run as their owner: cancel_all()" in told

    await rows(shop.service_dsn, "REVOKE EXECUTE ON FUNCTION cancel_all() FROM PUBLIC")
    assert await warnings_of(shop) == []
    await refused(shop.ro_dsn, "SELECT cancel_all()")


async def warnings_of(shop: Shop) -> list[str]:
    """What the file warns of when it is run again."""
    told: list[str] = []
    async with lock_roles(shop.server), await AsyncConnection.connect(shop.dsn) as conn:
        conn.add_notice_handler(lambda one: told.append(f"{one.severity}: {one.message_primary}"))
        await run_file(conn, ROLES)
    return [line for line in told if line.startswith("WARNING")]


async def test_a_role_that_replicates_is_refused(shop: Shop) -> None:
    async with lock_roles(shop.server), await AsyncConnection.connect(shop.dsn) as conn:
        await conn.execute("ALTER ROLE runbolt_ro REPLICATION")
        with pytest.raises(RaiseException, match="more rights than it may have"):
            await run_file(conn, ROLES)
        await conn.rollback()
