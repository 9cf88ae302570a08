"""Breaking the glass: only the commander, only after nobody answered, once, and loudly."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from bot import flows
from bot.model import AloneChoice, Availability, ExecutionId, UserId
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk
from tests.raw_payloads import send_changed
from tests.rollbacks import DONE, TO_V231, WAITS, broken, patches
from tests.test_policy import add_line, stored

__all__ = ["broken"]

REASON = "Every order fails, and nobody answers the pager"
OFF = "The policy lets nobody break the glass for this. Nothing was done."
NOT_COMMANDER = "Only the incident commander can break the glass. Nothing was done."
OWN = (
    "You requested this yourself, so you cannot break the glass for it. Nothing was done; somebody "
    "else has to be in command, or to request it."
)


@pytest.fixture
def glass() -> str:
    """The policy about breaking the glass."""
    return "{after: 6 min, announce: {groups: [order-service-responders]}}"


@pytest.fixture
def more() -> str:
    """What else the policy says."""
    return ""


@pytest.fixture
def team(team: Path, glass: str, more: str) -> Path:
    """What the team decided."""
    add_line(team, f"policy: {{break_glass: {glass}{more}}}")
    return team


@pytest.fixture
async def asked(walk: Walk, broken: Cluster) -> str:
    """An incident that the lead commands, in which the on-call engineer asked for the rollback."""
    channel = await walk.declare()
    walk.slack.join("lead", channel)
    await walk.press("lead", action_ids.TAKE_COMMAND, channel)
    await walk.ask_for_rollback(channel)
    return channel


async def break_glass(walk: Walk, channel: str, who: str = "lead") -> None:
    """Press the button, and send the form where it opens."""
    before = len(walk.slack.views(who))
    await walk.press(who, action_ids.BREAK_GLASS, channel, "1")
    if len(walk.slack.views(who)) > before:
        await walk.submit(who, reason=REASON)


async def test_the_commander_breaks_the_glass(
    walk: Walk, bot: Bot, clock: Clock, broken: Cluster, asked: str
) -> None:
    assert walk.execution(asked).notes[0] == (
        "If no approver answers until 2026-11-24 10:06 UTC, the incident commander can break the "
        "glass."
    )
    digest = (await stored(bot)).plan_digest
    clock.forward(minutes=6)

    await break_glass(walk, asked)

    request = walk.execution(asked)
    assert (request.state, patches(broken), request.approvals) == (DONE, 1, ())
    assert (await stored(bot)).plan_digest == digest
    assert request.warnings == (
        f":red_circle: Nobody approved this. @lead broke the glass 2026-11-24 10:06 UTC: {REASON}",
    )
    assert request.plan["Approval"] == "broken glass, in place of what the policy asks"


async def test_everybody_is_told(walk: Walk, clock: Clock, broken: Cluster, asked: str) -> None:
    clock.forward(minutes=6)
    await break_glass(walk, asked)

    words = (
        f"@lead broke the glass: “{TO_V231}” runs though nobody has approved it. Requested by "
        "@oncall; no approver answered since 2026-11-24 10:00 UTC."
    )
    called = ":rotating_light: @order-service-approvers @order-service-responders"
    here = [post.lines for post in walk.posts(asked) if "broke the glass:" in post.text]
    assert here == [(f"{called} {words}", f">{REASON}")]
    announced = [
        post.lines for post in walk.posts("incidents", "lead") if "broke the glass" in post.text
    ]
    assert announced == [(f"{called} {walk_heading(walk, asked)}", words, f">{REASON}")]
    [line] = [line for line in await walk.timeline(asked) if "broke the glass" in line]
    assert line.endswith(
        f"broke the glass, though nobody had approved this: {TO_V231} (requested by @oncall; "
        f"reason: {REASON})"
    )


def walk_heading(walk: Walk, channel: str) -> str:
    """The heading of the incident's card."""
    card = walk.card(channel)
    return " · ".join((f"{card['Colour']} {card['Severity']}", card["Name"], card["Title"]))


async def test_the_review_is_shown_until_done(
    walk: Walk, clock: Clock, broken: Cluster, asked: str
) -> None:
    clock.forward(minutes=6)
    await break_glass(walk, asked)
    shown = (
        ":red_circle: Roll back ran without approval: @lead, 2026-11-24 10:06 UTC, requested by "
        f"@oncall · {REASON} · not reviewed yet"
    )
    assert walk.card(asked)["Glass broken"] == shown

    await walk.say("oncall", "/incident resolve", asked)
    await walk.submit("oncall", resolution="Rolled back")

    assert walk.card(asked)["Glass broken"] == shown
    [review] = [task for task in walk.tasks(asked) if task.title.startswith("Review why")]
    assert review.title == "Review why the glass was broken: Roll back (request 1)"
    [number] = await reviews(walk)
    await walk.press("lead", action_ids.TASK_DONE, asked, str(number))
    assert "Glass broken" not in walk.card(asked)


