"""Changing production: asked for with a reason, approved by somebody else, done once, checked."""

import asyncio

import pytest
import yaml
from psycopg import AsyncConnection

from bot import flows, store
from bot.model import ExecutionId, UserError, UserId
from bot.settings import Settings
from bot.store import publications
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Refusal, Slack, User
from tests.conftest import ROOT, Bot, Clock, Walk, start_bot


@pytest.fixture
async def broken(kube: Cluster) -> Cluster:
    """The cluster after a release that crash-loops."""
    await kube.scenario("crash-loop")
    return kube


def patches(kube: Cluster) -> int:
    """How many times the Deployment was really patched."""
    return len([write for write in kube.writes if write.verb == "patch"])


async def test_a_rollback_from_request_to_outcome(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)

    asked = walk.text(channel)
    assert "The new version crash-loops" in asked
    assert "v2.4.0" in asked
    assert "v2.3.1" in asked
    assert "Needs 1 more approval" in asked
    assert patches(broken) == 0

    await walk.press("second", action_ids.APPROVE, channel)

    done = walk.text(channel)
    assert "Done and checked" in done
    assert "Approve" not in walk.buttons(channel)
    assert patches(broken) == 1
    assert broken.image() == "ghcr.io/tickettoken/order-service:v2.3.1"


async def test_the_plan_shows_the_diff_and_a_dry_run_writes_nothing(
    walk: Walk, broken: Cluster
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)

    seen = walk.text(channel)
    assert "-" in seen
    assert "+" in seen
    assert "Dry run" in seen
    assert any(request.dry_run for request in broken.requests)
    assert broken.writes == [] or patches(broken) == 0


