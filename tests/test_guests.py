"""Who may come in: members, and nobody else; whoever sees a fire may declare it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.views import action_ids
from sandbox.slack import User
from tests.conftest import Bot, Walk
from tests.raw_payloads import timeline_kinds

GUEST = "Guests may not do this"


def guest(walk: Walk, channel: str) -> None:
    """Somebody from outside, invited into the channel."""
    walk.slack.add_user(User("guest", "Guest", kind="guest"))
    walk.slack.add_to(channel, "guest")


Forget = Callable[[], Awaitable[None]]


@pytest.fixture
def redis_forgets(redis_url: str) -> Forget:
    """Empties Redis, as may happen at any moment."""

    async def forget() -> None:
        async with Redis.from_url(redis_url) as client:
            await client.flushall()

    return forget


@pytest.mark.parametrize(
    "words", ["role ic @guest", "severity sev2", "status identified", "note x", "timeline"]
)
async def test_a_guest_may_not_say_it(walk: Walk, bot: Bot, words: str) -> None:
    channel = await walk.declare()
    guest(walk, channel)
    before = await timeline_kinds(bot)

    await walk.say("guest", f"/incident {words}", channel)

    assert GUEST in walk.text(channel, "guest")
    assert await timeline_kinds(bot) == before


@pytest.mark.parametrize("word", ["update", "resolve"])
async def test_a_guest_gets_no_form(walk: Walk, word: str) -> None:
    channel = await walk.declare()
    guest(walk, channel)

    await walk.say("guest", f"/incident {word}", channel)

    assert GUEST in walk.text(channel, "guest")
    assert walk.slack.views("guest") == []


@pytest.mark.parametrize(
    ("press", "value"),
    [
        (action_ids.TAKE_COMMAND, None),
        (action_ids.POST_UPDATE, None),
        (action_ids.RESOLVE, None),
        (action_ids.CHANGE_SEVERITY, "sev3"),
        (action_ids.CHANGE_STATUS, "monitoring"),
        (action_ids.RUN_STEP, "pods"),
        (action_ids.RUN_STEP, "roll-back"),
    ],
)
async def test_a_guest_may_not_press_it(
    walk: Walk, bot: Bot, press: str, value: str | None
) -> None:
    channel = await walk.declare()
    guest(walk, channel)
    before = await timeline_kinds(bot)

    await walk.press("guest", press, channel, value)

    assert GUEST in walk.text(channel, "guest")
    assert await timeline_kinds(bot) == before
    assert walk.slack.views("guest") == []


async def test_new_guest_cannot_submit_form(walk: Walk, bot: Bot, redis_forgets: Forget) -> None:
    channel = await walk.declare()
    await walk.say("second", "/incident resolve", channel)
    walk.slack.user("second").kind = "guest"
    await redis_forgets()

    await walk.submit("second", resolution="I say so")

    assert GUEST in walk.text(channel, "second")
    assert "resolved" not in await timeline_kinds(bot)


async def test_guest_may_not_pin_messages(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    guest(walk, channel)
    await walk.say("second", "the deploy was at 02:55", channel)
    ts = walk.slack.messages(channel, "second")[-1]["ts"]

    taken = await walk.slack.react("guest", "eyes", channel, ts)
    await bot.drain()
    assert taken.ok
    assert GUEST not in walk.text(channel, "guest")
    await walk.slack.react("guest", "pushpin", channel, ts)
    await bot.drain()

    assert GUEST in walk.text(channel, "guest")
    assert "pinned" not in await timeline_kinds(bot)


SECRET = "Acme pays twice"
NO_TITLES = (
    ":lock: The open incidents are shown to full members of this workspace. If you are one, Slack "
    "did not say so in time: open this again."
)
DECLARING = ("declare", "declare sev1 Mine", "declare Mine")
REFUSALS = {
    "guest": "Guests may not do this",
    "single_channel_guest": "Guests may not do this",
    "stranger": "You belong to another workspace",
}


def come_in(walk: Walk, kind: Any) -> None:
    """Somebody of this kind, called so, comes into #general."""
    walk.slack.add_user(User(kind, "Visitor", kind=kind))
    walk.slack.add_to("general", kind)


def incidents(walk: Walk) -> list[str]:
    return [
        channel.name
        for channel in walk.slack.workspace.channels.values()
        if channel.name.startswith("inc-")
    ]


async def test_a_visitor_reads_and_makes_nothing(walk: Walk) -> None:
    await walk.declare(SECRET)
    before = incidents(walk)

    for visitor, refusal in REFUSALS.items():
        come_in(walk, visitor)
        for words in ("", *DECLARING):
            await walk.say(visitor, f"/incident {words}")
        await walk.say(visitor, f"<@{walk.slack.bot_user}> what is open?")
        await walk.slack.open_home(visitor)
        await walk.slack.shortcut(visitor, action_ids.DECLARE_SHORTCUT)
        await walk.bot.drain()

        read = walk.text("general", visitor) + str(walk.slack.home(visitor))
        assert (SECRET in read, NO_TITLES in read) == (False, True)
        told = [text for text in walk.answers(visitor, "general") if text.startswith(refusal)]
        assert len(told) == len(DECLARING)
        assert walk.slack.views(visitor) == []
        assert incidents(walk) == before


async def test_unidentified_person_is_refused(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    walk.slack.join("lead", channel)
    before = await timeline_kinds(bot)
    walk.slack.fail("users.info", error="fatal_error", times=None)

    await walk.say("lead", "/incident severity sev2", channel)

    assert "Slack did not say who you are" in walk.text(channel, "lead")
    assert await timeline_kinds(bot) == before


@pytest.fixture
def visitors_may(team: Path) -> None:
    """The team lets guests declare and read."""
    with team.open("a") as file:
        file.write("policy: {guests: {declare: true, read: true}}\n")


@pytest.mark.usefixtures("visitors_may")
async def test_a_team_may_let_them(walk: Walk) -> None:
    await walk.declare(SECRET)
    come_in(walk, "guest")

    await walk.say("guest", "/incident")
    await walk.say("guest", "/incident declare sev2 The till is dark")

    assert SECRET in walk.text("general", "guest")
    assert len(incidents(walk)) == 2


async def test_a_fire_waits_for_no_answer(walk: Walk) -> None:
    """Slack does not say who it is: declaring goes on, and titles are not shown."""
    await walk.declare(SECRET)
    walk.slack.fail("users.info", error="fatal_error", times=None)

    await walk.say("outsider", "/incident")
    await walk.say("outsider", "/incident declare sev1 Fire")

    assert SECRET not in walk.text("general", "outsider")
    assert len(incidents(walk)) == 2
