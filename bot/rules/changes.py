"""Decisions about changes: what is unverified, what can be undone, what drifted."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.model import (
    ACTIVE,
    Execution,
    ExecutionState,
    Plan,
    Task,
    TaskKind,
    TaskState,
    TemporaryChange,
    UserError,
)

END_NOTICE = timedelta(minutes=5)
EXTENSION = timedelta(minutes=30)
MAX_TEMPORARY_CHANGE = timedelta(hours=4)
IN_PROGRESS = (ExecutionState.APPROVED, ExecutionState.RUNNING, ExecutionState.INTERRUPTED)


def unverified(executions: Sequence[Execution]) -> tuple[Execution, ...]:
    """The changes whose check failed or whose outcome is unknown, without those undone since."""
    undone = {
        execution.undo_of for execution in executions if execution.state is ExecutionState.SUCCEEDED
    }
    unknown = [
        execution
        for execution in executions
        if execution.state is ExecutionState.INTERRUPTED or not execution.state.known
    ]
    failed = [
        execution
        for execution in executions
        if execution.check_passed is False and execution.id not in undone
    ]
    return (*failed, *unknown)


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


def can_undo(execution: Execution, undo: Execution | None) -> bool:
    """Whether it changed something that may still be there, and can be undone, and was not yet."""
    changed = execution.check_passed is not None and not execution.evidence.undone_outside
    undoable = (
        execution.plan is not None and execution.plan.undo is not None and execution.undo_of is None
    )
    return changed and undoable and not (undo is not None and _may_act(undo))


def _may_act(undo: Execution) -> bool:
    """Whether it was done, is under way, or is in a state that only a newer version knows."""
    return undo.check_passed is not None or undo.state in ACTIVE or not undo.state.known


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


def next_check_at(change: TemporaryChange, now: datetime) -> datetime:
    """When to process a temporary change next: to announce its end, or to undo it."""
    soon = change.ends_at - END_NOTICE
    return soon if change.announced_at is None and now < soon else change.ends_at


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
