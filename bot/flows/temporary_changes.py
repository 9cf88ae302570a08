"""Temporary changes: checked, announced before they end, extended by approvers, undone in time."""

import asyncio
import logging
from datetime import datetime, timedelta

from bot import durations, rules, store, sweeps
from bot.actions.base import Change
from bot.flows import approvers, drift, effects, executions, incidents, runs
from bot.flows.approvals import record_refusals
from bot.flows.lookups import Decider, get, load_decider
from bot.flows.transactions import changing, log_execution
from bot.model import (
    Execution,
    ExecutionId,
    ExecutionState,
    IncidentId,
    Observation,
    Plan,
    Requirement,
    TemporaryChange,
    UserError,
    UserId,
    entries,
)
from bot.store.db import Conn
from bot.views import text
from bot.world import World

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=5)
BEING_UNDONE = (ExecutionState.RUNNING, ExecutionState.INTERRUPTED)
# At the same time: a cluster that does not answer keeps each look waiting.
LOOKS_AT_ONCE = 8
# After a cluster that did not answer, or a process that died while it looked.
RETRY_AFTER = timedelta(minutes=1)
# How long looks may fail until people read so: an API server that restarts is away for some 20 s.
UNSEEN_FOR = timedelta(minutes=1)
# After approval of the undo was requested: that request has expired by then.
REQUEST_AGAIN_AFTER = timedelta(minutes=30)


async def look_at_due(world: World) -> None:
    """Look at every temporary change that is due: is it in force, will it end, is its time over?"""
    now, kind = world.now(), "temporary change"
    async with world.pool.connection() as conn:
        waiting = world.backoff.waiting(kind, now)
        due = await store.temporary_changes.claim_due(conn, now, now + RETRY_AFTER, waiting)
    slots = asyncio.Semaphore(LOOKS_AT_ONCE)
    looks = [_look_in_turn(world, ExecutionId(row.id), slots) for row in due]
    attempts = [
        sweeps.attempt(world, kind, row, look) for row, look in zip(due, looks, strict=True)
    ]
    await asyncio.gather(*attempts)


async def _look_in_turn(world: World, execution_id: ExecutionId, slots: asyncio.Semaphore) -> None:
    async with slots:
        execution = await get(world, execution_id)
        async with world.pool.connection() as conn:
            change = await store.temporary_changes.get(conn, execution_id)
            undos = await store.executions.undos_of(conn, execution_id)
        if change is None:
            return
        if any(undo.state in BEING_UNDONE for undo in undos):
            await _look_again(world, change, None)
        else:
            await _look(world, change, execution, undos)


async def _look(
    world: World, change: TemporaryChange, execution: Execution, undos: tuple[Execution, ...]
) -> None:
    seen = await _observe(world, change, execution)
    if change.applied and seen is not None and not seen.in_force:
        await _record_end(world, change, seen)
        return
    await _look_again(world, change, seen)
    if not change.applied:
        await _settle(world, execution, seen)
        return
    was_changed = execution.evidence.undone_outside
    if execution.undo_digest is None and not undos and not was_changed:
        execution = await _learn_undo_digest(world, execution)
    await _take_next_step(world, change, execution, undos)


async def _observe(
    world: World, change: TemporaryChange, execution: Execution
) -> Observation | None:
    """What is seen of it; None, and told on the card once it lasts, where that cannot be seen."""
    try:
        seen = await effects.observe(world, execution)
    except UserError as error:
        log.info("the change of execution %s cannot be seen: %s", execution.id, error)
        await _record_unseen(world, change, str(error))
        return None
    if change.unseen_since is not None:
        await _record_unseen(world, change, None)
    return seen


async def _record_unseen(world: World, change: TemporaryChange, reason: str | None) -> None:
    """Record that a look failed; the reason once they have failed for a while, None: it did not."""
    now = world.now()
    since = None if reason is None else change.unseen_since or now
    is_told = since is not None and now - since >= UNSEEN_FOR
    told = reason if is_told else None
    async with world.pool.connection() as conn:
        await store.temporary_changes.set_unseen(conn, change.execution_id, since, told)
        if told != change.unseen_reason:
            await store.publications.mark_stale(conn, change.incident_id)


async def _look_again(world: World, change: TemporaryChange, seen: Observation | None) -> None:
    again_at = world.now() + LOOK_EVERY
    async with world.pool.connection() as conn:
        now_seen = await store.temporary_changes.look_again(
            conn, change.execution_id, again_at, seen
        )
        if now_seen.has_drifted != change.has_drifted:
            await store.publications.mark_stale(conn, change.incident_id)


