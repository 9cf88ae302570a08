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
from bot.model import ExecutionId, ExecutionState, IncidentId, UserId
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
IS_RESOLVED = (
    "INC-1 is resolved. Nothing was done. If the problem is back, declare a new incident with "
    "`/incident declare`."
)


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


async def test_approvals_at_once_are_counted_singly(
    walk: Walk, bot: Bot, state: str, broken: Cluster, asked: str
) -> None:
    """Whoever is second must see the first: else one of two approvals is lost, or both run."""
    async with holding(state, "SELECT FROM executions FOR NO KEY UPDATE"):
        for who in ("second", "lead"):
            await walk.slack.press(who, action_id=action_ids.APPROVE, channel=asked)
        await waiting_for_locks(bot, 2)
    await bot.drain()

    [approval] = walk.execution(asked).approvals
    told = walk.answers("second", asked) + walk.answers("lead", asked)
    assert told == [
        f"Already approved by {approval.replace(', ', ' at ').replace(' UTC', ':00 UTC')}. "
        "Nothing more was approved."
    ]
    assert patches(broken) == 1


async def test_an_approval_ends_with_its_request(
    walk: Walk, bot: Bot, broken: Cluster, clock: Clock, asked: str
) -> None:
    """What was approved and waited for its target is not what people want half an hour later."""
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'approved'")
    clock.forward(minutes=31)

    await flows.runs.start_approved(bot.world)  # before the sweep that expires it
    await bot.drain()

    assert patches(broken) == 0
    await bot.tick()
    assert walk.execution(asked).state == "Expired"


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


@pytest.mark.parametrize(
    "ended",
    [
        ExecutionState.SUCCEEDED,
        ExecutionState.DENIED,
        ExecutionState.EXPIRED,
        ExecutionState.VOIDED,
        ExecutionState.PROPOSED,
        ExecutionState.APPROVED,
    ],
)
async def test_only_what_runs_is_finished(bot: Bot, asked: str, ended: ExecutionState) -> None:
    """A late process must not write “done” over what people were told already."""
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = %s", [ended])
        late = await store.executions.finish(
            conn,
            ROLLBACK,
            to_state=ExecutionState.FAILED,
            at=bot.world.now(),
            outcome="late",
            check_passed=False,
        )
        found = await store.executions.get(conn, ROLLBACK)

    assert late is None
    assert found is not None
    assert (found.state, found.outcome) == (ended, None)


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


async def test_nothing_is_asked_after_a_resolve(
    walk: Walk, bot: Bot, state: str, clock: Clock, broken: Cluster
) -> None:
    """A request that is planned while the incident ends would wait where nobody looks."""
    channel = await walk.declare()
    await walk.press_step("oncall", "roll-back", channel)
    view = walk.slack.views("oncall")[-1]["id"]
    async with holding(state, "SELECT FROM incidents FOR NO KEY UPDATE") as resolving:
        await walk.slack.submit("oncall", view, {"reason": {"reason": "It crash-loops"}})
        await waiting_for_locks(bot)
        second = UserId(walk.slack.user("second").id)
        await store.incidents.resolve(resolving, ID, by=second, at=clock.time, resolution="Over")
    await bot.drain()

    assert walk.answer("oncall") == IS_RESOLVED
    assert walk.executions(channel) == []


async def test_no_resolve_while_one_starts(
    walk: Walk, bot: Bot, state: str, broken: Cluster, asked: str
) -> None:
    """What starts at this moment would go on in an incident that looks over."""
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'approved'")
    await walk.press("oncall", action_ids.RESOLVE, asked)
    view = walk.slack.views("oncall")[-1]["id"]
    async with holding(state, "UPDATE executions SET state = 'running'"):
        await walk.slack.submit("oncall", view, {"resolution": {"resolution": "It is over"}})
        await waiting_for_locks(bot)
    await bot.drain()

    assert walk.answer("oncall") == (
        "“Roll back” is still running. The incident was not resolved; wait until it has ended."
    )
    assert walk.card(asked)["Status"] == "Investigating"


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
        await temporary_changes.process_due(bot.world)
    await planning.struck.wait()
    async with holding(state, "UPDATE temporary_changes SET ends_at = ends_at + interval '1 h'"):
        pass
    planning.resume()
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
