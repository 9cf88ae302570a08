"""The timeline is read and written; resolving ends everything and leaves a summary."""

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Clock, Walk
from tests.readers import Post
from tests.rollbacks import TO_V231

DECLARED = "@oncall declared SEV-1: Orders are failing"
DECLARED_AT = "2026-11-24 10:00 UTC"
IN_THREAD = "The whole timeline is a file in the thread."
IS_RESOLVED = (
    "INC-1 is resolved. Nothing was done. If the problem is back, declare a new incident with "
    "`/incident declare`."
)


async def resolve(walk: Walk, channel: str, resolution: str, who: str = "oncall") -> None:
    """Resolve the incident with the form."""
    await walk.say(who, "/incident resolve", channel)
    await walk.submit(who, resolution=resolution)


def summary(walk: Walk, channel: str) -> list[str]:
    """The lines of the summary below its heading."""
    heading = ":white_check_mark: INC-1 is resolved"
    [lines] = [post.lines[1:] for post in walk.posts(channel) if post.heading == heading]
    return list(lines)


def announcement(walk: Walk) -> Post:
    """The only announcement."""
    [post] = walk.posts("incidents")
    return post


def timeline_file(walk: Walk, channel: str) -> list[str]:
    """The lines of the only file in the channel."""
    [file] = [
        file
        for message in walk.slack.messages(channel, "oncall")
        for part in [message, *message.get("replies", [])]
        for file in part.get("files", [])
    ]
    assert file["name"] == "inc-1-timeline.md"
    return walk.slack.file(file["id"]).decode().splitlines()


