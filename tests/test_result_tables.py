"""What a query found, as a table in Slack: to sort and filter, its times and ids to be used."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg import AsyncConnection

from bot.actions import stripe_dashboard
from bot.actions.database import column_order
from bot.settings import Settings
from bot.views import action_ids, blocks
from sandbox.shop import Shop
from sandbox.slack import Slack
from tests.conftest import Clock, Walk, start_bot

PAYMENTS = "order-service/payment-refund-failures"
DISPUTES = "order-service/high-dispute-rate"

Obj = dict[str, Any]


@pytest.fixture
def given(given: Settings, shop: Shop) -> Settings:
    """The bot asks a shop of this test's own."""
    return given.model_copy(update={"orders_database_url": shop.ro_dsn})


async def look(walk: Walk, scenario: str, step: str) -> Obj:
    """The message with what the step saw."""
    channel = await walk.declare(severity="sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, scenario)
    await walk.press_step("oncall", step, channel)
    replies = [
        reply for m in walk.slack.messages(channel, "oncall") for reply in m.get("replies", [])
    ]
    [message] = [reply for reply in replies if reply.get("blocks")]
    return dict(message)


def block(message: Obj, kind: str) -> Obj:
    [found] = [block for block in message["blocks"] if block["type"] == kind]
    return dict(found)


def column(table: Obj, name: str) -> list[Obj]:
    """The cells under a name."""
    names = [cell["text"] for cell in table["rows"][0]]
    return [row[names.index(name)] for row in table["rows"][1:]]


def leaves(cell: Obj) -> list[Obj]:
    return list(cell["elements"][0]["elements"])


async def administer(shop: Shop, *statements: str) -> None:
    async with await AsyncConnection.connect(shop.dsn, autocommit=True) as conn:
        for statement in statements:
            await conn.execute(statement.encode())


async def test_result_is_sortable_and_filterable(walk: Walk) -> None:
    table = block(await look(walk, PAYMENTS, "stuck-orders"), "data_table")

    assert table["caption"] == "Stuck orders"
    assert [cell["text"] for cell in table["rows"][0]] == [
        *("age", "total_cents", "user_id", "currency", "status", "created_at"),
        *("id", "stripe_payment_intent_id"),
    ]
    assert len(table["rows"]) == 24


async def test_times_show_utc_and_local(walk: Walk) -> None:
    table = block(await look(walk, PAYMENTS, "stuck-orders"), "data_table")

    for cell in column(table, "created_at"):
        words, date = leaves(cell)
        at = datetime.fromtimestamp(date["timestamp"], UTC)
        assert words["text"] == f"{at:%Y-%m-%d %H:%M:%S} UTC · "
        assert date["type"] == "date"
        assert date["fallback"] == f"{at:%Y-%m-%d %H:%M:%S} UTC"


async def test_payment_links_to_stripe(walk: Walk, shop: Shop) -> None:
    await administer(
        shop,
        "UPDATE orders SET stripe_payment_intent_id = NULL WHERE id = (SELECT id FROM orders"
        " WHERE status = 'PENDING' ORDER BY created_at LIMIT 1)",
    )
    first, *rest = column(
        block(await look(walk, PAYMENTS, "stuck-orders"), "data_table"), "stripe_payment_intent_id"
    )

    assert first == {"type": "raw_text", "text": "–"}
    for cell in rest:
        [link] = leaves(cell)
        assert link["text"].startswith("pi_")
        assert link["url"] == f"https://dashboard.stripe.com/payments/{link['text']}"


async def test_counts_and_money_are_numbers(walk: Walk, shop: Shop) -> None:
    await administer(shop, "UPDATE orders SET currency = 'EUR' WHERE user_id::text < '8'")
    message = await look(walk, DISPUTES, "review-orders")
    table = block(message, "data_table")

    # Nobody said what would be good or bad.
    assert message["text"].endswith("\n:eyes: Look: The 20 users with the most orders in 24 hours")
    names = [cell["text"] for cell in table["rows"][0]]
    assert names == ["order_count", "total_cents", "user_id"]
    for cell in column(table, "order_count"):
        assert (cell["type"], str(int(cell["value"]))) == ("raw_number", cell["text"])
    sums = [cell for cell in column(table, "total_cents") if " + " not in cell["text"]]
    assert sums
    for cell in sums:
        assert cell["text"][:-4] == f"{cell['value']:,.2f}"


async def test_no_rows_give_no_table(walk: Walk, shop: Shop) -> None:
    await administer(shop, "UPDATE orders SET status = 'CONFIRMED'")

    message = await look(walk, PAYMENTS, "stuck-orders")

    assert "No orders are stuck in PENDING" in message["text"]
    assert [block["type"] for block in message["blocks"]] == ["section"]


async def test_file_has_rows_beyond_limit(walk: Walk, shop: Shop) -> None:
    await administer(shop, "UPDATE orders SET status = 'PENDING'")

    message = await look(walk, PAYMENTS, "stuck-orders")

    table = block(message, "data_table")
    assert len(json.dumps(table["rows"])) > 9_000
    shown = len(table["rows"]) - 1
    assert 20 < shown < 99
    assert f"The first {shown} of 1000 rows are shown." in str(message["blocks"])
    assert "The file has the first 1000 rows; there are more" in str(message["blocks"])


@pytest.mark.parametrize(("refusals", "kinds"), [(1, {"table"}), (2, set())])
async def test_older_slack_gets_simpler_tables(
    slack: Slack, given: Settings, clock: Clock, refusals: int, kinds: set[str]
) -> None:
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare(severity="sev2")
        await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, DISPUTES)
        slack.fail("chat.postMessage", error="invalid_blocks", times=refusals)
        await walk.press_step("oncall", "review-orders", channel)

    *refused, taken = walk.calls("chat.postMessage")[-refusals - 1 :]
    assert "data_table" in str(refused[0].arguments)
    assert "raw_number" in str(refused[0].arguments)
    tables = {"table", "data_table"}
    sent = taken.arguments["blocks"]
    found = {value["type"] for value in (json.loads(sent) if isinstance(sent, str) else sent)}
    assert found & tables == kinds
    assert "users with the most orders" in str(sent)
    assert "raw_number" not in str(sent)


