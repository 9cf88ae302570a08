"""Executions: run a read step, request a change, request its undo."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter

from bot import rules, store
from bot.actions.base import Action, AlreadyApplied, Change, Read
from bot.flows import approvers, choices, drift, endings, incidents, runs, tasks
from bot.flows.lookups import build_action as build_action
from bot.flows.lookups import build_undo as build_undo
from bot.flows.lookups import find_open_step as find_open_step
from bot.flows.lookups import get as get
from bot.flows.lookups import load_decider
from bot.flows.transactions import changing, changing_several, lock, lock_open, log_execution
from bot.model import (
    ACTIVE,
    Execution,
    ExecutionId,
    ExecutionState,
    FoundStep,
    Incident,
    IncidentId,
    Model,
    NewExecution,
    Place,
    Plan,
    ReadResult,
    Requirement,
    Step,
    UserError,
    UserId,
    entries,
)
from bot.store.db import Conn
from bot.views import text
from bot.world import World

READ_SECONDS = 60
ALREADY_UNDONE = "This was already undone, or its undo is pending. Nothing was done."


class Request(Model):
    """What is requested: which step, where and why, or the undo of which execution.

    One that `ends_temporary_change`, as its undo, may be requested after the incident is resolved,
    too. An undo `may_use_approval` of its change: see `rules.policy.ProposedChange`.
    """

    place: Place
    step_id: str
    title: str
    reason: str
    undoes: Execution | None = None
    ends_temporary_change: bool = False
    may_use_approval: bool = False


async def run_read(
    world: World, incident_id: IncidentId, found: FoundStep, action: Read, *, by: UserId
) -> None:
    """Run a read step at once; one at a time per step. Raises UserError when it runs already."""
    execution = await _start_read(world, incident_id, found, action, by)
    async with runs.sending_heartbeats(world, execution):
        await _finish_read(world, execution, await _read(world, found.place, action))


async def _read(world: World, place: Place, action: Read) -> ReadResult:
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await action.read(world.services.systems(place).for_reading())
    except UserError as error:
        return ReadResult(ok=False, text=str(error))
    except TimeoutError:
        return ReadResult(ok=False, text=f"No answer within {READ_SECONDS} s. Nothing was changed.")


async def _start_read(
    world: World, incident_id: IncidentId, found: FoundStep, action: Action, by: UserId
) -> Execution:
    try:
        async with changing(world, incident_id) as conn:
            await lock_open(conn, incident_id)
            new = _new_execution(world, incident_id, _request_for_read(found), action, by)
            return await store.executions.insert(
                conn, new.model_copy(update={"state": ExecutionState.RUNNING})
            )
    except store.executions.AlreadyActive as error:
        raise UserError(
            f"“{found.step.title}” is already running. Its result will appear in the playbook."
        ) from error


def _new_execution(
    world: World, incident_id: IncidentId, request: Request, action: Action, by: UserId | None
) -> NewExecution:
    return NewExecution(
        incident_id=incident_id,
        place=request.place,
        step_id=request.step_id,
        title=request.title,
        reason=request.reason,
        undo_of=None if request.undoes is None else request.undoes.id,
        action=action.name,
        params=action.model_dump(mode="json"),
        risk=action.risk,
        requested_by=by,
        requested_at=world.now(),
    )


def _request_for_read(found: FoundStep) -> Request:
    step, place = found
    return Request(place=place, step_id=step.id, title=step.title, reason="")


async def _finish_read(world: World, execution: Execution, read_result: ReadResult) -> None:
    ending = ExecutionState.FAILED if read_result.ok is False else ExecutionState.SUCCEEDED
    async with changing_several(world) as (conn, changed):
        now = world.now()
        ended = await store.executions.finish(
            conn,
            execution.id,
            to_state=ending,
            at=now,
            outcome=text.render_unescaped("verdict", read_result=read_result),
            read_result=read_result,
        )
        if ended is None:
            return
        if read_result.attachment is not None:
            await store.executions.add_attachment(conn, execution.id, read_result.attachment)
        await tasks.mark_missing(conn, ended, now)
        entry, by = (
            entries.ReadDone(step=execution.title, place=execution.place),
            execution.requested_by,
        )
        await store.timeline.add(
            conn, execution.incident_id, entry, at=now, by=by, text=read_result.text
        )
        changed.add(execution.incident_id)


async def propose(
    world: World,
    incident_id: IncidentId,
    found: FoundStep,
    action: Change,
    reason: str,
    *,
    by: UserId,
    warnings: Sequence[str] = (),
    before_insert: Callable[[Conn], Awaitable[None]] | None = None,
) -> Execution:
    """Plan a change from the live system and request approval; raises UserError.

    One that would end a temporary change is the undo of that, whichever button was pressed.
    The `warnings` come after those of the plan.
    `before_insert` runs in the transaction that inserts the request: both or none.
    """
    step, place = found
    original = await endings.undone_by(world, place, action)
    if original is not None:
        return await _request_undo(world, original, incident_id, reason, title=step.title, by=by)
    if rules.policy.may_run_alone(world.config.of(place.service), action.name, action.risk):
        # Where it runs at once, who asks is the one who decides.
        rules.permissions.check_may_act(await world.directory.fetch_user(by))
    systems = world.services.systems(place).for_planning()
    try:
        action = await action.pin_targets(systems)
        plan = await action.plan(systems)
    except AlreadyApplied as fact:
        raise await _with_end(world, incident_id, place, action, fact) from fact
    except UserError as refusal:
        raise await choices.with_bounds(systems, action, refusal) from refusal
    plan = plan.model_copy(update={"warnings": (*plan.warnings, *warnings)})
    request = Request(place=place, step_id=step.id, title=step.title, reason=reason)
    try:
        async with changing(world, incident_id) as conn:
            if before_insert is not None:
                await before_insert(conn)
            execution = await insert_request(world, conn, incident_id, request, action, plan, by)
    except store.executions.AlreadyActive as error:
        raise await _already_requested(world, incident_id, step) from error
    approvers.look_for(world, execution)
    runs.start_if_approved(world, execution)
    return execution


async def insert_request(
    world: World,
    conn: Conn,
    incident_id: IncidentId,
    request: Request,
    action: Change,
    plan: Plan,
    by: UserId | None,
) -> Execution:
    """Insert a request of a person, or (`by` is None) of the scheduler.

    Raises AlreadyActive where the step or the undo was requested already.
    """
    after_end = request.ends_temporary_change or rules.customers.is_of_all_clear(
        request.step_id, action.name
    )
    incident = await (lock if after_end else lock_open)(conn, incident_id)
    now = world.now()
    service = request.place.service
    change = rules.policy.ProposedChange(
        plan=plan,
        risk=action.risk,
        requested_by=by,
        undoes=request.undoes,
        in_force=request.ends_temporary_change,
        may_use_approval=request.may_use_approval,
        action=action.name,
        # Two requests at once cannot both fit into what is left: the incident is locked.
        used=await store.executions.used_amounts(conn, incident_id, service),
    )
    requirement = rules.policy.decide(world.config.of(service), incident, change, now)
    needed = requirement.approvals
    new = _new_execution(world, incident_id, request, action, by).model_copy(
        update={
            "state": ExecutionState.PROPOSED if needed else ExecutionState.APPROVED,
            "plan": plan,
            "approvals_needed": needed,
            "expires_at": requirement.until,
            "requirement": requirement,
            "second_step": rules.second_step.second_step(
                world.config.of(request.place.service).policy, action.risk, requirement
            ),
        }
    )
    execution = await store.executions.insert(conn, new)
    await log_execution(conn, execution, _proposed(request, requirement), at=now, by=by)
    return execution


def _proposed(request: Request, requirement: Requirement) -> entries.Proposed:
    """What the timeline says of a request."""
    return entries.Proposed(reason=request.reason, freeze=requirement.freeze)


async def _already_requested(world: World, incident_id: IncidentId, step: Step) -> UserError:
    async with world.pool.connection() as conn:
        active = await store.executions.active_of_step(conn, incident_id, step.id)
    who = f" by <@{active.requested_by}>" if active and active.requested_by else ""
    return UserError(
        f"“{step.title}” was already requested{who}. Nothing more was requested; approve or deny "
        "that request first."
    )


async def _with_end(
    world: World, incident_id: IncidentId, place: Place, action: Change, fact: UserError
) -> UserError:
    """That there is nothing to do, and which other incident's change ends, and when."""
    async with world.pool.connection() as conn:
        for made in await store.temporary_changes.executions_in_force(conn):
            change = await store.temporary_changes.get(conn, made.id)
            is_other = change is not None and change.incident_id != incident_id
            if is_other and _makes_same_state(world, place, action, made):
                words = text.render_unescaped("ends_elsewhere", change=change)
                return UserError(f"{fact} {words}")
    return fact


