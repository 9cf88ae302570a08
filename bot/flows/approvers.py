"""Approvers: whether anybody can approve a request, and the reminder when half of its time is over.

Both only tell people something. So nothing waits for what Slack says about the approvers.
"""

import asyncio
from collections.abc import Set
from functools import partial

from bot import rules, slack, store, sweeps
from bot.flows.lookups import approvers_of, get
from bot.flows.transactions import changing, changing_several
from bot.model import (
    Execution,
    ExecutionId,
    ExecutionState,
    Requirement,
    Shortage,
    ShortageKind,
    UserError,
    UserId,
    entries,
)
from bot.world import World

LOOK_SECONDS = 5


def look_for(world: World, execution: Execution) -> None:
    """Look in the background whether anybody can approve a new request, and say so if not."""
    if execution.state is ExecutionState.PROPOSED:
        work = _tell_shortage(world, execution)
        world.background.start(work, f"looking for approvers of {execution.id}")


async def _tell_shortage(world: World, execution: Execution) -> None:
    shortage = await _find_shortage(world, execution)
    if shortage is not None:
        async with changing(world, execution.incident_id) as conn:
            await store.nudges.set_shortage(conn, execution.id, shortage)


async def _find_shortage(world: World, execution: Execution) -> Shortage | None:
    """Why nobody can approve it; None where somebody can, and while Slack does not say."""
    asked = execution.requirement
    if asked is None:
        return None
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            given = {approval.by for approval in execution.approvals}
            return await _read_shortage(world, execution, asked, given)
    except TimeoutError:
        return None
    except UserError as error:
        if _passes(error):
            return None
        kind = ShortageKind.UNREADABLE
        return Shortage(kind=kind, at=world.now(), refusal=str(error))


async def _read_shortage(
    world: World, execution: Execution, asked: Requirement, given: Set[UserId]
) -> Shortage | None:
    approvers = await world.directory.fetch_membership(approvers_of(world, execution))
    others = sorted(approvers.everybody - set(asked.requesters) - given)
    able = await world.directory.full_members(others, asked.approvals - len(given))
    if not able:
        able = await world.directory.full_members(sorted(approvers.everybody - set(others)), 1)
    return rules.policy.find_shortage(asked, given, approvers, able, world.now())


def _passes(error: UserError) -> bool:
    """Whether Slack may say it a moment later."""
    cause = error.__cause__
    return isinstance(cause, slack.client.SlackError) and cause.is_transient


async def remind_halfway(world: World) -> None:
    """Remind the approvers of requests that still wait when half of their time is over."""
    await sweeps.each(world, "approval", store.nudges.due, partial(_remind, world))


async def _remind(world: World, row_id: int) -> None:
    execution = await get(world, ExecutionId(row_id))
    shortage = await _find_shortage(world, execution)
    async with changing_several(world) as (conn, changed):
        now = world.now()
        nudged = await store.nudges.record(conn, execution.id, now, shortage)
        if nudged is None:
            return
        reminded = entries.Reminded(what="missing approval")
        await store.timeline.add(conn, nudged.incident_id, reminded, at=now, text=nudged.title)
        changed.add(nudged.incident_id)
