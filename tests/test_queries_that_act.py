"""A query that may do more than read is refused: by lint, at the start, and by the server."""

from fnmatch import fnmatch
from pathlib import Path
from typing import LiteralString

import pytest
from psycopg import AsyncConnection, OperationalError

from bot.actions.registry import ACTIONS
from bot.authoring.lint import lint
from bot.playbooks import loader, statements
from bot.playbooks.loader import PlaybookError
from bot.settings import Settings
from bot.systems.database import Database
from bot.systems.postgres import DatabaseError
from bot.views import action_ids
from sandbox.databases import FUNCTIONS, OPERATOR, READER, lock_roles, run_file
from sandbox.shop import Shop
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.shop_playbooks import CARTS
from tests.test_database_roles import refused, rows, session

SCENARIO = "order-service/payment-refund-failures"

# Volatile, because they tell what changes; they change nothing themselves.
TELL = """
    amvalidate array_sample array_shuffle clock_timestamp current_query currtid2 currval
    gen_random_uuid lastval pg_available_wal_summaries pg_blocking_pids
    pg_collation_actual_version pg_control_checkpoint pg_control_init pg_control_recovery
    pg_control_system pg_current_logfile pg_current_wal_flush_lsn pg_current_wal_insert_lsn
    pg_current_wal_lsn pg_database_collation_actual_version pg_database_size pg_get_aios
    pg_get_backend_memory_contexts pg_get_loaded_modules pg_get_multixact_members
    pg_get_sequence_data pg_get_shmem_allocations pg_get_shmem_allocations_numa
    pg_get_wait_events pg_get_wal_replay_pause_state pg_get_wal_resource_managers
    pg_get_wal_summarizer_state pg_hba_file_rules pg_ident_file_mappings pg_indexes_size
    pg_is_in_recovery pg_is_wal_replay_paused pg_isolation_test_session_is_blocked
    pg_jit_available pg_last_committed_xact pg_last_wal_receive_lsn pg_last_wal_replay_lsn
    pg_last_xact_replay_timestamp pg_lock_status pg_notification_queue_usage
    pg_partition_ancestors pg_partition_tree pg_prepared_xact pg_relation_size
    pg_safe_snapshot_blocking_pids pg_sequence_last_value pg_show_all_file_settings
    pg_show_replication_origin_status pg_table_size pg_tablespace_size pg_total_relation_size
    pg_wal_summary_contents pg_xact_commit_timestamp pg_xact_commit_timestamp_origin
    pg_xact_status random random_normal timeofday txid_status uuidv4 uuidv7
"""
# Stable by name, and yet they take a transaction id, or call the input function of any type.
OTHERS = ["pg_current_xact_id", "txid_current", "pg_input_is_valid", "pg_input_error_info"]
READING: LiteralString = """
    SELECT proname, bool_and(
        (provolatile <> 'v' OR proname ~ '^pg_stat_(get|have)_' OR proname = ANY (%(tell)s))
        AND prokind <> 'p'
        AND NOT prorettype = ANY ('{cstring,internal,void,trigger,event_trigger}'::regtype[])
        AND NOT proargtypes::oid[] && '{cstring,internal}'::regtype[]::oid[]
    )
    AND proname <> ALL (%(others)s)
    AND proname !~ '_to_xml|^pg_event_trigger_'
    FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
    GROUP BY proname
"""


async def test_functions_are_those_that_read(database: str) -> None:
    """The names in functions.txt are PostgreSQL 18's; an older one may have fewer of them."""
    params = {"tell": TELL.split(), "others": OTHERS}
    async with await AsyncConnection.connect(database) as conn:
        found: dict[str, bool] = dict(await (await conn.execute(READING, params)).fetchall())
        version = conn.info.server_version
    reading = {name for name, reads in found.items() if reads}

    assert statements.FUNCTIONS & found.keys() <= reading
    assert version < 180_000 or reading == statements.FUNCTIONS


async def test_operators_are_postgresql_s(database: str) -> None:
    query: LiteralString = """
        SELECT DISTINCT oprname FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace
    """
    async with await AsyncConnection.connect(database) as conn:
        found = {name for (name,) in await (await conn.execute(query)).fetchall()}
        version = conn.info.server_version

    assert version < 180_000 or found == statements.OPERATORS