@pytest.mark.parametrize(
    ("who", "sentence"),
    [("oncall", "You requested this yourself"), ("outsider", "You are not an approver")],
)
async def test_who_may_not_approve_is_told_so(
    walk: Walk, broken: Cluster, who: str, sentence: str
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    walk.slack.join(who, channel)

    await walk.press(who, action_ids.APPROVE, channel)

    assert sentence in walk.text(channel, who)
    assert patches(broken) == 0
    await walk.say("oncall", "/incident timeline", channel)
    told = walk.text(channel, "oncall")
    assert "was refused: Roll order-service back" in told
    assert "(answer: “You " in told


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        (User("other", "Other", kind="guest"), "Guests may not"),
        (User("other", "Other", kind="stranger"), "another workspace"),
    ],
)
async def test_guests_and_strangers_may_not_approve(
    walk: Walk, broken: Cluster, other: User, sentence: str
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    walk.slack.add_user(other)
    walk.slack.add_to(channel, "other")

    await walk.press("other", action_ids.APPROVE, channel)

    assert sentence in walk.text(channel, "other")
    assert patches(broken) == 0


async def test_who_left_the_company_may_not_approve(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    walk.slack.user("second").deactivated = True

    await walk.press("second", action_ids.APPROVE, channel)

    assert patches(broken) == 0
    assert "Needs 1 more approval" in walk.text(channel)


async def test_who_left_the_group_may_not_approve(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    walk.slack.set_group("order-service-approvers", "lead")

    await walk.press("second", action_ids.APPROVE, channel)

    assert "You are not an approver" in walk.text(channel, "second")
    assert patches(broken) == 0


async def test_two_approvers_at_once_run_it_once(walk: Walk, slack: Slack, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)

    await asyncio.gather(
        *(
            slack.press(who, action_id=action_ids.APPROVE, channel=channel)
            for who in ("second", "lead") * 3
        )
    )
    await walk.bot.drain()

    assert patches(broken) == 1
    assert "Done and checked" in walk.text(channel)
    told = walk.text(channel, "second") + walk.text(channel, "lead")
    assert "Already approved by" in told


async def test_a_request_expires(walk: Walk, broken: Cluster, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    clock.forward(minutes=10.1)

    await walk.press("second", action_ids.APPROVE, channel)
    assert "has expired" in walk.text(channel, "second")
    await walk.bot.tick()

    assert "Expired." in walk.text(channel)
    assert patches(broken) == 0


async def test_drift_between_approval_and_run_is_refused(
    walk: Walk, bot: Bot, broken: Cluster
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    broken.change_template()

    await walk.press("second", action_ids.APPROVE, channel)

    seen = walk.text(channel)
    assert "The system has changed since this was approved" in seen
    assert "Not done" in seen
    assert "Ask again…" in walk.buttons(channel)
    assert patches(broken) == 0


async def test_asking_again_after_drift(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    broken.change_template()
    await walk.press("second", action_ids.APPROVE, channel)

    await walk.press("oncall", action_ids.ASK_AGAIN, channel)
    await walk.submit("oncall", reason="Still broken", to_revision="6")
    await walk.press("second", action_ids.APPROVE, channel)

    assert "Done and checked" in walk.text(channel)


async def test_denied_with_a_reason(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)

    await walk.press("lead", action_ids.DENY, channel)
    await walk.submit("lead", reason="A fix is on its way")

    seen = walk.text(channel)
    assert "Denied" in seen
    assert "A fix is on its way" in seen
    assert patches(broken) == 0


async def test_who_left_the_group_cannot_deny(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    walk.slack.join("outsider", channel)

    walk.slack.set_group("order-service-approvers", "outsider")
    await walk.press("outsider", action_ids.DENY, channel)
    walk.slack.set_group("order-service-approvers", "lead")
    await walk.submit("outsider", reason="I do not like it")

    assert "Nothing was denied" in walk.text(channel, "outsider")
    await walk.say("oncall", "/incident timeline", channel)
    assert "was refused" in walk.text(channel, "oncall")
    assert "Needs 1 more approval" in walk.text(channel)


async def test_asked_for_twice_is_asked_for_once(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await walk.ask_for_rollback(channel, who="second")

    assert "was already requested by" in walk.text(channel, "second")
    assert walk.text(channel).count("Needs 1 more approval") == 1


async def test_a_press_too_late_is_answered(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    approve = walk.slack.find_button("Approve", channel, "lead")
    await walk.press("second", action_ids.APPROVE, channel)

    await walk.slack.press("lead", approve)
    await walk.bot.drain()

    told = [message["text"] for message in walk.slack.ephemerals(channel, "lead")]
    second = walk.slack.user("second").id
    assert told == [
        f"Already approved by <@{second}> at 2026-11-24 10:00:00 UTC. Nothing more was approved."
    ]


async def test_a_blank_reason_is_answered_in_the_form(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "roll-back", channel)

    with pytest.raises(Refusal) as refused:
        await walk.submit("oncall", reason="  ")

    assert list(refused.value.errors) == ["reason"]


async def test_approved_and_then_restarted_it_runs_once(
    slack: Slack, given: Settings, clock: Clock, broken: Cluster
) -> None:
    async with start_bot(given, clock) as first:
        slack.request_url = f"{first.url}/slack/events"
        walk = Walk(slack, first)
        channel = await walk.declare()
        await walk.ask_for_rollback(channel)
        # The approval is written, and the process dies before anything starts.
        async with first.world.pool.connection() as conn:
            await conn.execute("UPDATE executions SET state = 'approved'")
    twins = [given for _ in range(2)]

    async with start_bot(twins[0], clock) as second, start_bot(twins[1], clock) as third:
        await asyncio.gather(second.tick(), third.tick())
        await asyncio.gather(second.tick(), third.tick())

    assert patches(broken) == 1
    assert "Done and checked" in walk.text(channel)


async def test_a_run_that_died_is_looked_at_and_never_repeated(
    walk: Walk, bot: Bot, broken: Cluster, clock: Clock
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    async with bot.world.pool.connection() as conn:
        await conn.execute(
            "UPDATE executions SET state = 'running', started_at = %s, heartbeat_at = %s",
            [clock.time, clock.time],
        )
        await publications.mark_stale(conn, (await store.incidents.list_open(conn))[0].id)
    clock.forward(seconds=31)
    await bot.tick()
    assert "Interrupted." in walk.text(channel)

    await walk.press("oncall", action_ids.CHECK_INTERRUPTED, channel)

    seen = walk.text(channel)
    assert patches(broken) == 0
    assert "Not done. The rollback was not done" in seen.replace("*", "")
    assert "Ask again…" in walk.buttons(channel)
    assert "Undo" not in walk.buttons(channel)
    await walk.say("second", "/incident timeline", channel)
    assert "checked what happened to: Roll order-service back" in walk.text(channel, "second")


async def test_one_change_at_a_time_per_target_across_incidents(
    walk: Walk, bot: Bot, broken: Cluster, clock: Clock
) -> None:
    first = await walk.declare()
    await walk.ask_for_rollback(first)
    async with bot.world.pool.connection() as conn:
        await conn.execute(
            "UPDATE executions SET state = 'running', heartbeat_at = %s", [clock.time]
        )
    second = await walk.declare("Checkout is down")
    await walk.ask_for_rollback(second)

    await walk.press("lead", action_ids.APPROVE, second)

    assert patches(broken) == 0
    assert "deployment/order-service is being changed by “Roll back” of INC-1" in walk.text(second)
    assert "Deny…" in walk.buttons(second)

    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'failed' WHERE id = 1")
    await bot.tick()

    assert patches(broken) == 1
    assert "Done and checked" in walk.text(second)


async def test_undo_within_its_window_needs_no_new_approval(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await walk.press("second", action_ids.APPROVE, channel)

    await walk.press("second", action_ids.UNDO, channel)

    assert patches(broken) == 2
    assert broken.image() == "ghcr.io/tickettoken/order-service:v2.4.0"


async def test_undo_of_what_somebody_else_has_changed_is_a_new_request(
    walk: Walk, broken: Cluster
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await walk.press("second", action_ids.APPROVE, channel)
    broken.deploy("v2.3.2")
    await broken.wait_for_rollout()
    before = patches(broken)

    await walk.press("second", action_ids.UNDO, channel)

    assert patches(broken) == before
    assert "Needs 1 more approval" in walk.text(channel)


async def test_undo_after_its_window_is_a_new_request(
    walk: Walk, broken: Cluster, clock: Clock
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await walk.press("second", action_ids.APPROVE, channel)
    clock.forward(minutes=16)

    await walk.press("second", action_ids.UNDO, channel)

    assert patches(broken) == 1
    assert "Needs 1 more approval" in walk.text(channel)


async def test_a_forbidden_change_names_the_permission(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    broken.forbid("runbolt", "patch", "deployments")

    await walk.ask_for_rollback(channel)

    assert "patch" in walk.text(channel, "oncall")
    assert "Needs 1 more approval" not in walk.text(channel)


async def test_without_the_approver_group_nothing_is_approved(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    walk.slack.fail("usergroups.users.list", error="fatal_error", times=1)

    await walk.press("second", action_ids.APPROVE, channel)

    assert "Slack did not say who is in the group" in walk.text(channel, "second")
    assert patches(broken) == 0


async def test_resolving_voids_what_waits(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="It went away")

    assert "Void." in walk.text(channel)
    with pytest.raises(UserError, match="is void"):
        await flows.approvals.approve(
            walk.bot.world, ExecutionId(1), by=UserId(walk.slack.user("lead").id)
        )
    assert patches(broken) == 0


async def test_rolling_restart_and_deleted_pods(walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    before = set(kube.pod_names())

    for step in ("rolling-restart", "delete-pods"):
        await walk.press_step("oncall", step, channel)
        await walk.submit("oncall", reason="Memory keeps growing")
        await walk.press("second", action_ids.APPROVE, channel)

    seen = walk.text(channel)
    assert seen.count("Done and checked.") == 2
    assert "*Undo:* not possible" in seen
    assert not before & set(kube.pod_names())


async def test_a_run_taken_for_dead_touches_nothing(
    walk: Walk, bot: Bot, broken: Cluster, clock: Clock
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    slow = broken.slow("get */deployments/order-service", 1)
    asked = len(broken.requests)
    await walk.slack.press("second", action_id=action_ids.APPROVE, channel=channel)
    await broken.wait_until(lambda: len(broken.requests) > asked)
    clock.forward(seconds=31)
    await flows.runs.mark_interrupted(bot.world)
    await bot.drain()
    broken.heal(slow)

    assert patches(broken) == 0
    assert "Interrupted." in walk.text(channel)


async def test_a_write_without_an_answer_is_looked_for(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    broken.fail("patch */deployments/order-service", 500)

    await walk.press("second", action_ids.APPROVE, channel)

    seen = walk.text(channel).replace("*", "")
    assert "Not done. The rollback was not done" in seen
    assert patches(broken) == 0


async def test_a_change_in_the_middle_of_a_run_keeps_the_incident_open(
    walk: Walk, bot: Bot, broken: Cluster, clock: Clock
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    async with bot.world.pool.connection() as conn:
        await conn.execute(
            "UPDATE executions SET state = 'running', heartbeat_at = %s", [clock.time]
        )
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="over")
    assert "is still running. The incident was not resolved" in walk.text(channel, "oncall")

    clock.forward(seconds=31)
    await bot.tick()
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="over", despite="It is healthy, I looked")

    assert "INC-1 is resolved" in walk.text(channel)


async def test_a_check_that_fails_while_the_form_is_open_asks_why(
    walk: Walk, bot: Bot, broken: Cluster
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await walk.say("oncall", "/incident resolve", channel)
    await walk.press("second", action_ids.APPROVE, channel)
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'failed', check_passed = false")

    await walk.submit("oncall", resolution="over")

    assert "the form asks why it may end all the same" in walk.text(channel, "oncall")
    assert "is resolved" not in walk.text("incidents")


async def test_a_database_that_restarts_in_the_middle_of_a_run_loses_nothing(
    walk: Walk, bot: Bot, broken: Cluster, state: str
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await walk.slack.press("second", action_id=action_ids.APPROVE, channel=channel)
    await broken.wait_until(lambda: patches(broken) == 1)

    async with await AsyncConnection.connect(state) as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await bot.drain()
    await bot.tick()

    assert "Done and checked" in walk.text(channel)


async def test_stopping_waits_for_the_run_that_is_under_way(
    slack: Slack, given: Settings, clock: Clock, broken: Cluster
) -> None:
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare()
        await walk.ask_for_rollback(channel)
        await slack.press("second", action_id=action_ids.APPROVE, channel=channel)

    assert patches(broken) == 1
    assert "Done and checked" in walk.text(channel)


async def test_the_shipped_roles_are_enough_and_looking_alone_changes_nothing(
    walk: Walk, broken: Cluster
) -> None:
    roles = {
        document["metadata"]["name"]: document["rules"]
        for document in yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text())
        if document["kind"] == "Role"
    }
    channel = await walk.declare()

    broken.restrict("runbolt", roles["runbolt-look"])
    for step in ("pods", "logs", "dependencies"):
        await walk.press_step("oncall", step, channel)
    await walk.ask_for_rollback(channel)
    looked = walk.text(channel)
    assert looked.count("may not") == 1
    assert "The bot may not patch deployments" in looked

    broken.restrict("runbolt", roles["runbolt-look"] + roles["runbolt-change"])
    for step in ("roll-back", "rolling-restart", "memory-limit", "delete-pods"):
        await walk.press_step("oncall", step, channel)
        await walk.submit("oncall", reason="It is broken")
        await walk.press("second", action_ids.APPROVE, channel)
    assert walk.text(channel).count("Done and checked.") == 4


async def test_an_outsiders_undo_is_a_new_request(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await walk.press("second", action_ids.APPROVE, channel)
    walk.slack.join("outsider", channel)

    await walk.press("outsider", action_ids.UNDO, channel)

    assert patches(broken) == 1
    assert "Needs 1 more approval" in walk.text(channel)
