"""Paused orders are resumed whatever happens: drift, trouble, replicas, deaths of the bot."""

import asyncio
from datetime import timedelta

import pytest

from bot import store
from bot.flows import temporary_changes
from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests.conftest import ORDERS, Bot, Clock, Walk, start_bot
from tests.manual_changes import patch_env, variable
from tests.pausing import PAUSED, approve_pause, patches, paused, request_pause
from tests.rollbacks import WAITS

__all__ = ["paused"]


async def test_a_drifted_undo_becomes_a_request(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    await patch_env(kube, {"name": "NODE_ENV", "value": "staging"})
    clock.forward(minutes=31)
    await bot.tick()

    assert variable(kube) == "true"
    seen = walk.text(paused)
    people = "".join(f"<@{walk.slack.user(who).id}> " for who in ("oncall", "second"))
    assert f"{people}*orders paused* should have ended by now and has not" in seen
    assert "its target has changed since" in seen
    assert "Needs 1 more approval" in seen
    assert "should have resumed" in seen

    await walk.press("second", action_ids.APPROVE, paused)
    assert variable(kube) == "false"
    assert patches(kube) == 2
    assert "should have resumed" not in walk.text(paused)
    assert f"{people}*orders paused* should have ended by" in walk.text(paused)
    assert "has not" not in walk.text(paused)


async def test_whoever_paused_approves_no_end(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    await patch_env(kube, {"name": "NODE_ENV", "value": "staging"})
    clock.forward(minutes=31)
    await bot.tick()

    await walk.press("oncall", action_ids.APPROVE, paused)

    assert walk.answer("oncall") == (
        "You requested the change that this undoes, so you cannot approve it. Another approver "
        "has to."
    )
    assert variable(kube) == "true"
    request = walk.execution(paused)
    assert request.requested_by == "the clock"
    assert request.plan["Approval"] == (
        "as the policy asks before a change of this kind. The target has changed "
        "since, so the approval of the change does not cover this."
    )
    assert (request.state, request.outcome.split(", until")[0]) == (
        WAITS,
        "by somebody else than @oncall, who requested the change, from the approvers "
        "@order-service-approvers",
    )


@pytest.mark.parametrize("replicas", [0, 2, 5])
async def test_an_autoscaler_does_not_prevent_resuming(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, replicas: int, paused: str
) -> None:
    kube.scale(replicas)  # as few orders come in, or none
    clock.forward(minutes=31)
    await bot.tick()

    assert variable(kube) == "false"
    assert patches(kube) == 2
    assert "Needs 1 more approval" not in walk.text(paused)
    assert kube.deployment()["spec"]["replicas"] == replicas


async def test_time_approves_no_drifted_request(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    await patch_env(kube, {"name": "NODE_ENV", "value": "staging"})
    clock.forward(minutes=26)
    await bot.tick()
    walk.slack.join("outsider", paused)
    await walk.press("outsider", action_ids.UNDO, paused)

    clock.forward(minutes=5)
    await bot.tick()

    assert variable(kube) == "true"
    assert walk.text(paused).count("should have ended by now and has not") == 1
    await walk.press("lead", action_ids.APPROVE, paused)
    assert variable(kube) == "false"


async def test_people_are_reminded_until_decided(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    await patch_env(kube, {"name": "NODE_ENV", "value": "staging"})
    clock.forward(minutes=31)
    await bot.tick()
    clock.forward(minutes=15.1)  # the request expires
    await bot.tick()
    assert walk.text(paused).count("should have ended by now and has not") == 1

    clock.forward(minutes=15)
    await bot.tick()

    assert walk.text(paused).count("should have ended by now and has not") == 2
    [told] = [post for post in walk.posts(paused) if "should have ended by now" in post.heading]
    assert [reply.text for reply in told.thread] == [told.text]  # Slack notifies nobody of edits
    assert "the attempt to undo it failed" not in walk.text(paused)
    await walk.press("lead", action_ids.APPROVE, paused)
    assert variable(kube) == "false"


async def test_a_busy_target_delays_resuming(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    other = await walk.declare("Down without memory")
    await walk.press_step("oncall", "rolling-restart", other)
    await walk.submit("oncall", reason="It grows")
    async with bot.world.pool.connection() as conn:
        hours = clock.time + timedelta(hours=9)
        await conn.execute(
            "UPDATE executions SET state = 'running', heartbeat_at = %s WHERE id = 2", [hours]
        )
    clock.forward(minutes=31)
    await bot.tick()
    busy = (
        "Approved, starts after “Rolling restart” of INC-2, which changes "
        "deployment/order-service in namespace tickettoken"
    )
    assert busy in walk.text(paused)

    clock.forward(minutes=15.1)  # it waited for its target too long
    await bot.tick()
    clock.forward(minutes=1)
    await bot.tick()

    assert patches(kube) == 1
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'failed' WHERE id = 2")
    await bot.tick()

    assert variable(kube) == "false"
    assert patches(kube) == 2


@pytest.mark.parametrize("touched", [False, True])
async def test_an_undo_that_is_planned_later(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, touched: bool
) -> None:
    channel = await request_pause(walk)
    [button] = walk.slack.find_buttons(action_ids.APPROVE, channel, "second")
    await walk.slack.press("second", button)
    await kube.wait_until(lambda: patches(kube) == 1)
    kube.fail("patch *", 500)
    await bot.drain()
    await bot.tick()
    kube.heal()
    if touched:
        await patch_env(kube, {"name": "NODE_ENV", "value": "staging"})

    clock.forward(minutes=31)
    await bot.tick()

    assert variable(kube) == ("true" if touched else "false")
    assert patches(kube) == (1 if touched else 2)
    assert ("its target has changed since" in walk.text(channel)) is touched


@pytest.mark.parametrize("trouble", ["unreachable", "forbidden", "mute", "broken"])
async def test_a_broken_cluster_is_told_once(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, trouble: str, paused: str
) -> None:
    clock.forward(minutes=31)
    match trouble:
        case "unreachable":
            await kube.stop_listening()
        case "forbidden":
            kube.forbid("runbolt", "patch", "deployments")
        case "mute":
            bot.world.services.systems(ORDERS).cluster.timeout = 0.3
            kube.hang("patch *")
        case _:
            kube.fail("patch *", 500)
    for _ in range(3):
        await bot.tick()
        clock.forward(minutes=1.1)
    seen = walk.text(paused)
    assert seen.count("should have ended by now and has not") == 1
    assert "should have resumed" in seen

    await kube.start_listening()
    kube.permit("runbolt", "patch", "deployments")
    kube.heal()
    bot.world.services.systems(ORDERS).cluster.timeout = 10
    await bot.tick()

    assert variable(kube) == "false"
    assert patches(kube) == 2
    assert "should have resumed" not in walk.text(paused)


async def test_two_replicas_resume_once(
    walk: Walk, bot: Bot, given: Settings, kube: Cluster, clock: Clock, paused: str
) -> None:
    twin = given
    async with start_bot(twin, clock) as other:
        for minutes in (26, 5, 2, 2):
            clock.forward(minutes=minutes)
            await asyncio.gather(*(replica.tick() for replica in (bot, other) * 3))

    announced = "the clock gave notice that this ends soon: orders paused"
    assert (await walk.timeline(paused)).count(announced) == 1
    assert walk.text(paused).count("requested by the clock") == 1
    assert patches(kube) == 2
    assert variable(kube) == "false"


async def test_a_press_and_the_clock_resume_once(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    clock.forward(minutes=31)

    await asyncio.gather(
        bot.tick(), walk.slack.press("lead", action_id=action_ids.UNDO, channel=paused)
    )
    await bot.tick()

    assert patches(kube) == 2
    assert variable(kube) == "false"
    assert PAUSED not in walk.text(paused)


async def test_a_late_start_resumes_at_once(
    slack: Slack, given: Settings, kube: Cluster, clock: Clock
) -> None:
    async with start_bot(given, clock) as first:
        slack.request_url = f"{first.url}/slack/events"
        walk = Walk(slack, first)
        channel = await approve_pause(walk)
    clock.forward(hours=9)

    async with start_bot(given, clock) as second:
        await second.tick()

    assert variable(kube) == "false"
    assert patches(kube) == 2
    assert "*orders paused* ends" not in walk.text(channel)


async def test_death_while_pausing_still_resumes(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    # It dies after the cluster took the change, and before anything is written down.
    async with bot.world.pool.connection() as conn:
        await conn.execute("DELETE FROM temporary_changes")
        await conn.execute("UPDATE executions SET state = 'running', check_passed = NULL")
    clock.forward(minutes=1)
    await bot.tick()
    await bot.tick()

    assert PAUSED in walk.text(paused)
    assert patches(kube) == 1
    clock.forward(minutes=29.1)  # from when it was begun, not from when it was found
    await bot.tick()
    assert variable(kube) == "false"
    assert patches(kube) == 2


async def test_death_while_resuming_resumes_once(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    clock.forward(minutes=31)
    await bot.tick()
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE temporary_changes SET ended_at = NULL")
        await conn.execute(
            "UPDATE executions SET state = 'running', check_passed = NULL WHERE undo_of IS NOT NULL"
        )
    for _ in range(4):
        clock.forward(minutes=1)
        await bot.tick()

    assert patches(kube) == 2
    assert PAUSED not in walk.text(paused)
    assert walk.text(paused).count("Done and checked.") == 2


async def test_another_replica_takes_the_claim(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    clock.forward(minutes=31)
    async with bot.world.pool.connection() as conn:
        now = clock.time
        claimed = await store.temporary_changes.claim_due(
            conn, now, now + temporary_changes.RETRY_AFTER, ()
        )
    assert [hold.id for hold in claimed] == [1]
    await bot.tick()
    assert variable(kube) == "true"

    clock.time += temporary_changes.RETRY_AFTER + timedelta(seconds=1)
    await bot.tick()

    assert variable(kube) == "false"


async def test_an_unchecked_pause_ends_too(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    await kube.scenario("crash-loop")
    channel = await approve_pause(walk)
    assert "Done, but the check failed" in walk.text(channel)
    [ended] = [
        entry for entry in await walk.timeline(channel) if "requested this, and it was" in entry
    ]
    assert ended.startswith("@oncall requested this, and it was done, but the check failed: Set ")
    assert PAUSED in walk.text(channel)

    clock.forward(minutes=31)
    await bot.tick()
    await bot.tick()

    assert variable(kube) == "false"
