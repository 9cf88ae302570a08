"""The clocks that ask for what is due: once, snoozed, settled, silent after the end."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from redis.asyncio import Redis

from bot import scheduler
from bot.settings import Settings
from bot.views import action_ids
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.readers import Post

NO_COMMAND = "Nobody has taken command of INC-1."
OVERDUE = ":rotating_light: Update overdue since"
UPDATE_DUE = "The next update on INC-1 was due"
LAST = (
    "Reminded 3 times, the last time {at}: nobody has answered, and there is no further reminder."
)
DUE = datetime(2026, 11, 24, 10, 15, tzinfo=UTC)
SNOOZES = ("Snooze 5 min", "Snooze 10 min", "Snooze 15 min")


def reminders(walk: Walk, channel: str, words: str = UPDATE_DUE) -> list[Post]:
    """The reminders of the next update, or others with these words."""
    bells = [post for post in walk.posts(channel) if post.heading.startswith(":bell: ")]
    return [post for post in bells if words in post.heading]


def nags(walk: Walk, channel: str) -> int:
    """How many times people were notified that the next update is due."""
    return sum(1 + len(reminder.thread) for reminder in reminders(walk, channel))


def heads_ups(walk: Walk, channel: str, who: str) -> int:
    """How many times somebody alone was told that an update is due soon."""
    told = [words.split(" on INC-")[0] for words in walk.answers(who, channel)]
    return told.count(":hourglass: Post the next update")


def shown(at: datetime) -> str:
    """A time as people read it."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


async def update(walk: Walk, channel: str) -> None:
    """Post an update with the form."""
    await walk.say("oncall", "/incident update", channel)
    await walk.submit("oncall", status="investigating", impact="all", current="looking")