async def _settle(world: World, execution: Execution, seen: Observation | None) -> None:
    """Take a change for written that is there with its execution's id, whatever was recorded.

    Where it counts as not done, it is checked again, as what was interrupted.
    """
    if execution.state not in (ExecutionState.INTERRUPTED, ExecutionState.FAILED):
        return
    if seen is None or seen.sighting is None or not seen.in_force:
        return
    if seen.sighting.execution != str(execution.id):
        return
    now, before, after = world.now(), ExecutionState.FAILED, ExecutionState.INTERRUPTED
    try:
        async with world.pool.connection() as conn:
            moved = await store.executions.move(
                conn, execution.id, from_state=before, to_state=after
            )
            if moved is not None:
                await log_execution(conn, moved, entries.Interrupted(), at=now)
            await effects.record_temporary(conn, execution, now, applied=True)
            await store.publications.mark_stale(conn, execution.incident_id)
    except store.executions.AlreadyActive:
        log.info("execution %s is settled once its target or its step is free", execution.id)


async def _take_next_step(
    world: World, change: TemporaryChange, execution: Execution, undos: tuple[Execution, ...]
) -> None:
    now = world.now()
    if change.ends_at <= now:
        if change.retry_at is None or change.retry_at <= now:
            await _revert(world, change, execution, undos)
    elif change.announced_at is None and change.ends_at - rules.changes.END_NOTICE <= now:
        await _announce_end(world, change, execution)


async def _learn_undo_digest(world: World, execution: Execution) -> Execution:
    """Plan the undo now, where the cluster did not answer when the execution ended.

    Only while the target is as the execution left it: else its undo is not what was approved.
    """
    try:
        if not await _is_as_left(world, execution):
            return execution
    except UserError:
        return execution
    undo = await effects.plan_undo(world, execution)
    if undo is None:
        return execution
    async with world.pool.connection() as conn:
        await store.executions.set_undo_digest(conn, execution.id, undo.digest)
        await store.temporary_changes.set_as_left(conn, execution.id, undo.fingerprint)
        await store.publications.mark_stale(conn, execution.incident_id)
    return execution.model_copy(update={"undo_digest": undo.digest})


async def _is_as_left(world: World, execution: Execution) -> bool:
    """Whether a Deployment bears the execution's id and had no other rollout since its plan."""
    assert execution.plan is not None
    name = execution.params.get("deployment")
    if name is None or "revision" not in execution.plan.fingerprint:
        return False
    systems = world.services.systems(execution.place).for_reading()
    deployment = await systems.cluster.deployment(name)
    next_revision = execution.plan.fingerprint["revision"] + 1
    return deployment.last_execution == str(execution.id) and deployment.revision == next_revision


async def _record_end(world: World, change: TemporaryChange, seen: Observation) -> None:
    """Another step, or something outside Runbolt, has ended it."""
    now = world.now()
    async with world.pool.connection() as conn:
        current = await store.temporary_changes.lock(conn, change.execution_id)
        if current is None or current.next_check_at != change.next_check_at:
            return  # something changed it since this look began
        last = await effects.last_execution(conn, seen)
        if last is not None and _will_tell(change, seen, last):
            again_at = now + LOOK_EVERY
            await store.temporary_changes.look_again(conn, change.execution_id, again_at, None)
            return
        proven = last is not None and rules.changes.proves_end(change, seen, last)
        ended_by = last if proven and not seen.manager else None
        execution_id = ended_by.id if ended_by else None
        if await store.temporary_changes.end(conn, change.execution_id, now, by=execution_id):
            await _log(conn, change, _ended_entry(change, seen, ended_by), at=now)


def _will_tell(change: TemporaryChange, seen: Observation, last: Execution) -> bool:
    """Whether an execution under way will tell by itself, or its target will, that it ended it."""
    is_undo = last.undo_of == change.execution_id
    return last.state is ExecutionState.RUNNING and (is_undo or not seen.settled)


def _ended_entry(
    change: TemporaryChange, seen: Observation, ended_by: Execution | None
) -> entries.Ended:
    """What ended it, for the timeline, as far as the target proves it."""
    if ended_by is None:
        outside = rules.changes.was_outside(change, seen)
        return entries.Ended(
            execution=change.execution_id, by_hand=outside, manager=seen.manager, fact=seen.fact
        )
    in_other_incident = ended_by.incident_id != change.incident_id
    return entries.Ended(
        execution=change.execution_id,
        change=ended_by.title,
        who=ended_by.requested_by,
        incident=f"INC-{ended_by.incident_id}" if in_other_incident else "",
    )


