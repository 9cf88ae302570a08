"""Updates, and the clocks that ask for them: once, snoozed, settled, silent after the end."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk, start_bot

HEADS_UP = "Post the next update on INC-1 by "


def nags(walk: Walk, channel: str) -> int:
    """How many times the next update was asked for."""
    return walk.text(channel).count("The next update on INC-1 was due")


def happening(walk: Walk) -> list[str]:
    """What the update form on top says of itself, line by line."""
    form = walk.slack.views("oncall")[-1]
    fields = {block["block_id"]: block for block in form["blocks"] if "element" in block}
    return str(fields["current"]["element"]["initial_value"]).splitlines()


async def test_an_update_is_posted_from_a_form_of_facts(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident note the queue is growing", channel)

    await walk.say("oncall", "/incident update", channel)
    form = str(walk.slack.views("oncall")[-1])
    assert "the queue is growing" in form
    await walk.submit(
        "oncall",
        status="identified",
        impact="Nobody can buy tickets",
        current="The new version crash-loops",
        minutes="10",
    )

    seen = walk.text(channel)
    assert "[SEV-1] Order Service Issue" in seen
    assert "Impact: Nobody can buy tickets" in seen
    assert "Start Time: 2026-11-24 10:00 UTC (<!date^" in seen
    assert "Current Status: The new version crash-loops" in seen
    assert "from *investigating* to *identified*" in seen
    assert "The new version crash-loops" in walk.text("incidents")


async def test_an_update_stays_as_it_was_posted(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident update", channel)
    await walk.submit("oncall", status="identified", impact="all", current="looking")

    await walk.say("oncall", "/incident severity sev2", channel)

    assert "[SEV-1] Order Service Issue" in walk.text(channel)
    assert "[SEV-2]" not in walk.text(channel)


async def test_the_form_tells_the_last_of_what_was_looked_at_twice(
    walk: Walk, kube: Cluster
) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "pods", channel)
    await kube.scenario("crash-loop")
    await walk.press_step("oncall", "pods", channel)

    await walk.say("oncall", "/incident update", channel)

    (pods,) = happening(walk)
    assert pods.startswith("- Pods: 0 of 3 ready")


async def test_the_form_keeps_the_lines_of_a_result_apart(walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    await kube.scenario("crash-loop")
    await walk.press_step("oncall", "logs", channel)

    await walk.say("oncall", "/incident update", channel)

    (logs,) = happening(walk)
    assert logs.startswith("- Logs: ")
    assert " · Last error: " in logs


async def test_the_form_tells_changes_before_what_was_looked_at(
    walk: Walk, kube: Cluster, clock: Clock
) -> None:
    channel = await walk.declare()
    await kube.scenario("crash-loop")
    await walk.press_step("oncall", "pods", channel)
    await walk.say("oncall", "/incident note orders\ncome in again", channel)
    await walk.ask_for_rollback(channel)
    clock.forward(minutes=7)
    await walk.press("second", action_ids.APPROVE, channel)

    await walk.say("oncall", "/incident update", channel)

    change, pods, note = happening(walk)
    assert change.startswith("- Roll order-service back from revision ")
    assert change.endswith(": done and checked at 10:07 UTC")
    assert pods.startswith("- Pods at 10:00 UTC: 0 of 3 ready")  # not so since the change
    assert note.startswith("- orders")


async def test_a_list_in_an_update_begins_a_line_of_its_own(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident update", channel)
    await walk.submit("oncall", status="identified", impact="all", current="- one\n- two")

    assert "Current Status: \n- one\n- two" in walk.text(channel)
    assert ": \n- one\n- two" in walk.text("incidents")


async def test_words_after_it_are_what_is_happening(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident note the queue is growing", channel)

    await walk.say("oncall", "/incident update users cannot buy", channel)

    form = str(walk.slack.views("oncall")[-1])
    assert "users cannot buy" in form
    assert "the queue is growing" not in form


async def test_an_update_resets_the_clock(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    clock.forward(minutes=14)
    await walk.say("oncall", "/incident update", channel)
    await walk.submit("oncall", status="investigating", impact="all", current="looking")

    clock.forward(minutes=14)
    await bot.tick()
    assert nags(walk, channel) == 0

    clock.forward(minutes=2)
    await bot.tick()
    assert nags(walk, channel) == 1


@pytest.mark.parametrize(
    ("severity", "words", "minutes"),
    [
        ("sev1", "Nobody has taken command", 15),
        ("sev2", "Nobody has taken command", 30),
        ("sev3", "Nobody has taken command", 2 * 60),
        ("sev4", "Nobody has taken command", 24 * 60),
        ("sev1", "The next update on INC-1 was due", 15),
        ("sev2", "The next update on INC-1 was due", 30),
        ("sev3", "The next update on INC-1 was due", 60),
        ("sev4", "The next update on INC-1 was due", 24 * 60),
    ],
)
async def test_each_severity_has_its_clocks(
    walk: Walk, bot: Bot, clock: Clock, severity: str, words: str, minutes: int
) -> None:
    channel = await walk.declare(severity=severity)

    clock.forward(minutes=minutes - 0.1)
    await bot.tick()
    assert words not in walk.text(channel)

    clock.forward(minutes=0.2)
    await bot.tick()
    assert words in walk.text(channel)


async def test_taking_command_settles_the_first_response(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare()
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)

    clock.forward(minutes=16)
    await bot.tick()

    assert "Nobody has taken command" not in walk.text(channel)


async def test_it_nags_three_times_and_then_stops(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    clock.forward(minutes=16)
    for _ in range(10):
        await bot.tick()
        clock.forward(minutes=5.1)

    assert nags(walk, channel) == 3
    assert "the last one: nobody has answered" in walk.text(channel)


async def test_after_downtime_what_is_due_fires_once(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    clock.forward(hours=9)

    await bot.tick()
    await bot.tick()

    assert nags(walk, channel) == 1


async def test_snoozing_is_quiet_for_a_while_and_at_most_twice(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare()
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
    clock.forward(minutes=15.1)
    await bot.tick()
    for minutes in (5, 10):
        await walk.press("oncall", f"{action_ids.SNOOZE}.{minutes}", channel)
        clock.forward(minutes=minutes - 1)
        await bot.tick()
        asked = nags(walk, channel)
        clock.forward(minutes=1.1)
        await bot.tick()
        assert nags(walk, channel) == asked + 1

    await walk.press("oncall", f"{action_ids.SNOOZE}.15", channel)

    assert "snoozed twice in a row" in walk.text(channel, "oncall")
    assert "snoozed the reminder for 5 min" in walk.text(channel)


def said_of(at: datetime) -> str:
    """How Slack is told of a time."""
    return f"<!date^{int(at.timestamp())}^"


@pytest.mark.parametrize(
    "words", ["The next update on INC-1 was due ", "The first response was due "]
)
async def test_every_repetition_tells_when_it_was_really_due(
    walk: Walk, bot: Bot, clock: Clock, words: str
) -> None:
    due = clock.time + timedelta(minutes=15)
    channel = await walk.declare()
    clock.forward(minutes=16)
    for _ in range(3):
        await bot.tick()
        clock.forward(minutes=5.1)

    assert walk.text(channel).count(words) == 3
    assert walk.text(channel).count(words + said_of(due)) == 3


async def test_what_is_late_when_it_becomes_worse_was_due_before(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    due = clock.time + timedelta(minutes=15)
    channel = await walk.declare(severity="sev4")
    clock.forward(minutes=40)

    await walk.say("second", "/incident severity sev1", channel)
    await bot.tick()

    assert "The first response was due " + said_of(due) in walk.text(channel)


async def test_what_is_snoozed_says_until_when_and_was_due_all_the_same(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    due = clock.time + timedelta(minutes=15)
    channel = await walk.declare()
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
    clock.forward(minutes=15.1)
    await bot.tick()

    await walk.press("second", action_ids.SNOOZES[1], channel)
    snoozed = f"Snoozed by <@{walk.slack.user('second').id}> until "
    snoozed += said_of(clock.time + timedelta(minutes=10))
    assert walk.text(channel).count(snoozed) == 2  # by the reminder, and on the card
    assert walk.text(channel).count("then it reminds you again") == 2
    assert "Answered" not in walk.text(channel)

    clock.forward(minutes=10.1)
    await bot.tick()
    assert walk.text(channel).count(snoozed) == 1
    assert "then it reminds you again" not in walk.text(channel)
    assert walk.text(channel).count("The next update on INC-1 was due " + said_of(due)) == 2


async def test_posting_from_the_nag_takes_its_buttons_away(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare()
    clock.forward(minutes=16)
    await bot.tick()
    nag = next(
        message
        for message in walk.slack.messages(channel, "oncall")
        if "The next update on INC-1" in str(message)
    )

    await walk.press("oncall", action_ids.POST_UPDATE, channel, ts=nag["ts"])
    await walk.submit("oncall", status="investigating", impact="all", current="looking")

    after = next(m for m in walk.slack.messages(channel, "oncall") if m["ts"] == nag["ts"])
    assert action_ids.SNOOZE not in str(after)
    assert "Answered" in str(after)


async def test_what_is_over_was_due(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
    clock.forward(minutes=12.1)
    await bot.tick()
    assert "*Next update due*" in walk.text(channel)

    clock.forward(minutes=3)
    await bot.tick()

    seen = walk.text(channel)
    assert "*Next update was due*" in seen
    assert "*Next update due*" not in seen
    assert "is due" not in seen
    assert {"Snooze 5 min", "Snooze 10 min", "Snooze 15 min"} <= set(walk.buttons(channel))


async def test_nothing_nags_after_resolve(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="Rolled back")
    before = walk.text(channel)

    clock.forward(hours=20)
    await bot.tick()

    assert walk.text(channel) == before


async def test_two_replicas_nag_once(
    walk: Walk, bot: Bot, clock: Clock, given: Settings, slack: Slack
) -> None:
    channel = await walk.declare()
    clock.forward(minutes=16)
    twin = given

    async with start_bot(twin, clock) as other:
        await asyncio.gather(*(replica.tick() for replica in (bot, other) * 5))

    assert nags(walk, channel) == 1


async def test_a_restart_loses_no_nag(slack: Slack, given: Settings, clock: Clock) -> None:
    async with start_bot(given, clock) as first:
        slack.request_url = f"{first.url}/slack/events"
        walk = Walk(slack, first)
        channel = await walk.declare()
    clock.forward(minutes=16)

    async with start_bot(given, clock) as second:
        await second.tick()

    assert nags(walk, channel) == 1


async def test_an_update_posted_while_the_clock_fires_leaves_one_reminder(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident update", channel)
    clock.forward(minutes=16)

    await asyncio.gather(
        bot.tick(),
        walk.submit("oncall", status="investigating", impact="all", current="looking"),
    )
    await bot.drain()

    async with bot.world.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT due_at FROM reminders WHERE kind = 'update' AND settled_at IS NULL"
        )
        waiting = [row[0] for row in await cursor.fetchall()]
    assert len(waiting) == 1
    assert (waiting[0] - clock.time).total_seconds() == pytest.approx(15 * 60, abs=1)


async def test_the_commander_alone_is_told_shortly_before(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare()
    await walk.press("second", action_ids.TAKE_COMMAND, channel)
    clock.forward(minutes=12.1)

    await bot.tick()
    await bot.tick()

    assert walk.text(channel, "second").count(HEADS_UP) == 1
    assert HEADS_UP not in walk.text(channel, "oncall")


async def test_after_downtime_nobody_is_told_that_what_is_late_is_due_soon(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare()
    await walk.press("second", action_ids.TAKE_COMMAND, channel)
    clock.forward(minutes=30)

    await bot.tick()

    assert nags(walk, channel) == 1
    assert HEADS_UP not in walk.text(channel, "second")


async def test_an_end_while_slack_is_slow_keeps_the_heads_up_from_nobody_else(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channels = [await walk.declare(title) for title in ("Orders fail", "Refunds hang", "No login")]
    for channel in channels:
        await walk.press("second", action_ids.TAKE_COMMAND, channel)
    await walk.say("second", "/incident resolve", channels[1])
    clock.forward(minutes=12.1)
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE incidents SET title = 'Other words'")
        await conn.execute("UPDATE publications SET wanted_version = wanted_version + 1")
    slow = walk.slack.fail("conversations.setTopic", hang=True, times=None)

    ticking = asyncio.create_task(bot.tick())
    await walk.slack.wait_for(lambda: len(walk.calls("conversations.setTopic")) > len(channels))
    form, done = walk.slack.views("second")[-1]["id"], {"resolution": {"resolution": "over"}}
    await walk.slack.submit("second", form, done)
    await walk.slack.wait_for(lambda: "is resolved" in walk.text(channels[1]))
    slow.heal()
    await ticking

    told = ["Post the next update" in walk.text(channel, "second") for channel in channels]
    assert told == [True, False, True]


async def redis_forgets(url: str) -> None:
    """What Redis holds may vanish at any moment; here its time is over."""
    async with Redis.from_url(url) as client:
        await client.flushall()


async def test_nobody_is_asked_for_what_somebody_is_writing(
    walk: Walk, bot: Bot, clock: Clock, redis_url: str
) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident update", channel)
    clock.forward(minutes=15.1)
    await bot.tick()
    assert nags(walk, channel) == 0

    clock.forward(minutes=2.1)
    await redis_forgets(redis_url)
    await bot.tick()

    assert nags(walk, channel) == 1


async def test_the_milder_severities_wait_for_working_hours(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    clock.time = datetime(2026, 11, 27, 17, 30, tzinfo=UTC)  # a Friday
    channel = await walk.declare(severity="sev3")

    clock.forward(hours=12)
    await bot.tick()
    assert nags(walk, channel) == 0

    clock.time = datetime(2026, 11, 30, 9, 0, 1, tzinfo=UTC)
    await bot.tick()
    assert nags(walk, channel) == 1


async def test_a_snooze_that_races_with_the_end_leaves_nothing_waiting(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare()
    clock.forward(minutes=16)
    await bot.tick()
    await walk.say("oncall", "/incident resolve", channel)
    form = walk.slack.views("oncall")[-1]["id"]
    done = {"resolution": {"resolution": "over"}}

    await asyncio.gather(
        walk.slack.press("second", action_id=action_ids.SNOOZES[1], channel=channel),
        walk.slack.submit("oncall", form, done),
    )
    await bot.drain()
    clock.forward(hours=2)
    await bot.tick()

    await walk.say("oncall", "/incident timeline", channel)
    assert "sent a reminder" not in walk.text(channel, "oncall").split("resolved the incident")[1]


async def test_back_at_a_severity_whose_first_response_is_late_somebody_is_asked_for(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare()
    clock.forward(minutes=16)
    await bot.tick()

    await walk.say("oncall", "/incident severity sev3", channel)
    await walk.say("oncall", "/incident severity sev1", channel)
    await bot.tick()

    assert walk.text(channel).count("Nobody has taken command") == 2


async def test_a_change_of_status_does_not_ask_again_at_once(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare()
    clock.forward(minutes=16)
    await bot.tick()
    assert nags(walk, channel) == 1

    await walk.say("oncall", "/incident status identified", channel)
    clock.forward(seconds=20)
    await bot.tick()

    assert nags(walk, channel) == 1
    assert "Answered" not in walk.text(channel)
