"""Nobody has to look: approvers are called and invited, and whoever waited is told how it ended."""

import re

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk
from tests.refusals import not_an_approver
from tests.rollbacks import DONE, TO_V231, WAITS, asked, broken

__all__ = ["asked", "broken"]

RUNS_V231 = "order-service runs image v2.3.1: 3 of 3 ready, no restarts for 0.4 s"
DRIFTED = "Changed since this plan was made: annotations tickettoken.com/touched-at, by kubectl"
PEOPLE = ("oncall", "second", "lead", "outsider")


def notices(walk: Walk, channel: str) -> list[str]:
    """What is said in the first request's thread to those who waited."""
    thread = walk.executions(channel)[0].thread
    return [reply.text for reply in thread if reply.heading.startswith(":")]


def told(walk: Walk, words: str) -> list[str]:
    """Whom Slack notified of a message with these words."""
    notes = {who: walk.slack.notifications(who) for who in PEOPLE}
    return [who for who in PEOPLE for note in notes[who] if words in note["text"]]


@pytest.mark.usefixtures("broken")
async def test_approvers_are_invited_once(walk: Walk) -> None:
    walk.slack.set_group("order-service-approvers", "lead", "outsider")  # who is no responder
    channel = await walk.declare()
    assert not is_in(walk, channel, "outsider")

    await walk.ask_for_rollback(channel)

    assert walk.execution(channel).outcome == (
        "by somebody else from the approvers @order-service-approvers, until 2026-11-24 10:10 UTC "
        "(2026-11-24 10:10 UTC)"
    )
    assert told(walk, "Waits for approval") == ["oncall", "lead", "outsider"]
    assert is_in(walk, channel, "outsider")

    invitations = len(walk.calls("conversations.invite"))
    await walk.press("lead", action_ids.DENY, channel)
    await walk.submit("lead", reason="Not now")
    await walk.ask_for_rollback(channel)
    assert len(walk.calls("conversations.invite")) == invitations


def is_in(walk: Walk, channel: str, who: str) -> bool:
    """Whether somebody is a member of a channel."""
    return walk.slack.user(who).id in walk.slack.workspace.channel(channel).members


@pytest.mark.parametrize("method", ["conversations.invite", "usergroups.list"])
@pytest.mark.usefixtures("broken")
async def test_failed_invitations_stop_nothing(walk: Walk, method: str) -> None:
    channel = await walk.declare()
    walk.slack.fail(method, error="restricted_action", times=1)

    await walk.ask_for_rollback(channel)
    assert walk.execution(channel).state == WAITS
    await walk.press("second", action_ids.APPROVE, channel)

    assert walk.execution(channel).state == DONE


async def test_both_are_told_of_success(walk: Walk, asked: str, bot: Bot) -> None:
    await walk.press("second", action_ids.APPROVE, asked)
    await walk.press("oncall", action_ids.UNDO, asked)

    notice = f":white_check_mark: @oncall @second {DONE}: {RUNS_V231}"
    assert notices(walk, asked) == [notice]
    assert told(walk, "Done and checked: order-service runs") == ["oncall", "second"]

    await bot.tick()
    assert notices(walk, asked) == [notice]


async def test_a_denial_is_told(walk: Walk, asked: str) -> None:
    await walk.press("lead", action_ids.DENY, asked)
    await walk.submit("lead", reason="A fix is on its way")

    assert notices(walk, asked) == [
        ":no_entry: @oncall Denied by @lead, nothing was done: A fix is on its way"
    ]
    assert told(walk, "A fix is on its way") == ["oncall", "lead"]


async def test_an_expiry_is_told(walk: Walk, asked: str, bot: Bot, clock: Clock) -> None:
    clock.forward(minutes=11)
    await bot.tick()

    assert notices(walk, asked) == [
        ":hourglass: @oncall Expired before enough people approved it. Nothing was done. If you "
        "still need it, request it again."
    ]
    assert told(walk, "Expired before enough people") == ["oncall"]


async def test_both_are_told_of_failure(walk: Walk, asked: str, kube: Cluster) -> None:
    kube.change_template()

    await walk.press("second", action_ids.APPROVE, asked)

    [notice] = notices(walk, asked)
    assert notice.startswith(f":x: @oncall @second Not done: {DRIFTED}")
    assert told(walk, "Not done: Changed since this plan was made") == ["oncall", "second"]


@pytest.mark.parametrize("press", [action_ids.APPROVE, action_ids.DENY])
async def test_the_decided_plan_is_kept(walk: Walk, asked: str, press: str) -> None:
    waiting = walk.execution(asked)
    assert [line for line in waiting.diff.splitlines() if "image:" in line] == [
        "-    image: ghcr.io/tickettoken/order-service:v2.4.0",
        "+    image: ghcr.io/tickettoken/order-service:v2.3.1",
    ]
    assert waiting.thread == ()

    await walk.press("second", press, asked)
    if press == action_ids.DENY:
        await walk.submit("second", reason="Not now")

    decided = walk.execution(asked)
    [(heading, *diff)] = [
        reply.lines for reply in decided.thread if "as people decided on it" in reply.heading
    ]
    assert re.fullmatch(
        f"Plan [0-9a-f]{{12}}, as people decided on it: {re.escape(TO_V231)}", heading
    )
    assert "\n".join(diff) == waiting.diff
    assert (decided.loss, decided.diff) == ("", "")
    assert decided.plan == {**waiting.plan, "Effect": waiting.loss}

    await walk.say("oncall", "/incident note Still there", asked)
    assert walk.execution(asked) == decided


