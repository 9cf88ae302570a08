"""Who is in command, how bad it is, where it stands: each is said once and shown everywhere."""

from datetime import timedelta
from typing import Any

from bot.model import Status
from bot.views import action_ids
from tests.conftest import Bot, Clock, Walk


async def test_taking_command_is_shown_on_the_card(walk: Walk) -> None:
    channel = await walk.declare()
    assert "nobody yet" in walk.text(channel)

    await walk.press("second", action_ids.TAKE_COMMAND, channel)

    assert "nobody yet" not in walk.text(channel)
    assert "is the incident commander" in walk.text(channel)
    assert "nobody yet" not in walk.text("incidents")


async def test_taking_command_from_somebody_is_asked_once_more(walk: Walk) -> None:
    channel = await walk.declare()
    assert "confirm" not in take_command(walk, channel)

    await walk.press("second", action_ids.TAKE_COMMAND, channel)

    asked = take_command(walk, channel)["confirm"]["text"]["text"]
    assert "If it is you, there is nothing to do." in asked
    assert "they are no longer in command" in asked


async def test_who_is_in_command_already_is_told_so(walk: Walk) -> None:
    channel = await walk.declare()
    second = walk.slack.user("second").id
    for who in ("second", "second", "oncall"):
        await walk.press(who, action_ids.TAKE_COMMAND, channel)

    told = str(walk.slack.ephemerals(channel, "second"))
    assert "You are already in command. Nothing was changed." in told
    oncall = walk.slack.user("oncall").id
    walk.slack.join("lead", channel)
    await walk.say("lead", f"/incident role ic <@{oncall}>", channel)
    assert f"<@{oncall}> is already in command" in str(walk.slack.ephemerals(channel, "lead"))
    assert walk.text(channel).count(f"<@{second}> is the incident commander") == 1


def take_command(walk: Walk, channel: str) -> dict[str, Any]:
    """The button on the card."""
    card = walk.slack.messages(channel, "oncall")
    found = [element for block in every(card) for element in block.get("elements", [])]
    return next(option for option in found if option.get("action_id") == action_ids.TAKE_COMMAND)


def every(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every block of these messages."""
    return [block for message in messages for block in message.get("blocks", [])]


async def test_the_card_chooses_anew_once_something_else_is_true(walk: Walk) -> None:
    """Slack keeps what a person chose in a block of the same name."""
    channel = await walk.declare()
    names = {str(block.get("block_id")) for block in every(walk.slack.messages(channel, "oncall"))}
    assert "course:investigating:sev1" in names

    await walk.say("second", "/incident severity sev2", channel)

    names = {str(block.get("block_id")) for block in every(walk.slack.messages(channel, "oncall"))}
    assert "course:investigating:sev2" in names
    assert "course:investigating:sev1" not in names


async def test_putting_somebody_in_command(walk: Walk) -> None:
    channel = await walk.declare()
    lead = walk.slack.user("lead").id

    await walk.say("oncall", f"/incident role ic <@{lead}>", channel)

    assert f"<@{lead}> is the incident commander" in walk.text(channel)


async def test_what_the_channel_reads_is_not_told_to_its_author_once_more(walk: Walk) -> None:
    channel = await walk.declare()
    lead = walk.slack.user("lead").id
    before = walk.slack.ephemerals(channel, "oncall")

    for words in ("severity sev2", "status monitoring", f"role ic <@{lead}>"):
        await walk.say("oncall", f"/incident {words}", channel)

    assert walk.slack.ephemerals(channel, "oncall") == before
    seen = walk.text(channel)
    assert seen.count("from *SEV-1* to *SEV-2*") == 1
    assert seen.count("from *investigating* to *monitoring*") == 1
    assert seen.count(f"<@{lead}> is the incident commander") == 1


async def test_a_deleted_person_cannot_command(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident role ic <@UNOBODY00001>", channel)

    assert "does not know" in walk.text(channel, "oncall")
    assert "nobody yet" in walk.text(channel)


async def test_a_changed_severity_shows_its_old_value_once(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.say("oncall", "/incident severity SEV-2", channel)

    seen = walk.text(channel)
    assert seen.count("from *SEV-1* to *SEV-2*") == 1
    assert "SEV-2 · INC-1 · Orders are failing" in seen
    assert "SEV-1 · INC-1" not in seen
    topic = next(c["topic"] for c in walk.slack.channels("oncall") if c["name"] == channel)
    assert "SEV-2" in topic
    assert "SEV-2" in walk.text("incidents")


async def test_the_clocks_follow_the_severity(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    await walk.press("oncall", action_ids.CHANGE_SEVERITY, channel, "sev3")

    async with bot.world.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT kind, extract(epoch FROM due_at - declared_at) / 60 FROM reminders"
            " JOIN incidents ON incidents.id = incident_id WHERE settled_at IS NULL ORDER BY due_at"
        )
        assert [(kind, round(due)) for kind, due in await cursor.fetchall()] == [
            ("heads_up", 57),
            ("update", 60),
            ("first_response", 120),
        ]


async def test_going_back_to_a_severity_brings_its_clock_back(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident severity sev2", channel)
    await walk.say("oncall", "/incident severity sev1", channel)

    async with bot.world.pool.connection() as conn:
        cursor = await conn.execute("SELECT count(*) FROM reminders WHERE settled_at IS NULL")
        assert await cursor.fetchone() == (3,)


async def test_a_changed_status_is_shown_everywhere(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.say("oncall", "/incident status monitoring", channel)

    assert "from *investigating* to *monitoring*" in walk.text(channel)
    assert "Monitoring" in walk.text("incidents")
    assert Status.MONITORING.value in walk.text(channel, "oncall").lower()


async def test_monitoring_doubles_the_time_to_the_next_update(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare()
    await walk.press("oncall", action_ids.CHANGE_STATUS, channel, "monitoring")
    clock.forward(minutes=20)
    await bot.tick()

    assert "The next update" not in walk.text(channel)

    clock.forward(minutes=11)
    await bot.tick()

    assert "The next update" in walk.text(channel)


async def test_a_promise_is_not_put_off(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident update", channel)
    words = {"impact": "all", "current": "looking", "minutes": "20"}
    await walk.submit("oncall", status="identified", **words)
    promised = clock.time + timedelta(minutes=20)

    await walk.say("oncall", "/incident severity sev2", channel)
    await walk.say("oncall", "/incident status monitoring", channel)

    due = next(part for part in walk.text(channel).split("\n*") if "Next update due" in part)
    assert f"<!date^{int(promised.timestamp())}^" in due
    clock.forward(minutes=20.1)
    await bot.tick()
    assert "The next update on INC-1 was due" in walk.text(channel)


async def test_a_worse_severity_brings_a_promise_forward(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await walk.declare(severity="sev3")
    await walk.say("oncall", "/incident update", channel)
    await walk.submit("oncall", status="identified", impact="all", current="looking")

    await walk.say("oncall", "/incident severity sev1", channel)
    clock.forward(minutes=15.1)
    await bot.tick()

    assert "The next update on INC-1 was due" in walk.text(channel)


async def test_what_is_no_change_is_said(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident severity sev1", channel)
    await walk.say("oncall", "/incident status investigating", channel)

    assert "INC-1 is already SEV-1. Nothing was changed." in walk.text(channel, "oncall")
    assert "INC-1 is already investigating. Nothing was changed." in walk.text(channel, "oncall")
