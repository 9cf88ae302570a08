"""A replica that is cut off from the database while it changes production: nothing is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot import flows
from bot.model import ExecutionId, UserId
from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.postgres import Server
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.manual_changes import variable
from tests.outages import away
from tests.pausing import PAUSED, patches, paused, request_pause

__all__ = ["paused"]


@pytest.fixture
async def other(given: Settings, clock: Clock, bot: Bot) -> AsyncIterator[Bot]:
    """Another replica beside the first one."""
    async with start_bot(given, clock) as twin:
        yield twin


async def approve(walk: Walk, channel: str) -> None:
    """Approved, and not waited for."""
    [button] = walk.slack.find_buttons(action_ids.APPROVE, channel, "second")
    await walk.slack.press("second", button)


async def fall_silent(bot: Bot, clock: Clock, seconds: float) -> None:
    """For everybody else, nothing was heard of what runs for so long."""
    async with bot.world.pool.connection() as conn:
        since = clock.time - timedelta(seconds=seconds)
        await conn.execute("UPDATE executions SET heartbeat_at = %s", [since])


async def sent(kube: Cluster, *, dry_run: bool) -> None:
    """Wait until the bot has sent a patch, which the cluster answers late."""
    before = len(kube.requests)
    await kube.wait_until(
        lambda: any(
            request.verb == "patch" and ("dryRun" in request.query) is dry_run
            for request in kube.requests[before:]
        )
    )


async def test_late_pause_is_seen_and_ends(
    walk: Walk, bot: Bot, other: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await request_pause(walk)
    stalled = kube.stall("patch *")
    await approve(walk, channel)
    await sent(kube, dry_run=False)
    await fall_silent(bot, clock, 31)
    await other.tick()
    # The clock draws no conclusions yet, and the write can still arrive.
    await kube.wait_until(lambda: walk.execution(channel).state == "Interrupted")
    assert variable(kube) == "false"
    await kube.release(stalled)
    await bot.drain()

    assert variable(kube) == "true"
    assert PAUSED in walk.text(channel)
    assert walk.execution(channel).state == "Done and checked"
    clock.forward(minutes=31)
    await asyncio.gather(bot.tick(), other.tick())
    assert variable(kube) == "false"
    assert patches(kube) == 2
    assert PAUSED not in walk.text(channel)


async def test_an_outage_of_the_database_is_no_end(
    walk: Walk, bot: Bot, given: Settings, kube: Cluster, clock: Clock, postgres: Server
) -> None:
    """The change is made and the database away; who is back first takes its process for dead."""
    channel = await request_pause(walk)
    slow = kube.slow("patch *", 0.3, dry_run=False)
    await approve(walk, channel)
    await sent(kube, dry_run=False)
    async with away(postgres, given.database_url):
        await kube.wait_until(lambda: patches(kube) == 1)
        clock.forward(seconds=33)
        await kube.wait_until(lambda: bot.world.pool.get_stats().get("requests_waiting", 0) > 0)
    kube.heal(slow)
    async with start_bot(given, clock) as other:
        await flows.runs.mark_interrupted(other.world)
        await bot.drain()
        await other.tick()

    assert (walk.execution(channel).state, variable(kube)) == ("Done and checked", "true")
    told = [entry.split(": ")[0] for entry in await walk.timeline(channel)]
    # Its own process may be back first as well.
    assert [entry for entry in told if entry != "the clock found this interrupted"][-2:] == [
        "@oncall requested this, and it started",
        "@oncall requested this, and it was done and checked",
    ]
    assert PAUSED in walk.text(channel)
    clock.forward(minutes=31)
    await bot.tick()
    assert (variable(kube), patches(kube)) == ("false", 2)


async def test_a_pause_called_not_done_stays_out(
    walk: Walk, bot: Bot, other: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await request_pause(walk)
    stalled = kube.stall("patch *")
    await approve(walk, channel)
    await sent(kube, dry_run=False)
    kube.heal()
    await fall_silent(bot, clock, 41)
    await other.tick()
    await kube.wait_until(lambda: walk.execution(channel).state == "Not done")
    before = walk.execution(channel)
    outcome = "The change was not done: ORDERS_PAUSED of order-service is “false”."
    assert (before.state, before.outcome) == ("Not done", outcome)

    await kube.release(stalled)
    await bot.drain()

    assert variable(kube) == "false"
    assert walk.execution(channel) == before
    assert PAUSED not in walk.text(channel)


async def test_a_resume_called_not_done_stays_out(
    walk: Walk, bot: Bot, other: Bot, kube: Cluster, clock: Clock, paused: str
) -> None:
    stalled = kube.stall("patch *")
    await walk.slack.press("second", action_id=action_ids.UNDO, channel=paused)
    await sent(kube, dry_run=False)
    kube.heal()
    await fall_silent(bot, clock, 41)
    await other.tick()
    assert PAUSED in walk.text(paused)
    await kube.release(stalled)
    await bot.drain()

    assert variable(kube) == "true"
    assert PAUSED in walk.text(paused)
    assert [request.state for request in walk.executions(paused)] == [
        "Done and checked",
        "Not done",
    ]


async def test_execution_under_check_changes_nothing(
    walk: Walk, bot: Bot, other: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await request_pause(walk)
    kube.slow("patch *", 2)
    await approve(walk, channel)
    await sent(kube, dry_run=True)
    await fall_silent(bot, clock, 31)
    await flows.runs.mark_interrupted(other.world)
    # Its look takes longer than the plan of the one that was taken for dead.
    kube.slow("get */deployments/order-service", 3)
    await flows.runs.verify_interrupted(
        other.world, ExecutionId(1), by=UserId(walk.slack.user("lead").id)
    )
    await asyncio.gather(bot.drain(), other.drain())
    kube.heal()

    assert patches(kube) == 0
    assert walk.execution(channel).state == "Not done"
    # Only by the other replica: the one that was taken for dead draws no conclusion.
    assert sum("found this interrupted" in entry for entry in await walk.timeline(channel)) == 1
