"""Updates: drafted from facts in a form, posted once, and then left as they are."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.model import Entry, EntryId, EntryKind, IncidentId
from bot.model.entries import Failed, Failure
from bot.views import action_ids, text
from sandbox.cluster import Cluster
from tests.conftest import Clock, Walk
from tests.readers import Post
from tests.rollbacks import TO_V231, broken

__all__ = ["broken"]

CRASHING = "0 of 3 ready: CrashLoopBackOff, exit 2"


async def update(walk: Walk, channel: str, **values: str) -> None:
    """Post an update with the form."""
    words = {"status": "identified", "impact": "all", "current": "looking"} | values
    await walk.say("oncall", "/incident update", channel)
    await walk.submit("oncall", **words)


def posted(walk: Walk, channel: str) -> list[Post]:
    """The updates in a channel."""
    return [post for post in walk.posts(channel) if post.heading.startswith("🚨 ")]


def announced(walk: Walk) -> tuple[str, ...]:
    """What the announcement says below its heading and its first line."""
    [announcement] = walk.posts("incidents")
    return announcement.lines[2:]


def happening(walk: Walk) -> list[str]:
    """What the update form on top says of itself, line by line."""
    return walk.form().fields["current"].value.splitlines()


async def test_an_update_is_shown_everywhere(walk: Walk) -> None:
    channel = await walk.declare()

    await update(walk, channel, impact="Nobody can buy", current="It crash-loops", minutes="10")

    [post] = posted(walk, channel)
    assert post.lines == (
        "🚨 [SEV-1] Order Service Issue",
        "Status: Identified",
        "Impact: Nobody can buy",
        "Start Time: 2026-11-24 10:00 UTC (2026-11-24 10:00 UTC)",
        "Current Status: It crash-loops",
        "Next Update: 2026-11-24 10:10 UTC",
        "Update by @oncall, 2026-11-24 10:00 UTC",
    )
    latest = "Latest update by @oncall, 2026-11-24 10:00 UTC: It crash-loops"
    assert announced(walk) == ("Impact: Nobody can buy", latest)
    card = walk.card(channel)
    assert card["Status"] == "Identified"
    assert card["Next update due"] == "2026-11-24 10:10 UTC (2026-11-24 10:10 UTC)"
    assert (await walk.timeline(channel))[-2:] == [
        "@oncall changed the status from investigating to identified",
        "@oncall posted an update: It crash-loops",
    ]


async def test_an_update_stays_as_posted(walk: Walk) -> None:
    channel = await walk.declare()
    await update(walk, channel)
    before = posted(walk, channel)

    await walk.say("oncall", "/incident severity sev2", channel)

    assert posted(walk, channel) == before
    assert before[0].lines[0] == "🚨 [SEV-1] Order Service Issue"


async def test_the_form_begins_with_facts(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident note the queue is growing", channel)

    await walk.say("oncall", "/incident update", channel)

    fields = walk.form().fields
    assert {name: field.label for name, field in fields.items()} == {
        "status": "Status",
        "impact": "Impact: what do users notice?",
        "current": "What is happening",
        "minutes": "Next update in (minutes)",
    }
    assert {name: field.value for name, field in fields.items()} == {
        "status": "Investigating",
        "impact": "",
        "current": "- 10:00 UTC: the queue is growing",
        "minutes": "15",
    }
    assert fields["minutes"].hint == "From 5 to 30."


async def test_the_form_keeps_the_impact(walk: Walk) -> None:
    channel = await walk.declare()
    await update(walk, channel, impact="Nobody can buy")

    await walk.say("second", "/incident update", channel)

    fields = walk.form("second").fields
    assert (fields["impact"].value, fields["current"].value) == ("Nobody can buy", "")
    assert fields["status"].value == "Identified"


async def test_the_form_tells_the_last_look(walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "pods", channel)
    await kube.scenario("crash-loop")
    await walk.press_step("oncall", "pods", channel)

    await walk.say("oncall", "/incident update", channel)

    assert happening(walk) == [f"- 10:00 UTC: Pods: {CRASHING}"]


async def test_a_result_is_one_line(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "logs", channel)
    counts, error, _ = walk.step(channel, "logs").lines

    await walk.say("oncall", "/incident update", channel)

    assert happening(walk) == [f"- 10:00 UTC: Logs: {counts.removeprefix(':warning: ')} · {error}"]


async def test_facts_are_fresh_and_dated(walk: Walk, broken: Cluster, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "pods", channel)
    await walk.say("oncall", "/incident note orders\ncome in again", channel)
    await walk.press_step("second", "alert-team", channel)
    await walk.ask_for_rollback(channel)
    clock.forward(minutes=7)
    await walk.press("second", action_ids.APPROVE, channel)

    await walk.say("oncall", "/incident update", channel)
    before_reading = happening(walk)
    clock.forward(minutes=1)
    await walk.press_step("oncall", "pods", channel)
    await walk.say("oncall", "/incident update", channel)

    assert before_reading == [
        f"- 10:07 UTC: {TO_V231}: done and checked",
        "- 10:00 UTC: Alert team: done by hand",
        "- 10:00 UTC: orders · come in again",
    ]
    assert happening(walk) == ["- 10:08 UTC: Pods: 3 of 3 ready", *before_reading]


async def test_a_list_begins_its_own_line(walk: Walk) -> None:
    channel = await walk.declare()

    await update(walk, channel, current="- one\n- two")

    [post] = posted(walk, channel)
    assert post.lines[4:7] == ("Current Status: ", "• one", "• two")
    latest = "Latest update by @oncall, 2026-11-24 10:00 UTC: "
    assert announced(walk)[1:] == (latest, "• one", "• two")


async def test_times_are_the_readers_own(walk: Walk, clock: Clock) -> None:
    channel = await walk.declare()
    facts = "- 09:58 UTC: Pods: <0> of 3\n- 23:10 UTC, 2026-11-23 10:00 UTC and 24:00 UTC"

    await update(walk, channel, impact="None since 09:59 UTC", current=facts)

    day = clock.time.replace(hour=0, minute=0, second=0, microsecond=0)
    at_9_58, at_9_59 = (_local(day + timedelta(hours=9, minutes=each)) for each in (58, 59))
    before = _local(day - timedelta(minutes=50))
    shown = f"• {at_9_58}: Pods: &lt;0&gt; of 3\n• {before}, 2026-11-23 10:00 UTC and 24:00 UTC"
    [post] = [each for each in _mrkdwn(walk, channel) if "*Current Status:*" in each]
    assert f"*Impact:* None since {at_9_59}\n" in post
    assert f"*Current Status:* \n{shown}\n" in post
    [announcement] = [each for each in _mrkdwn(walk, "incidents") if "*Latest update*" in each]
    assert announcement.endswith(f": \n{shown}")
    [card] = [each for each in _mrkdwn(walk, channel) if "*Last update:*" in each]
    assert f"{at_9_58}: Pods: &lt;0&gt; of 3 · {before}, " in card


def _local(at: datetime) -> str:
    return f"<!date^{int(at.timestamp())}^{{time}}|{at:%H:%M} UTC>"


def _mrkdwn(walk: Walk, channel: str) -> list[str]:
    """The sections of a channel's messages, as they were sent."""
    return [
        block["text"]["text"]
        for message in walk.slack.messages(channel, "oncall")
        for block in message.get("blocks", [])
        if block["type"] == "section" and "text" in block
    ]


