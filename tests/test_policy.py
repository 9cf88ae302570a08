"""What a change needs is decided once and stored: how many approve it, who, until when, and why."""

import logging
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Literal, get_args

import pytest

from bot import store
from bot.model import (
    Approval,
    ApprovalReason,
    Execution,
    ExecutionId,
    Requirement,
    Severity,
    UserError,
    UserId,
)
from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.raw_payloads import send_changed
from tests.refusals import not_an_approver
from tests.rollbacks import DONE, WAITS, asked, broken, done, patches

__all__ = ["asked", "broken", "done"]

NO_APPROVER = not_an_approver("approved", "second", "lead")
GROUP = "order-service-approvers"
Kind = Literal["guest", "stranger"]


async def stored(bot: Bot, number: int = 1) -> Execution:
    """A request as it is in the database."""
    async with bot.world.pool.connection() as conn:
        execution = await store.executions.get(conn, ExecutionId(number))
    assert execution is not None
    return execution


def add_line(team: Path, line: str) -> int:
    """Add a line to the team's configuration; returns its number."""
    text = team.read_text()
    team.write_text(f"{text}{line}\n")
    return len(text.splitlines()) + 1


def move_handle(slack: Slack, *members: str) -> str:
    """Give the approvers' handle to a new group; the old one keeps its members. Returns its id."""
    groups = slack.workspace.groups
    old = next(group for group in groups.values() if group.handle == GROUP)
    new = replace(old, id="S0NEWGR0UP", members=[slack.user(name).id for name in members])
    old.handle = "former-approvers"
    groups[new.id] = new
    return new.id


async def test_the_decision_is_stored(walk: Walk, bot: Bot, clock: Clock, asked: str) -> None:
    oncall, second = (UserId(walk.slack.user(who).id) for who in ("oncall", "second"))
    request = await stored(bot)
    assert request.requirement == Requirement(
        approvals=1,
        groups=(GROUP,),
        requesters=(oncall,),
        until=clock.time + timedelta(minutes=10),
        reasons=(ApprovalReason.POLICY,),
        severity=Severity.SEV1,
        undo_window=timedelta(minutes=15),
    )

    await walk.press("second", action_ids.APPROVE, asked)

    [group] = [group for group in walk.slack.workspace.groups.values() if group.handle == GROUP]
    digest = request.plan_digest
    assert digest is not None
    assert (await stored(bot)).approvals == (
        Approval(by=second, at=clock.time, plan_digest=digest, group=group.id),
    )


async def test_a_moved_handle_takes_its_rights_along(
    walk: Walk, bot: Bot, broken: Cluster, asked: str
) -> None:
    await walk.press("second", action_ids.DENY, asked)  # its members have been read now
    walk.slack.set_group(GROUP, "outsider")
    new = move_handle(walk.slack, "second")
    walk.slack.join("outsider", asked)

    await walk.press("outsider", action_ids.APPROVE, asked)
    assert walk.answer("outsider") == not_an_approver("approved", "second")
    assert patches(broken) == 0

    await walk.press("second", action_ids.APPROVE, asked)
    assert walk.execution(asked).state == DONE
    assert [approval.group for approval in (await stored(bot)).approvals] == [new]


async def test_a_moved_handle_is_mentioned(walk: Walk, asked: str) -> None:
    new = move_handle(walk.slack, "second", "lead")
    await walk.press("second", action_ids.DENY, asked)
    await walk.submit("second", reason="Wait")

    await walk.ask_for_rollback(asked)

    assert f"<!subteam^{new}>" in walk.text(asked)


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("decision", [action_ids.APPROVE, action_ids.UNDO])
async def test_rights_of_a_minute_ago_are_gone(
    walk: Walk, broken: Cluster, asked: str, kind: Kind, decision: str
) -> None:
    if decision == action_ids.UNDO:
        await walk.press("second", action_ids.APPROVE, asked)
    before = patches(broken)
    await walk.say("lead", "/incident timeline", asked)  # they have been looked up now
    walk.slack.user("lead").kind = kind

    await walk.press("lead", decision, asked)

    assert patches(broken) == before
    assert len(walk.executions(asked)) == 1


