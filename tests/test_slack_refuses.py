"""When Slack refused or says nothing: what was decided is kept, and shown once later."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.settings import Settings
from bot.store import db
from bot.views import action_ids
from sandbox.postgres import Server
from sandbox.redis import free_port
from sandbox.slack import Slack, User
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.outages import away

IMPATIENT = pytest.mark.parametrize("slack_seconds", [1.0])


async def catch_up(bot: Bot, clock: Clock) -> None:
    """Let the clock go on until nothing is behind."""
    for _ in range(12):
        clock.forward(minutes=5.1)
        await bot.tick()


def cards(walk: Walk, channel: str) -> int:
    """How many incident cards a channel shows."""
    return sum(
        action_ids.RESOLVE in str(message) for message in walk.slack.messages(channel, "oncall")
    )


@pytest.mark.parametrize(
    "refusal",
    [
        {"error": "restricted_action"},
        {"error": "internal_error"},
        {"status": 503},
        {"ratelimited": 1},
    ],
)
@pytest.mark.parametrize(
    "method",
    [
        "conversations.create",
        "conversations.invite",
        "chat.postMessage",
        "conversations.setTopic",
        "bookmarks.add",
        "pins.add",
    ],
)
async def test_refused_message_is_shown_once(
    walk: Walk, bot: Bot, clock: Clock, method: str, refusal: dict[str, Any]
) -> None:
    walk.slack.fail(method, times=1, **refusal)
    await walk.say("oncall", "/incident declare sev1 Orders are failing")
    await catch_up(bot, clock)

    names = [channel["name"] for channel in walk.slack.channels("oncall")]
    assert [name for name in names if name.startswith("inc-")] == ["inc-1-orders-are-failing"]
    channel = "inc-1-orders-are-failing"
    assert cards(walk, channel) == 1
    assert walk.text("incidents").count("SEV-1 · INC-1 · Orders are failing") == 1
    assert "Slack refused" not in walk.text(channel)


async def test_lasting_refusal_is_on_card(walk: Walk, bot: Bot, clock: Clock) -> None:
    walk.slack.fail("pins.add", error="restricted_action", times=2)
    channel = await walk.declare()
    clock.forward(minutes=1)
    await bot.tick()

    assert "Slack refused a part of this (pins.add: restricted_action)" in walk.text(channel)
    await catch_up(bot, clock)
    assert "restricted_action" not in walk.text(channel)


@IMPATIENT
async def test_a_slack_that_says_nothing(walk: Walk, bot: Bot, clock: Clock) -> None:
    walk.slack.fail("chat.postMessage", hang=True, times=1)

    channel = await walk.declare()
    await catch_up(bot, clock)

    assert cards(walk, channel) == 1


@IMPATIENT
@pytest.mark.parametrize("lost", [1, 2, 5])
async def test_unanswered_message_is_not_repeated(
    walk: Walk, bot: Bot, clock: Clock, lost: int
) -> None:
    walk.slack.fail("chat.postMessage", hang=True, times=lost, after=True)

    channel = await walk.declare()
    await walk.say("oncall", "/incident severity sev2", channel)
    await catch_up(bot, clock)

    assert cards(walk, channel) == 1
    assert walk.text(channel).count("changed the severity") == 1
    assert walk.text("incidents").count("SEV-2 · INC-1 · Orders are failing") == 1
    assert "SEV-1" not in walk.text("incidents")


@IMPATIENT
async def test_unanswered_reply_is_not_repeated(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    walk.slack.fail("chat.postMessage", hang=True, times=1, after=True)

    await walk.press_step("oncall", "pods", channel)
    await catch_up(bot, clock)

    [thread] = [
        post.thread for post in walk.posts(channel) if post.heading.startswith(":notebook:")
    ]
    assert len(thread) == 1


@IMPATIENT
async def test_unanswered_file_is_not_repeated(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    walk.slack.fail("files.completeUploadExternal", hang=True, times=1, after=True)

    await walk.press("second", action_ids.RESOLVE, channel)
    await walk.submit("second", resolution="rolled back")
    await walk.slack.settled()
    await catch_up(bot, clock)
    await walk.slack.settled()

    [summary] = [post for post in walk.posts(channel) if "is resolved" in post.heading]
    assert [reply.files for reply in summary.thread] == [("inc-1-timeline.md",)]


async def test_crash_repeats_no_message(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    async with bot.world.pool.connection() as conn:
        await conn.execute("DELETE FROM messages WHERE key IN ('card', 'announcement')")
        await conn.execute(
            "UPDATE publications SET wanted_version = wanted_version + 1,"
            " lease = gen_random_uuid(), leased_until = %s",
            [clock.time],
        )
    clock.forward(seconds=1)

    await bot.tick()
    await walk.say("oncall", "/incident severity sev2", channel)

    assert cards(walk, channel) == 1
    assert "SEV-2 · INC-1" in walk.text(channel)
    assert walk.text("incidents").count("INC-1 · Orders are failing") == 1


async def test_database_outage_repeats_no_message(
    walk: Walk, bot: Bot, clock: Clock, state: str, postgres: Server
) -> None:
    channel = "inc-1-orders-are-failing"
    bot.world.pool.timeout = 0.3
    post = walk.slack.fail("chat.postMessage", hang=True, times=2)
    await walk.slack.say("oncall", "/incident declare sev1 Orders are failing", "general")
    await walk.slack.wait_for(lambda: len(walk.calls("chat.postMessage")) == 2)
    declared = f"Declared SEV-1 INC-1: <#{walk.slack.channel(channel).id}>."
    await walk.slack.wait_for(lambda: declared in walk.text("general"))

    async with away(postgres, state):
        post.heal()
        await bot.drain()
    bot.world.pool.timeout = db.LOAN_SECONDS
    await catch_up(bot, clock)

    assert cards(walk, channel) == 1
    assert walk.text(channel).count("Complete Service Outage") == 1
    assert walk.text("incidents").count("INC-1 · Orders are failing") == 1


async def test_unreadable_channel_still_gets_messages(walk: Walk, bot: Bot, clock: Clock) -> None:
    walk.slack.fail("conversations.history", error="missing_scope", times=None)
    walk.slack.fail("chat.postMessage", status=503, times=2)

    channel = await walk.declare()
    await catch_up(bot, clock)

    assert cards(walk, channel) == 1
    assert walk.text("incidents").count("INC-1 · Orders are failing") == 1


@pytest.mark.parametrize("why", ["left the company", "is a guest of one channel"])
async def test_absent_declarer_stops_no_incident(
    walk: Walk, bot: Bot, clock: Clock, why: str
) -> None:
    walk.slack.add_user(User("declarer", "Dana"))
    walk.slack.add_to("general", "declarer")
    create = walk.slack.fail("conversations.create", hang=True)
    await walk.slack.say("declarer", "/incident declare sev1 Orders are failing", "general")
    await walk.slack.wait_for(lambda: walk.calls("conversations.create"))

    declarer = walk.slack.user("declarer")
    declarer.deactivated = why == "left the company"
    declarer.kind = "member" if declarer.deactivated else "single_channel_guest"
    create.heal()
    await bot.drain()
    clock.forward(minutes=1)
    await bot.tick()

    assert cards(walk, "inc-1-orders-are-failing") == 1
    assert "Slack refused" not in walk.text("inc-1-orders-are-failing")


async def test_every_member_beyond_hundred_joins(
    slack: Slack, given: Settings, clock: Clock, redis_url: str
) -> None:
    others = sorted(slack.add_user(User(f"other{n}", f"Other {n}")).id for n in range(101))
    slack.set_group("order-service-responders", *others[:-1])
    async with start_bot(given, clock) as first:
        slack.request_url = f"{first.url}/slack/events"
        channel = await Walk(slack, first).declare()

    slack.set_group("order-service-responders", *others)
    async with Redis.from_url(redis_url) as client:
        await client.flushall()
    async with start_bot(given, clock) as second:
        slack.request_url = f"{second.url}/slack/events"
        await Walk(slack, second).say("oncall", "/incident severity sev2", channel)

    assert set(others) <= set(slack.channel(channel).members)


async def test_a_taken_name_gets_a_suffix(walk: Walk) -> None:
    walk.slack.add_channel("inc-1-orders-are-failing")

    await walk.say("oncall", "/incident declare sev1 Orders are failing")

    assert "INC-1" in walk.text("inc-1-orders-are-failing-2")


async def test_an_archived_channel_loses_nothing(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    walk.slack.archive(channel)
    await walk.press("second", action_ids.TAKE_COMMAND, channel)
    await walk.say("second", "/incident", "general")
    assert "is_archived" in walk.text("general", "second")

    walk.slack.channel(channel).archived = False
    await catch_up(bot, clock)

    assert walk.text(channel).count("is the incident commander") == 1


async def test_deleted_channel_is_made_again(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.press("second", action_ids.TAKE_COMMAND, channel)
    await walk.press_step("oncall", "pods", channel)
    gone = walk.slack.workspace.channels.pop(walk.slack.channel(channel).id)
    clock.forward(minutes=16)
    await bot.tick()
    clock.forward(minutes=1)
    await bot.tick()
    await walk.press("second", action_ids.RESOLVE, channel)
    await walk.submit("second", resolution="rolled back")

    shown = walk.text(channel)
    assert walk.slack.channel(channel).id != gone.id
    assert set(gone.members) <= set(walk.slack.channel(channel).members)
    assert shown.count("took command") == 1
    assert [message for message in walk.slack.messages(channel, "oncall") if message.get("replies")]
    assert "INC-1 is resolved" in shown
    assert walk.text("incidents").count("INC-1 · Orders are failing") == 1
    assert "Slack refused" not in shown


async def test_ended_incident_gets_no_channel_again(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.press("second", action_ids.RESOLVE, channel)
    await walk.submit("second", resolution="rolled back")
    del walk.slack.workspace.channels[walk.slack.channel(channel).id]

    clock.forward(days=4)
    await catch_up(bot, clock)

    assert channel not in [made["name"] for made in walk.slack.channels("oncall")]


async def test_a_deleted_card_is_posted_again(walk: Walk) -> None:
    channel = await walk.declare()
    card = next(m for m in walk.slack.messages(channel, "oncall") if action_ids.RESOLVE in str(m))
    shown = walk.slack.channel(channel).messages
    shown.remove(next(message for message in shown if message.ts == card["ts"]))

    await walk.say("oncall", "/incident severity sev2", channel)

    assert cards(walk, channel) == 1


async def test_crash_makes_no_second_channel(slack: Slack, given: Settings, clock: Clock) -> None:
    slack.fail("conversations.create", hang=True, times=1, after=True)
    async with start_bot(given, clock, slack_seconds=1.0) as first:
        slack.request_url = f"{first.url}/slack/events"
        walk = Walk(slack, first)
        await walk.say("oncall", "/incident declare sev1 Orders are failing")
    clock.forward(minutes=10)

    async with start_bot(given, clock) as second:
        await second.tick()

    names = [channel["name"] for channel in slack.channels("oncall")]
    assert [name for name in names if name.startswith("inc-")] == ["inc-1-orders-are-failing"]
    assert cards(Walk(slack, second), "inc-1-orders-are-failing") == 1


async def test_clock_ahead_makes_no_second_channel(
    slack: Slack, given: Settings, clock: Clock
) -> None:
    clock.time = datetime.now(UTC) + timedelta(minutes=1)
    slack.fail("conversations.create", hang=True, times=1, after=True)
    async with start_bot(given, clock, slack_seconds=1.0) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        await Walk(slack, bot).say("oncall", "/incident declare sev1 Orders are failing")
        clock.forward(minutes=1)
        await bot.tick()

    names = [channel["name"] for channel in slack.channels("oncall")]
    assert [name for name in names if name.startswith("inc-")] == ["inc-1-orders-are-failing"]


async def test_two_replicas_repeat_no_message(
    walk: Walk, bot: Bot, clock: Clock, given: Settings
) -> None:
    channel = await walk.declare()
    twin = given

    async with start_bot(twin, clock) as other:
        async with bot.world.pool.connection() as conn:
            await conn.execute("DELETE FROM messages WHERE key = 'entry:99'")
            await conn.execute("UPDATE publications SET wanted_version = wanted_version + 1")
        before = len(walk.slack.messages(channel, "oncall"))
        await asyncio.gather(*(replica.tick() for replica in (bot, other) * 4))

    assert len(walk.slack.messages(channel, "oncall")) == before


async def test_missing_redis_makes_no_second_channel(
    slack: Slack, given: Settings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = given.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}"})
    async with start_bot(nowhere, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        delivery = await walk.say("oncall", "/incident declare sev1 Orders are failing")
        await slack.redeliver(delivery)
        await bot.drain()

    assert len(walk.calls("conversations.create")) == 1
    assert "Redis did not answer" in caplog.text