async def test_an_interruption_is_told(walk: Walk, asked: str, bot: Bot, clock: Clock) -> None:
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'running', heartbeat_at = %s", [clock()])
    clock.forward(seconds=31)
    await bot.tick()
    assert told(walk, "the bot does not know how far it got") == ["oncall"]

    await walk.press("oncall", action_ids.CHECK_INTERRUPTED, asked)

    assert told(walk, "Not done: ") == ["oncall"]
    assert notices(walk, asked) == [
        ":grey_question: @oncall For a while it was not known what had happened. Below is the "
        "outcome.",
        ":x: @oncall Not done: The rollback was not done: order-service runs image v2.4.0.",
    ]


async def test_steps_show_what_was_done(walk: Walk, asked: str) -> None:
    await walk.press("second", action_ids.APPROVE, asked)
    await walk.press_step("oncall", "rolling-restart", asked)
    await walk.submit("oncall", reason="Once more")
    await walk.ask_for_rollback(asked)
    await walk.say("second", "/incident resolve", asked)
    await walk.submit("second", resolution="Rolled back")

    assert walk.step(asked, "Roll back").lines == (
        f":white_check_mark: {RUNS_V231} · @oncall, 2026-11-24 10:00 UTC",
    )
    assert walk.step(asked, "Rolling restart").lines == (
        ":heavy_minus_sign: Not done: the incident was resolved first",
    )


async def test_resolving_names_lost_undos(walk: Walk, asked: str) -> None:
    assert await resolve_form(walk, asked) == [
        ":heavy_minus_sign: Void after this: Roll back, requested 2026-11-24 10:00 UTC by @oncall."
    ]
    await walk.press("second", action_ids.APPROVE, asked)

    assert await resolve_form(walk, asked) == [
        ":leftwards_arrow_with_hook: After this you cannot undo: Roll back of 2026-11-24 10:00 UTC "
        "(an approver without a new approval until 2026-11-24 10:15 UTC, if nobody has changed its "
        "target). To undo one, cancel this form first."
    ]

    await walk.press("second", action_ids.UNDO, asked)
    lost, warning, *_ = await resolve_form(walk, asked)
    assert lost == (
        ":leftwards_arrow_with_hook: After this you cannot undo: Undo: Roll back of 2026-11-24 "
        "10:00 UTC. To undo one, cancel this form first."
    )
    assert warning == ":warning: The check failed after:"


async def test_resolving_names_what_runs(walk: Walk, asked: str, bot: Bot) -> None:
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'running', heartbeat_at = now()")

    assert await resolve_form(walk, asked) == [
        ":arrows_counterclockwise: Running now: Roll back. You cannot resolve the incident before "
        "that has ended."
    ]


async def resolve_form(walk: Walk, channel: str) -> list[str]:
    """What the form to resolve says below its first sentence."""
    await walk.say("lead", "/incident resolve", channel)
    return walk.form("lead").text.splitlines()[1:]


async def test_approving_asks_with_warnings(walk: Walk, asked: str) -> None:
    await walk.press_step("oncall", "delete-pods", asked)
    await walk.submit("oncall", reason="They hang")

    questions = [
        button.element["confirm"]["text"]["text"]
        for button in walk.slack.find_buttons(action_ids.APPROVE, asked, "second")
    ]
    assert [re.sub("order-service-[a-z0-9-]+", "POD", question) for question in questions] == [
        f"No capacity is lost: 3 pods are replaced; none stops before its successor is ready.\n"
        f"{TO_V231}",
        "No capacity is lost: none of these 3 pods is ready.\n"
        "Delete 3 pods of app=order-service at once: POD, POD, POD\n"
        ":warning: A rolling restart does the same without losing capacity.",
    ]


async def test_outsiders_are_not_asked(walk: Walk, asked: str) -> None:
    walk.slack.join("outsider", asked)

    await walk.press("outsider", action_ids.DENY, asked)

    assert walk.slack.views("outsider") == []
    refusal = not_an_approver("denied", "second", "lead")
    assert walk.answers("outsider", asked) == [refusal]
    assert (await walk.timeline(asked))[
        -1
    ] == f"@outsider was refused: {TO_V231} (answer: “{refusal}”)"


async def test_new_approvers_may_deny(walk: Walk, asked: str) -> None:
    walk.slack.join("outsider", asked)
    walk.slack.set_group("order-service-approvers", "outsider")

    await walk.press("outsider", action_ids.DENY, asked)
    await walk.submit("outsider", reason="Not now")

    denied = walk.execution(asked)
    assert (denied.state, denied.outcome) == ("Denied", "by @outsider: Not now")


async def test_whoever_asked_withdraws(walk: Walk, asked: str) -> None:
    await walk.press("oncall", action_ids.DENY, asked)
    await walk.submit("oncall", reason="It heals by itself")

    withdrawn = walk.execution(asked)
    assert (withdrawn.state, withdrawn.outcome) == ("Withdrawn", "by @oncall: It heals by itself")
    assert notices(walk, asked) == []
    entry = f"@oncall withdrew: {TO_V231} (reason: It heals by itself)"
    assert (await walk.timeline(asked))[-1] == entry