async def test_notes_are_read_everywhere(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.say("second", "/incident note The queue <grows> & grows", channel)

    assert walk.posts(channel)[-1].lines == (":memo: @second: The queue <grows> & grows",)
    noted = "@second noted: The queue <grows> & grows"
    assert await walk.timeline(channel) == [DECLARED, noted]


async def test_a_note_cannot_ping(walk: Walk) -> None:
    channel = await walk.declare()
    before = len(walk.slack.notifications("lead"))

    await walk.say("second", "/incident note <!channel> <!here> look", channel)

    assert len(walk.slack.notifications("lead")) == before


async def test_an_empty_note_is_refused(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.say("second", "/incident note  ", channel)

    assert walk.answer("second") == (
        "The note is empty. Nothing was added. Example: `/incident note The queue is growing`."
    )
    assert await walk.timeline(channel) == [DECLARED]


async def test_a_pushpin_is_recorded_once(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("second", "the deploy was at 02:55", channel)
    said = walk.posts(channel)[-1]
    assert said.text == "the deploy was at 02:55"

    for who, emoji in (("oncall", "pushpin"), ("second", "pushpin"), ("oncall", "eyes")):
        await walk.slack.react(who, emoji, channel, said.ts)
        await walk.bot.drain()

    pinned = "@oncall pinned a message by @second: the deploy was at 02:55"
    assert await walk.timeline(channel) == [DECLARED, pinned]
    assert walk.answer("second") == "That message is in the timeline of INC-1 already."


async def test_resolving_leaves_a_summary(walk: Walk, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident note it is DNS", channel)
    clock.forward(minutes=12)

    await resolve(walk, channel, "Restarted the resolver")

    assert summary(walk, channel) == [
        "What fixed it: Restarted the resolver",
        f"Duration: 12 min · declared {DECLARED_AT}, resolved 2026-11-24 10:12 UTC by @oncall",
        "Severity: SEV-1 · Commander: nobody took command · Updates: 0",
        "No changes were made to production.",
        IN_THREAD,
    ]
    card = walk.card(channel)
    assert (card["Colour"], card["Status"]) == (":white_check_mark:", "Resolved")
    assert card["Resolved"] == "2026-11-24 10:12 UTC by @oncall"
    assert (card["What fixed it"], card["Duration"]) == ("Restarted the resolver", "12 min")
    assert announcement(walk).lines[1:] == (
        f"Resolved 2026-11-24 10:12 UTC as SEV-1 in #{channel} · order-service · commander nobody "
        f"yet · declared {DECLARED_AT} by @oncall",
        "What fixed it: Restarted the resolver",
    )
    assert [task.title for task in walk.tasks(channel)] == [
        "Create incident ticket with timeline",
        "Schedule post-mortem within 48 hours",
        "Document root cause and fixes",
        "Create action items to prevent recurrence",
        "Update this runbook if needed",
    ]


async def test_resolving_leaves_a_file(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident note it is DNS", channel)

    await resolve(walk, channel, "Restarted the resolver")

    at = "2026-11-24 10:00:00"
    assert [line for line in timeline_file(walk, channel) if line] == [
        "# INC-1: Orders are failing",
        f"Severity SEV-1, service order-service, declared {at}, resolved {at}.",
        "What fixed it: Restarted the resolver",
        "## Timeline (UTC)",
        f"- {at} @Maya Okafor declared SEV-1: Orders are failing",
        f"- {at} @Maya Okafor noted: it is DNS",
        f"- {at} @Maya Okafor resolved the incident: Restarted the resolver",
    ]


async def test_the_peak_is_told_too(walk: Walk) -> None:
    channel = await walk.declare("It is slow", "sev3")
    for severity in ("sev1", "sev2"):
        await walk.say("oncall", f"/incident severity {severity}", channel)

    await resolve(walk, channel, "Restarted the resolver")

    severity = "Severity: SEV-2 (peak SEV-1) · Commander: nobody took command · Updates: 0"
    assert summary(walk, channel)[2] == severity
    resolved = f"Resolved {DECLARED_AT} as SEV-2 (peak SEV-1) in #{channel}"
    assert announcement(walk).lines[1].split(" · ")[0] == resolved
    assert timeline_file(walk, channel)[2].split(", ")[0] == "Severity SEV-2 (peak SEV-1)"


async def test_the_summary_tells_real_changes(walk: Walk, kube: Cluster, clock: Clock) -> None:
    await kube.scenario("crash-loop")
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await walk.press("second", action_ids.DENY, channel)
    await walk.submit("second", reason="Not yet")
    await walk.ask_for_rollback(channel)
    clock.forward(hours=5)
    await walk.bot.tick()
    await walk.ask_for_rollback(channel)
    await walk.press("second", action_ids.APPROVE, channel)
    await walk.press_step("oncall", "rolling-restart", channel)
    await walk.submit("oncall", reason="To be sure")

    await resolve(walk, channel, "Rolled back")

    assert summary(walk, channel)[3:] == [
        "Changes to production:",
        f"•  {TO_V231}: done and checked",
        "Requested, but not carried out: Roll back (denied by @second), Roll back (expired), "
        "Rolling restart (void)",
        IN_THREAD,
    ]


async def test_only_tasks_keep_buttons(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.press("oncall", action_ids.RESOLVE, channel)
    await walk.submit("oncall", resolution="It is over")

    assert set(walk.buttons(channel)) == {"Done", "Take", "Several at once…"}
    assert walk.slack.find_buttons(action_ids.RUN_STEP, channel, "oncall") == []


async def test_a_second_resolve_is_refused(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident resolve", channel)
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("oncall", resolution="First")
    await walk.submit("second", resolution="Second")

    assert walk.answer("second") == IS_RESOLVED
    assert summary(walk, channel)[0] == "What fixed it: First"
    assert (await walk.timeline(channel))[-1] == "@oncall resolved the incident: First"


@pytest.mark.parametrize(
    "words", ["update", "resolve", "customer", "severity sev2", "status monitoring"]
)
async def test_after_the_end_nothing_changes(walk: Walk, words: str) -> None:
    channel = await walk.declare()
    await resolve(walk, channel, "Done")

    await walk.say("oncall", f"/incident {words}", channel)

    assert walk.answer("oncall") == IS_RESOLVED
    assert walk.slack.views("oncall") == []
    assert walk.card(channel)["Status"] == "Resolved"


async def test_a_blank_resolution_is_refused(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident resolve", channel)

    errors = await walk.submit_refused("oncall", resolution=" ")

    assert list(errors) == ["resolution"]
    assert walk.card(channel)["Status"] == "Investigating"


async def test_outsiders_resolve_nothing(walk: Walk, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    walk.slack.join("outsider", channel)

    await walk.say("outsider", "/incident role ic @outsider", channel)
    await walk.say("outsider", "/incident resolve", channel)

    assert walk.slack.views("outsider") == []
    assert walk.answer("outsider") == (
        "You are neither a responder nor an approver of order-service, so you cannot resolve "
        "INC-1. Nothing was done; ask one of them."
    )
    assert walk.card(channel)["Status"] == "Investigating"
    assert walk.execution(channel).state == "Needs 1 more approval"


async def test_who_left_the_team_resolves_nothing(walk: Walk) -> None:
    channel = await walk.declare()
    walk.slack.join("lead", channel)
    await walk.say("lead", "/incident resolve", channel)
    walk.slack.set_group("order-service-approvers", "second")

    await walk.submit("lead", resolution="Nothing to see")

    assert walk.card(channel)["Status"] == "Investigating"


@pytest.mark.parametrize("right", ["declared", "appointed"])
async def test_who_may_resolve_besides_the_team(walk: Walk, right: str) -> None:
    if right == "declared":
        await walk.say("outsider", "/incident declare sev1 Orders are failing")
        channel = "inc-1-orders-are-failing"
    else:
        channel = await walk.declare()
        walk.slack.join("outsider", channel)
        await walk.say("oncall", "/incident role ic @outsider", channel)

    await resolve(walk, channel, "Nothing to see", "outsider")

    assert walk.card(channel)["Status"] == "Resolved"