async def _announce_end(world: World, change: TemporaryChange, execution: Execution) -> None:
    now = world.now()
    async with world.pool.connection() as conn:
        current = await store.temporary_changes.lock(conn, execution.id)
        if current is None or not current.in_force:
            return
        if current.ends_at != change.ends_at or current.announced_at is not None:
            return  # extended or announced meanwhile
        await store.temporary_changes.mark_announced(conn, execution.id, now)
        people = await _people_concerned(conn, execution)
        notice = entries.EndAnnounced(execution=execution.id, until=change.ends_at, who=people)
        await _log(conn, change, notice, at=now)


async def _revert(
    world: World, change: TemporaryChange, execution: Execution, undos: tuple[Execution, ...]
) -> None:
    """Undo it as was approved with it; where that cannot be, report it or request approval."""
    requested = [undo for undo in undos if undo.state is ExecutionState.PROPOSED]
    if any(undo.state is ExecutionState.APPROVED for undo in undos):
        return  # it waits for its target
    if requested:
        await _approve_request(world, change, execution, requested[0])
    elif any(undo.check_passed is not None for undo in undos):
        await _mark_overdue(world, change, execution, text.render_unescaped("undo_check_failed"))
    else:
        await _plan_revert(world, change, execution, undos)


async def _plan_revert(
    world: World, change: TemporaryChange, execution: Execution, undos: tuple[Execution, ...]
) -> None:
    try:
        undo_action = executions.build_undo(world, execution)
        systems = world.services.systems(execution.place)
        plan = await undo_action.plan(systems.for_planning())
    except UserError as error:
        await _mark_overdue(world, change, execution, str(error))
        return
    # An undo that expired before it started (its target was busy, or no bot ran) changed nothing.
    first_attempt = not any(undo.started_at or _was_denied(undo) for undo in undos)
    try:
        revert = await _request_revert(
            world, change, execution, undo_action, plan, first_attempt=first_attempt
        )
    except store.executions.AlreadyActive:
        return  # another replica or a person was faster
    if revert is not None:
        approvers.look_for(world, revert)
        runs.start_if_approved(world, revert)


def _was_denied(undo: Execution) -> bool:
    """Whether people denied the undo that the scheduler requested, not one of their own."""
    return undo.requested_by is None and undo.state is ExecutionState.DENIED


async def _approve_request(
    world: World, change: TemporaryChange, execution: Execution, undo: Execution
) -> None:
    """Approve an undo that somebody requested early, if it is the one approved with the change."""
    requirement = await _requirement_when_over(world, execution, undo)
    if requirement.approvals:
        await _mark_overdue(
            world, change, execution, text.render_unescaped("revert_needs_approval", first=True)
        )
        return
    async with world.pool.connection() as conn:
        if await _lock_overdue(conn, execution, world.now()) is None:
            return
        approved = await store.executions.set_requirement(
            conn, undo.id, requirement, ExecutionState.APPROVED
        )
        if approved is None:
            return
        await log_execution(conn, approved, entries.Approved(), at=world.now())
        await store.publications.mark_stale(conn, approved.incident_id)
    runs.start_if_approved(world, approved)


async def _requirement_when_over(
    world: World, execution: Execution, undo: Execution
) -> Requirement:
    """What an undo that waits needs, once the time of its change is over.

    What the scheduler asked for itself needed new approval, and still does.
    """
    assert undo.plan is not None
    async with world.pool.connection() as conn:
        incident = await store.incidents.get(conn, execution.incident_id)
    assert incident is not None
    undoing = rules.policy.ProposedChange(
        plan=undo.plan,
        risk=undo.risk,
        requested_by=undo.requested_by,
        undoes=execution,
        in_force=True,
        may_use_approval=undo.requested_by is not None,
        action=undo.action,
    )
    policy = world.config.of(execution.place.service)
    return rules.policy.decide(policy, incident, undoing, world.now())


async def _lock_overdue(conn: Conn, execution: Execution, now: datetime) -> TemporaryChange | None:
    """The change if it is in force and its time is over, locked until the transaction ends."""
    change = await store.temporary_changes.lock(conn, execution.id)
    return change if change is not None and change.in_force and change.ends_at <= now else None


