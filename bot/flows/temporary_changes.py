"""Temporary changes: checked, announced before they end, extended by approvers, undone in time."""

import logging
from datetime import datetime, timedelta

from bot import durations, rules, store
from bot.actions.base import AlreadyApplied, Change
from bot.flows import executions, runs
from bot.flows.approvals import record_refusals
from bot.flows.lookups import build_action, get
from bot.flows.transactions import log_execution
from bot.model import (
    Execution,
    ExecutionId,
    ExecutionState,
    IncidentId,
    Plan,
    TemporaryChange,
    UserError,
    UserId,
    entries,
)
from bot.publishing.publisher import publish
from bot.store.db import Conn
from bot.views import text
from bot.world import World

log = logging.getLogger(__name__)

# After a cluster that did not answer, or a process that died while it processed the change.
RETRY_AFTER = timedelta(minutes=1)
# After people were asked to approve the undo: their request has expired by then.
REQUEST_AGAIN_AFTER = timedelta(minutes=30)


async def process_due(world: World) -> None:
    """Process every temporary change that is due: check it, announce its end, or undo it."""
    now = world.now()
    async with world.pool.connection() as conn:
        due = await store.temporary_changes.claim_due(conn, now, now + RETRY_AFTER)
    for hold in due:
        world.background.start(_process(world, hold), f"hold of execution {hold.execution_id}")


async def _process(world: World, hold: TemporaryChange) -> None:
    run = await get(world, hold.execution_id)
    async with world.pool.connection() as conn:
        undos = await store.executions.undos_of(conn, run.id)
    if any(undo.state in rules.changes.IN_PROGRESS for undo in undos):
        return  # the end of that undo schedules the next check
    if run.undo_digest is None and not undos:
        run = await _learn_undo_digest(world, run)
    await _take_next_step(world, hold, run, undos)
    await publish(world, hold.incident_id)


async def _take_next_step(
    world: World, hold: TemporaryChange, run: Execution, undos: tuple[Execution, ...]
) -> None:
    now = world.now()
    if await _was_ended(world, hold, run):
        await _record_end(world, hold, run)
    elif hold.ends_at <= now:
        await _revert(world, hold, run, undos)
    elif hold.announced_at is None and hold.ends_at - rules.changes.END_NOTICE <= now:
        await _announce_end(world, hold, run)
    else:
        await _check_later(world, hold, run)


async def _check_later(world: World, hold: TemporaryChange, run: Execution) -> None:
    now = world.now()
    next_check_at = rules.changes.next_check_at(hold, now)
    if run.undo_digest is None:
        next_check_at = min(next_check_at, now + RETRY_AFTER)
    async with world.pool.connection() as conn:
        await store.temporary_changes.check_later(conn, run.id, next_check_at)


async def _learn_undo_digest(world: World, run: Execution) -> Execution:
    """Plan the undo now, where the cluster did not answer when the execution ended.

    Only while the target is as the execution left it: else its undo is not what was approved.
    """
    try:
        if not await _is_as_left(world, run):
            return run
    except UserError:
        return run
    digest = await runs.undo_digest(world, run)
    if digest is None:
        return run
    async with world.pool.connection() as conn:
        await store.executions.set_undo_digest(conn, run.id, digest)
    return run.model_copy(update={"undo_digest": digest})


async def _is_as_left(world: World, run: Execution) -> bool:
    """Whether a Deployment bears the execution's id and had no other rollout since its plan."""
    assert run.plan is not None
    name = run.params.get("deployment")
    if name is None or "revision" not in run.plan.fingerprint:
        return False
    now = await world.systems.cluster.deployment(name)
    first = run.plan.fingerprint["revision"] + 1
    return now.last_execution == str(run.id) and now.revision == first


async def _was_ended(world: World, hold: TemporaryChange, run: Execution) -> bool:
    """Whether something else ended it; the last change of its target is cleared if it did not."""
    in_force = await _is_still_applied(world, run)
    if in_force and hold.touched_by is not None:
        async with world.pool.connection() as conn:
            await store.temporary_changes.clear_touched_by(conn, run.id, hold.touched_by)
    return in_force is False


async def _is_still_applied(world: World, run: Execution) -> bool | None:
    """Whether the change is there: planning it again finds nothing to do. None: not known."""
    try:
        action = build_action(world, run.action, run.params)
        assert isinstance(action, Change)
        await action.plan(world.systems.for_planning())
    except AlreadyApplied:
        return True
    except UserError:
        return None
    return False


