"""Approvers are reminded at half of a request's time, and where nobody can approve, it is said."""

import asyncio
from pathlib import Path

import pytest

from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.rollbacks import DONE, WAITS, asked, broken
from tests.test_policy import add_line

__all__ = ["asked", "broken"]

GROUP = "order-service-approvers"
ADD = "Add {who} to that user group in Slack, and they can approve this at once"
REMINDER = (
    f":bell: @{GROUP} Half of its time is over: it still waits for approval, and expires "
    "2026-11-24 10:10 UTC (2026-11-24 10:10 UTC). Approve or deny it above."
)


def replies(walk: Walk, channel: str) -> list[str]:
    """What is said in the request's thread."""
    return [reply.text for reply in walk.execution(channel).thread]


async def test_approvers_are_reminded_at_half_time(
    walk: Walk, bot: Bot, clock: Clock, asked: str, given: Settings
) -> None:
    notified = len(walk.slack.notifications("lead"))
    clock.forward(minutes=4.9)
    await bot.tick()
    assert replies(walk, asked) == []

    clock.forward(minutes=0.2)
    async with start_bot(given, clock) as other:
        await asyncio.gather(*(replica.tick() for replica in (bot, other) * 3))

    assert replies(walk, asked) == [REMINDER]
    assert len(walk.slack.notifications("lead")) == notified + 1
    reminded = [entry for entry in await walk.timeline(asked) if "missing approval" in entry]
    assert reminded == ["the clock sent a reminder of the missing approval: Roll back"]
    assert walk.execution(asked).buttons == ("Approve", "Deny…", "Withdraw…")
    await walk.press("second", action_ids.APPROVE, asked)
    assert walk.execution(asked).state == DONE
    assert replies(walk, asked)[0] == REMINDER


async def test_what_is_decided_is_not_reminded(
    walk: Walk, bot: Bot, clock: Clock, asked: str
) -> None:
    await walk.press("second", action_ids.DENY, asked)
    await walk.submit("second", reason="Not now")
    before = replies(walk, asked)
    clock.forward(minutes=6)
    await bot.tick()
    assert replies(walk, asked) == before

    await walk.ask_for_rollback(asked)
    clock.forward(minutes=11)  # nobody ticked at half of its time
    await bot.tick()
    assert walk.execution(asked).state == "Expired"
    assert not any("Half of its time" in reply for reply in replies(walk, asked))


def leave_alone(slack: Slack, case: str) -> None:
    """Leave a request of oncall without anybody who can approve it."""
    match case:
        case "empty":
            slack.set_group(GROUP)
        case "deactivated":
            slack.set_group(GROUP, "second", "lead")
            slack.user("second").deactivated = True
            slack.user("lead").kind = "guest"
        case "alone":
            slack.user("second").deactivated = True
            slack.set_group(GROUP, "oncall", "second")
        case "unknown":
            group = next(each for each in slack.workspace.groups.values() if each.handle == GROUP)
            group.handle = "other-approvers"


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("empty", f"the approvers @{GROUP} have no member. {ADD.format(who='somebody')}."),
        (
            "deactivated",
            f"all approvers @{GROUP} are deactivated, guests, bots or people of other workspaces. "
            f"{ADD.format(who='somebody')}.",
        ),
        (
            "alone",
            "the only approver requested it, and nobody approves their own request. "
            f"{ADD.format(who='another person')}. Or withdraw it and have somebody else request "
            "it, so that @oncall can approve.",
        ),
        (
            "unknown",
            f"RUNBOLT_CONFIG names the user group {GROUP}, which this workspace does not have. "
            "Correct the file, or list people under users.",
        ),
    ],
)
async def test_nobody_can_approve(
    walk: Walk, bot: Bot, clock: Clock, broken: Cluster, case: str, why: str
) -> None:
    channel = await walk.declare()
    leave_alone(walk.slack, case)
    notified = len(walk.slack.notifications("oncall"))

    await walk.ask_for_rollback(channel)

    request = walk.execution(channel)
    at_once = f":rotating_light: @oncall Nobody can approve this: {why}"
    assert request.notes == (
        f":rotating_light: Nobody can approve this (as of 2026-11-24 10:00 UTC): {why}",
    )
    assert replies(walk, channel) == [at_once]
    cannot = " · :rotating_light: it cannot get its approvals, the request says why"
    assert walk.card(channel)["Waits for approval"].endswith(cannot)
    assert walk.slack.notifications("oncall")[-1]["text"].startswith(":rotating_light: <@")
    assert len(walk.slack.notifications("oncall")) > notified

    clock.forward(minutes=5.1)
    await bot.tick()
    assert replies(walk, channel) == [
        at_once,
        ":rotating_light: @oncall Half of its time is over, it expires 2026-11-24 10:10 UTC, and "
        f"nobody can approve it: {why}",
    ]

    walk.slack.set_group(walk.slack.workspace.groups["S0AAPR0V3RS"].handle, "outsider")
    if case != "unknown":
        await walk.press("outsider", action_ids.APPROVE, channel)
        assert walk.execution(channel).state == DONE


async def test_too_few_can_approve(
    slack: Slack, given: Settings, clock: Clock, team: Path, broken: Cluster
) -> None:
    add_line(team, "policy: {approvals: {destructive: 3}}")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare()
        await walk.ask_for_rollback(channel)

        assert (
            walk.execution(channel)
            .notes[0]
            .endswith(
                "it needs 3 people, and only 2 of the approvers can approve it. "
                f"{ADD.format(who='more people')}."
            )
        )
        slack.set_group(GROUP, "oncall", "second", "lead", "outsider")
        clock.forward(minutes=5.1)
        await bot.tick()
        assert walk.execution(channel).notes == ()
        assert replies(walk, channel)[-1] == REMINDER


async def test_who_approved_and_left_counts(
    slack: Slack, given: Settings, clock: Clock, team: Path, broken: Cluster
) -> None:
    add_line(team, "policy: {approvals: {destructive: 2}}")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare()
        await walk.ask_for_rollback(channel)
        await walk.press("second", action_ids.APPROVE, channel)
        slack.set_group(GROUP, "oncall", "lead")

        clock.forward(minutes=5.1)
        await bot.tick()
        assert walk.execution(channel).notes == ()

        slack.join("lead", channel)
        await walk.press("lead", action_ids.APPROVE, channel)
        assert walk.execution(channel).state == DONE


async def test_a_silent_slack_is_no_shortage(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    walk.slack.fail("usergroups.list", error="ratelimited", times=None)

    await walk.ask_for_rollback(channel)

    assert walk.execution(channel).state == WAITS
    assert walk.execution(channel).notes == ()
    assert replies(walk, channel) == []
