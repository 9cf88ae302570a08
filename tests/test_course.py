"""Who is in command, how bad it is, where it stands: each is said once and shown everywhere."""

from datetime import timedelta

import pytest

from bot.views import action_ids
from sandbox.slack import User
from tests.conftest import Bot, Clock, Walk

COMMANDER = "Incident commander"
CHANGED = ":vertical_traffic_light: @oncall changed the"
REMINDED = ":bell: @oncall The next update on INC-1 was due"


def said(walk: Walk, channel: str) -> list[str]:
    """The first lines of the messages below the card and the playbook."""
    return [post.heading for post in walk.posts(channel)[2:]]


def is_nagged(walk: Walk, channel: str) -> bool:
    """Whether the next update was asked for."""
    return any(line.startswith(REMINDED) for line in said(walk, channel))


def announced_commander(walk: Walk) -> str:
    """Who is in command, as the announcement tells it."""
    [announcement] = walk.posts("incidents")
    return announcement.lines[1].split(" · ")[2]


def block_ids(walk: Walk, channel: str) -> list[str]:
    """The names of the card's rows of menus."""
    blocks = [
        block
        for message in walk.slack.messages(channel, "oncall")
        for block in message.get("blocks", [])
    ]
    names = [str(block["block_id"]) for block in blocks]
    return [name for name in names if name.startswith("course:")]


async def test_command_is_shown_everywhere(walk: Walk) -> None:
    channel = await walk.declare()
    assert walk.card(channel)[COMMANDER] == "nobody yet"
    assert announced_commander(walk) == "commander nobody yet"

    await walk.press("second", action_ids.TAKE_COMMAND, channel)

    assert walk.card(channel)[COMMANDER] == "@second"
    assert announced_commander(walk) == "commander @second"
    assert said(walk, channel) == [":firefighter: @second is the incident commander"]
    assert (await walk.timeline(channel))[-1] == "@second took command"