async def reviews(walk: Walk) -> list[int]:
    """The numbers of the tasks to review a broken glass."""
    async with walk.bot.world.pool.connection() as conn:
        cursor = await conn.execute("SELECT id FROM tasks WHERE title LIKE 'Review why%'")
        return [row[0] for row in await cursor.fetchall()]


Prepare = Callable[[Walk, Clock, str], Awaitable[None]]


async def too_early(walk: Walk, clock: Clock, channel: str) -> None:
    clock.forward(seconds=359)


async def appointed_now(walk: Walk, clock: Clock, channel: str) -> None:
    clock.forward(minutes=6)
    await walk.say("oncall", "/incident role ic @second", channel)
    await walk.say("oncall", "/incident role ic @lead", channel)


async def deposed(walk: Walk, clock: Clock, channel: str) -> None:
    clock.forward(minutes=6)
    await walk.say("oncall", "/incident role ic @second", channel)


async def lowered(walk: Walk, clock: Clock, channel: str) -> None:
    clock.forward(minutes=6)
    await walk.say("oncall", "/incident severity sev2", channel)


async def resolved(walk: Walk, clock: Clock, channel: str) -> None:
    clock.forward(minutes=6)
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="It is gone")


async def expired(walk: Walk, clock: Clock, channel: str) -> None:
    clock.forward(minutes=10)


async def swept(walk: Walk, clock: Clock, channel: str) -> None:
    clock.forward(minutes=10)
    await walk.bot.tick()


async def denied(walk: Walk, clock: Clock, channel: str) -> None:
    await walk.press("second", action_ids.DENY, channel)
    await walk.submit("second", reason="No")
    clock.forward(minutes=6)


async def a_guest(walk: Walk, clock: Clock, channel: str) -> None:
    clock.forward(minutes=6)
    walk.slack.user("lead").kind = "guest"


@pytest.mark.parametrize(
    ("prepare", "answer"),
    [
        (
            too_early,
            "The glass can be broken at 10:06:00 UTC, if no approver answers until then and you "
            "are still in command. Nothing was done; call the approvers.",
        ),
        (
            appointed_now,
            "The glass can be broken at 10:12:00 UTC, if no approver answers until then and you "
            "are still in command. Nothing was done; call the approvers.",
        ),
        (deposed, NOT_COMMANDER),
        (
            lowered,
            "The glass can be broken only in a SEV-1, and INC-1 is SEV-2. Nothing was done.",
        ),
        (resolved, "INC-1 is resolved"),
        (expired, "This request has expired. Nothing was done; request it again."),
        (swept, "This request has expired. Nothing was done."),
        (denied, "Already denied by @second. Nothing was done."),
        (a_guest, "Guests may not do this. Nothing was done; ask a full member."),
    ],
)
@pytest.mark.parametrize("is_form_open", [False, True], ids=["button", "form"])
async def test_who_may_not_is_refused(
    walk: Walk,
    clock: Clock,
    broken: Cluster,
    asked: str,
    prepare: Prepare,
    answer: str,
    is_form_open: bool,
) -> None:
    if is_form_open:
        clock.forward(minutes=6)
    pressed = await walk.press("lead", action_ids.BREAK_GLASS, asked, "1")
    if is_form_open:
        clock.forward(minutes=-6)
    before = patches(broken)
    await prepare(walk, clock, asked)

    if is_form_open:
        await walk.submit("lead", reason=REASON)
    else:  # an old button, which Slack may still show
        await send_changed(walk, pressed, trigger_id="1.2")

    assert walk.answer("lead").startswith(answer)
    assert (patches(broken), (await stored(walk.bot)).broken_glass) == (before, None)


async def test_an_approval_is_an_answer(
    walk: Walk, clock: Clock, broken: Cluster, asked: str
) -> None:
    async with walk.bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET approvals_needed = 2")
    clock.forward(minutes=3)
    await walk.press("second", action_ids.APPROVE, asked)
    assert walk.execution(asked).state == WAITS
    clock.forward(minutes=3)

    await break_glass(walk, asked)
    assert walk.answer("lead").startswith("The glass can be broken at 10:09:00 UTC")

    clock.forward(minutes=3)
    await break_glass(walk, asked)
    assert (walk.execution(asked).state, patches(broken)) == (DONE, 1)


async def test_who_is_alone_on_call_waits_for_nobody(
    walk: Walk, clock: Clock, broken: Cluster, asked: str
) -> None:
    alone = Availability(at=clock.time, alone=AloneChoice.BREAK_GLASS)
    async with walk.bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET available = %s", [alone.model_dump_json()])

    await break_glass(walk, asked)

    assert (walk.execution(asked).state, patches(broken)) == (DONE, 1)


async def test_a_denial_counts_when_asked_again(
    walk: Walk, clock: Clock, broken: Cluster, asked: str
) -> None:
    await denied(walk, clock, asked)
    await walk.ask_for_rollback(asked)
    clock.forward(minutes=6)

    await walk.press("lead", action_ids.BREAK_GLASS, asked, "2")

    assert walk.answer("lead") == (
        "An approver has denied this change in this incident, and that is an answer. Nothing was "
        "done; talk to them."
    )
    assert patches(broken) == 0


