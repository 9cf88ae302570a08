"""Rules, freezes and the incident's budget, from the file to what approvers read and press."""

import asyncio
from pathlib import Path

import pytest

from bot.model import UserError
from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.rollbacks import DONE, TO_V231, WAITS, asked, broken, done, patches
from tests.test_policy import NO_APPROVER, add_line, stored

__all__ = ["asked", "broken", "done"]

WAITS_FOR_TWO = "Needs 2 more approvals"


@pytest.fixture
def policy() -> str:
    """The policy that the team wrote."""
    return "{}"


@pytest.fixture
def team(team: Path, policy: str) -> Path:
    """What the team decided."""
    add_line(team, f"policy: {policy}")
    return team


LEADS = "{rules: [{action: [rollback], approvers: {users: [%s]}, expires_after: 5 min}]}"


@pytest.fixture
def lead(slack: Slack, team: Path) -> str:
    """The id of the lead, who alone approves rollbacks."""
    user_id = slack.user("lead").id
    team.write_text(team.read_text().replace("policy: {}", f"policy: {LEADS % user_id}"))
    return user_id


async def test_a_rule_names_other_approvers(
    slack: Slack, given: Settings, clock: Clock, lead: str, broken: Cluster
) -> None:
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare()
        await walk.ask_for_rollback(channel)

        assert f"<@{lead}>" in walk.text(channel)
        await walk.press("second", action_ids.APPROVE, channel)
        assert (walk.answer("second"), patches(broken)) == (NO_APPROVER, 0)
        request = await stored(bot)
        assert request.expires_at is not None
        assert (request.expires_at - clock.time).total_seconds() == 300

        await walk.press("lead", action_ids.APPROVE, channel)
        assert walk.execution(channel).state == DONE


@pytest.mark.parametrize(
    "policy",
    [
        "{approvals: {destructive: 2}, rules: [{severity: [sev1], approvals: 1, lowers: true, "
        "undo_window: 30 min}]}"
    ],
)
async def test_a_rule_lowers_and_says_so(walk: Walk, bot: Bot, clock: Clock, asked: str) -> None:
    assert walk.execution(asked).state == WAITS
    assert walk.execution(asked).plan["Approval"] == (
        "as the policy's rule for every change in SEV-1 asks (1 instead of 2)"
    )

    await walk.press("second", action_ids.APPROVE, asked)

    ended = await stored(bot)
    assert ended.undo_until is not None
    assert (ended.undo_until - clock.time).total_seconds() == 30 * 60


@pytest.mark.parametrize(
    ("policy", "warning"),
    [
        (
            "{approvals: {destructive: 2}, rules: [{action: [rollback], approvals: 1, lowers: "
            "true}]}",
            "policy.rules.0 lowers the approvals to 1: rollback",
        ),
        (
            "{rules: [{risk: [change], severity: [sev3], approvals: 0, lowers: true}]}",
            "policy.rules.0 asks for 0 approvals: such a change runs as soon as somebody requests "
            "it, without any approval",
        ),
        (
            "{rules: [{approvers: {groups: [order-service-approvers]}, approvals: 9}]}",
            "policy.rules.0 is 9, and the approvers are 3 at the moment: no such change can be "
            "approved",
        ),
        (
            "{freezes: [{weekly: [fri 16:00, mon 08:00]}], approvals: {change: 3}}",
            "policy.approvals.change is up to 4, and the approvers are 3 at the moment: no such "
            "change can be approved",
        ),
    ],
)
async def test_what_is_risky_is_in_the_log(
    given: Settings, clock: Clock, caplog: pytest.LogCaptureFixture, warning: str
) -> None:
    async with start_bot(given, clock):
        pass

    assert [line for line in caplog.messages if line.startswith("policy.")] == [warning]


@pytest.mark.parametrize("policy", ["{rules: [{approvers: {groups: [sre-leeds]}}]}"])
async def test_a_rule_names_a_group_that_is_there(given: Settings, clock: Clock) -> None:
    with pytest.raises(UserError, match="names the user group sre-leeds, which this workspace"):
        async with start_bot(given, clock):
            pass


FREEZE = "{freezes: [{from: 2026-11-24 %s, until: 2026-11-24 12:00, reason: Holidays}]}"
HOLIDAYS = "the freeze “Holidays” until 2026-11-24 12:00 UTC"


@pytest.mark.parametrize("policy", [FREEZE % "10:00"])
async def test_a_freeze_is_said_everywhere(walk: Walk, broken: Cluster, policy: str) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "roll-back", channel)
    form = walk.form().text
    await walk.submit("oncall", reason="It crash-loops")
    request = walk.execution(channel)

    more = "There is a freeze “Holidays” until 2026-11-24 12:00 UTC, so one more person has to"
    assert "only after 2 other people have approved" in form
    assert f":snowflake: {more} approve this." in form
    assert request.warnings[0] == f":snowflake: {more} approve this."
    assert request.state == WAITS_FOR_TWO
    assert request.plan["Approval"] == (
        f"as the policy asks before a change of this kind. In {HOLIDAYS} it needs one more."
    )
    assert walk.read((await walk.timeline(channel))[-1]).endswith(f"(in {HOLIDAYS})")
    await walk.press("second", action_ids.APPROVE, channel)
    assert (walk.execution(channel).state, patches(broken)) == (WAITS, 0)
    await walk.press("lead", action_ids.APPROVE, channel)
    assert walk.execution(channel).state == DONE