# One statement for each way to act that PostgreSQL leaves to a role that may only read, or that a
# parser which is not PostgreSQL's own could miss.
ACTING = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
    "SELECT pg_cancel_backend(1)",
    "SELECT pg_reload_conf()",
    "SELECT pg_notify('jobs', 'run')",
    "NOTIFY jobs, 'run'",
    "SELECT pg_advisory_lock(1)",
    "SELECT 1 FROM orders LIMIT (SELECT pg_try_advisory_xact_lock(1)::int)",
    "SELECT count(*) FILTER (WHERE pg_advisory_xact_lock_shared(1) IS NULL) FROM orders",
    "SELECT * FROM orders, LATERAL pg_advisory_lock(total_cents)",
    "SELECT * FROM ROWS FROM (generate_series(1, 2), pg_try_advisory_lock(1))",
    "SELECT 1 ORDER BY pg_try_advisory_lock(1)",
    "SELECT 1 GROUP BY pg_try_advisory_lock(1)",
    "SELECT 1 WHERE EXISTS (VALUES (pg_try_advisory_lock(1)))",
    "SELECT max(1) OVER (ORDER BY pg_try_advisory_lock(1))",
    "SELECT CASE WHEN true THEN pg_try_advisory_lock(1) END",
    "SELECT ARRAY[pg_try_advisory_lock(1)]",
    "SELECT (ARRAY[1])[pg_advisory_lock(1)::text::int]",
    "SELECT * FROM orders TABLESAMPLE system (pg_advisory_lock(1)::text::real)",
    "SELECT XMLELEMENT(NAME a, pg_try_advisory_lock(1))",
    "SELECT JSON_OBJECT('a': pg_try_advisory_lock(1))",
    "SELECT a$$, pg_advisory_lock(1) AS b$$ FROM (SELECT 1 AS a$$) AS c",
    "SELECT /* /* */ '*/, ' */ pg_advisory_lock(1)",
    "SELECT U&\"pg!005fadvisory_lock\" UESCAPE '!' (1)",
    'SELECT "pg_catalog"."pg_advisory_lock"(1)',
    "SELECT * FROM orders FOR NO KEY UPDATE",
    "SELECT * FROM orders FOR SHARE OF orders SKIP LOCKED",
    "LOCK TABLE orders",
    "SELECT nextval('order_items_id_seq')",
    "SELECT setval('order_items_id_seq', 1)",
    "SELECT txid_current()",
    "SELECT pg_current_xact_id()",
    "SELECT pg_logical_emit_message(false, 'a', 'b')",
    "SELECT pg_create_restore_point('mine')",
    "SELECT pg_switch_wal()",
    "SELECT pg_export_snapshot()",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT set_config('statement_timeout', '0', false)",
    "SELECT pg_sleep(60)",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT dblink_exec('dbname=orders', 'DELETE FROM orders')",
    "SELECT query_to_xml('SELECT pg_advisory_lock(1)', true, true, '')",
    "SELECT ts_stat('SELECT pg_advisory_lock(1)')",
    "SELECT public.cancel_all()",
    "SELECT cancel_all()",
    "SELECT id OPERATOR(public.=) id FROM orders",
    'SELECT id OPERATOR("BETWEEN".=) id FROM orders',
    "SELECT id ===> id FROM orders",
    "SELECT id FROM orders ORDER BY id USING ===>",
    "SELECT 1 ===> ANY (SELECT 1)",
    "WITH gone AS (DELETE FROM orders RETURNING id) SELECT * FROM gone",
    "SELECT 1 INTO mine",
    "EXPLAIN ANALYZE SELECT 1",
    "PREPARE mine AS SELECT 1",
    "EXECUTE mine",
    "COPY orders TO PROGRAM 'cat'",
    "COPY (SELECT 1) TO STDOUT",
    "DO 'BEGIN PERFORM pg_advisory_lock(1); END'",
    "CALL mine()",
    "DECLARE mine CURSOR WITH HOLD FOR SELECT 1",
    "BEGIN READ WRITE",
    "SET ROLE order_service",
    "SELECT 1; SELECT 1",
    "SELECT 1) AS a; COMMIT; DELETE FROM orders; SELECT * FROM (SELECT 1",
    "SELECT 1) AS runbolt_query, (SELECT pg_advisory_lock(1)",
    "SELECT '\0', pg_advisory_lock(1)",
    "SELECT " + "(SELECT " * 20 + "1" + ")" * 20,
    "SELECT 1" + " + 1" * 20_000,
)


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    (tmp_path / "own" / "sql").mkdir(parents=True)
    file = tmp_path / "own" / "shop.yml"
    file.write_text(CARTS)
    return file


