"""Two people or replicas at the same moment: each test holds one back exactly where it matters."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import LiteralString

import pytest
from psycopg import AsyncConnection

from bot import flows, store
from bot.flows import temporary_changes
from bot.model import ExecutionId, ExecutionState, IncidentId
from bot.publishing.publisher import publish
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk
from tests.doors import Doors, doors_in_place, replica
from tests.manual_changes import variable
from tests.pausing import paused
from tests.rollbacks import DONE, asked, broken, patches

__all__ = ["asked", "broken", "doors_in_place", "paused"]

ID = IncidentId(1)
ROLLBACK = ExecutionId(1)


@asynccontextmanager
async def holding(state: str, query: LiteralString) -> AsyncIterator[AsyncConnection]:
    """Somebody else's transaction, which holds what the query locks until this ends."""
    async with await AsyncConnection.connect(state) as conn:
        await conn.execute(query)
        yield conn


async def waiting_for_locks(bot: Bot, count: int = 1) -> None:
    """Return as soon as so many sessions wait for a lock."""
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
    """
    async with bot.world.pool.connection() as conn, asyncio.timeout(20):
        while (await (await conn.execute(query)).fetchone() or (0,))[0] < count:
            await conn.execute("SELECT pg_stat_clear_snapshot()")


async def test_who_denies_before_the_start_is_heard(
    walk: Walk, bot: Bot, broken: Cluster, asked: str
) -> None:
    """A replica that read “approved” a moment ago must look again when it starts."""
    await walk.press("lead", action_ids.DENY, asked)
    await walk.submit("lead", reason="Not now")

    await flows.runs.run(bot.world, ROLLBACK)

    assert (walk.execution(asked).state, patches(broken)) == ("Denied", 0)


async def test_who_left_just_now_approves_nothing(walk: Walk, broken: Cluster, asked: str) -> None:
    """Known a minute ago is not good enough for production: the click decides."""
    await walk.press("second", action_ids.TAKE_COMMAND, asked)
    walk.slack.user("second").deactivated = True

    await walk.press("second", action_ids.APPROVE, asked)

    assert walk.answer("second") == "This account is deactivated. Nothing was done."
    assert patches(broken) == 0


async def test_a_first_outcome_can_be_corrected(bot: Bot, asked: str) -> None:
    """A process that went on knows better than one that looked too early and said “not done”."""

    async def finish(outcome: str, check_passed: bool | None) -> bool:
        async with bot.world.pool.connection() as conn:
            return None is not await store.executions.finish(
                conn,
                ROLLBACK,
                to_state=ExecutionState.FAILED,
                at=bot.world.now(),
                outcome=outcome,
                check_passed=check_passed,
            )

    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'interrupted'")

    written = [
        await finish("Not done.", None),
        await finish("Not done.", None),
        await finish("Done.", False),
        await finish("Not done.", None),
    ]

    assert written == [True, False, True, False]


async def test_a_resolved_incident_reminds_nobody(
    walk: Walk, bot: Bot, state: str, clock: Clock
) -> None:
    """A reminder that a resolve missed (a row of another version) must not wake people."""
    channel = await walk.declare()
    await walk.press("oncall", action_ids.RESOLVE, channel)
    await walk.submit("oncall", resolution="It is over")
    before = walk.posts(channel)
    async with holding(state, "UPDATE reminders SET settled_at = NULL WHERE kind <> 'tasks'"):
        pass

    clock.forward(hours=1)
    await bot.tick()

    assert walk.posts(channel) == before


async def test_a_reminder_waits_for_an_update(
    walk: Walk, bot: Bot, state: str, clock: Clock
) -> None:
    """Who posts an update at this moment is not asked for one: the incident's lock decides."""
    channel = await walk.declare()
    clock.forward(minutes=16)
    before = await walk.timeline(channel)

    async with holding(state, "SELECT FROM incidents FOR NO KEY UPDATE"):
        await flows.reminders.fire_due(bot.world)

    assert await walk.timeline(channel) == before