async def test_two_forms_run_it_once(walk: Walk, clock: Clock, broken: Cluster, asked: str) -> None:
    clock.forward(minutes=6)
    pressed = await walk.press("lead", action_ids.BREAK_GLASS, asked, "1")
    sent = await walk.submit("lead", reason=REASON)
    again = {**sent.payload["view"], "id": "V0AN0THER", "hash": "another"}

    await asyncio.gather(
        send_changed(walk, sent, view=again, trigger_id="1.2"),
        send_changed(walk, pressed, trigger_id="1.3"),
    )

    assert patches(broken) == 1
    assert len([line for line in await walk.timeline(asked) if "though nobody" in line]) == 1
    refusal = "@lead broke the glass for this at 2026-11-24 10:06:00 UTC. Nothing was done."
    told = [line for line in await walk.timeline(asked) if refusal in line]
    assert len(told) == 2


async def test_two_sent_at_once_run_it_once(
    walk: Walk, clock: Clock, broken: Cluster, asked: str
) -> None:
    clock.forward(minutes=6)
    flow = flows.break_glass.break_glass
    lead, number = UserId(walk.slack.user("lead").id), ExecutionId(1)

    results = await asyncio.gather(
        *(flow(walk.bot.world, number, REASON, by=lead) for _ in range(5)), return_exceptions=True
    )
    await walk.bot.drain()

    assert [result for result in results if result is None] == [None]
    assert patches(broken) == 1
    assert len(await reviews(walk)) == 1


async def test_an_approval_and_the_glass_run_it_once(
    walk: Walk, clock: Clock, broken: Cluster, asked: str
) -> None:
    clock.forward(minutes=6)
    await walk.press("lead", action_ids.BREAK_GLASS, asked, "1")

    await asyncio.gather(
        walk.submit("lead", reason=REASON), walk.press("second", action_ids.APPROVE, asked)
    )

    assert (walk.execution(asked).state, patches(broken)) == (DONE, 1)


async def test_drift_stops_it(walk: Walk, clock: Clock, broken: Cluster, asked: str) -> None:
    clock.forward(minutes=6)
    broken.deploy("registry.example/order-service:v2.5.0")

    await break_glass(walk, asked)

    assert (walk.execution(asked).state, patches(broken)) == ("Not done", 0)


async def test_a_reason_must_be_typed(
    walk: Walk, clock: Clock, broken: Cluster, asked: str
) -> None:
    clock.forward(minutes=6)
    await walk.press("lead", action_ids.BREAK_GLASS, asked, "1")

    refused = await walk.submit_refused("lead", reason="   ")

    assert refused == {"reason": "Please complete this required field."}
    assert patches(broken) == 0


@pytest.mark.parametrize(
    ("glass", "is_done"),
    [
        ("{after: 6 min, announce: {groups: [order-service-responders]}}", False),
        (
            "{after: 6 min, announce: {groups: [order-service-responders]}, own_requests: true}",
            True,
        ),
    ],
)
async def test_ones_own_request_needs_a_setting(
    walk: Walk, clock: Clock, broken: Cluster, glass: str, is_done: bool
) -> None:
    channel = await walk.declare()
    await walk.press("oncall", action_ids.TAKE_COMMAND, channel)
    await walk.ask_for_rollback(channel)
    clock.forward(minutes=6)

    await break_glass(walk, channel, "oncall")

    assert patches(broken) == is_done
    assert (walk.answer("oncall") == OWN) is not is_done


@pytest.mark.parametrize(
    "more",
    [", freezes: [{from: 2026-11-24 10:00, until: 2026-11-24 12:00, reason: Holidays}]"],
)
async def test_a_freeze_is_not_skipped_silently(
    walk: Walk, clock: Clock, broken: Cluster, asked: str, more: str
) -> None:
    clock.forward(minutes=6)
    await walk.press("lead", action_ids.BREAK_GLASS, asked, "1")
    during = "during the freeze “Holidays” until 2026-11-24 12:00 UTC"
    assert f":snowflake: You break it {during}." in walk.form("lead").text

    await walk.submit("lead", reason=REASON)

    assert patches(broken) == 1
    assert f"no approver answered since 2026-11-24 10:00 UTC; {during}." in walk.read(
        walk.text(asked)
    )


@pytest.mark.parametrize("glass", ["null"])
async def test_it_is_off_by_default(
    walk: Walk, clock: Clock, broken: Cluster, asked: str, glass: str
) -> None:
    assert "Break glass…" not in walk.execution(asked).buttons
    clock.forward(minutes=6)
    pressed = await walk.press("lead", action_ids.TAKE_COMMAND, asked)
    action = {**pressed.payload["actions"][0], "action_id": action_ids.BREAK_GLASS, "value": "1"}

    await send_changed(walk, pressed, actions=[action], trigger_id="1.2")

    assert (walk.answer("lead"), patches(broken)) == (OFF, 0)