@pytest.mark.parametrize(
    ("stripe_id", "page"),
    [
        ("pi_3AbCdEfGh", "payments"),
        ("ch_3AbCdEfGh", "payments"),
        ("re_3AbCdEfGh", "refunds"),
        ("dp_1AbCdEfGh", "disputes"),
        ("du_1AbCdEfGh", "disputes"),
        ("evt_1AbCdEfGh", "events"),
    ],
)
def test_each_stripe_id_has_page(stripe_id: str, page: str) -> None:
    assert (
        stripe_dashboard.page_url(stripe_id) == f"https://dashboard.stripe.com/{page}/{stripe_id}"
    )


@pytest.mark.parametrize("text", ["", "pi_", "pi_../../login", "xx_3AbCdEfGh", "see pi_3AbCdEfGh"])
def test_other_words_are_no_links(text: str) -> None:
    assert stripe_dashboard.page_url(text) is None


AT, AGE, NUMBER = datetime(2026, 11, 24, tzinfo=UTC), timedelta(minutes=5), UUID(int=7)


@pytest.mark.parametrize(
    ("row", "order"),
    [
        (
            {"id": NUMBER, "status": "PENDING", "user_id": NUMBER, "paid": True, "total_cents": 7},
            "total_cents user_id status paid id",
        ),
        (
            {"orderId": "7", "payment": "pi_3AbCdEfGh", "note": "", "created_at": AT},
            "created_at note orderId payment",
        ),
        (
            {"pid": 7, "started": AT, "query": "SELECT 1", "usename": "shop", "age": AGE},
            "age usename started query pid",
        ),
        ({"relname": "orders", "seq_scan": 7, "reason": None}, "relname seq_scan reason"),
    ],
)
def test_columns_that_matter_come_first(row: Obj, order: str) -> None:
    columns = list(row)

    indexes = column_order.reading_order(columns, [[None] * len(row), list(row.values())])

    assert " ".join(columns[index] for index in indexes) == order


def test_widest_table_fits_slack_limits() -> None:
    names = [f"column_{n}" for n in range(25)]
    table = blocks.table("t" * 300, names, [["x" * 500] * 25] * 200)

    assert len(table["caption"]) == 255
    assert {len(row) for row in table["rows"]} == {20}
    assert len(table["rows"]) == 3