async def _record_end(world: World, hold: TemporaryChange, run: Execution) -> None:
    """Another step, a rollback, or somebody by hand has ended it."""
    assert run.plan is not None
    now = world.now()
    async with world.pool.connection() as conn:
        ended_by = (
            await store.executions.running_on(conn, run.plan.target)
            if hold.touched_by is None
            else await store.executions.get(conn, hold.touched_by)
        )
        execution_id = ended_by.id if ended_by else None
        if await store.temporary_changes.end(conn, hold.execution_id, now, by=execution_id):
            await _log(conn, hold, _ended_entry(hold, ended_by), at=now)


def _ended_entry(hold: TemporaryChange, ended_by: Execution | None) -> entries.Ended:
    """What ended it, for the timeline; who does it by hand is not known."""
    if ended_by is None:
        return entries.Ended(execution=hold.execution_id, by_hand=True)
    in_other_incident = ended_by.incident_id != hold.incident_id
    return entries.Ended(
        execution=hold.execution_id,
        change=ended_by.title,
        who=ended_by.requested_by,
        incident=f"INC-{ended_by.incident_id}" if in_other_incident else "",
    )


async def _announce_end(world: World, hold: TemporaryChange, run: Execution) -> None:
    now = world.now()
    async with world.pool.connection() as conn:
        current = await store.temporary_changes.lock(conn, run.id)
        if current is None or not current.in_force:
            return
        if current.ends_at != hold.ends_at or current.announced_at is not None:
            return  # extended or announced meanwhile
        await store.temporary_changes.check_later(conn, run.id, hold.ends_at, announced_at=now)
        who = await _people_concerned(conn, run)
        nudged = entries.Nudged(execution=run.id, until=hold.ends_at, who=who)
        await _log(conn, hold, nudged, at=now)


async def _revert(
    world: World, hold: TemporaryChange, run: Execution, undos: tuple[Execution, ...]
) -> None:
    """Undo it as was approved with it; where that cannot be, tell people or ask them."""
    requested = [undo for undo in undos if undo.state is ExecutionState.PROPOSED]
    if requested:
        await _approve_request(world, hold, run, requested[0])
    elif any(undo.check_passed is not None for undo in undos):
        await _mark_overdue(world, hold, run, text.render_unescaped("undo_check_failed"))
    else:
        await _plan_revert(world, hold, run, undos)


async def _plan_revert(
    world: World, hold: TemporaryChange, run: Execution, undos: tuple[Execution, ...]
) -> None:
    try:
        inverse = executions.inverse_of(world, run)
        plan = await inverse.plan(world.systems.for_planning())
    except UserError as error:
        await _mark_overdue(world, hold, run, str(error))
        return
    # An undo that expired before it started (its target was busy, or no bot ran) changed nothing.
    first = not any(undo.started_at or _was_denied(undo) for undo in undos)
    try:
        revert = await _request_revert(world, hold, run, inverse, plan, first=first)
    except store.executions.AlreadyActive:
        return  # another replica or a person was faster
    if revert is not None:
        runs.start_if_approved(world, revert)


def _was_denied(undo: Execution) -> bool:
    """Whether people denied the undo that the scheduler requested, not one of their own."""
    return undo.requested_by is None and undo.state is ExecutionState.DENIED


async def _approve_request(
    world: World, hold: TemporaryChange, run: Execution, undo: Execution
) -> None:
    """Approve an undo that somebody requested early, if it is the one approved with the change."""
    if undo.requested_by is None or undo.plan_digest != run.undo_digest:
        await _mark_overdue(
            world, hold, run, text.render_unescaped("revert_needs_approval", first=True)
        )
        return
    was, to = ExecutionState.PROPOSED, ExecutionState.APPROVED
    async with world.pool.connection() as conn:
        if await _lock_overdue(conn, run, world.now()) is None:
            return
        approved = await store.executions.move(conn, undo.id, from_state=was, to_state=to)
        if approved is None:
            return
        await log_execution(conn, approved, entries.Approved(), at=world.now())
        await store.publications.mark_stale(conn, hold.incident_id)
    runs.start_if_approved(world, approved)


async def _lock_overdue(conn: Conn, run: Execution, now: datetime) -> TemporaryChange | None:
    """The change if it is in force and its time is over, locked until the transaction ends."""
    hold = await store.temporary_changes.lock(conn, run.id)
    return hold if hold is not None and hold.in_force and hold.ends_at <= now else None


