"""Asking the service's database: what people read, and what keeps the bot from reading it."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from psycopg import AsyncConnection, errors
from pydantic import ValidationError

from bot.actions.cell_format import cells
from bot.actions.database.queries import RunQuery, escape_formula
from bot.model import ReadResult
from bot.systems import Systems
from bot.systems.database import Database, DatabaseError
from bot.views import action_ids
from sandbox.shop import Shop
from tests.cluster_fixtures import systems
from tests.conftest import Walk

__all__ = ["systems"]

STUCK = RunQuery(
    file="stuck-orders.sql",
    says="{count} order{s} stuck in PENDING",
    none="No orders are stuck",
    alarm=True,
)
LONG = RunQuery(file="long-queries.sql", says="{count} long", none="None is long", alarm=True)
# Answers when a session has waited long enough, and at once when it does not wait yet.
LONG_ENOUGH = """
    SELECT pg_sleep_until(query_start + interval '5.1 s') FROM pg_stat_activity
    WHERE pid = %s AND wait_event_type = 'Lock'
"""
FILES = (
    *("idempotency.sql", "stuck-orders.sql", "review-orders.sql"),
    *("long-queries.sql", "missing-indexes.sql"),
)


def asking(systems: Systems, url: str | None, seconds: float = 5.0) -> Systems:
    return replace(systems, database=Database(url, seconds=seconds))


def rows(reading: ReadResult) -> list[dict[str, str]]:
    assert reading.table is not None
    columns = reading.table.columns
    return [dict(zip(columns, map(str, row), strict=True)) for row in reading.table.rows]


def in_file(reading: ReadResult) -> list[dict[str, str]]:
    assert reading.attachment is not None
    return list(csv.DictReader(io.StringIO(reading.attachment.text)))


@asynccontextmanager
async def owner(shop: Shop) -> AsyncIterator[AsyncConnection[Any]]:
    """The administrator, at once and without a transaction."""
    async with await AsyncConnection.connect(shop.dsn, autocommit=True) as conn:
        yield conn


async def test_stuck_orders_are_listed(systems: Systems, shared_shop: Shop) -> None:
    reading = await STUCK.read(asking(systems, shared_shop.ro_dsn))

    assert not reading.ok
    assert reading.text == "23 orders stuck in PENDING"
    assert len(rows(reading)) == 23
    assert {row["status"] for row in rows(reading)} == {"PENDING"}
    stamps = [row["created_at"] for row in rows(reading)]
    assert stamps == sorted(stamps)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", stamps[0])
    assert reading.notes == ("The file has all of it.",)
    assert reading.attachment is not None
    assert reading.attachment.name == "stuck-orders.csv"
    assert len(in_file(reading)) == 23


async def test_one_order_without_payment_intent(systems: Systems, shop: Shop) -> None:
    async with owner(shop) as conn:
        await conn.execute("UPDATE orders SET status = 'CONFIRMED'")
        await conn.execute(
            "UPDATE orders SET status = 'PENDING', stripe_payment_intent_id = NULL"
            " WHERE id = (SELECT min(id::text)::uuid FROM orders"
            " WHERE created_at < now() - interval '1 hour')"
        )
    reading = await STUCK.read(asking(systems, shop.ro_dsn))

    assert reading.text == "1 order stuck in PENDING"
    assert rows(reading)[0]["stripe_payment_intent_id"] == "–"
    assert in_file(reading)[0]["stripe_payment_intent_id"] == ""


async def test_no_rows_are_said_in_words(systems: Systems, shop: Shop) -> None:
    async with owner(shop) as conn:
        await conn.execute("UPDATE orders SET status = 'CONFIRMED'")
    reading = await STUCK.read(asking(systems, shop.ro_dsn))

    assert reading == ReadResult(ok=True, text="No orders are stuck")


async def test_unprocessed_webhooks_without_anybodys_address(
    systems: Systems, shared_shop: Shop
) -> None:
    reading = await RunQuery(file="idempotency.sql").read(asking(systems, shared_shop.ro_dsn))

    assert (reading.ok, reading.is_unjudged) == (None, True)
    assert reading.text == "17 rows"
    assert reading.table is not None
    assert reading.table.columns == (
        *("created_at", "type", "payload", "attempts", "error", "processed_at"),
        *("id", "stripe_event_id"),
    )
    assert {row["processed_at"] for row in rows(reading)} == {"–"}
    assert all('"receipt_email": "[masked]"' in row["payload"] for row in in_file(reading))
    assert "@example.com" not in str(reading)
    assert max(len(cell) for row in rows(reading) for cell in row.values()) <= 120


async def test_who_ordered_most_by_currency(systems: Systems, shared_shop: Shop) -> None:
    reading = await RunQuery(file="review-orders.sql").read(asking(systems, shared_shop.ro_dsn))

    counts = [int(row["order_count"]) for row in rows(reading)]
    assert counts == sorted(counts, reverse=True)
    assert len(counts) == 20
    totals = " + ".join(row["total_cents"] for row in rows(reading)).split(" + ")
    assert {total[-3:] for total in totals} <= {"EUR", "GBP", "USD"}
    assert all(total[-7] == "." for total in totals)
    async with owner(shared_shop) as conn:
        query = """
            SELECT count(*) FROM orders WHERE created_at > now() - interval '24 hours'
            GROUP BY user_id ORDER BY 1 DESC LIMIT 20
        """
        assert counts == [n for (n,) in await (await conn.execute(query)).fetchall()]


async def test_long_queries_name_their_blocker(systems: Systems, shop: Shop) -> None:
    update = "UPDATE orders SET status = 'PENDING' WHERE customer_email = 'bob@example.com'"
    async with (
        await AsyncConnection.connect(shop.service_dsn) as blocker,
        await AsyncConnection.connect(shop.service_dsn) as blocked,
        owner(shop) as admin,
    ):
        ours, theirs = blocked.info.backend_pid, blocker.info.backend_pid
        await blocker.execute("LOCK TABLE orders IN EXCLUSIVE MODE")
        async with asyncio.TaskGroup() as group:
            group.create_task(blocked.execute(update))
            while not await (await admin.execute(LONG_ENOUGH, [ours])).fetchall():
                pass
            reading = await LONG.read(asking(systems, shop.ro_dsn))
            await blocker.rollback()

    [row] = [row for row in rows(reading) if row["pid"] == str(ours)]
    assert not reading.ok
    assert row["blocked_by"] == str(theirs)
    assert row["waits_for"] == "Lock: relation"
    assert (row["user"], row["application"]) == ("order_service", "order-service")
    assert row["duration"].endswith(" s")
    assert row["query"] == update.replace("bob@example.com", "[masked]")


async def test_bots_own_sessions_are_left_out(systems: Systems, shop: Shop) -> None:
    async with (
        await AsyncConnection.connect(shop.ro_dsn, application_name="runbolt") as reads,
        await AsyncConnection.connect(shop.ops_dsn, application_name="runbolt") as ends,
        owner(shop) as admin,
    ):
        running = [
            asyncio.create_task(conn.execute("SELECT pg_sleep(60)")) for conn in (reads, ends)
        ]
        long_enough = LONG_ENOUGH.replace("wait_event_type = 'Lock'", "state = 'active'").encode()
        for conn in (reads, ends):
            while not await (await admin.execute(long_enough, [conn.info.backend_pid])).fetchall():
                pass
        reading = await LONG.read(asking(systems, shop.ro_dsn))
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    assert (reading.ok, reading.text) == (True, "None is long")


async def test_no_long_queries(systems: Systems, shared_shop: Shop) -> None:
    reading = await LONG.read(asking(systems, shared_shop.ro_dsn))

    assert (reading.ok, reading.text) == (True, "None is long")


async def test_hidden_sessions_are_an_error(systems: Systems, shop: Shop) -> None:
    async with owner(shop):
        with pytest.raises(DatabaseError, match=r"may not see .*pg_read_all_stats"):
            await LONG.read(asking(systems, shop.service_dsn))


async def test_missing_unused_and_broken_indexes(systems: Systems, shop: Shop) -> None:
    read = RunQuery(file="missing-indexes.sql", none="All is well")
    assert (await read.read(asking(systems, shop.ro_dsn))).text == "All is well"

    async with owner(shop) as conn:
        for _ in range(25):
            await conn.execute(
                "SELECT count(*) FROM order_items WHERE order_id = gen_random_uuid()"
            )
            await conn.execute("SELECT id FROM orders ORDER BY created_at LIMIT 1")
        with pytest.raises(errors.UniqueViolation):
            await conn.execute("CREATE UNIQUE INDEX CONCURRENTLY broken ON orders (status)")
        await conn.execute("SELECT pg_stat_force_next_flush()")
        reading = await read.read(asking(systems, shop.ro_dsn))

    found = {(row["finding"], row["table"], row["index"]): row["why"] for row in rows(reading)}
    assert "by an index 0 times" in found["index missing?", "order_items", "–"]
    assert "replicas" in found["index unused", "orders", "orders_currency"]
    assert ("index invalid", "orders", "broken") in found
    assert ("index unused", "orders", "orders_created_at") not in found
    assert (reading.ok, reading.is_unjudged) == (None, True)


@pytest.mark.parametrize("file", FILES)
async def test_reader_may_run_shipped_queries(
    file: str, systems: Systems, shared_shop: Shop
) -> None:
    assert (await RunQuery(file=file).read(asking(systems, shared_shop.ro_dsn))).text


async def test_a_missing_grant_is_said(systems: Systems, shop: Shop) -> None:
    async with owner(shop) as conn:
        await conn.execute("REVOKE SELECT ON orders FROM runbolt_ro")
    with pytest.raises(DatabaseError, match=r"may not read.*table orders.*deploy/sql"):
        await STUCK.read(asking(systems, shop.ro_dsn))


async def test_an_unreachable_database_is_said(systems: Systems) -> None:
    with pytest.raises(DatabaseError, match="cannot be reached"):
        await STUCK.read(asking(systems, "postgresql://u:p@127.0.0.1:1/orders"))


async def test_slow_query_is_given_up(systems: Systems, shop: Shop) -> None:
    async with await AsyncConnection.connect(shop.dsn) as conn:
        await conn.execute("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseError, match=r"stopped after 0.3 s"):
            await STUCK.read(asking(systems, shop.ro_dsn, seconds=0.3))


async def test_too_many_rows_are_told(systems: Systems, shop: Shop) -> None:
    async with owner(shop) as conn:
        await conn.execute("UPDATE orders SET status = 'PENDING'")
    reading = await STUCK.read(asking(systems, shop.ro_dsn))

    assert reading.text == "More than 1000 orders stuck in PENDING"
    assert len(in_file(reading)) == 1000
    assert reading.notes == (
        "The file has the first 1000 rows; there are more, which were not read.",
    )


async def test_a_file_stays_within_its_bytes(systems: Systems, shop: Shop) -> None:
    async with owner(shop) as conn:
        await conn.execute(
            "UPDATE webhook_events SET error = repeat('long ', 5000), processed_at = NULL"
            " WHERE created_at > now() - interval '1 hour'"
        )
    reading = await RunQuery(file="idempotency.sql").read(asking(systems, shop.ro_dsn))

    assert reading.attachment is not None
    assert 1024 * 1024 < len(reading.attachment.text) < 1024 * 1024 + 20_000
    kept = len(in_file(reading))
    assert kept < int(reading.text.removesuffix(" rows"))
    assert reading.notes == (f"The file has the first {kept} rows.",)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        ([], "–"),
        ([7, 9], "7, 9"),
        (True, "yes"),
        (Decimal("1.50"), "1.50"),
        (b"abc", "(3 bytes)"),
        ({"a": 1}, '{"a": 1}'),
        ({"\ud800": 1}, '{"": 1}'),
        (10**400, f"1{'0' * 400}"),
        (timedelta(seconds=5.9), "5 s"),
        (timedelta(hours=1, seconds=65), "1 h 01 min 05 s"),
        (datetime(2026, 1, 2, 3, 4, 5, 999, UTC), "2026-01-02 03:04:05 UTC"),
        (datetime(2026, 1, 2, 1, tzinfo=timezone(timedelta(hours=2))), "2026-01-01 23:00:00 UTC"),
        (datetime(2026, 1, 2, 3, 4, 5), "2026-01-02 03:04:05"),  # noqa: DTZ001
    ],
)
def test_values_in_words(value: object, words: str) -> None:
    assert [cell.text for cell in cells(["it"], [value])] == [words]


@pytest.mark.parametrize(
    ("cents", "currency", "words"),
    [
        (1234567, "usd", "12,345.67 USD"),
        (Decimal(-5), "EUR", "-0.05 EUR"),
        (500, "JPY", "500 JPY"),
        (500, None, "500"),
        (None, "EUR", "–"),
        ({"USD": 100, "EUR": 250}, None, "2.50 EUR + 1.00 USD"),
    ],
)
def test_cents_become_money(cents: object, currency: str | None, words: str) -> None:
    found = cells(["total_cents", "currency"], [cents, currency])

    assert found[0].text == words


@pytest.mark.parametrize(
    ("cell", "kept"),
    [("–", ""), ("-5", "-5"), ("=1+1", "'=1+1"), ("+1 555", "'+1 555"), ("-1+A1", "'-1+A1")],
)
def test_spreadsheets_find_no_formulas(cell: str, kept: str) -> None:
    assert escape_formula(cell) == kept


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"file": "no-such.sql"}, "expects one of: idempotency.sql, long-queries.sql"),
        ({"file": "../sql/stuck-orders.sql"}, "should match pattern"),
        ({"file": "stuck-orders.sql", "says": "{n} orders"}, "no other braces"),
        ({"file": "stuck-orders.sql", "says": "{count.x}"}, "no other braces"),
        ({"file": "stuck-orders.sql", "params": {"minutes": 5}}, "for stuck-orders.sql: none"),
    ],
)
def test_wrong_params_are_refused(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        RunQuery.model_validate(params)


async def test_slow_responses_scenario_in_slack(walk: Walk) -> None:
    channel = await walk.declare(severity="sev3")
    for step in ("pod-resources", "long-queries", "missing-indexes"):
        await walk.press_step("oncall", step, channel)

    shown = walk.text(channel)
    assert "3 pods use " in shown
    assert "No query has run for more than 5 seconds" in shown
    assert re.search(r"No table is read as a whole too often|\d+ findings?: ", shown)


async def test_failing_payments_scenario_in_slack(walk: Walk) -> None:
    channel = await walk.declare(severity="sev2")
    await walk.press(
        "oncall", action_ids.CHOOSE_SCENARIO, channel, "order-service/payment-refund-failures"
    )
    for step in ("webhook-logs", "idempotency", "stuck-orders"):
        await walk.press_step("oncall", step, channel)

    shown = walk.text(channel)
    counts = r"\(stripe \d+, webhook \d+, payment \d+\)"
    assert re.search(rf"\d+ of \d+ lines from 3 pods match {counts}", shown)
    assert "17 webhook events of the last hour not processed" in shown
    assert "23 orders stuck in PENDING for more than 30 minutes" in shown
    assert "The file has all of it." in shown
