"""Slack delivers at least once; nothing happens twice, and Redis is not needed for that."""

import pytest

from bot import store
from bot.model import ExecutionId, ExecutionState
from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.redis import free_port
from sandbox.slack import Delivery
from tests.conftest import Bot, Clock, Walk
from tests.raw_payloads import broken, timeline_kinds

__all__ = ["broken"]


@pytest.fixture
def given(given: Settings) -> Settings:
    """The environment of a bot whose Redis is away."""
    return given.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})


async def again(walk: Walk, delivery: Delivery) -> None:
    """The very same delivery, twice more."""
    for _ in range(2):
        assert (await walk.slack.redeliver(delivery)).ok
        await walk.bot.drain()


async def test_a_press_delivered_again_does_nothing(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    sent = await walk.press_step("oncall", "pods", channel)
    before, seen = await timeline_kinds(bot), walk.text(channel, "oncall")

    await again(walk, sent)

    assert await timeline_kinds(bot) == before
    assert walk.text(channel, "oncall") == seen


async def test_an_approval_delivered_again_does_nothing(
    walk: Walk, bot: Bot, broken: Cluster
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    sent = await walk.press("second", action_ids.APPROVE, channel)
    before = await timeline_kinds(bot)

    await again(walk, sent)

    assert await timeline_kinds(bot) == before
    assert len([write for write in broken.writes if write.verb == "patch"]) == 1


async def test_a_snooze_delivered_again_does_nothing(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.press("second", action_ids.TAKE_COMMAND, channel)
    clock.forward(minutes=15.1)
    await bot.tick()
    sent = await walk.press("second", action_ids.SNOOZES[0], channel)
    before = await timeline_kinds(bot)
    assert before.count("snoozed") == 1

    await again(walk, sent)

    assert await timeline_kinds(bot) == before


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("resolve", {"resolution": "over"}),
        ("update", {"status": "identified", "impact": "x", "current": "x"}),
    ],
)
async def test_a_form_delivered_again_does_nothing(
    walk: Walk, bot: Bot, word: str, values: dict[str, str]
) -> None:
    channel = await walk.declare()
    await walk.say("oncall", f"/incident {word}", channel)
    sent = await walk.submit("oncall", **values)
    before, seen = await timeline_kinds(bot), walk.text(channel, "oncall")

    await again(walk, sent)

    assert await timeline_kinds(bot) == before
    assert walk.text(channel, "oncall") == seen


async def test_request_delivered_again_counts_once(walk: Walk, bot: Bot, broken: Cluster) -> None:
    channel = await walk.declare()
    sent = await walk.ask_for_rollback(channel)

    await again(walk, sent)

    async with bot.world.pool.connection() as conn:
        assert await store.executions.get(conn, ExecutionId(2)) is None
        run = await store.executions.get(conn, ExecutionId(1))
    assert run is not None
    assert run.state is ExecutionState.PROPOSED


async def test_an_event_delivered_again_does_nothing(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    await walk.say("second", "the deploy was at 02:55", channel)
    ts = walk.slack.messages(channel, "second")[-1]["ts"]
    sent = await walk.slack.react("oncall", "pushpin", channel, ts)
    await bot.drain()
    before, seen = await timeline_kinds(bot), walk.text(channel, "oncall")

    await again(walk, sent)

    assert before.count("pinned") == 1
    assert await timeline_kinds(bot) == before
    assert walk.text(channel, "oncall") == seen


async def test_mention_delivered_again_is_answered_once(walk: Walk) -> None:
    channel = await walk.declare()
    sent = await walk.say("oncall", f"<@{walk.slack.bot_user}> hello?", channel)

    await again(walk, sent)

    assert walk.text(channel, "oncall").count("What you can type") == 1


async def test_note_delivered_again_counts_once(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    sent = await walk.say("oncall", "/incident note it is DNS", channel)

    await again(walk, sent)

    assert (await timeline_kinds(bot)).count("noted") == 1


async def test_refused_channel_is_told(walk: Walk) -> None:
    walk.slack.fail("conversations.create", error="restricted_action", times=None)

    for who in ("oncall", "second"):
        await walk.say(who, "/incident declare sev1 It burns")

    first, second = walk.text("general", "oncall"), walk.text("general", "second")
    assert "Declared SEV-1 INC-1. Slack has not created its channel yet" in first
    assert "INC-1 was declared with the same title just now. Slack has not created" in second


async def test_old_deliveries_are_forgotten(walk: Walk, bot: Bot) -> None:
    await walk.declare()
    query = "UPDATE deliveries SET seen_at = now() - interval '25 hours' WHERE id LIKE 'command:%'"
    async with bot.world.pool.connection() as conn:
        assert (await conn.execute(query)).rowcount == 1
    await walk.say("oncall", "/incident help")

    await bot.tick()

    query = "SELECT FROM deliveries WHERE id LIKE 'command:%'"
    async with bot.world.pool.connection() as conn:
        assert (await conn.execute(query)).rowcount == 1