async def _request_revert(
    world: World,
    change: TemporaryChange,
    execution: Execution,
    undo_action: Change,
    plan: Plan,
    *,
    first_attempt: bool,
) -> Execution | None:
    """Request the undo: approved already the first time, while nobody else changed the target."""
    now = world.now()
    reason = text.render_unescaped("revert_reason", change=change)
    incident = await incidents.get(world, execution.incident_id)
    step_id = executions.undo_step(world, incident, execution, undo_action)
    plan = await drift.describe_undo(world, execution, undo_action, plan)
    request = executions.undo_request(
        execution, step_id, reason, in_force=True, may_use_approval=first_attempt
    )
    async with world.pool.connection() as conn:
        if await _lock_overdue(conn, execution, now) is None:
            return None
        revert = await executions.insert_request(
            world, conn, execution.incident_id, request, undo_action, plan, None
        )
        await store.publications.mark_stale(conn, execution.incident_id)
        if revert.approvals_needed:
            obstacle = text.render_unescaped("revert_needs_approval", first=first_attempt)
            await _log_not_reverted(conn, change, execution, obstacle, now)
            again_at = now + REQUEST_AGAIN_AFTER
            await store.temporary_changes.mark_overdue(conn, execution.id, obstacle, again_at)
        return revert


async def _mark_overdue(
    world: World, change: TemporaryChange, execution: Execution, reason: str
) -> None:
    """Tell people once that it cannot be undone now, and try again later."""
    now = world.now()
    async with world.pool.connection() as conn:
        current = await _lock_overdue(conn, execution, now)
        if current is None:
            return
        if current.retry_at is None:
            await _log_not_reverted(conn, change, execution, reason, now)
        await store.temporary_changes.mark_overdue(conn, execution.id, reason, now + RETRY_AFTER)


async def _log_not_reverted(
    conn: Conn, change: TemporaryChange, execution: Execution, reason: str, now: datetime
) -> None:
    people = await _people_concerned(conn, execution)
    entry = entries.NotReverted(execution=execution.id, who=people, reason=reason)
    await _log(conn, change, entry, at=now)


async def _people_concerned(conn: Conn, execution: Execution) -> tuple[UserId, ...]:
    """The incident commander, the requester and the approvers, each once."""
    incident = await store.incidents.get(conn, execution.incident_id)
    commander = incident.commander if incident else None
    people = (commander, execution.requested_by, *(approval.by for approval in execution.approvals))
    return tuple(dict.fromkeys(user_id for user_id in people if user_id is not None))


async def _log(
    conn: Conn,
    change: TemporaryChange,
    detail: entries.TemporaryDetail,
    *,
    at: datetime,
) -> None:
    await store.timeline.add(conn, change.incident_id, detail, at=at, text=change.state)
    await store.publications.mark_stale(conn, change.incident_id)


async def extend(
    world: World, execution_id: ExecutionId, *, by: UserId, seen_end: datetime
) -> None:
    """Extend it once from the end that people saw.

    Raises UserError when it is refused, which the timeline records.
    """
    execution = await get(world, execution_id)
    decider = await load_decider(world, by, execution)
    async with record_refusals(world, execution_id, by):
        await _extend(world, execution, decider, seen_end)


async def _extend(world: World, execution: Execution, decider: Decider, seen_end: datetime) -> None:
    (person, approvers), execution_id, now = decider, execution.id, world.now()
    async with changing(world, execution.incident_id) as conn:
        change = await store.temporary_changes.lock(conn, execution_id)
        rules.permissions.check_may_extend(change, execution, person, approvers, now, seen_end)
        assert change is not None
        undos = await store.executions.undos_of(conn, execution_id)
        if any(undo.state in BEING_UNDONE for undo in undos):
            raise UserError(f"“{change.state}” is being undone already. Nothing was extended.")
        until = change.ends_at + rules.changes.EXTENSION
        await store.temporary_changes.extend(conn, execution_id, ends_at=until)
        span = durations.describe(rules.changes.EXTENSION)
        extended = entries.Extended(execution=execution_id, span=span)
        await store.timeline.add(
            conn, change.incident_id, extended, at=now, by=person.id, text=change.state
        )


async def in_force(
    world: World, incident_id: IncidentId, unreadable: list[str]
) -> tuple[TemporaryChange, ...]:
    """The temporary changes of an incident that are, or may be, in force.

    Those that cannot be read are named instead.
    """
    async with world.pool.connection() as conn:
        changes = await store.temporary_changes.of_incident(conn, incident_id, unreadable)
    return tuple(change for change in changes if change.may_be_in_force)