async def test_undo_of_an_undo_is_a_new_change(
    walk: Walk, bot: Bot, broken: Cluster, done: str
) -> None:
    sent = await walk.press("second", action_ids.UNDO, done)
    assert patches(broken) == 2

    action = {**sent.payload["actions"][0], "value": "2"}
    await send_changed(walk, sent, actions=[action], trigger_id="1.2")

    request = walk.execution(done)
    assert (request.title, request.state) == ("Undo: Undo: Roll back", WAITS)
    assert request.plan["Approval"] == (
        "as the policy asks before a change of this kind. This undoes an undo, so it is approved "
        "like a new change."
    )
    assert patches(broken) == 2
    await walk.press("second", action_ids.APPROVE, done)
    assert patches(broken) == 2
    await walk.press("lead", action_ids.APPROVE, done)
    assert patches(broken) == 3
    assert (await stored(bot, 3)).approvals[0].by == walk.slack.user("lead").id


@pytest.fixture
def unattended(team: Path) -> None:
    """A team that asks for no approval before what is destructive."""
    add_line(team, "policy: {approvals: {destructive: 0}}")


@pytest.mark.usefixtures("unattended")
async def test_no_approval_is_said_loudly(
    slack: Slack, given: Settings, clock: Clock, broken: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "runbolt"):
        async with start_bot(given, clock) as bot:
            slack.request_url = f"{bot.url}/slack/events"
            walk = Walk(slack, bot)
            channel = await walk.declare()
            await walk.press_step("oncall", "roll-back", channel)
            form = walk.form().text
            await walk.submit("oncall", reason="The new version crash-loops")
            request = walk.execution(channel)

    assert [record.getMessage() for record in caplog.records if record.name == "runbolt"] == [
        "policy.approvals.destructive is 0: such a change runs as soon as somebody requests it, "
        "without any approval"
    ]
    assert form.endswith(
        ":rotating_light: The policy asks for no approval before a change of this kind: it runs "
        "as soon as you send this form."
    )
    assert request.warnings[0] == (
        ":rotating_light: Nobody has to approve this. The policy asks for no approval before a "
        "change of this kind: it runs as soon as somebody requests it."
    )
    assert request.plan["Approval"] == "none: the policy asks for none before a change of this kind"
    assert (request.state, request.approvals, patches(broken)) == (DONE, (), 1)


@pytest.mark.usefixtures("unattended")
async def test_who_runs_it_alone_is_looked_up(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "roll-back", channel)
    walk.slack.user("oncall").kind = "guest"

    await walk.submit("oncall", reason="The new version crash-loops")

    assert walk.answer("oncall") == "Guests may not do this. Nothing was done; ask a full member."
    assert patches(broken) == 0


@pytest.fixture
def careful(team: Path) -> None:
    """A team that wants two people where more than half of the capacity is missing."""
    add_line(team, "policy: {budget: {capacity: 50}}")


@pytest.mark.usefixtures("careful")
async def test_a_wide_change_needs_two(walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "delete-pods", channel)
    await walk.submit("oncall", reason="They hang")
    request = walk.execution(channel)
    assert request.state == "Needs 2 more approvals"
    assert request.plan["Approval"] == (
        "as the policy asks before a change of this kind. It takes away more than the policy's "
        "budget, which asks for one more."
    )
    pods = kube.pod_names()

    await walk.press("second", action_ids.APPROVE, channel)
    await walk.press("second", action_ids.APPROVE, channel)
    assert (walk.execution(channel).state, kube.pod_names()) == (WAITS, pods)
    await walk.press("lead", action_ids.APPROVE, channel)

    assert walk.execution(channel).state == DONE
    assert not set(pods) & set(kube.pod_names())


@pytest.mark.parametrize(
    ("policy", "mistake"),
    [
        ("{approvals: {destructive: -1}}", "approvals.destructive: expects at least 0, found -1"),
        ("{execution_timeout: 0 s}", "execution_timeout: expects more than 0 seconds, found"),
        ("{approvals: {read: 2}}", "approvals.read: a read changes nothing and runs at once"),
    ],
)
async def test_a_wrong_policy_starts_nothing(
    slack: Slack, given: Settings, clock: Clock, team: Path, policy: str, mistake: str
) -> None:
    line = add_line(team, f"policy: {policy}")

    with pytest.raises(UserError, match=rf"{re.escape(str(team))}:{line}:\d+: policy\.{mistake}"):
        async with start_bot(given, clock):
            pass

    assert slack.calls == []


async def test_too_few_approvers_are_in_the_log(
    given: Settings, clock: Clock, team: Path, caplog: pytest.LogCaptureFixture
) -> None:
    add_line(team, "policy: {approvals: {destructive: 9}}")

    async with start_bot(given, clock):
        pass

    assert (
        "policy.approvals.destructive is 9, and the approvers are 3 at the moment: no such "
        "change can be approved"
    ) in caplog.messages
