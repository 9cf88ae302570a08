"""What an execution did to temporary changes: it is one, it ended one, or it put one back."""

import logging
from datetime import datetime
from typing import NamedTuple

from bot import store
from bot.actions.base import Change
from bot.flows.lookups import build_action
from bot.model import Execution, ExecutionId, Observation, Plan, UserError, Verdict
from bot.store.db import Conn
from bot.views import text
from bot.world import World

log = logging.getLogger(__name__)


class Aftermath(NamedTuple):
    """What an execution left: the plan of its undo, and what is seen of its temporary change."""

    undo: Plan | None
    seen: Observation | None


async def inspect(world: World, execution: Execution) -> Aftermath:
    """What an execution left, as far as it can be read now.

    There is no undo where another execution has written since: nobody approved to undo that.
    """
    seen = await _observe_or_log(world, execution)
    undo = None if _is_overwritten(execution, seen) else await plan_undo(world, execution)
    return Aftermath(undo, seen)


def _is_overwritten(execution: Execution, seen: Observation | None) -> bool:
    """Whether the target of a temporary change does not bear its execution's id any more."""
    sighting = None if seen is None else seen.sighting
    return sighting is not None and sighting.execution != str(execution.id)


async def plan_undo(world: World, execution: Execution) -> Plan | None:
    """The undo's plan as it is now: an undo whose plan has another digest is a new request.

    None where there is no undo, or it cannot be planned now.
    """
    if execution.plan is None or execution.plan.undo is None:
        return None
    undo_action = build_action(world, execution.plan.undo.action, execution.plan.undo.params)
    assert isinstance(undo_action, Change)
    try:
        systems = world.services.systems(execution.place)
        return await undo_action.plan(systems.for_planning())
    except UserError as error:
        log.info("the undo of execution %s cannot be planned now: %s", execution.id, error)
        return None


async def _observe_or_log(world: World, execution: Execution) -> Observation | None:
    try:
        return await observe(world, execution)
    except UserError as error:
        log.info("the change of execution %s cannot be seen: %s", execution.id, error)
        return None


async def observe(world: World, execution: Execution) -> Observation | None:
    """What its action sees of a temporary change now; None for another change.

    Raises UserError where it cannot be seen.
    """
    if execution.plan is None or execution.plan.temporary is None:
        return None
    action = build_action(world, execution.action, execution.params)
    assert isinstance(action, Change)
    return await action.observe(world.services.systems(execution.place).for_reading())


async def record(
    conn: Conn, ended: Execution, verdict: Verdict, aftermath: Aftermath, now: datetime
) -> None:
    """Record what an execution did, or that it did nothing."""
    if not verdict.was_applied:
        await store.temporary_changes.withdraw(conn, ended.id, now)
        return
    assert ended.plan is not None
    if ended.undo_of is not None:
        await store.temporary_changes.resume(conn, ended.undo_of, now)
        change = await store.temporary_changes.get(conn, ended.undo_of)
        # Another incident's is told there, once the target shows that it has ended.
        if verdict.ok and change is not None and change.incident_id == ended.incident_id:
            await store.temporary_changes.end(conn, ended.undo_of, now, by=ended.id)
    await store.temporary_changes.schedule_recheck(conn, ended.plan.target, now)
    await record_temporary(conn, ended, now, applied=True)
    if aftermath.seen is not None:
        change = await store.temporary_changes.look_again(conn, ended.id, now, aftermath.seen)
        is_told = verdict.undone_outside or change.ends_at <= now  # the outcome says by whom
        if await _is_replaced(conn, ended, aftermath.seen) or (
            is_told and not aftermath.seen.in_force
        ):
            await store.temporary_changes.end(conn, ended.id, now)
    if aftermath.undo is not None:
        await store.temporary_changes.set_as_left(conn, ended.id, aftermath.undo.fingerprint)


async def _is_replaced(conn: Conn, ended: Execution, seen: Observation) -> bool:
    """Whether another temporary change was made over it: what is there now ends with that one."""
    last = await last_execution(conn, seen)
    if last is None or last.id == ended.id:
        return False
    change = await store.temporary_changes.get(conn, last.id)
    return change is not None and change.may_be_in_force


async def last_execution(conn: Conn, seen: Observation) -> Execution | None:
    """The execution whose id the target bears."""
    if seen.sighting is None or not seen.sighting.execution.isdecimal():
        return None
    return await store.executions.get(conn, ExecutionId(int(seen.sighting.execution)))


async def record_temporary(
    conn: Conn, execution: Execution, now: datetime, *, applied: bool
) -> None:
    """Record that an execution makes a temporary change, which lasts from its start."""
    temporary = execution.plan.temporary if execution.plan else None
    if temporary is None:
        return
    since = execution.started_at or now
    await store.temporary_changes.record(
        conn,
        execution,
        applied=applied,
        state=temporary.state,
        started_at=since,
        ends_at=since + temporary.lasts,
        now=now,
    )
    if applied:
        found_late = text.render_unescaped("found_late")
        await store.temporary_changes.mark_found_late(conn, execution.id, found_late, now)