def test_lint_and_start_refuse_the_same(playbook: Path) -> None:
    sql = playbook.parent / "sql" / "carts.sql"
    for statement in ACTING:
        sql.write_text(statement)
        with pytest.raises(PlaybookError) as refusal:
            loader.load(playbook.parent, ACTIONS)

        assert list(refusal.value.diagnostics) == lint([playbook], ACTIONS).mistakes, statement


async def test_bot_with_acting_query_starts_not(
    given: Settings, clock: Clock, playbooks: Path
) -> None:
    (playbooks / "sql").mkdir()
    sql = playbooks / "sql" / "stuck-orders.sql"
    sql.write_text("SELECT *,\n  pg_notify('jobs', id::text) FROM orders")

    with pytest.raises(PlaybookError) as refusal:
        async with start_bot(given, clock):
            pass

    assert str(refusal.value) == (
        "No playbook was loaded: 1 mistake. Correct these and start again.\n"
        f"{sql}:2:3: pg_notify() isn't a function that is known to only read"
    )


async def test_incident_with_acting_copy_reads_nothing(walk: Walk, bot: Bot) -> None:
    """An incident keeps the playbook of the version that declared it, which checked less."""
    channel = await walk.declare(severity="sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, SCENARIO)
    async with bot.world.pool.connection() as conn:
        await conn.execute(
            "UPDATE incidents SET playbook = replace(playbook::text, 'FROM orders',"
            " 'FROM pg_sleep(0), orders')::jsonb"
        )

    await walk.press_step("oncall", "stuck-orders", channel)

    assert (
        "The query in stuck-orders.sql was not run, as it may do more than read: pg_sleep() isn't"
    ) in walk.text(channel)


# What the owner of a database can hide a call in, and a query that says nothing of it.
HIDDEN = {
    "a view": (
        "CREATE VIEW hidden AS SELECT {call} AS done; GRANT SELECT ON hidden TO runbolt_ro",
        "SELECT * FROM hidden",
    ),
    "a stable function in a view": (
        "CREATE FUNCTION hidden() RETURNS text STABLE LANGUAGE plpgsql"
        " AS 'BEGIN RETURN {call}; END'; CREATE VIEW seen AS SELECT hidden() AS done;"
        " GRANT SELECT ON seen TO runbolt_ro",
        "SELECT * FROM seen",
    ),
    "an operator": (
        "CREATE FUNCTION hidden(uuid, text) RETURNS text LANGUAGE sql AS 'SELECT ({call})::text';"
        " CREATE OPERATOR + (FUNCTION = hidden, LEFTARG = uuid, RIGHTARG = text)",
        "SELECT id + 'x'::text FROM orders LIMIT 1",
    ),
    "a domain": (
        "CREATE FUNCTION hidden(text) RETURNS boolean LANGUAGE sql"
        " AS 'SELECT ({call}) IS NOT NULL'; CREATE DOMAIN kind AS text CHECK (hidden(VALUE))",
        "SELECT status::kind FROM orders LIMIT 1",
    ),
    "what looks like a column": (
        "CREATE FUNCTION hidden(orders) RETURNS text LANGUAGE sql AS 'SELECT ({call})::text'",
        "SELECT orders.hidden FROM orders LIMIT 1",
    ),
    "a row policy": (
        "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY hidden ON orders"
        " USING (({call}) IS NOT NULL)",
        "SELECT * FROM orders LIMIT 1",
    ),
}
CALLS = (
    "pg_try_advisory_lock(1)::text",
    "pg_notify($a$jobs$a$, $a$run$a$)::text",
    "pg_terminate_backend(0)::text",
    "pg_current_xact_id()::text",
    "pg_logical_emit_message(false, $a$a$a$, $a$b$a$)::text",
)


@pytest.mark.parametrize("place", HIDDEN)
async def test_hidden_call_is_refused_by_server(shop: Shop, place: str) -> None:
    define, query = HIDDEN[place]
    assert statements.read_only_violations(query) == ()
    database = Database(shop.ro_dsn)
    await database.select("SELECT id FROM orders LIMIT 1")

    for call in CALLS:
        async with await AsyncConnection.connect(shop.service_dsn) as conn:
            await conn.execute("DROP VIEW IF EXISTS seen, hidden")
            await conn.execute("DROP DOMAIN IF EXISTS kind")
            await conn.execute("DROP POLICY IF EXISTS hidden ON orders")
            await conn.execute("DROP OPERATOR IF EXISTS + (uuid, text)")
            await conn.execute("DROP ROUTINE IF EXISTS hidden")
            await conn.execute(define.format(call=call).encode())
        with pytest.raises(DatabaseError, match="may not read this: permission denied for func"):
            await database.select(query)


@pytest.mark.parametrize(
    ("definition", "refusal"),
    [
        ("SELECT * FROM orders FOR UPDATE", "cannot execute SELECT FOR UPDATE in a read-only"),
        ("SELECT nextval('order_items_id_seq')", "permission denied for sequence"),
        ("SELECT lo_create(0)", "permission denied for function lo_create"),
    ],
)
async def test_view_neither_locks_nor_writes(shop: Shop, definition: str, refusal: str) -> None:
    await rows(
        shop.dsn,  # the view's owner may do it
        f"CREATE VIEW hidden AS {definition}",
        "GRANT SELECT ON hidden TO runbolt_ro",
    )

    with pytest.raises(DatabaseError, match=refusal):
        await Database(shop.ro_dsn).select("SELECT * FROM hidden")


# What acts and stays: it needs a right that neither role has (on a sequence, a table, replication),
# or acts on nothing but the session and is bounded by its limits.
KEPT = """
    binary_upgrade_* brin_* cursor_to_xml cursor_to_xmlschema gin_clean_pending_list nextval setval
    pg_clear_* pg_copy_* pg_create_* pg_drop_* pg_extension_config_dump pg_import_system_collations
    pg_logical_slot_* pg_nextoid pg_replication_slot_advance pg_restore_* pg_sleep pg_sleep_for
    pg_sleep_until pg_stat_clear_snapshot pg_stat_force_next_flush pg_stop_making_pinned_objects
    pg_sync_replication_slots query_to_xml* set_config setseed ts_rewrite ts_stat plpgsql_*
    table_to_xml* schema_to_xml* database_to_xml* pg_stat_get_* pg_*_old pg_is_in_backup
"""
CALLABLE: LiteralString = """
    SELECT DISTINCT proname FROM pg_proc
    WHERE (provolatile = 'v' OR proname ~ '_to_xml|xact_id$|txid_current$')
    AND NOT prorettype = ANY ('{trigger,event_trigger,internal}'::regtype[])
    AND NOT proargtypes::oid[] && '{internal}'::regtype[]::oid[]
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
    AND has_function_privilege(%(role)s, oid, 'EXECUTE')
"""


@pytest.mark.parametrize(("role", "more"), [(READER, set()), (OPERATOR, {statements.TERMINATE})])
async def test_roles_keep_no_function_that_acts(shop: Shop, role: str, more: set[str]) -> None:
    async with await AsyncConnection.connect(shop.dsn) as conn:
        found = await (await conn.execute(CALLABLE, {"role": role})).fetchall()
    acting = {name for (name,) in found} - statements.FUNCTIONS

    unknown = {name for name in acting if not any(fnmatch(name, kept) for kept in KEPT.split())}
    assert unknown == more
    assert all(statements.read_only_violations(f"SELECT {name}()") for name in acting)


async def test_missing_file_is_told_once(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    reader = Database(shop.ro_dsn)
    await reader.select("SELECT 1")
    assert caplog.messages == []

    await rows(shop.dsn, "GRANT EXECUTE ON FUNCTION pg_notify(text, text) TO PUBLIC")
    await reader.select("SELECT 1")
    await reader.select("SELECT 1")

    assert caplog.messages == [
        "The role of ORDERS_DATABASE_URL may call functions that act, which a view or an operator "
        "can hide: connect as runbolt_ro, and run deploy/sql/functions.sql on that database."
    ]


async def test_application_keeps_its_functions(shop: Shop) -> None:
    async with session(shop.service_dsn) as (service, pid):
        for call in CALLS:
            await service.execute(f"SELECT {call}".encode())
        await refused(shop.ro_dsn, "SELECT pg_notify('jobs', 'run')")
        # Run again, as people do after an upgrade, it changes nothing.
        async with lock_roles(shop.server), await AsyncConnection.connect(shop.dsn) as conn:
            await run_file(conn, FUNCTIONS)
        await service.execute("SELECT pg_advisory_xact_lock_shared(2)")
        await rows(shop.ops_dsn, f"SELECT pg_terminate_backend({pid}, 5000)")
        with pytest.raises(OperationalError):
            await service.execute("SELECT 1")