async def test_taking_over_is_confirmed(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.press("second", action_ids.TAKE_COMMAND, channel)

    await walk.press("oncall", action_ids.TAKE_OVER, channel)

    assert walk.form().text == (
        "@second has command of INC-1 since 2026-11-24 10:00 UTC.\nTake it from them?"
    )
    assert walk.card(channel)[COMMANDER] == "@second"
    await walk.submit("oncall")
    assert walk.card(channel)[COMMANDER] == "@oncall"


async def test_commanders_stay_in_command(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.press("second", action_ids.TAKE_COMMAND, channel)
    await walk.press("second", action_ids.TAKE_OVER, channel)
    await walk.take_over("oncall", channel)

    already = "already in command. Nothing was changed."
    assert walk.answers("second", channel) == [f"You are {already}"]
    walk.slack.join("lead", channel)
    oncall = walk.slack.user("oncall").id
    await walk.say("lead", f"/incident role ic <@{oncall}>", channel)
    assert walk.answers("lead", channel) == [f"@oncall is {already}"]
    assert said(walk, channel) == [
        ":firefighter: @second took command",
        ":firefighter: @oncall is the incident commander",
    ]


async def test_menus_choose_anew(walk: Walk) -> None:
    """Slack keeps what a person chose in a block of the same name."""
    channel = await walk.declare()
    assert block_ids(walk, channel) == ["course:investigating:sev1"]

    await walk.say("second", "/incident severity sev2", channel)

    assert block_ids(walk, channel) == ["course:investigating:sev2"]


async def test_somebody_is_put_in_command(walk: Walk) -> None:
    channel = await walk.declare()
    lead = walk.slack.user("lead").id

    await walk.say("oncall", f"/incident role ic <@{lead}>", channel)

    put = ":firefighter: @lead is the incident commander (put in command by @oncall)"
    assert said(walk, channel) == [put]
    assert walk.card(channel)[COMMANDER] == "@lead"
    assert (await walk.timeline(channel))[-1] == "@oncall put @lead in command"


@pytest.mark.parametrize(
    ("user_id", "refusal"),
    [
        (
            "UNOBODY00001",
            "Slack does not know @UNOBODY00001, so nothing was done. Choose somebody else.",
        ),
        ("UGUEST", "Guests may not do this. Nothing was done; ask a full member."),
        ("UGONE", "This account is deactivated. Nothing was done."),
    ],
)
async def test_not_everybody_can_command(walk: Walk, user_id: str, refusal: str) -> None:
    walk.slack.add_user(User("guest", "Guest", kind="guest", id="UGUEST"))
    walk.slack.add_user(User("gone", "Gone", deactivated=True, id="UGONE"))
    channel = await walk.declare()

    await walk.say("oncall", f"/incident role ic <@{user_id}>", channel)

    assert walk.answer("oncall") == refusal
    assert walk.card(channel)[COMMANDER] == "nobody yet"


async def test_changes_are_said_once(walk: Walk) -> None:
    channel = await walk.declare()
    lead = walk.slack.user("lead").id
    before = walk.answers("oncall", channel)

    for words in ("severity sev2", "status monitoring", f"role ic <@{lead}>"):
        await walk.say("oncall", f"/incident {words}", channel)

    assert walk.answers("oncall", channel) == before
    assert said(walk, channel) == [
        f"{CHANGED} severity from SEV-1 to SEV-2",
        f"{CHANGED} status from investigating to monitoring",
        ":firefighter: @lead is the incident commander (put in command by @oncall)",
    ]


async def test_a_severity_is_shown_everywhere(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.say("oncall", "/incident severity SEV-2", channel)

    card = walk.card(channel)
    assert (card["Colour"], card["Severity"]) == (":large_orange_circle:", "SEV-2")
    heading = ":large_orange_circle: SEV-2 · INC-1 · Orders are failing"
    assert walk.slack.channel(channel).topic == f"{heading} · Investigating"
    [announcement] = walk.posts("incidents")
    assert announcement.lines[0] == heading
    assert said(walk, channel) == [f"{CHANGED} severity from SEV-1 to SEV-2"]
    assert (await walk.timeline(channel))[-1] == "@oncall changed the severity from SEV-1 to SEV-2"


async def test_a_status_is_shown_everywhere(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.say("oncall", "/incident status monitoring", channel)

    assert walk.card(channel)["Status"] == "Monitoring"
    assert said(walk, channel) == [f"{CHANGED} status from investigating to monitoring"]
    [announcement] = walk.posts("incidents")
    assert announcement.lines[1].split(" · ")[0] == f"Monitoring in #{channel}"
    topic = ":red_circle: SEV-1 · INC-1 · Orders are failing · Monitoring"
    assert walk.slack.channel(channel).topic == topic


async def waiting_reminders(bot: Bot) -> list[tuple[str, int]]:
    """The reminders that wait, each with its minutes after the declaration."""
    async with bot.world.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT kind, extract(epoch FROM due_at - declared_at) / 60 FROM reminders"
            " JOIN incidents ON incidents.id = incident_id WHERE settled_at IS NULL ORDER BY due_at"
        )
        return [(kind, round(due)) for kind, due in await cursor.fetchall()]


@pytest.mark.parametrize(
    ("severities", "reminders"),
    [
        (["sev3"], [("heads_up", 57), ("update", 60), ("first_response", 120)]),
        (["sev2", "sev1"], [("heads_up", 12), ("first_response", 15), ("update", 15)]),
    ],
)
async def test_reminders_follow_the_severity(
    walk: Walk, bot: Bot, severities: list[str], reminders: list[tuple[str, int]]
) -> None:
    channel = await walk.declare()
    for severity in severities:
        await walk.press("oncall", action_ids.CHANGE_SEVERITY, channel, severity)

    assert sorted(await waiting_reminders(bot)) == sorted(reminders)


async def test_a_status_puts_off_nothing(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    due = walk.card(channel)["Next update due"]
    await walk.press("oncall", action_ids.CHANGE_STATUS, channel, "monitoring")
    assert walk.card(channel)["Next update due"] == due
    clock.forward(minutes=15.1)
    await bot.tick()
    assert is_nagged(walk, channel)


async def test_a_promise_is_kept(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident update", channel)
    words = {"impact": "all", "current": "looking", "minutes": "20"}
    await walk.submit("oncall", status="identified", **words)
    promised = f"{clock.time + timedelta(minutes=20):%Y-%m-%d %H:%M} UTC"

    await walk.say("oncall", "/incident severity sev2", channel)
    await walk.say("oncall", "/incident status monitoring", channel)

    assert walk.card(channel)["Next update due"] == f"{promised} ({promised})"
    clock.forward(minutes=20.1)
    await bot.tick()
    assert said(walk, channel)[-1] == f"{REMINDED} {promised}."


async def test_worse_brings_a_promise_forward(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare(severity="sev3")
    await walk.say("oncall", "/incident update", channel)
    await walk.submit("oncall", status="identified", impact="all", current="looking")

    await walk.say("oncall", "/incident severity sev1", channel)
    clock.forward(minutes=15.1)
    await bot.tick()

    assert is_nagged(walk, channel)


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("severity sev1", "INC-1 is already SEV-1. Nothing was changed."),
        ("status investigating", "INC-1 is already investigating. Nothing was changed."),
        (
            "status resolved",
            "Nothing was changed. To resolve the incident, use `/incident resolve`.",
        ),
        ("severity sev9", "“sev9” isn't a severity: use sev1 to sev4. Nothing was changed."),
        (
            "status better",
            "“better” isn't a status: use investigating, identified or monitoring. Nothing was "
            "changed. To end the incident, use `/incident resolve`.",
        ),
        (
            "role scribe <@U1>",
            "“scribe” isn't a role: the only role is ic. Nobody was assigned. Example: "
            "`/incident role ic @person`.",
        ),
    ],
)
async def test_no_change_is_said(walk: Walk, words: str, refusal: str) -> None:
    channel = await walk.declare()

    await walk.say("oncall", f"/incident {words}", channel)

    assert walk.answer("oncall") == refusal
    assert said(walk, channel) == []
