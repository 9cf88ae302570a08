"""The timeline is read and written; resolving ends everything and leaves a summary."""

from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Clock, Walk


async def test_notes_are_in_the_channel_and_in_the_timeline(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.say("second", "/incident note The queue <grows> & grows", channel)
    await walk.say("oncall", "/incident timeline", channel)

    assert "The queue &lt;grows&gt; &amp; grows" in walk.text(channel)
    mine = walk.text(channel, "oncall")
    assert "noted: The queue" in mine
    assert "declared SEV-1" in mine


async def test_a_note_cannot_ping(walk: Walk) -> None:
    channel = await walk.declare()
    before = len(walk.slack.notifications("lead"))

    await walk.say("second", "/incident note <!channel> <!here> look", channel)

    assert len(walk.slack.notifications("lead")) == before


async def test_a_pushpin_writes_a_message_into_the_timeline_once(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("second", "the deploy was at 02:55", channel)
    ts = next(
        message["ts"]
        for message in walk.slack.messages(channel, "second")
        if message["text"] == "the deploy was at 02:55"
    )

    for who in ("oncall", "second"):
        await walk.slack.react(who, "pushpin", channel, ts)
        await walk.bot.drain()
    await walk.slack.react("oncall", "eyes", channel, ts)
    await walk.bot.drain()

    await walk.say("oncall", "/incident timeline", channel)
    mine = walk.text(channel, "oncall")
    assert mine.count("pinned a message") == 1
    assert "the deploy was at 02:55" in mine
    assert "is in the timeline of INC-1 already" in walk.text(channel, "second")


async def test_resolving_posts_the_summary_and_the_timeline_as_a_file(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident note it is DNS", channel)
    await walk.say("oncall", "/incident resolve", channel)

    await walk.submit("oncall", resolution="Restarted the resolver")

    seen = walk.text(channel)
    assert "INC-1 is resolved" in seen
    assert "Restarted the resolver" in seen
    assert "Schedule post-mortem within 48 hours" in seen
    assert "*Severity:* SEV-1 · *Commander:*" in seen
    written = timeline_file(walk, channel)
    assert "# INC-1: Orders are failing" in written
    assert "noted: it is DNS" in written
    assert "Severity SEV-1, service" in written
    assert "Resolved" in walk.text("incidents")
    assert "peak" not in seen + written + walk.text("incidents")


def timeline_file(walk: Walk, channel: str) -> str:
    """The only file in the channel."""
    files = [
        file
        for message in walk.slack.messages(channel, "oncall")
        for part in [message, *message.get("replies", [])]
        for file in part.get("files", [])
    ]
    assert [file["name"] for file in files] == ["inc-1-timeline.md"]
    return walk.slack.file(files[0]["id"]).decode()


async def test_what_was_lowered_before_the_end_is_told_at_its_worst_too(walk: Walk) -> None:
    channel = await walk.declare("It is slow", "sev3")
    for severity in ("sev1", "sev2"):
        await walk.say("oncall", f"/incident severity {severity}", channel)
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="Restarted the resolver")

    assert "*Severity:* SEV-2 (peak SEV-1) · *Commander:*" in walk.text(channel)
    assert "Severity SEV-2 (peak SEV-1), service" in timeline_file(walk, channel)
    assert "as SEV-2 (peak SEV-1): Restarted the resolver" in walk.text("incidents")


async def test_the_summary_tells_what_was_changed_apart_from_what_was_only_asked_for(
    walk: Walk, kube: Cluster, clock: Clock
) -> None:
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

    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="Rolled back")

    summary = walk.text(channel).partition("Changes to production:*\n")[2]
    changed, _, asked = summary.partition("*Requested, but not carried out:* ")
    assert changed.count("•") == 1
    assert "Roll order-service back from revision" in changed
    assert ": done and checked" in changed
    second = walk.slack.user("second").id
    denied, expired, void = asked.splitlines()[0].split(", ")
    assert denied == f"Roll back (denied by <@{second}>)"
    assert expired == "Roll back (expired)"
    assert void == "Rolling restart (void)"


async def test_a_resolved_incident_has_no_buttons_but_those_of_what_is_left_to_do(
    walk: Walk,
) -> None:
    channel = await walk.declare()
    await walk.press("oncall", action_ids.RESOLVE, channel)
    await walk.submit("oncall", resolution="It is over")

    assert set(walk.buttons(channel)) == {"Done", "Take"}
    assert walk.slack.find_buttons(action_ids.RUN_STEP, channel, "oncall") == []


async def test_a_second_resolve_is_told_so(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident resolve", channel)
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("oncall", resolution="First")
    await walk.submit("second", resolution="Second")

    assert "is resolved. Nothing was done" in walk.text(channel, "second")
    assert "Second" not in walk.text("incidents")


async def test_nothing_is_lost_that_is_said_after_the_end(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="Done")

    for words in ("update", "severity sev2", "status monitoring"):
        await walk.say("oncall", f"/incident {words}", channel)

    assert walk.text(channel, "oncall").count("is resolved") >= 4