def _makes_same_state(world: World, place: Place, action: Change, made: Execution) -> bool:
    try:
        is_there = world.services.are_same(place, made.place)
        other = build_action(world, made.action, made.params)
    except UserError:
        return False  # an action that only another version has
    return is_there and isinstance(other, Change) and action.makes_same_state(other)


async def request_again(world: World, execution_id: ExecutionId, *, by: UserId) -> None:
    """Request the same as before with a new plan; raises UserError."""
    execution = await get(world, execution_id)
    if execution.undo_of is not None:
        await undo(world, execution.undo_of, by=by)
        return
    await _check_has_new_plan(world, execution)
    found = await find_open_step(world, execution.incident_id, execution.step_id)
    step = found.step
    # Not its other parameters: what was pinned then may be gone.
    typed = {name: value for name, value in execution.params.items() if name in step.ask}
    action = build_action(world, step.action, {**step.params, **typed})
    assert isinstance(action, Change)
    await propose(world, execution.incident_id, found, action, execution.reason, by=by)


async def _check_has_new_plan(world: World, execution: Execution) -> None:
    """Raise UserError where it was requested again, and that has ended."""
    others = await of_incident(world, execution.incident_id)
    last = max((each for each in others if each.step_id == execution.step_id), key=attrgetter("id"))
    if not rules.changes.has_new_plan(execution, others) and last.state not in ACTIVE:
        raise UserError(
            f"“{execution.title}” was requested again since. Nothing was requested; if it is still "
            "needed, press the step in the playbook."
        )