async def _request_revert(
    world: World, hold: TemporaryChange, run: Execution, inverse: Change, plan: Plan, *, first: bool
) -> Execution | None:
    """Request the undo: approved already the first time, while nobody else changed the target."""
    now = world.now()
    approved = first and rules.changes.undo_is_approved(run, plan, now, held=True)
    reason = text.render_unescaped("revert_reason", change=hold, execution=run, approved=approved)
    request = executions.undo_request(run, reason, approved=approved, held=True)
    async with world.pool.connection() as conn:
        if await _lock_overdue(conn, run, now) is None:
            return None
        revert = await executions.insert_request(
            world, conn, run.incident_id, request, inverse, plan, None
        )
        await store.publications.mark_stale(conn, run.incident_id)
        if not approved:
            trouble = text.render_unescaped("revert_needs_approval", first=first)
            await _log_not_reverted(conn, hold, run, trouble, now)
            await store.temporary_changes.mark_overdue(
                conn, run.id, trouble, now + REQUEST_AGAIN_AFTER
            )
        return revert


async def _mark_overdue(world: World, hold: TemporaryChange, run: Execution, trouble: str) -> None:
    """Tell people once that it cannot be undone now, and try again later."""
    now = world.now()
    async with world.pool.connection() as conn:
        current = await _lock_overdue(conn, run, now)
        if current is None:
            return
        if current.overdue_reason is None:
            await _log_not_reverted(conn, hold, run, trouble, now)
        await store.temporary_changes.mark_overdue(conn, run.id, trouble, now + RETRY_AFTER)


async def _log_not_reverted(
    conn: Conn, hold: TemporaryChange, run: Execution, reason: str, now: datetime
) -> None:
    who = await _people_concerned(conn, run)
    entry = entries.NotReverted(execution=run.id, who=who, reason=reason)
    await _log(conn, hold, entry, at=now)


async def _people_concerned(conn: Conn, run: Execution) -> tuple[UserId, ...]:
    """The incident commander, the requester and the approvers, each once."""
    incident = await store.incidents.get(conn, run.incident_id)
    commander = incident.commander if incident else None
    people = (commander, run.requested_by, *(approval.by for approval in run.approvals))
    return tuple(dict.fromkeys(user_id for user_id in people if user_id is not None))


async def _log(
    conn: Conn,
    hold: TemporaryChange,
    detail: entries.TemporaryDetail,
    *,
    at: datetime,
    by: UserId | None = None,
) -> None:
    await store.timeline.add(conn, hold.incident_id, detail, at=at, by=by, text=hold.state)
    await store.publications.mark_stale(conn, hold.incident_id)


async def extend(world: World, execution_id: ExecutionId, *, by: UserId) -> None:
    """Extend it; raises UserError when it is refused, which the timeline records."""
    person = await world.directory.fetch_user(by)
    approvers = await world.directory.fetch_members(world.config.approvers)
    async with record_refusals(world, execution_id, by):
        hold = await _extend(world, execution_id, person, approvers)
    await publish(world, hold.incident_id)


async def _extend(
    world: World,
    execution_id: ExecutionId,
    person: rules.permissions.Person,
    approvers: frozenset[UserId],
) -> TemporaryChange:
    run, now = await get(world, execution_id), world.now()
    async with world.pool.connection() as conn:
        hold = await store.temporary_changes.lock(conn, execution_id)
        rules.permissions.check_may_extend(hold, run, person, approvers, now)
        assert hold is not None
        until = hold.ends_at + rules.changes.EXTENSION
        await store.temporary_changes.extend(
            conn, execution_id, ends_at=until, next_check_at=until - rules.changes.END_NOTICE
        )
        span = durations.describe(rules.changes.EXTENSION)
        extended = entries.Extended(execution=execution_id, span=span)
        await _log(conn, hold, extended, at=now, by=person.id)
        return hold


async def check_interrupted(world: World) -> None:
    """Check the outcome of temporary changes and their undos whose process died.

    Other executions wait for a press; a temporary change must not last because nobody pressed.
    What a process sent last may still arrive until the cluster's time limit.
    """
    timeout = runs.HEARTBEAT_TIMEOUT + timedelta(seconds=world.systems.cluster.timeout)
    async with world.pool.connection() as conn:
        unknown = await store.temporary_changes.interrupted(conn, world.now() - timeout)
    for run in unknown:
        world.background.start(_check(world, run), f"check of execution {run.id}")


async def _check(world: World, run: Execution) -> None:
    try:
        await runs.check_interrupted(world, run.id, by=None)
    except UserError as error:
        log.info("execution %s was not checked: %s", run.id, error)


async def in_force(world: World, incident_id: IncidentId) -> tuple[TemporaryChange, ...]:
    """The temporary changes of an incident that are in force."""
    async with world.pool.connection() as conn:
        holds = await store.temporary_changes.of_incident(conn, incident_id)
    return tuple(hold for hold in holds if hold.in_force)