async def test_a_reminder_is_fired_by_one(walk: Walk, bot: Bot, state: str, clock: Clock) -> None:
    """Two replicas whose clocks tick together must not both wake the commander."""
    channel = await walk.declare()
    clock.forward(minutes=16)
    async with holding(state, "LOCK TABLE timeline IN SHARE MODE"):
        first = asyncio.create_task(flows.reminders.fire_due(bot.world))
        await waiting_for_locks(bot)
        second = asyncio.create_task(flows.reminders.fire_due(bot.world))
        # It ends at once where the rows are locked, else it waits for the same rows.
        both_wait = asyncio.create_task(waiting_for_locks(bot, 2))
        await asyncio.wait((second, both_wait), return_when=asyncio.FIRST_COMPLETED)
        both_wait.cancel()
    await asyncio.gather(first, second)
    await asyncio.gather(both_wait, return_exceptions=True)

    told = [entry for entry in await walk.timeline(channel) if "sent a reminder" in entry]
    assert len(told) == len(set(told)) == 2


async def test_a_resolve_voids_what_is_approved(
    walk: Walk, bot: Bot, broken: Cluster, asked: str
) -> None:
    """What waited for its target would run in an incident that is over, with nobody there."""
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'approved'")
    await walk.press("oncall", action_ids.RESOLVE, asked)
    await walk.submit("oncall", resolution="It is over")

    await bot.tick()

    assert walk.card(asked)["Status"] == "Resolved"
    assert patches(broken) == 0


async def test_an_outcome_survives_its_connection(
    walk: Walk, bot: Bot, state: str, broken: Cluster, asked: str
) -> None:
    """What was changed in production must be written, though the database went away just then."""
    ending = """
        SELECT query LIKE '%finished_at = %', pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'
    """
    await walk.slack.press("second", action_id=action_ids.APPROVE, channel=asked)
    await broken.wait_until(lambda: patches(broken) == 1)
    async with holding(state, "SELECT FROM executions FOR UPDATE") as conn, asyncio.timeout(20):
        while (True,) not in [row[:1] for row in await (await conn.execute(ending)).fetchall()]:
            await conn.execute("SELECT pg_stat_clear_snapshot()")
    await bot.drain()

    assert walk.execution(asked).state == DONE


@pytest.mark.usefixtures("doors_in_place")
async def test_an_extension_comes_before_the_end(
    bot: Bot, state: str, kube: Cluster, clock: Clock, paused: str
) -> None:
    """Orders must not be taken again while an approver has just said: half an hour more."""
    clock.forward(minutes=31)
    planning = Doors("PATCH", armed=True)
    planning.before = planning.suspend
    with replica(planning):
        sweep = asyncio.create_task(temporary_changes.look_at_due(bot.world))
    await planning.struck.wait()
    async with holding(state, "UPDATE temporary_changes SET ends_at = ends_at + interval '1 h'"):
        pass
    planning.resume()
    await sweep
    await bot.drain()

    assert variable(kube) == "true"


async def test_who_lost_the_lease_stops(walk: Walk, bot: Bot, clock: Clock) -> None:
    """Whoever publishes on without the lease posts everything a second time."""
    hanging = walk.slack.fail("chat.postMessage", hang=True)
    await walk.slack.say("oncall", "/incident declare sev1 Orders are failing", "general")
    await walk.slack.wait_for(lambda: walk.calls("chat.postMessage"), 20)
    clock.forward(seconds=91)
    await publish(bot.world, ID)

    hanging.heal()
    await bot.drain()

    keys = [
        call.arguments["metadata"]["event_payload"]["key"]
        for call in walk.calls("chat.postMessage")
    ]
    twice = [key for key, count in Counter(keys).items() if count > 1]
    assert twice == keys[:1], keys  # only what was under way when the lease ended