async def undo(world: World, execution_id: ExecutionId, *, by: UserId) -> None:
    """Request the undo of an execution; raises UserError."""
    original = await get(world, execution_id)
    await _check_may_be_undone(world, original)
    reason = await _undo_reason(world, original)
    await _request_undo(world, original, original.incident_id, reason, title="", by=by)


async def _check_may_be_undone(world: World, original: Execution) -> None:
    """Raise UserError before planning: what the live system says then would only mislead."""
    is_in_force = await _is_in_force(world, original.id)
    if not is_in_force and not rules.customers.is_all_clear(original):
        rules.incidents.check_open(await incidents.get(world, original.incident_id))
    async with world.pool.connection() as conn:
        undos = await store.executions.undos_of(conn, original.id)
    if any(undo.check_passed is not None for undo in undos):
        raise UserError(ALREADY_UNDONE)


async def _request_undo(
    world: World,
    original: Execution,
    incident_id: IncidentId,
    reason: str,
    *,
    title: str,
    by: UserId,
) -> Execution:
    """Request an undo in an incident, which may be another one; raises UserError.

    An approver's is approved already, for a while and as long as nobody changed the target.
    """
    execution_id = original.id
    await _check_not_ended(world, execution_id)
    undo_action = build_undo(world, original)
    systems = world.services.systems(original.place).for_planning()
    decider, plan = await asyncio.gather(
        load_decider(world, by, original), undo_action.plan(systems)
    )
    plan = await drift.describe_undo(world, original, undo_action, plan)
    rules.permissions.check_may_act(decider.person)
    incident = await incidents.get(world, incident_id)
    can_use = by in decider.approvers
    request = undo_request(
        original,
        undo_step(world, incident, original, undo_action),
        reason,
        title=title,
        in_force=await _is_in_force(world, execution_id),
        may_use_approval=can_use,
    )
    try:
        async with changing(world, incident_id) as conn:
            execution = await insert_request(
                world, conn, incident_id, request, undo_action, plan, by
            )
    except store.executions.AlreadyActive as error:
        pending = await _approve_pending_undo(world, original, incident, by) if can_use else None
        if pending is None:
            raise UserError(ALREADY_UNDONE) from error
        execution = pending
    approvers.look_for(world, execution)
    runs.start_if_approved(world, execution)
    return execution


