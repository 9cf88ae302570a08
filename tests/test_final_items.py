"""What a reading shows stays as it is: it is neither read nor drawn again but for a reason."""

import asyncio
from typing import LiteralString

import pytest

from bot import __main__ as root
from bot import store
from bot.model import Incident, IncidentId
from bot.views import action_ids
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk

ID = IncidentId(1)
PAYMENTS = "order-service/payment-refund-failures"
OTHERWISE = "Said otherwise"
REWORD: LiteralString = "UPDATE executions SET outcome = 'Said otherwise'"


async def look(walk: Walk) -> str:
    """An incident about payments, in which somebody has looked for stuck orders."""
    channel = await walk.declare("Refunds hang", "sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, PAYMENTS)
    await walk.press_step("oncall", "stuck-orders", channel)
    return channel


async def reword(bot: Bot) -> None:
    """Have a reading say it in other words, behind the bot's back, and draw the incident again."""
    async with bot.world.pool.connection() as conn:
        await conn.execute(REWORD)
        await store.publications.mark_stale(conn, ID)
    await bot.tick()


async def _drawn(bot: Bot) -> None:
    """Wait until the clock has drawn all that is wanted."""
    for _ in range(1000):
        if not await _is_behind(bot):
            return
        await asyncio.sleep(0.01)
    pytest.fail("it was not drawn within 10 s")


async def _is_behind(bot: Bot) -> bool:
    async with bot.world.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT FROM publications WHERE published_version < wanted_version"
        )
        return await cursor.fetchone() is not None


def reading(walk: Walk, channel: str) -> str:
    """What stands in the playbook's thread."""
    shown = walk.slack.messages(channel, "oncall")
    return str([reply for message in shown for reply in message.get("replies", [])])


async def kept_back(bot: Bot) -> list[bool]:
    """Of each execution, whether what it read is left where it is when the incident is drawn."""
    async with bot.world.pool.connection() as conn:
        incident = await store.incidents.get(conn, ID)
        assert isinstance(incident, Incident)
        final = await store.messages.final_keys(conn, ID, is_open=incident.open)
        runs = await store.executions.for_publishing(conn, ID, final)
    return [run.read_result is None for run in runs]


async def test_what_slack_shows_of_a_reading_is_not_read_again(walk: Walk, bot: Bot) -> None:
    channel = await look(walk)
    assert await kept_back(bot) == [True]

    await walk.press_step("oncall", "stuck-orders", channel)
    await reword(bot)

    assert await kept_back(bot) == [True, True]
    assert OTHERWISE not in reading(walk, channel)
    assert reading(walk, channel).count(action_ids.WORK_THROUGH) == 2


async def test_a_new_version_says_it_in_its_own_words(walk: Walk, bot: Bot) -> None:
    channel = await look(walk)
    await reword(bot)

    async with root.running_scheduler(bot.world):
        await _drawn(bot)

    assert OTHERWISE in reading(walk, channel)
    assert await kept_back(bot) == [True]


async def test_a_new_version_sends_nothing_that_looks_the_same(walk: Walk, bot: Bot) -> None:
    await look(walk)
    sent = len(walk.calls("chat.update"))

    async with root.running_scheduler(bot.world):
        await _drawn(bot)

    assert len(walk.calls("chat.update")) == sent
    assert await kept_back(bot) == [True]


async def test_the_end_of_the_incident_takes_its_button_away(walk: Walk, bot: Bot) -> None:
    channel = await look(walk)
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="over")

    assert action_ids.WORK_THROUGH not in reading(walk, channel)
    assert await kept_back(bot) == [True]


async def test_one_that_somebody_deleted_comes_back_when_it_changes(
    walk: Walk, bot: Bot, slack: Slack
) -> None:
    channel = await look(walk)
    place = slack.workspace.channel(channel)
    place.messages = [
        message for message in place.messages if "Stuck orders* ·" not in str(message.text)
    ]
    assert "Stuck orders* ·" not in reading(walk, channel)

    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="over")

    assert "Stuck orders* ·" in reading(walk, channel)


async def test_one_that_slack_refused_is_read_until_it_is_shown(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare("Refunds hang", "sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, PAYMENTS)
    walk.slack.fail("chat.postMessage", error="restricted_action", times=1)
    await walk.press_step("oncall", "stuck-orders", channel)
    assert await kept_back(bot) == [False]
    assert "Stuck orders* ·" not in reading(walk, channel)

    clock.forward(minutes=6)
    await bot.tick()

    assert "Stuck orders* ·" in reading(walk, channel)
    assert await kept_back(bot) == [True]


async def test_what_was_drawn_otherwise_meanwhile_is_not_final(walk: Walk, bot: Bot) -> None:
    await look(walk)
    async with bot.world.pool.connection() as conn:
        before = (await store.messages.of_incident(conn, ID))["execution:1"]
        other = before.model_copy(update={"digest": "of another drawer"})
        await store.messages.save(conn, ID, other)
        await store.messages.mark_final(conn, ID, [before], is_open=True)

    assert await kept_back(bot) == [False]
