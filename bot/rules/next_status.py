"""The status that the card proposes after a change: onward if it was checked and well, or back."""

from collections.abc import Sequence
from typing import NamedTuple

from bot.model import (
    Entry,
    Execution,
    ExecutionId,
    ExecutionState,
    Incident,
    Risk,
    Status,
    UserError,
)
from bot.model.entries import Failed, StatusChanged, StatusKept, Succeeded, Updated
from bot.rules.customers import is_about_customers

UNDECIDED = (
    ExecutionState.PROPOSED,
    ExecutionState.APPROVED,
    ExecutionState.RUNNING,
    ExecutionState.INTERRUPTED,
)
# Whoever writes an update sees the status, and can change it there.
ANSWERS_TO_FAILURE = (StatusChanged, StatusKept, Updated)


class Proposal(NamedTuple):
    """A status, and the execution whose check led to it."""

    status: Status
    execution: Execution


def changes_of_production(executions: Sequence[Execution]) -> list[Execution]:
    """The executions that are changes, without those that only tell customers something."""
    changing = (Risk.CHANGE, Risk.DESTRUCTIVE)
    return [each for each in executions if each.risk in changing and not is_about_customers(each)]


def last_made(executions: Sequence[Execution]) -> Execution | None:
    """The last change of production that was really made."""
    changes = changes_of_production(executions)
    made = [each for each in changes if each.check_passed is not None and each.finished_at]
    return max(made, key=lambda each: (each.finished_at, each.id), default=None)


def proposal(
    incident: Incident,
    executions: Sequence[Execution],
    entries: Sequence[Entry],
    changed_since: Sequence[Execution] = (),
) -> Proposal | None:
    """What the last change leads to, once nothing else is under way.

    Each check proposes a status once: whoever changes the status or keeps it has answered. Nothing
    is proposed after a change whose target another incident has `changed_since`.
    """
    changes = changes_of_production(executions)
    last = last_made(executions)
    if last is None or changed_since:
        return None
    if any(each.state in UNDECIDED or not each.state.known for each in changes):
        return None
    status = _status_after(last, incident.status, executions)
    return None if status is None or _is_answered(last, entries) else Proposal(status, last)


def _status_after(
    last: Execution, present: Status, executions: Sequence[Execution]
) -> Status | None:
    """*Monitoring* after what may have helped, *Investigating* again after what did not."""
    if not last.check_passed:
        has_gone_on = present in (Status.IDENTIFIED, Status.MONITORING)
        return Status.INVESTIGATING if has_gone_on else None
    may_go_on = present in (Status.INVESTIGATING, Status.IDENTIFIED)
    return Status.MONITORING if may_go_on and _may_have_helped(last, executions) else None


def _may_have_helped(execution: Execution, executions: Sequence[Execution]) -> bool:
    """A temporary change only gains time, and an undo takes help away; its own undo does not."""
    if execution.undo_of is None:
        return not _is_temporary(execution)
    undone = [each for each in executions if each.id == execution.undo_of]
    return any(_is_temporary(each) or each.undo_of is not None for each in undone)


def _is_temporary(execution: Execution) -> bool:
    return execution.plan is not None and execution.plan.temporary is not None


def _is_answered(execution: Execution, entries: Sequence[Entry]) -> bool:
    """Whether somebody chose or kept a status since its check; after a failed one, in an update."""
    answering = (StatusChanged, StatusKept) if execution.check_passed else ANSWERS_TO_FAILURE
    checked = [
        entry.id
        for entry in entries
        if isinstance(entry.detail, Succeeded | Failed) and entry.detail.execution == execution.id
    ]
    answers = [entry.id for entry in entries if isinstance(entry.detail, answering)]
    return not checked or any(answer > checked[-1] for answer in answers)


def check_still_proposed(
    proposed: Proposal | None, execution_id: ExecutionId, incident: Incident
) -> Proposal:
    """The proposal if it is the one that somebody saw; else raises UserError."""
    if proposed is None or proposed.execution.id != execution_id:
        raise UserError(
            f"This was answered already, or something else was changed since: {incident.name} is "
            f"{incident.status.value}. Nothing was changed."
        )
    return proposed