async def _approve_pending_undo(
    world: World, original: Execution, incident: Incident, by: UserId
) -> Execution | None:
    """Approve the undo that somebody else requested, where an approver's needs no new approval."""
    in_force = await _is_in_force(world, original.id)
    async with changing_several(world) as (conn, changed):
        undos = await store.executions.undos_of(conn, original.id)
        pending = next((undo for undo in undos if undo.state is ExecutionState.PROPOSED), None)
        if pending is None or pending.plan is None:
            return None
        change = rules.policy.ProposedChange(
            plan=pending.plan,
            risk=pending.risk,
            requested_by=pending.requested_by,
            undoes=original,
            in_force=in_force,
            may_use_approval=True,
            action=pending.action,
        )
        config = world.config.of(pending.place.service)
        requirement = rules.policy.decide(config, incident, change, world.now())
        if requirement.approvals:
            return None
        approved = await store.executions.set_requirement(
            conn, pending.id, requirement, ExecutionState.APPROVED
        )
        if approved is not None:
            await log_execution(conn, approved, entries.Approved(), at=world.now(), by=by)
            changed.add(approved.incident_id)
        return approved


async def _check_not_ended(world: World, execution_id: ExecutionId) -> None:
    """Raise UserError where it was a temporary change that has ended."""
    async with world.pool.connection() as conn:
        change = await store.temporary_changes.get(conn, execution_id)
    if change is not None and not change.may_be_in_force:
        raise UserError(f"“{change.state}” has already ended. Nothing was done.")


def undo_step(world: World, incident: Incident, original: Execution, undo_action: Change) -> str:
    """The id of the incident's step that an undo does the work of, else of the original's."""
    served = (
        step.id
        for step, place in incident.steps
        if world.services.are_same(place, original.place) and _is_served(world, step, undo_action)
    )
    return next(served, original.step_id)


def _is_served(world: World, step: Step, undo_action: Change) -> bool:
    try:
        action = build_action(world, step.action, step.params)
    except UserError:
        return False  # people fill in some of its parameters
    return isinstance(action, Change) and action.is_served_by(undo_action)


def undo_request(
    original: Execution,
    step_id: str,
    reason: str,
    *,
    title: str = "",
    in_force: bool,
    may_use_approval: bool,
) -> Request:
    """The request for an undo; `title` is that of the step which people pressed for it, if any."""
    return Request(
        place=original.place,
        step_id=step_id,
        title=title or f"Undo: {original.title}"[:75],
        reason=reason,
        undoes=original,
        ends_temporary_change=in_force,
        may_use_approval=may_use_approval,
    )


async def _undo_reason(world: World, original: Execution) -> str:
    """The reason of an undo: what is in force again afterwards, and until when."""
    async with world.pool.connection() as conn:
        back = await store.temporary_changes.ended_by(conn, original.id)
    return text.render_unescaped("undo_reason", changes=back, now=world.now())


async def _is_in_force(world: World, execution_id: ExecutionId) -> bool:
    async with world.pool.connection() as conn:
        change = await store.temporary_changes.get(conn, execution_id)
    return change is not None and change.in_force


async def of_incident(
    world: World, incident_id: IncidentId, unreadable: list[str] | None = None
) -> tuple[Execution, ...]:
    """All executions of an incident, oldest first; those that cannot be read are named instead."""
    async with world.pool.connection() as conn:
        return await store.executions.of_incident(conn, incident_id, unreadable)


async def that_may_mend(world: World, executions: Sequence[Execution]) -> tuple[Execution, ...]:
    """The later executions of all incidents on the targets of those whose check failed."""
    async with world.pool.connection() as conn:
        return await store.executions.applied_after_failures(conn, executions)
