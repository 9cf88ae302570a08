"""Rows of a query are worked through one by one: chosen, handled or escalated, each once."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal, LiteralString

import pytest
from psycopg import AsyncConnection

from bot.settings import Settings
from bot.views import action_ids
from sandbox.shop import Shop
from sandbox.slack import Slack
from sandbox.slack.model import User
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.readers import Item, Post

PAYMENTS = "order-service/payment-refund-failures"
NOW = "2026-11-24 10:00 UTC"
# Age, amount and who first, ids last.
LINE = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d UTC · \[[\d,]+\.\d\d [A-Z]{3} · "
    r"user [0-9a-f-]{36} · order [0-9a-f-]{36}\]"
    r"\(https://dashboard\.stripe\.com/payments/pi_3\w+\)"
)
TITLE = 'title: "{total_cents} · user {user_id} · order {id}"'
ALL_LISTED = (
    "Everything that “Stuck orders” found is already on the list. Nothing was added. See the list"
    " in the channel, or run the step again."
)


async def stuck(walk: Walk) -> str:
    """An incident about payments, in which somebody has looked for stuck orders."""
    channel = await walk.declare("Refunds hang", "sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, PAYMENTS)
    await walk.press_step("oncall", "stuck-orders", channel)
    return channel


async def work_through(walk: Walk, channel: str, *numbers: int, who: str = "oncall") -> None:
    """Choose rows, and put them on the list."""
    await walk.press(who, action_ids.WORK_THROUGH, channel)
    await walk.submit(who, chosen=[str(number) for number in numbers])


def lists(walk: Walk, channel: str) -> list[Post]:
    """The checklists of the channel."""
    return [post for post in walk.posts(channel) if post.heading.startswith("Stuck orders")]


def headings(walk: Walk, channel: str) -> list[str]:
    """What stands above the checklists."""
    return [checklist.heading for checklist in lists(walk, channel)]


def listed(walk: Walk, channel: str) -> list[Item]:
    """The orders on the checklists."""
    return [task for task in walk.tasks(channel) if "rder " in task.title]


def states(walk: Walk, channel: str) -> list[str]:
    """What is said below each order."""
    return [order.state for order in listed(walk, channel)]


def all_orders(walk: Walk, channel: str) -> list[str]:
    """What the orders on the checklists are called: “118.00 EUR · user 8f… · order 0a…”."""
    return [order.title.partition("[")[2].split("](")[0] for order in listed(walk, channel)]


async def mark(walk: Walk, who: str, press: str, channel: str, number: int = 0) -> str:
    """Press a button of one of the lines that still have it; the value of that button."""
    button = walk.slack.find_buttons(press, channel, who)[number]
    await walk.slack.press(who, button)
    await walk.bot.drain()
    return str(button.value)


def call_rows(given: Settings, title: str) -> None:
    """Have the playbook call stuck orders something else."""
    assert given.config is not None
    file = given.config.parent / "playbooks" / "order-service.yml"
    words = file.read_text(encoding="utf-8")
    file.write_text(words.replace(TITLE, f'title: "{title}"'), encoding="utf-8")


@asynccontextmanager
async def shop_bot(
    slack: Slack, given: Settings, clock: Clock, shop: Shop, change: LiteralString
) -> AsyncIterator[Bot]:
    """The bot of a shop of its own, in which something is changed first."""
    async with await AsyncConnection.connect(shop.dsn) as conn:
        await conn.execute(change)
    settings = given.model_copy(update={"orders_database_url": shop.ro_dsn})
    async with start_bot(settings, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        yield bot


async def test_orders_are_handled_singly(walk: Walk) -> None:
    channel = await stuck(walk)

    await work_through(walk, channel, 0, 2, 5)

    assert headings(walk, channel) == ["Stuck orders · 0 of 3 handled"]
    assert all(LINE.fullmatch(order.title) for order in listed(walk, channel))
    ages = [order.title[:16] for order in listed(walk, channel)]
    assert ages == sorted(ages)  # the oldest first
    assert states(walk, channel) == ["", "", ""]

    await mark(walk, "second", action_ids.TASK_DONE, channel)
    await mark(walk, "oncall", action_ids.TASK_ESCALATE, channel)
    assert headings(walk, channel) == ["Stuck orders · 1 of 3 handled, 1 escalated"]
    handled, escalated = (
        f":white_check_mark: Handled by @second, {NOW}",
        f":rotating_light: Escalated by @oncall, {NOW}",
    )
    assert states(walk, channel) == [handled, escalated, ""]

    await mark(walk, "second", action_ids.TASK_DONE, channel)
    assert headings(walk, channel) == ["Stuck orders · 2 of 3 handled"]
    assert states(walk, channel) == [handled, handled, ""]
    first, second, _ = all_orders(walk, channel)
    assert (await walk.timeline(channel))[-4:] == [
        "@oncall put 3 of the rows found on a list to work through: Stuck orders",
        f"@second did by hand: {first}",
        f"@oncall escalated: {second}",
        f"@second did by hand: {second}",
    ]


async def test_each_state_has_its_buttons(walk: Walk) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0, 1, 2)

    await mark(walk, "second", action_ids.TASK_DONE, channel)
    await mark(walk, "second", action_ids.TASK_ESCALATE, channel)

    assert [order.buttons for order in listed(walk, channel)] == [
        ("Reopen",),
        ("Handled", "Handled with a note…", "Take"),
        ("Handled", "Escalate", "Handled with a note…", "Take"),
    ]


async def test_handled_orders_are_reopened(walk: Walk) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0)
    await mark(walk, "second", action_ids.TASK_DONE, channel)

    await mark(walk, "oncall", action_ids.TASK_REOPEN, channel)

    assert headings(walk, channel) == ["Stuck orders · 0 of 1 handled"]
    assert states(walk, channel) == [""]
    [order] = all_orders(walk, channel)
    assert (await walk.timeline(channel))[-1] == f"@oncall reopened: {order}"


async def test_open_orders_outlive_the_incident(walk: Walk) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0, 2, 5)
    await mark(walk, "second", action_ids.TASK_DONE, channel)
    await mark(walk, "oncall", action_ids.TASK_ESCALATE, channel)

    await walk.say("oncall", "/incident resolve", channel)
    assert walk.form().text.splitlines()[1:] == [
        ":ballot_box_with_check: Stuck orders: 2 of 3 on the list are still open. Resolving does "
        "not close them: you can still use the list afterwards."
    ]
    await walk.submit("oncall", resolution="The queue is empty")
    assert _still_open(walk, channel) == ["Still open: 2 of 3 on the list Stuck orders"]

    await mark(walk, "second", action_ids.TASK_DONE, channel)
    assert _still_open(walk, channel) == ["Still open: 1 of 3 on the list Stuck orders"]
    await mark(walk, "second", action_ids.TASK_DONE, channel)
    assert _still_open(walk, channel) == []


def _still_open(walk: Walk, channel: str) -> list[str]:
    """What the summary says below the changes."""
    [summary] = [post for post in walk.posts(channel) if post.heading.endswith("INC-1 is resolved")]
    first = summary.lines.index("No changes were made to production.") + 1
    return list(summary.lines[first:-1])  # the last one says where the timeline is


@pytest.mark.parametrize(
    ("commander", "called", "notified"),
    [
        pytest.param("lead", "@lead", "lead", id="the commander"),
        pytest.param(None, "@order-service-responders", "second", id="nobody in command"),
        pytest.param("oncall", "@order-service-responders", "second", id="a commander escalates"),
    ],
)
async def test_whom_an_escalation_calls(
    walk: Walk, commander: str | None, called: str, notified: str
) -> None:
    channel = await stuck(walk)
    if commander:
        await walk.press(commander, action_ids.TAKE_COMMAND, channel)
    await work_through(walk, channel, 0, 1)
    before = len(walk.slack.notifications(notified))

    await mark(walk, "oncall", action_ids.TASK_ESCALATE, channel)

    order = listed(walk, channel)[0].title.partition(" UTC · ")[2]
    assert walk.posts(channel)[-1].lines == (
        f":rotating_light: {called} @oncall escalated {order}: decide what"
        " to do about it. It stays on the list until somebody marks it Handled.",
    )
    assert len(walk.slack.notifications(notified)) == before + 1


async def test_an_escalation_calls_once(walk: Walk) -> None:
    channel = await stuck(walk)
    await walk.press("lead", action_ids.TAKE_COMMAND, channel)
    await work_through(walk, channel, 0, 1)
    await mark(walk, "oncall", action_ids.TASK_ESCALATE, channel)
    before = len(walk.slack.notifications("lead"))

    await walk.take_over("second", channel)
    await mark(walk, "oncall", action_ids.TASK_DONE, channel, 1)

    assert len(walk.slack.notifications("lead")) == before
    await mark(walk, "oncall", action_ids.TASK_DONE, channel, 0)
    [told] = [post.text for post in walk.posts(channel) if " escalated " in post.heading]
    assert told.endswith(". It has been dealt with since.")


async def test_a_note_says_how_it_was_handled(walk: Walk) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0)

    menu = walk.slack.find_button(action_ids.TASK_MORE, channel, "second")
    note = menu.element["options"][0]
    assert note["text"]["text"] == "Handled with a note…"
    await walk.slack.press("second", menu, value=note["value"])
    await walk.bot.drain()
    [form] = walk.slack.views("second")
    assert (form["title"]["text"], form["submit"]["text"]) == ("Handled", "Handled")
    await walk.submit("second", note="Refunded by hand")

    assert states(walk, channel) == [
        f":white_check_mark: Handled by @second, {NOW}: Refunded by hand"
    ]


async def test_nothing_chosen_is_all(walk: Walk) -> None:
    channel = await stuck(walk)

    await work_through(walk, channel)

    assert len(all_orders(walk, channel)) == len(set(all_orders(walk, channel))) == 23
    assert headings(walk, channel) == ["Stuck orders · 0 of 23 handled", "Stuck orders, continued"]
    await mark(walk, "oncall", action_ids.TASK_DONE, channel, 22)
    assert headings(walk, channel) == ["Stuck orders · 1 of 23 handled", "Stuck orders, continued"]
    handled = f":white_check_mark: Handled by @oncall, {NOW}"
    assert states(walk, channel) == [*[""] * 22, handled]


async def test_no_order_is_listed_twice(walk: Walk) -> None:
    channel = await stuck(walk)
    await walk.press("second", action_ids.WORK_THROUGH, channel)
    await work_through(walk, channel, 0, 1)

    await walk.submit("second", chosen=["1", "2"])
    assert len(all_orders(walk, channel)) == 3
    assert walk.answer("second") == "1 of them were on the list already."

    await walk.press_step("oncall", "stuck-orders", channel)
    await walk.press("second", action_ids.WORK_THROUGH, channel)
    options = walk.form("second").fields["chosen"].options
    assert len(options) == 20
    # Each option begins with the age, the amount and the user.
    # One user may have several orders, of other amounts.
    listed = {tuple(order.split(" · ")[:2]) for order in all_orders(walk, channel)}
    assert listed.isdisjoint(tuple(option.split(" · ")[1:3]) for option in options)
    await walk.submit("second")
    assert len(set(all_orders(walk, channel))) == len(all_orders(walk, channel)) == 23

    await walk.press("second", action_ids.WORK_THROUGH, channel)
    assert walk.answer("second") == ALL_LISTED


async def test_racing_people_list_once(walk: Walk) -> None:
    channel = await stuck(walk)
    for who in ("oncall", "second"):
        await walk.press(who, action_ids.WORK_THROUGH, channel)
    forms = [(who, walk.slack.views(who)[-1]["id"]) for who in ("oncall", "second")]
    filled = {"chosen": {"chosen": ["0", "1", "2"]}}

    await asyncio.gather(*(walk.slack.submit(who, form, filled) for who, form in forms))
    await walk.bot.drain()

    assert len(all_orders(walk, channel)) == 3
    answers = [answer for who, _ in forms for answer in walk.answers(who, channel)]
    assert answers == [ALL_LISTED]
    entries = [entry.split(" ", 1)[1] for entry in await walk.timeline(channel)]
    assert entries.count("put 3 of the rows found on a list to work through: Stuck orders") == 1


async def test_racing_presses_handle_once(walk: Walk) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0)
    done = walk.slack.find_button(action_ids.TASK_DONE, channel, "oncall")
    escalate = walk.slack.find_button(action_ids.TASK_ESCALATE, channel, "second")

    await asyncio.gather(
        walk.slack.press("oncall", done),
        walk.slack.press("second", done),
        walk.slack.press("lead", done),
        walk.slack.press("lead", escalate),
    )
    await walk.bot.drain()

    [order] = all_orders(walk, channel)
    answers = [
        answer for who in ("oncall", "second", "lead") for answer in walk.answers(who, channel)
    ]
    assert len(answers) in (2, 3)  # it may be escalated first, and then handled
    late = re.compile(
        f"@\\w+ already marked “{order}” as (handled|escalated) at 10:00:00 UTC. "
        "Nothing was changed."
    )
    assert all(late.fullmatch(answer) for answer in answers)
    entries = [entry.split(" ", 1)[1] for entry in await walk.timeline(channel)]
    assert entries.count(f"did by hand: {order}") == 1


async def test_taken_and_handled_with_note(walk: Walk) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0)

    await _choose(walk, "take", channel)
    assert states(walk, channel) == [f":raised_hand: Taken by @second, {NOW}"]

    await _choose(walk, "note", channel)
    await walk.submit("second", note="Captured by hand")
    handled = f":white_check_mark: Handled by @second, {NOW}: Captured by hand"
    assert states(walk, channel) == [handled]


async def _choose(walk: Walk, verb: str, channel: str) -> None:
    """Choose this behind the three dots of the only order."""
    menu = walk.slack.find_buttons(action_ids.TASK_MORE, channel, "second")[-1]
    options = [option["value"] for option in menu.element["options"]]
    values = {value.split("/")[0]: value for value in options}
    await walk.slack.press("second", menu, value=values[verb])
    await walk.bot.drain()


async def test_nothing_is_listed_afterwards(walk: Walk) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0, 1)
    await walk.press("second", action_ids.WORK_THROUGH, channel)
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="Payments are through")

    await mark(walk, "second", action_ids.TASK_DONE, channel)
    await walk.submit("second", chosen=["3"])

    assert headings(walk, channel) == ["Stuck orders · 1 of 2 handled"]
    assert walk.answer("second") == (
        "INC-1 is resolved. Nothing was done. If the problem is back, declare a new incident with "
        "`/incident declare`."
    )
    assert walk.slack.find_buttons(action_ids.WORK_THROUGH, channel, "oncall") == []


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        ("guest", "Guests may not do this. Nothing was done; ask a full member."),
        (
            "stranger",
            "You belong to another workspace. Nothing was done; ask a responder of this one.",
        ),
    ],
)
async def test_outsiders_may_not(
    walk: Walk, kind: Literal["guest", "stranger"], refusal: str
) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0)
    walk.slack.add_user(User("other", "Other", kind=kind))
    walk.slack.add_to(channel, "other")

    for press in (action_ids.TASK_DONE, action_ids.TASK_ESCALATE, action_ids.WORK_THROUGH):
        await mark(walk, "other", press, channel)

    assert headings(walk, channel) == ["Stuck orders · 0 of 1 handled"]
    assert walk.slack.views("other") == []
    assert walk.answers("other", channel) == [refusal] * 3


async def test_a_restart_keeps_the_list(slack: Slack, given: Settings, clock: Clock) -> None:
    async with start_bot(given, clock) as first:
        slack.request_url = f"{first.url}/slack/events"
        walk = Walk(slack, first)
        channel = await stuck(walk)
        await walk.press("second", action_ids.WORK_THROUGH, channel)
        await work_through(walk, channel, 0)
    async with start_bot(given, clock) as second:
        slack.request_url = f"{second.url}/slack/events"
        walk = Walk(slack, second)
        await walk.submit("second", chosen=["7"])
        await mark(walk, "second", action_ids.TASK_DONE, channel)

    assert headings(walk, channel) == ["Stuck orders · 1 of 2 handled"]


async def test_no_rows_no_button(slack: Slack, given: Settings, clock: Clock, shop: Shop) -> None:
    change: LiteralString = "UPDATE orders SET status = 'CONFIRMED' WHERE status = 'PENDING'"
    async with shop_bot(slack, given, clock, shop, change) as bot:
        walk = Walk(slack, bot)
        channel = await stuck(walk)

        verdict = walk.step(channel, "stuck-orders").verdict
        assert verdict == ":white_check_mark: No orders are stuck in PENDING"
        assert slack.find_buttons(action_ids.WORK_THROUGH, channel, "oncall") == []


async def test_vanished_orders_stay_open(
    slack: Slack, given: Settings, clock: Clock, shop: Shop
) -> None:
    async with shop_bot(slack, given, clock, shop, "SELECT 1") as bot:
        walk = Walk(slack, bot)
        channel = await stuck(walk)
        await work_through(walk, channel, 0, 1, 2)
        paid, other, _ = all_orders(walk, channel)
        await mark(walk, "second", action_ids.TASK_DONE, channel, 1)
        clock.forward(minutes=32)
        await _set_orders(shop, "CONFIRMED", paid, other)

        await walk.press_step("oncall", "stuck-orders", channel)

        handled = f":white_check_mark: Handled by @second, {NOW}"
        missing = ":mag: Since 2026-11-24 10:32 UTC the query no longer finds it"
        assert headings(walk, channel) == ["Stuck orders · 1 of 3 handled, 1 no longer found"]
        assert states(walk, channel) == [missing, handled, ""]
        assert len(slack.find_buttons(action_ids.TASK_DONE, channel, "oncall")) == 2

        await _set_orders(shop, "PENDING", paid)
        await walk.press_step("oncall", "stuck-orders", channel)
        assert headings(walk, channel) == ["Stuck orders · 1 of 3 handled"]
        assert states(walk, channel) == ["", handled, ""]


async def _set_orders(shop: Shop, status: str, *orders: str) -> None:
    async with await AsyncConnection.connect(shop.dsn) as conn:
        query = "UPDATE orders SET status = %s WHERE id::text = ANY (%s)"
        await conn.execute(query, [status, [order.rpartition("order ")[2] for order in orders]])


async def test_failed_queries_mark_nothing(
    slack: Slack, given: Settings, clock: Clock, shop: Shop
) -> None:
    async with shop_bot(slack, given, clock, shop, "SELECT 1") as bot:
        walk = Walk(slack, bot)
        channel = await stuck(walk)
        await work_through(walk, channel, 0)
        async with await AsyncConnection.connect(shop.dsn) as conn:
            await conn.execute("ALTER TABLE orders RENAME TO hidden")

        await walk.press_step("oncall", "stuck-orders", channel)

        assert headings(walk, channel) == ["Stuck orders · 0 of 1 handled"]
        assert states(walk, channel) == [""]


async def test_ninety_orders_are_five_messages(
    slack: Slack, given: Settings, clock: Clock, shop: Shop
) -> None:
    change: LiteralString = """
        UPDATE orders SET status = 'PENDING' WHERE id IN (
            SELECT id FROM orders WHERE status = 'CONFIRMED'
            AND created_at < now() - interval '1 hour' ORDER BY id LIMIT 67)
    """
    async with shop_bot(slack, given, clock, shop, change) as bot:
        walk = Walk(slack, bot)
        channel = await stuck(walk)
        await work_through(walk, channel)

        assert len(set(all_orders(walk, channel))) == 90
        continued = ["Stuck orders, continued"] * 4
        assert headings(walk, channel) == ["Stuck orders · 0 of 90 handled", *continued]
        edits = len(walk.calls("chat.update"))
        await mark(walk, "oncall", action_ids.TASK_DONE, channel, 89)
        assert headings(walk, channel) == ["Stuck orders · 1 of 90 handled", *continued]
        assert len(walk.calls("chat.update")) <= edits + 2


async def test_the_form_counts_all_rows(
    slack: Slack, given: Settings, clock: Clock, shop: Shop
) -> None:
    change: LiteralString = """
        UPDATE orders SET status = 'PENDING' WHERE id IN (
            SELECT id FROM orders WHERE status = 'CONFIRMED'
            AND created_at < now() - interval '1 hour' ORDER BY id LIMIT 120)
    """
    async with shop_bot(slack, given, clock, shop, change) as bot:
        walk = Walk(slack, bot)
        channel = await stuck(walk)
        await walk.press("oncall", action_ids.WORK_THROUGH, channel)
        assert walk.form().text.splitlines()[1:] == [
            "These are from the first 99 of 143. For the others, run the step again."
        ]

        await walk.submit("oncall")
        orders = all_orders(walk, channel)
        assert len(set(orders)) == 99

        await _set_orders(shop, "CONFIRMED", *orders[:2])  # it may be among those not kept
        await walk.press_step("oncall", "stuck-orders", channel)
        assert states(walk, channel) == [""] * 99


async def test_foreign_text_stays_text(
    slack: Slack, given: Settings, clock: Clock, shop: Shop
) -> None:
    change: LiteralString = """
        UPDATE orders SET status = 'CONFIRMED' WHERE status = 'PENDING';
        UPDATE orders SET status = 'PENDING', stripe_payment_intent_id = 'pi_1|x>&<!channel>',
            created_at = now() - interval '3 hours'
        WHERE ctid = (SELECT min(ctid) FROM orders);
        UPDATE orders SET status = 'PENDING', stripe_payment_intent_id = NULL,
            created_at = now() - interval '2 hours'
        WHERE ctid = (SELECT max(ctid) FROM orders);
    """
    call_rows(given, "Order {id} {stripe_payment_intent_id}")
    async with shop_bot(slack, given, clock, shop, change) as bot:
        walk = Walk(slack, bot)
        channel = await stuck(walk)
        before = len(slack.notifications("lead"))
        await work_through(walk, channel)

    titles = [order.title for order in listed(walk, channel)]
    foreign, unlinked = (
        re.sub("[0-9a-f-]{36}", "ID", title.partition(" UTC · ")[2]) for title in titles
    )
    assert foreign == (
        "[Order ID pi_1/x>&<!channel>]"
        "(https://dashboard.stripe.com/payments/pi_1%7Cx%3E%26%3C%21channel%3E)"
    )
    assert unlinked == "Order ID –"
    assert len(slack.notifications("lead")) == before


async def test_long_titles_are_cut(slack: Slack, given: Settings, clock: Clock) -> None:
    call_rows(given, f"{'Long ' * 50}{{id}}")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await stuck(walk)
        await work_through(walk, channel)

        assert headings(walk, channel) == [
            "Stuck orders · 0 of 23 handled",
            "Stuck orders, continued",
        ]
        shown = f"{'Long ' * 24}".strip()
        titles = {task.title.split("](")[0] for task in walk.tasks(channel)}
        assert {title.partition(" UTC · ")[2] for title in titles} == {f"[{shown}…"}