async def test_an_update_resets_the_clock(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    clock.forward(minutes=14)
    await update(walk, channel)

    clock.forward(minutes=14)
    await bot.tick()
    assert nags(walk, channel) == 0

    clock.forward(minutes=2)
    await bot.tick()
    assert nags(walk, channel) == 1


@pytest.mark.parametrize(
    ("severity", "words", "minutes"),
    [
        ("sev1", NO_COMMAND, 15),
        ("sev2", NO_COMMAND, 30),
        ("sev3", NO_COMMAND, 2 * 60),
        ("sev4", NO_COMMAND, 24 * 60),
        ("sev1", UPDATE_DUE, 15),
        ("sev2", UPDATE_DUE, 30),
        ("sev3", UPDATE_DUE, 60),
        ("sev4", UPDATE_DUE, 24 * 60),
    ],
)
async def test_each_severity_has_its_clocks(
    walk: Walk, bot: Bot, clock: Clock, severity: str, words: str, minutes: int
) -> None:
    channel = await walk.declare(severity=severity)

    clock.forward(minutes=minutes - 0.1)
    await bot.tick()
    assert reminders(walk, channel, words) == []

    clock.forward(minutes=0.2)
    await bot.tick()
    assert len(reminders(walk, channel, words)) == 1


async def test_an_answered_reminder_names_who_was_asked(walk: Walk, bot: Bot, clock: Clock) -> None:
    due = shown(clock.time + timedelta(minutes=15))
    channel = await walk.declare()
    clock.forward(minutes=16)
    await bot.tick()
    clock.forward(minutes=5.1)
    await bot.tick()

    await walk.press("lead", action_ids.TAKE_COMMAND, channel)

    asked = ":bell: @order-service-responders @oncall"
    [answered] = reminders(walk, channel, "The first response to INC-1")
    assert answered.lines == (
        f"{asked} The first response to INC-1 was due {due}.",
        f"Answered {shown(clock.time)}.",
    )
    assert [reply.text for reply in answered.thread] == [
        f"{asked} Reminder 2: The first response was due {due}."
    ]
    assert answered.buttons == ()


async def test_command_settles_the_first_response(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)

    clock.forward(minutes=16)
    await bot.tick()

    assert reminders(walk, channel, NO_COMMAND) == []


@pytest.mark.parametrize(
    ("words", "line", "answer"),
    [
        (UPDATE_DUE, ":bell: @oncall The next update on INC-1 was due {due}.", "Post update"),
        (
            NO_COMMAND,
            ":bell: @order-service-responders @oncall Nobody has taken command of INC-1. The "
            "first response was due {due}.",
            "Take command",
        ),
    ],
)
async def test_one_message_nags_three_times(
    walk: Walk, bot: Bot, clock: Clock, words: str, line: str, answer: str
) -> None:
    told = line.format(due=shown(clock.time + timedelta(minutes=15)))
    channel = await walk.declare()
    clock.forward(minutes=16)
    before, last = len(walk.slack.notifications("oncall")), clock.time
    notified: list[int] = []
    for _ in range(10):
        await bot.tick()
        [reminder] = reminders(walk, channel, words)
        assert reminder.lines[0] == told
        assert reminder.buttons == (answer, *SNOOZES)
        if len(walk.slack.notifications("oncall")) > before + sum(notified):
            notified.append(len(walk.slack.notifications("oncall")) - before - sum(notified))
            last = clock.time
        clock.forward(minutes=5.1)

    assert notified == [2, 2, 2]  # both kinds, each three times
    assert reminder.lines[1:] == (LAST.format(at=shown(last)),)
    mention = told[: told.index("@oncall") + len("@oncall")]
    rest = told.removeprefix(f"{mention} ")
    lines = [f"{mention} Reminder {number}: {rest[0].lower()}{rest[1:]}" for number in (2, 3)]
    assert [reply.text for reply in reminder.thread] == lines
    assert [reply.buttons for reply in reminder.thread] == [(), ()]


async def test_after_downtime_it_fires_once(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    clock.forward(hours=9)

    await bot.tick()
    await bot.tick()

    assert nags(walk, channel) == 1


async def nagged(walk: Walk, bot: Bot, clock: Clock) -> str:
    """The channel of an incident whose update is late, with somebody in command."""
    channel = await walk.declare()
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
    clock.forward(minutes=15.1)
    await bot.tick()
    return channel


async def test_who_takes_command_was_not_asked(walk: Walk, bot: Bot, clock: Clock) -> None:
    """What was sent keeps its people; what is still due asks those who are in charge now."""
    channel = await nagged(walk, bot, clock)
    clock.forward(minutes=5)
    await bot.tick()
    clock.forward(minutes=1)
    await walk.take_over("second", channel)

    [reminder] = reminders(walk, channel)
    again = f"Reminder 2: the next update on INC-1 was due {shown(DUE)}."
    assert reminder.heading == f":bell: @second {UPDATE_DUE} {shown(DUE)}."
    assert [reply.text for reply in reminder.thread] == [f":bell: @oncall {again}"]

    await update(walk, channel)
    [reminder] = reminders(walk, channel)
    assert reminder.heading == f":bell: @oncall {UPDATE_DUE} {shown(DUE)}."


async def test_a_snooze_is_quiet(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await nagged(walk, bot, clock)
    said = []
    for minutes in (5, 10):
        until = shown(clock.time + timedelta(minutes=minutes))
        said.append(f"@oncall snoozed the reminder for {minutes} min, until {until}")
        await walk.press("oncall", f"{action_ids.SNOOZE}.{minutes}", channel)
        clock.forward(minutes=minutes - 1)
        await bot.tick()
        before = nags(walk, channel)
        clock.forward(minutes=1.1)
        await bot.tick()
        assert nags(walk, channel) == before + 1

    await walk.press("oncall", f"{action_ids.SNOOZE}.15", channel)

    assert walk.answer("oncall") == (
        "This was already snoozed twice in a row. It was not snoozed again; post an update, even "
        "a short one."
    )
    snoozed = [entry for entry in await walk.timeline(channel) if "snoozed" in entry]
    assert snoozed == said


async def test_a_second_snooze_is_refused(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await nagged(walk, bot, clock)
    snooze = walk.slack.find_button(action_ids.SNOOZES[0], channel, "second")
    until = shown(clock.time + timedelta(minutes=10))
    await walk.press("oncall", action_ids.SNOOZES[1], channel)

    await walk.slack.press("second", snooze)
    await bot.drain()

    assert walk.answer("second") == "This reminder is no longer active. Nothing was snoozed."
    posts = [post.text for post in walk.posts(channel)]
    assert posts.count(f":zzz: @oncall snoozed the reminder for 10 min, until {until}") == 1


async def test_worse_was_late_before(walk: Walk, bot: Bot, clock: Clock) -> None:
    due = shown(clock.time + timedelta(minutes=15))
    channel = await walk.declare(severity="sev4")
    clock.forward(minutes=40)

    await walk.say("second", "/incident severity sev1", channel)
    await bot.tick()

    [reminder] = reminders(walk, channel, NO_COMMAND)
    assert reminder.text.endswith(f"The first response was due {due}.")


async def test_a_snooze_says_until_when(walk: Walk, bot: Bot, clock: Clock) -> None:
    due = shown(clock.time + timedelta(minutes=15))
    channel = await nagged(walk, bot, clock)

    await walk.press("second", action_ids.SNOOZES[1], channel)
    until = shown(clock.time + timedelta(minutes=10))
    snoozed = f"Snoozed by @second until {until}"
    then = "; then it reminds you again"
    [reminder] = reminders(walk, channel)
    assert reminder.lines[1:] == (f"{snoozed}{then}.",)
    assert reminder.buttons == ()
    was_due = walk.card(channel)[OVERDUE]
    assert was_due == f"{due} ({due})\n{snoozed}{then}"

    clock.forward(minutes=10.1)
    await bot.tick()
    [reminder] = reminders(walk, channel)
    repeated = (
        f"Reminded 2 times, the last time {shown(clock.time)}: @second snoozed it until {until}, "
        "and no update was posted."
    )
    assert reminder.lines == (f":bell: @oncall {UPDATE_DUE} {due}.", repeated)
    assert reminder.buttons == ("Post update", *SNOOZES)
    [again] = reminder.thread
    assert again.text == f":bell: @oncall Reminder 2: the next update on INC-1 was due {due}."
    assert walk.card(channel)[OVERDUE] == f"{due} ({due})"


async def test_an_update_answers_its_reminder(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    clock.forward(minutes=16)
    await bot.tick()
    [reminder] = reminders(walk, channel)
    assert reminder.buttons == ("Post update", *SNOOZES)

    await walk.press("oncall", action_ids.POST_UPDATE, channel, ts=reminder.ts)
    await walk.submit("oncall", status="investigating", impact="all", current="looking")

    [answered] = reminders(walk, channel)
    assert answered.lines[1:] == (f"Answered {shown(clock.time)}.",)
    assert answered.buttons == ()


async def test_what_is_over_was_due(walk: Walk, bot: Bot, clock: Clock) -> None:
    due = shown(clock.time + timedelta(minutes=15))
    channel = await walk.declare()
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
    clock.forward(minutes=12.1)
    await bot.tick()
    assert walk.card(channel)["Next update due"] == f"{due} ({due})"

    clock.forward(minutes=3)
    await bot.tick()

    card = walk.card(channel)
    assert card[OVERDUE] == f"{due} ({due})"
    assert "Next update due" not in card
    [announcement] = walk.posts("incidents")
    assert announcement.lines[2] == f":rotating_light: Update overdue since {due}"


async def test_nothing_nags_after_resolve(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="Rolled back")
    before = walk.posts(channel)

    clock.forward(hours=20)
    await bot.tick()

    assert walk.posts(channel) == before


async def test_two_replicas_nag_once(walk: Walk, bot: Bot, clock: Clock, given: Settings) -> None:
    channel = await walk.declare()
    clock.forward(minutes=16)

    async with start_bot(given, clock) as other:
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


async def test_an_update_races_with_its_clock(walk: Walk, bot: Bot, clock: Clock) -> None:
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
        [(due,)] = await cursor.fetchall()
    assert (due - clock.time).total_seconds() == pytest.approx(15 * 60, abs=1)


async def test_a_snooze_races_with_the_end(walk: Walk, bot: Bot, clock: Clock) -> None:
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

    assert (await walk.timeline(channel))[-1] == "@oncall resolved the incident: over"


@pytest.mark.parametrize(("minutes", "heads_up", "nag"), [(12.1, 1, 0), (30, 0, 1)])
async def test_only_the_commander_is_warned(
    walk: Walk, bot: Bot, clock: Clock, minutes: float, heads_up: int, nag: int
) -> None:
    channel = await walk.declare()
    await walk.press("second", action_ids.TAKE_COMMAND, channel)
    clock.forward(minutes=minutes)

    await bot.tick()
    await bot.tick()

    assert heads_ups(walk, channel, "second") == heads_up
    assert heads_ups(walk, channel, "oncall") == 0
    assert nags(walk, channel) == nag


async def test_a_slow_slack_delays_no_warning(walk: Walk, bot: Bot, clock: Clock) -> None:
    channels = [await walk.declare(title) for title in ("Orders fail", "Refunds hang")]
    for channel in channels:
        await walk.press("second", action_ids.TAKE_COMMAND, channel)
    clock.forward(minutes=12.1)
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE incidents SET title = 'Other words'")
        await conn.execute("UPDATE publications SET wanted_version = wanted_version + 1")
    slow = walk.slack.fail("conversations.setTopic", hang=True, times=None)

    await scheduler.run_sweeps(bot.world)

    for channel in channels:
        await walk.slack.wait_for(partial(heads_ups, walk, channel, "second"))
    slow.heal()
    await bot.drain()
    assert [heads_ups(walk, channel, "second") for channel in channels] == [1, 1]


async def redis_forgets(url: str) -> None:
    """What Redis holds may vanish at any moment; here its time is over."""
    async with Redis.from_url(url) as client:
        await client.flushall()


async def test_an_open_form_is_not_nagged(
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


async def test_milder_severities_wait_for_work(walk: Walk, bot: Bot, clock: Clock) -> None:
    clock.time = datetime(2026, 11, 27, 17, 30, tzinfo=UTC)  # a Friday
    channel = await walk.declare(severity="sev3")

    clock.forward(hours=12)
    await bot.tick()
    assert nags(walk, channel) == 0

    clock.time = datetime(2026, 11, 30, 9, 0, 1, tzinfo=UTC)
    await bot.tick()
    assert nags(walk, channel) == 1


async def test_a_late_response_is_asked_again(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    clock.forward(minutes=16)
    await bot.tick()

    await walk.say("oncall", "/incident severity sev3", channel)
    await walk.say("oncall", "/incident severity sev1", channel)
    await bot.tick()

    [reminder] = reminders(walk, channel, NO_COMMAND)
    assert [reply.text.split(": nobody")[0] for reply in reminder.thread] == [
        ":bell: @order-service-responders @oncall Reminder 2"
    ]
    assert reminder.buttons == ("Take command", *SNOOZES)


async def test_a_status_does_not_nag_again(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    clock.forward(minutes=16)
    await bot.tick()
    before = reminders(walk, channel)
    assert len(before) == 1

    await walk.say("oncall", "/incident status identified", channel)
    clock.forward(seconds=20)
    await bot.tick()

    assert reminders(walk, channel) == before
