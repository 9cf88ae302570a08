"""Decisions about customers: what they were told last, and whether they know that it is over."""

from collections.abc import Sequence

from bot.model import Execution, ExecutionState, Incident
from bot.rules.incidents import check_open
from bot.rules.permissions import CUSTOMER_MESSAGE, check_informs_customers

WITHDRAWAL = "withdraw-customer-message"  # the action that deletes what they were told
ALL_CLEAR = "all-clear"  # the step of the message that it is over


def is_about_customers(execution: Execution) -> bool:
    """Whether it told customers something or withdrew that, and changed nothing in production."""
    return execution.action in (CUSTOMER_MESSAGE, WITHDRAWAL)


def is_all_clear(execution: Execution) -> bool:
    """Whether it tells customers that the incident is over, or withdraws that."""
    return is_of_all_clear(execution.step_id, execution.action)


def is_of_all_clear(step_id: str, action: str) -> bool:
    """The same by its step and action; a playbook's own step of that id does something else."""
    return step_id == ALL_CLEAR and action in (CUSTOMER_MESSAGE, WITHDRAWAL)


def last_told(executions: Sequence[Execution]) -> Execution | None:
    """The newest message that customers read, or may have read; one that was withdrawn is none.

    An all-clear counts only where it is known to be in the channel: else nobody would send it.
    """
    withdrawn = {each.undo_of for each in executions if each.check_passed}
    told = [
        each
        for each in executions
        if each.action == CUSTOMER_MESSAGE and _may_be_read(each) and each.id not in withdrawn
    ]
    return told[-1] if told else None


def _may_be_read(message: Execution) -> bool:
    if is_all_clear(message):
        return message.check_passed is True
    return message.check_passed is not None or message.state is ExecutionState.INTERRUPTED


def unknown_all_clear(executions: Sequence[Execution]) -> Execution | None:
    """The newest all-clear, where nobody knows whether it arrived."""
    sent = [each for each in executions if is_all_clear(each) and each.started_at is not None]
    return sent[-1] if sent and sent[-1].state is ExecutionState.INTERRUPTED else None


def await_all_clear(executions: Sequence[Execution]) -> bool:
    """Whether customers were told that something is wrong, and not yet that it is over."""
    told = last_told(executions)
    return told is not None and not is_all_clear(told)


def check_may_be_told(incident: Incident, executions: Sequence[Execution]) -> None:
    """Raise UserError where customers are told nothing.

    That is where the incident is not severe enough, or was resolved without their having been told.
    """
    if incident.open:
        check_informs_customers(incident)
    elif last_told(executions) is None:
        check_open(incident)
