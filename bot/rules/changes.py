"""Decisions about changes: what is unverified, what can be undone, what drifted."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bot.model import (
    ACTIVE,
    Execution,
    ExecutionState,
    Observation,
    Plan,
    Task,
    TaskKind,
    TaskState,
    TemporaryChange,
    UserError,
)

END_NOTICE = timedelta(minutes=5)
EXTENSION = timedelta(minutes=30)


def unverified(
    executions: Sequence[Execution], others: Sequence[Execution] = ()
) -> tuple[Execution, ...]:
    """The changes whose check failed and was not mended, or whose outcome is unknown.

    `others` are executions of other incidents, which may have mended one.
    """
    unknown = [
        execution
        for execution in executions
        if execution.state is ExecutionState.INTERRUPTED or not execution.state.known
    ]
    failed = [
        execution
        for execution in executions
        if execution.check_passed is False and mended_by(execution, (*executions, *others)) is None
    ]
    return (*failed, *unknown)


def mended_by(failed: Execution, executions: Sequence[Execution]) -> Execution | None:
    """The execution that undid a failed change, or after which its target was checked and well."""
    return next((other for other in executions if _mends(other, failed)), None)


def _mends(other: Execution, failed: Execution) -> bool:
    if other.state is not ExecutionState.SUCCEEDED:
        return False
    if other.undo_of == failed.id:
        return True
    if not _ended_after(other, failed) or other.plan is None or failed.plan is None:
        return False
    if other.plan.target != failed.plan.target:
        return False
    if (other.action, other.params) == (failed.action, failed.params):
        return True
    # What somebody else put back is not there again because the target is well; but a rollback
    # chooses all that runs, in place of what they made of it.
    chooses_all = "to_template" in other.plan.fingerprint
    return _checks_all_of_target(other.plan) and (chooses_all or not failed.evidence.undone_outside)


def _ended_after(other: Execution, failed: Execution) -> bool:
    """Of one target, no two run at the same time."""
    if other.finished_at is None or failed.finished_at is None:
        return False
    return (other.finished_at, other.id) > (failed.finished_at, failed.id)


def _checks_all_of_target(plan: Plan) -> bool:
    """Whether its check looks at every pod of a Deployment, and not at some, or at a session."""
    pods = plan.fingerprint.get("pods", ())
    return plan.target.startswith("deployment/") and len(pods) == plan.fingerprint.get("of", 0)


def is_understood(execution: Execution) -> bool:
    """Whether this version knows everything that its plan says; a newer one may say more."""
    plan = execution.plan
    parts = [] if plan is None else [plan, plan.blast_radius, plan.undo, plan.temporary]
    return not any(part.model_extra for part in parts if part is not None)


def check_understood(execution: Execution) -> None:
    """Raise UserError for a plan that says what only a newer version of the bot knows."""
    if not is_understood(execution):
        raise UserError(
            "A newer version of the bot made this plan, and this one does not know all that it "
            "says. Nothing was approved; try again once every replica has the newer version."
        )


def can_undo(
    execution: Execution, undo: Execution | None, change: TemporaryChange | None = None
) -> bool:
    """Whether it changed something that may still be there, and can be undone, and was not yet.

    `change` is the temporary change that it made: more is known of it, and while somebody's request
    of its undo waits, an approver still need not wait.
    """
    is_there = not execution.evidence.gone if change is None else change.in_force
    changed = execution.check_passed is not None and is_there
    # An undo that went well is undone by requesting its step again.
    offered = execution.undo_of is None or execution.check_passed is False
    undoable = execution.plan is not None and execution.plan.undo is not None and offered
    waits = undo is not None and undo.state is ExecutionState.PROPOSED and change is not None
    return changed and undoable and (waits or undo is None or not _may_act(undo))


def _may_act(undo: Execution) -> bool:
    """Whether it was done, is under way, or is in a state that only a newer version knows."""
    return undo.check_passed is not None or undo.state in ACTIVE or not undo.state.known


def undo_alarms(original: Execution) -> tuple[str, ...]:
    """What must be said first of an undo that leads back to what failed."""
    failing = original.plan.failing_before if original.plan else ""
    if not failing:
        return ()
    return (f"This leads back to what failed before “{original.title}”: {failing}.",)


def must_undo_before_resolving(
    executions: Sequence[Execution], changes: Sequence[TemporaryChange]
) -> tuple[Execution, ...]:
    """The changes that can be undone only while the incident is open."""
    undos = {execution.undo_of: execution for execution in executions}
    temporary = {change.execution_id for change in changes}
    return tuple(
        execution
        for execution in executions
        if execution.id not in temporary and can_undo(execution, undos.get(execution.id))
    )


def voided_by_resolving(
    executions: Sequence[Execution], changes: Sequence[TemporaryChange]
) -> tuple[Execution, ...]:
    """The requests that become void with the incident: all but undos of what is in force.

    `changes` are the incident's own; what an undo of another incident's ends is in force.
    """
    temporary = {change.execution_id for change in changes}
    own = {execution.id for execution in executions} - temporary
    return tuple(
        execution
        for execution in executions
        if execution.state in (ExecutionState.PROPOSED, ExecutionState.APPROVED)
        and (execution.undo_of is None or execution.undo_of in own)
    )


def drifted_fields(approved: Plan, current: Plan) -> tuple[str, ...]:
    """The fields that differ between two plans: of the fingerprints, else of the plans."""
    before, after = approved.fingerprint, current.fingerprint
    keys = [key for key in sorted({*before, *after}) if before.get(key) != after.get(key)]
    if not keys:
        keys = [
            name
            for name in sorted({*approved.approved_content, *current.approved_content})
            if approved.approved_content.get(name) != current.approved_content.get(name)
        ]
    return tuple(key.replace("_", " ") for key in keys)


def changed_facts(approved: Plan, current: Plan) -> tuple[str, ...]:
    """What differs between two plans, with short values: `autoscaler none → order-service`."""
    before, after = approved.fingerprint, current.fingerprint
    return tuple(
        _fact(name, before.get(name.replace(" ", "_")), after.get(name.replace(" ", "_")))
        for name in drifted_fields(approved, current)
    )


def _fact(name: str, old: Any, new: Any) -> str:
    """A digest or an object would say nothing to people: only its name."""
    values = [old, new]
    is_short = all(isinstance(value, str | int) and len(str(value)) < 40 for value in values)
    return f"{name} {old or 'none'} → {new or 'none'}" if is_short else name


def has_new_plan(execution: Execution, executions: Sequence[Execution]) -> bool:
    """Whether it was not done because another plan fits, and nobody has requested that yet."""
    key = (execution.step_id, execution.undo_of)
    again = (each for each in executions if (each.step_id, each.undo_of) == key)
    return execution.evidence.replanned and all(each.id <= execution.id for each in again)


def undo_needs_approval(change: TemporaryChange, execution: Execution) -> bool:
    """Whether the undo of a temporary change is not, or not known to be, what was approved."""
    return change.has_drifted or execution.undo_digest is None


def proves_end(change: TemporaryChange, seen: Observation, last: Execution) -> bool:
    """Whether the target proves that the execution whose id it bears ended a temporary change.

    It is its undo, or it wrote over the very state in which the change was last seen in force, and
    nobody has changed the target since: its revision is the next one.
    """
    if last.undo_of == change.execution_id:
        return True
    if change.last_seen is None or seen.sighting is None or last.plan is None:
        return False
    if change.last_seen.execution == seen.sighting.execution:
        return False  # it had written before, and the change was in force all the same
    before, now = last.plan.fingerprint, seen.sighting.fingerprint
    has_overwritten = all(
        before.get(key) == old for key, old in change.last_seen.fingerprint.items()
    )
    return has_overwritten and seen.settled and now.get("revision") == before.get("revision", 0) + 1


def was_outside(change: TemporaryChange, seen: Observation) -> bool:
    """Whether nothing of ours can have ended it: another manager wrote what is there now.

    Or the target is gone, or bears the id that it had while the change was in force.
    """
    if seen.manager or seen.sighting is None:
        return True
    return change.last_seen is not None and change.last_seen.execution == seen.sighting.execution


def task_conflict(task: Task) -> UserError:
    """The error for a person who was too late with a task: who was faster, and when."""
    if task.state is not TaskState.OPEN and task.decided_at:
        is_done = task.state is TaskState.DONE
        word = "handled" if is_done and task.kind is TaskKind.FINDING else task.state.value
        return UserError(
            f"<@{task.decided_by}> already marked “{task.title}” as {word} at "
            f"{task.decided_at:%H:%M:%S} UTC. Nothing was changed."
        )
    if task.owner is not None and task.owned_at:
        return UserError(
            f"<@{task.owner}> took “{task.title}” at {task.owned_at:%H:%M:%S} UTC. Nothing was "
            "changed; press again to take it over."
        )
    return UserError(f"“{task.title}” is already open. Nothing was changed.")