async def test_words_replace_the_facts(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident note the queue is growing", channel)

    await walk.say("oncall", "/incident update users cannot buy", channel)

    assert happening(walk) == ["users cannot buy"]


@pytest.mark.parametrize("field", ["impact", "current"])
async def test_blank_fields_are_refused(walk: Walk, field: str) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident update", channel)
    words = {"status": "identified", "impact": "all", "current": "looking"} | {field: " "}

    errors = await walk.submit_refused("oncall", **words)

    assert list(errors) == [field]
    assert posted(walk, channel) == []


async def test_update_after_end_is_refused(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident update", channel)
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="It is over")

    await walk.submit("oncall", status="identified", impact="all", current="looking")

    assert walk.answer("oncall").startswith("INC-1 is resolved. Nothing was done.")
    assert posted(walk, channel) == []


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (Failure.NOT_DONE, "not done"),
        (Failure.CHECK_FAILED, "done, but the check failed"),
        (Failure.OVERTAKEN, "did not last"),
        (None, "failed"),  # an older version wrote it
    ],
)
def test_what_became_of_a_change_is_a_fact(failure: Failure | None, words: str) -> None:
    detail = Failed(outcome="Why", failure=failure)
    entry = Entry(
        id=EntryId(1),
        incident_id=IncidentId(1),
        at=datetime(2026, 11, 24, 10, 7, tzinfo=UTC),
        kind=EntryKind.FAILED,
        by=None,
        text="Restart",
        detail=detail,
        source=None,
    )

    shown = text.render_unescaped("draft_fact", entry=entry, detail=detail)

    assert shown == f"10:07 UTC: Restart: {words} · Why"
