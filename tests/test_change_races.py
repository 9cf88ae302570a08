"""Two decisions about one request at the same moment: the later one sees what the earlier one did.

The earlier one is held open by a transaction of the test, and committed once the bot waits for it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from psycopg import AsyncConnection

from bot import flows, store
from bot.model import ExecutionId, ExecutionState, IncidentId, UserId
from bot.store.db import Conn
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk
from tests.rollbacks import asked, broken, done, patches

__all__ = ["asked", "broken", "done"]

FIRST = ExecutionId(1)
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
RESOLVED = (
    "INC-1 is resolved. Nothing was done. If the problem is back, declare a new incident with "
    "`/incident declare`."
)


@asynccontextmanager
async def deciding(state: str, bot: Bot) -> AsyncIterator[Conn]:
    """A transaction that decides something, committed as soon as the bot waits for it."""
    async with (
        await AsyncConnection.connect(state) as earlier,
        await AsyncConnection.connect(state, autocommit=True) as watch,
    ):
        yield earlier
        async with asyncio.timeout(20):
            while await (await watch.execute(WAITING)).fetchone() == (0,):
                pass
        await earlier.commit()
    await bot.drain()


async def test_approval_waits_for_a_denial(
    walk: Walk, bot: Bot, state: str, broken: Cluster, asked: str
) -> None:
    approve = walk.slack.find_button("Approve", asked, "second")
    lead = UserId(walk.slack.user("lead").id)
    before, after = ExecutionState.PROPOSED, ExecutionState.DENIED

    async with deciding(state, bot) as conn:
        await store.executions.move(
            conn, FIRST, from_state=before, to_state=after, outcome="No", by=lead
        )
        await walk.slack.press("second", approve)

    assert walk.answer("second") == "Already denied by @lead. Nothing more was approved."
    assert patches(broken) == 0


async def test_nothing_starts_after_its_expiry(
    walk: Walk, bot: Bot, clock: Clock, broken: Cluster, asked: str
) -> None:
    async with bot.world.pool.connection() as conn:  # approved, while its target is being changed
        await conn.execute("UPDATE executions SET state = 'approved'")
    clock.forward(minutes=10)

    await flows.runs.start_approved(bot.world)  # the target is free, and no replica expired it yet
    await bot.drain()
    assert patches(broken) == 0

    await bot.tick()
    assert walk.execution(asked).state == "Expired"
    assert patches(broken) == 0


Press = Callable[[Walk, str], Awaitable[object]]


async def ask_for_pods(walk: Walk, channel: str) -> None:
    await walk.slack.press("oncall", walk.slack.find_button("Pods", channel, "oncall"))


async def send_form(walk: Walk, channel: str) -> None:
    view = walk.slack.views("oncall")[-1]
    await walk.slack.submit("oncall", view["id"], {"reason": {"reason": "It crash-loops"}})


async def undo(walk: Walk, channel: str) -> None:
    await walk.slack.press("second", walk.slack.find_button("Undo", channel, "second"))


@pytest.mark.parametrize(
    ("who", "press"), [("oncall", ask_for_pods), ("oncall", send_form), ("second", undo)]
)
async def test_nobody_asks_in_a_resolved_incident(
    walk: Walk,
    bot: Bot,
    clock: Clock,
    state: str,
    broken: Cluster,
    done: str,
    who: str,
    press: Press,
) -> None:
    await walk.press_step("oncall", "roll-back", done)
    lead = UserId(walk.slack.user("lead").id)

    async with deciding(state, bot) as conn:
        await store.incidents.resolve(
            conn, IncidentId(1), by=lead, at=clock.time, resolution="It is over"
        )
        await press(walk, done)

    assert walk.answer(who) == RESOLVED
    assert patches(broken) == 1
    async with bot.world.pool.connection() as conn:
        assert len(await store.executions.of_incident(conn, IncidentId(1))) == 1


async def test_what_starts_now_is_not_resolved(
    walk: Walk, bot: Bot, clock: Clock, state: str, asked: str
) -> None:
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'approved'")
    await walk.say("lead", "/incident resolve", asked)
    view = walk.slack.views("lead")[-1]

    async with deciding(state, bot) as conn:
        assert await store.executions.start(conn, FIRST, clock.time) is not None
        await walk.slack.submit("lead", view["id"], {"resolution": {"resolution": "It is over"}})

    assert walk.answer("lead") == (
        "“Roll back” is still running. The incident was not resolved; wait until it has ended."
    )
    assert walk.card(asked)["Status"] == "Investigating"


@pytest.mark.parametrize(
    "state_before",
    ["proposed", "approved", "succeeded", "denied", "expired", "voided"],
)
async def test_what_does_not_run_cannot_end(
    bot: Bot, clock: Clock, asked: str, state_before: str
) -> None:
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = %s, outcome = 'before'", [state_before])

        late = await store.executions.finish(
            conn,
            FIRST,
            to_state=ExecutionState.SUCCEEDED,
            at=clock.time + timedelta(minutes=1),
            outcome="a process that was away tells its own",
            check_passed=True,
        )

        kept = await store.executions.get(conn, FIRST)
    assert late is None
    assert kept is not None
    assert (kept.state.value, kept.outcome) == (state_before, "before")