@pytest.mark.parametrize("policy", [FREEZE % "10:05"])
async def test_a_freeze_begins_before_the_approval(
    walk: Walk, clock: Clock, broken: Cluster, asked: str, policy: str
) -> None:
    assert walk.execution(asked).state == WAITS
    clock.forward(minutes=5)

    await walk.press("second", action_ids.APPROVE, asked)

    assert (walk.execution(asked).state, patches(broken)) == (WAITS, 0)
    # It needs one more before this approval counts; it was never approved, to wait again.
    [told] = [post.text for post in walk.posts(asked) if post.text.startswith(":snowflake:")]
    assert told == (
        ":snowflake: The freeze “Holidays” until 2026-11-24 12:00 UTC has begun: "
        f"“{TO_V231}” needs one more approval."
    )
    await walk.press("lead", action_ids.APPROVE, asked)
    assert (walk.execution(asked).state, patches(broken)) == (DONE, 1)


@pytest.mark.parametrize("policy", [FREEZE % "10:05"])
async def test_a_freeze_begins_before_the_start(
    walk: Walk, bot: Bot, clock: Clock, kube: Cluster, policy: str
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'approved'")
    clock.forward(minutes=5)

    await bot.tick()

    assert (walk.execution(channel).state, patches(kube)) == (WAITS_FOR_TWO, 0)
    plan = walk.execution(channel).plan["Plan"]
    assert (await walk.timeline(channel))[-1].endswith(
        f"began, so this needs one more approval and waits again: {plan}"
    )


@pytest.mark.parametrize("policy", [FREEZE % "10:05"])
async def test_an_undo_stays_approved_in_a_freeze(
    walk: Walk, clock: Clock, broken: Cluster, done: str, policy: str
) -> None:
    clock.forward(minutes=5)

    await walk.press("second", action_ids.UNDO, done)

    assert patches(broken) == 2
    assert walk.execution(done).plan["Approval"] == ("given along with the change that this undoes")


@pytest.mark.parametrize("policy", ["{incident_budget: {pods: 5}}"])
async def test_an_incident_uses_up_its_budget(walk: Walk, kube: Cluster, policy: str) -> None:
    channel = await walk.declare()
    for _ in range(2):
        await walk.press_step("oncall", "delete-pods", channel)
        await walk.submit("oncall", reason="They hang")
        first = walk.execution(channel)
        if first.state == WAITS:
            await walk.press("second", action_ids.APPROVE, channel)
    second = walk.execution(channel)

    assert second.state == WAITS_FOR_TWO
    assert second.plan["Approval"] == (
        "as the policy asks before a change of this kind. This incident has used 3 of 5 pods, and "
        "this takes 3 more: one more approves it, and at least two do."
    )


@pytest.fixture
def playbooks(playbooks: Path) -> Path:
    """The playbook with *Delete pods* as two steps."""
    file = playbooks / "order-service.yml"
    lines = file.read_text().splitlines(keepends=True)
    begin = next(number for number, line in enumerate(lines) if "id: delete-pods" in line)
    end = next(number for number in range(begin + 1, len(lines)) if "- id: " in lines[number])
    copy = [line.replace("id: delete-pods", "id: again") for line in lines[begin:end]]
    file.write_text("".join([*lines[:end], *copy, *lines[end:]]))
    return playbooks


@pytest.mark.parametrize("policy", ["{incident_budget: {pods: 5}}"])
async def test_two_at_once_do_not_both_fit(
    walk: Walk, bot: Bot, kube: Cluster, policy: str
) -> None:
    channel = await walk.declare()
    for who, step in (("oncall", "delete-pods"), ("second", "again")):
        walk.slack.join(who, channel)
        await walk.press_step(who, step, channel)

    await asyncio.gather(
        walk.submit("oncall", reason="They hang"), walk.submit("second", reason="They leak")
    )

    requests = [await stored(bot, number) for number in (1, 2)]
    assert sorted(request.approvals_needed for request in requests) == [1, 2]


@pytest.mark.parametrize("policy", ["{incident_budget: {pods: 5}}"])
async def test_a_denied_request_gives_back(walk: Walk, kube: Cluster, policy: str) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "delete-pods", channel)
    await walk.submit("oncall", reason="They hang")
    await walk.press("second", action_ids.DENY, channel)
    await walk.submit("second", reason="Wait")
    await walk.press_step("oncall", "delete-pods", channel)
    await walk.submit("oncall", reason="They hang")

    assert walk.execution(channel).state == WAITS
