"""Rows of a query are worked through one by one: chosen, handled or escalated, each once."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, LiteralString

import pytest
from psycopg import AsyncConnection

from bot.settings import Settings
from bot.views import action_ids
from sandbox.shop import Shop
from sandbox.slack import Slack
from sandbox.slack.model import User
from tests.conftest import Bot, Clock, Walk, message_text, start_bot

PAYMENTS = "order-service/payment-refund-failures"
Obj = dict[str, Any]


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


def lists(walk: Walk, channel: str) -> list[Obj]:
    """The checklists of the channel."""
    shown = walk.slack.messages(channel, "oncall")
    return [message for message in shown if message_text(message).startswith("*Stuck orders*")]


def all_orders(walk: Walk, channel: str) -> list[str]:
    """The ids of the orders on the lists."""
    return re.findall(
        r"\|Order ([0-9a-f-]{36})>", "\n".join(map(message_text, lists(walk, channel)))
    )


async def mark(walk: Walk, who: str, press: str, channel: str, number: int = 0) -> str:
    """Press a button of one of the lines that still have it; the value of that button."""
    button = walk.slack.find_buttons(press, channel, who)[number]
    await walk.slack.press(who, button)
    await walk.bot.drain()
    return str(button.value)


async def timeline(walk: Walk, channel: str) -> str:
    """The timeline, as one person reads it."""
    walk.slack.join("lead", channel)
    await walk.say("lead", "/incident timeline", channel)
    return str(walk.slack.ephemerals(channel, "lead")[-1])


def call_rows(given: Settings, title: str) -> None:
    """Have the playbook call stuck orders something else."""
    assert given.config is not None
    file = given.config.parent / "playbooks" / "order-service.yml"
    words = file.read_text(encoding="utf-8")
    file.write_text(words.replace("title: Order {id}", f'title: "{title}"'), encoding="utf-8")


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


async def test_orders_are_worked_through_one_by_one(walk: Walk) -> None:
    channel = await stuck(walk)
    oncall, second = (walk.slack.user(who).id for who in ("oncall", "second"))

    await work_through(walk, channel, 0, 2, 5)

    [checklist] = lists(walk, channel)
    assert message_text(checklist).startswith("*Stuck orders* · 0 of 3 handled\n")
    links = re.findall(
        r"<https://dashboard.stripe.com/payments/pi_3\w+\|Order ", message_text(checklist)
    )
    assert len(links) == 3
    assert "put 3 of the rows found on a list" in await timeline(walk, channel)

    await mark(walk, "second", action_ids.TASK_DONE, channel)
    await mark(walk, "oncall", action_ids.TASK_ESCALATE, channel)
    words = message_text(lists(walk, channel)[0])
    assert words.startswith("*Stuck orders* · 1 of 3 handled, 1 escalated\n")
    assert f"Handled by <@{second}>" in words
    assert f"Escalated by <@{oncall}>" in words

    await mark(walk, "second", action_ids.TASK_DONE, channel)
    assert message_text(lists(walk, channel)[0]).startswith("*Stuck orders* · 2 of 3 handled\n")
    told = await timeline(walk, channel)
    first, escalated, _ = all_orders(walk, channel)
    assert f"did by hand: Order {first}" in told
    assert f"escalated: Order {escalated}" in told
    assert f"did by hand: Order {escalated}" in told


async def test_what_is_open_at_the_end_is_told_until_it_is_handled(walk: Walk) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0, 2, 5)
    await mark(walk, "second", action_ids.TASK_DONE, channel)
    await mark(walk, "oncall", action_ids.TASK_ESCALATE, channel)

    await walk.say("oncall", "/incident resolve", channel)
    form = str(walk.slack.views("oncall")[-1])
    assert "*Stuck orders*: 2 of 3 on the list are still open. Resolving does not close" in form
    await walk.submit("oncall", resolution="The queue is empty")
    assert "*Still open:* 2 of 3 on the list Stuck orders" in walk.text(channel)

    await mark(walk, "second", action_ids.TASK_DONE, channel)
    assert "*Still open:* 1 of 3 on the list Stuck orders" in walk.text(channel)
    await mark(walk, "second", action_ids.TASK_DONE, channel)
    assert "Still open" not in walk.text(channel)


async def test_who_is_in_command_is_called_once(walk: Walk) -> None:
    channel = await stuck(walk)
    await walk.press("lead", action_ids.TAKE_COMMAND, channel)
    await work_through(walk, channel, 0, 1)
    before = len(walk.slack.notifications("lead"))

    value = await mark(walk, "oncall", action_ids.TASK_ESCALATE, channel)
    assert len(walk.slack.notifications("lead")) == before + 1
    [said] = [
        message
        for message in walk.slack.messages(channel, "lead")
        if "escalated <" in message_text(message)
    ]
    assert walk.slack.user("lead").id in message_text(said)
    assert f"|Order {all_orders(walk, channel)[0]}>" in message_text(said)

    await walk.press("second", action_ids.TAKE_COMMAND, channel)
    await mark(walk, "oncall", action_ids.TASK_DONE, channel, 1)
    assert len(walk.slack.notifications("lead")) == before + 1
    assert value not in [
        button.value
        for button in walk.slack.find_buttons(action_ids.TASK_ESCALATE, channel, "oncall")
    ]


async def test_without_a_commander_the_responders_are_called(walk: Walk) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0)
    before = len(walk.slack.notifications("second"))

    await mark(walk, "oncall", action_ids.TASK_ESCALATE, channel)

    assert "<!subteam^S0ARESP0ND5>" in walk.text(channel)
    assert len(walk.slack.notifications("second")) == before + 1


async def test_a_finding_is_handled_with_a_note(walk: Walk) -> None:
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

    assert "Refunded by hand" in message_text(lists(walk, channel)[0])


async def test_a_commander_who_escalates_calls_the_responders(walk: Walk) -> None:
    channel = await stuck(walk)
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
    await work_through(walk, channel, 0)

    await mark(walk, "oncall", action_ids.TASK_ESCALATE, channel)

    [said] = [
        message
        for message in walk.slack.messages(channel, "lead")
        if "escalated <" in message_text(message)
    ]
    assert message_text(said).count(walk.slack.user("oncall").id) == 1
    assert "<!subteam^S0ARESP0ND5>" in message_text(said)


async def test_nothing_chosen_is_all_of_them_over_two_messages(walk: Walk) -> None:
    channel = await stuck(walk)

    await work_through(walk, channel)

    orders = all_orders(walk, channel)
    assert len(orders) == len(set(orders)) == 23
    first, second = lists(walk, channel)
    assert message_text(first).startswith("*Stuck orders* · 0 of 23 handled\n")
    assert message_text(second).startswith("*Stuck orders*, continued\n")
    await mark(walk, "oncall", action_ids.TASK_DONE, channel, 22)
    first, second = lists(walk, channel)
    assert "1 of 23 handled" in message_text(first)
    assert "Handled by" in message_text(second)


async def test_what_is_on_the_list_is_not_added_twice(walk: Walk) -> None:
    channel = await stuck(walk)
    await walk.press("second", action_ids.WORK_THROUGH, channel)
    await work_through(walk, channel, 0, 1)

    await walk.submit("second", chosen=["1", "2"])
    assert len(all_orders(walk, channel)) == 3
    assert "1 of them were on the list already" in walk.text(channel, "second")

    await walk.press_step("oncall", "stuck-orders", channel)
    await walk.press("second", action_ids.WORK_THROUGH, channel)
    form = walk.slack.views("second")[-1]
    [chosen] = [block["element"] for block in form["blocks"] if block["block_id"] == "chosen"]
    assert len(chosen["options"]) == 20
    assert not set(all_orders(walk, channel)) & {
        option["text"]["text"].split()[1] for option in chosen["options"]
    }
    await walk.submit("second")
    assert len(set(all_orders(walk, channel))) == len(all_orders(walk, channel)) == 23

    await walk.press("second", action_ids.WORK_THROUGH, channel)
    assert "is already on the list. Nothing was added" in walk.text(channel, "second")


async def test_two_who_put_the_same_orders_on_the_list_at_once(walk: Walk) -> None:
    channel = await stuck(walk)
    for who in ("oncall", "second"):
        await walk.press(who, action_ids.WORK_THROUGH, channel)
    forms = [(who, walk.slack.views(who)[-1]["id"]) for who in ("oncall", "second")]
    filled = {"chosen": {"chosen": ["0", "1", "2"]}}

    await asyncio.gather(*(walk.slack.submit(who, form, filled) for who, form in forms))
    await walk.bot.drain()

    assert len(all_orders(walk, channel)) == 3
    told = [str(walk.slack.ephemerals(channel, who)) for who in ("oncall", "second")]
    assert sorted("is already on the list. Nothing" in message for message in told) == [False, True]
    assert (await timeline(walk, channel)).count("on a list to work through") == 1


async def test_of_two_who_press_at_once_the_second_is_told_so(walk: Walk) -> None:
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

    told = [
        message
        for who in ("oncall", "second", "lead")
        for message in walk.slack.ephemerals(channel, who)
    ]
    assert len(told) in (2, 3)  # it may be escalated first, and then handled
    assert all("already marked" in str(message) for message in told)
    assert (await timeline(walk, channel)).count("did by hand: Order") == 1


async def test_an_order_is_taken_and_handled_with_a_note(walk: Walk) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0)

    for verb, words in (("take", "Taken by"), ("note", "Captured by hand")):
        menu = walk.slack.find_buttons(action_ids.TASK_MORE, channel, "second")[-1]
        values = {
            option["value"].split("/")[0]: option["value"] for option in menu.element["options"]
        }
        await walk.slack.press("second", menu, value=values[verb])
        await walk.bot.drain()
        if verb == "note":
            await walk.submit("second", note="Captured by hand")
        assert words in message_text(lists(walk, channel)[0])


async def test_the_list_outlives_the_incident_and_nothing_is_added(walk: Walk) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0, 1)
    await walk.press("second", action_ids.WORK_THROUGH, channel)
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="Payments are through")

    await mark(walk, "second", action_ids.TASK_DONE, channel)
    await walk.submit("second", chosen=["3"])

    assert "*Stuck orders* · 1 of 2 handled" in walk.text(channel)
    assert "is resolved. Nothing was done" in walk.text(channel, "second")
    assert walk.slack.find_buttons(action_ids.WORK_THROUGH, channel, "oncall") == []


@pytest.mark.parametrize("kind", ["guest", "stranger"])
async def test_outsiders_may_not(walk: Walk, kind: Literal["guest", "stranger"]) -> None:
    channel = await stuck(walk)
    await work_through(walk, channel, 0)
    walk.slack.add_user(User("other", "Other", kind=kind))
    walk.slack.add_to(channel, "other")

    for press in (action_ids.TASK_DONE, action_ids.TASK_ESCALATE, action_ids.WORK_THROUGH):
        await mark(walk, "other", press, channel)

    assert "0 of 1 handled" in message_text(lists(walk, channel)[0])
    assert walk.slack.views("other") == []
    assert str(walk.slack.ephemerals(channel, "other")).count("Nothing was done") >= 3


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

    assert "*Stuck orders* · 1 of 2 handled" in message_text(lists(walk, channel)[0])
    assert len(lists(walk, channel)) == 1


async def test_no_rows_no_button(slack: Slack, given: Settings, clock: Clock, shop: Shop) -> None:
    change: LiteralString = "UPDATE orders SET status = 'CONFIRMED' WHERE status = 'PENDING'"
    async with shop_bot(slack, given, clock, shop, change) as bot:
        walk = Walk(slack, bot)
        channel = await stuck(walk)

        assert "No orders are stuck" in walk.text(channel)
        assert slack.find_buttons(action_ids.WORK_THROUGH, channel, "oncall") == []


async def test_what_is_no_longer_found_is_marked_and_left_open(
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

        words = message_text(lists(walk, channel)[0])
        assert words.startswith("*Stuck orders* · 1 of 3 handled, 1 no longer found\n")
        [line] = [line for line in words.splitlines() if "no longer finds" in line]
        assert "10:32 UTC" in line
        assert words.index(paid) < words.index(line) < words.index(other)
        assert len(slack.find_buttons(action_ids.TASK_DONE, channel, "oncall")) == 2

        await _set_orders(shop, "PENDING", paid)
        await walk.press_step("oncall", "stuck-orders", channel)
        assert "no longer" not in message_text(lists(walk, channel)[0])


async def _set_orders(shop: Shop, status: str, *ids: str) -> None:
    async with await AsyncConnection.connect(shop.dsn) as conn:
        query = "UPDATE orders SET status = %s WHERE id::text = ANY (%s)"
        await conn.execute(query, [status, list(ids)])


async def test_an_answer_that_failed_marks_nothing(
    slack: Slack, given: Settings, clock: Clock, shop: Shop
) -> None:
    async with shop_bot(slack, given, clock, shop, "SELECT 1") as bot:
        walk = Walk(slack, bot)
        channel = await stuck(walk)
        await work_through(walk, channel, 0)
        async with await AsyncConnection.connect(shop.dsn) as conn:
            await conn.execute("ALTER TABLE orders RENAME TO hidden")

        await walk.press_step("oncall", "stuck-orders", channel)

        assert "no longer" not in message_text(lists(walk, channel)[0])


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
        assert len(lists(walk, channel)) == 5
        assert all(len(listed["blocks"]) <= 50 for listed in lists(walk, channel))
        edits = len(walk.calls("chat.update"))
        await mark(walk, "oncall", action_ids.TASK_DONE, channel, 89)
        assert "1 of 90 handled" in message_text(lists(walk, channel)[0])
        assert len(walk.calls("chat.update")) <= edits + 2


async def test_of_more_rows_than_are_kept_the_form_says_how_many_there_are(
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
        assert "first 99 of 143" in str(slack.views("oncall")[-1])

        await walk.submit("oncall")
        orders = all_orders(walk, channel)
        assert len(set(orders)) == 99

        await _set_orders(shop, "CONFIRMED", *orders[:2])  # it may be among those not kept
        await walk.press_step("oncall", "stuck-orders", channel)
        assert "no longer" not in "".join(map(message_text, lists(walk, channel)))


async def test_foreign_text_is_text_and_a_missing_intent_no_link(
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

        words = message_text(lists(walk, channel)[0])
    assert "/payments/pi_1%7Cx%3E%26%3C%21channel%3E|Order " in words
    assert " pi_1/x&gt;&amp;&lt;!channel&gt;>*" in words
    assert len(re.findall(r"^\*Order [0-9a-f-]{36} –\*", words, re.MULTILINE)) == 1
    assert len(slack.notifications("lead")) == before


async def test_titles_of_any_length_are_cut(slack: Slack, given: Settings, clock: Clock) -> None:
    call_rows(given, f"{'Long ' * 50}{{id}}")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await stuck(walk)
        await work_through(walk, channel)

        assert walk.text(channel).count("Long Long Long") > 23
        assert "Slack refused" not in walk.text(channel)
        assert len(lists(walk, channel)) == 2
