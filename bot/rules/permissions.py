"""Decisions about people: who may act, approve, deny and extend, and how many approve."""

from collections.abc import Set
from datetime import datetime

from bot import durations
from bot.config import Config
from bot.model import (
    Approval,
    Execution,
    ExecutionState,
    Incident,
    Model,
    Playbook,
    Risk,
    Severity,
    TemporaryChange,
    UserError,
    UserId,
)
from bot.rules.changes import EXTENSION, LONGEST_TEMPORARY_CHANGE
from bot.rules.incidents import check_open

CUSTOMER_MESSAGE = "customer-message"  # the action that tells customers


class Person(Model):
    """Who somebody is, as Slack says now."""

    id: UserId
    name: str
    bot: bool = False
    guest: bool = False
    deactivated: bool = False
    external: bool = False


def customer_severities(playbook: Playbook) -> tuple[Severity, ...]:
    """The severities at which the playbook informs customers."""
    return tuple(
        severity
        for severity in Severity
        if severity in playbook.severities and playbook.severities[severity].customers
    )


def informs_customers(incident: Incident) -> bool:
    """Whether customers are informed at the incident's severity."""
    return incident.severity in customer_severities(incident.playbook)


def check_informs_customers(incident: Incident) -> None:
    """Raise UserError for an incident that is resolved or not severe enough for customers."""
    check_open(incident)
    if not informs_customers(incident):
        told = [severity.label for severity in customer_severities(incident.playbook)]
        raise UserError(
            f"This playbook informs customers of {' and '.join(told) or 'nothing'}, and "
            f"{incident.name} is {incident.severity.label}. Nothing was done. If it is worse, "
            "raise it first with `/incident severity`."
        )


def approvals_needed(config: Config, risk: Risk) -> int:
    """How many other people must approve; one where the policy says nothing."""
    if risk in (Risk.READ, Risk.MANUAL):
        return 0
    return config.policy.approvals.get(risk, 1)


def check_may_act(person: Person) -> None:
    """Raise UserError for guests, bots, deactivated accounts and people of other workspaces."""
    if person.deactivated:
        raise UserError("This account is deactivated. Nothing was done.")
    if person.bot:
        raise UserError("Bots may not do this. Nothing was done; ask a person to do it.")
    if person.external:
        raise UserError(
            "You belong to another workspace. Nothing was done; ask a responder of this one."
        )
    if person.guest:
        raise UserError("Guests may not do this. Nothing was done; ask a full member.")


def check_may_approve(
    run: Execution, person: Person, approvers: Set[UserId], now: datetime
) -> None:
    """Raise UserError unless this person may approve this execution now: the gate to production."""
    if run.state is not ExecutionState.PROPOSED:
        raise UserError(f"{_past(run)} Nothing more was approved.")
    if run.expires_at is not None and run.expires_at <= now:
        raise UserError("This request has expired. Nothing was approved; request it again.")
    if person.id == run.requested_by:
        raise UserError(
            "You requested this yourself, so you cannot approve it. Another approver has to."
        )
    check_may_act(person)
    if person.id not in approvers:
        raise UserError("You are not an approver. Nothing was approved; ask one of the approvers.")
    if any(approval.by == person.id for approval in run.approvals):
        raise UserError("You have already approved this. It needs another person's approval.")


def check_may_deny(run: Execution, person: Person, approvers: Set[UserId]) -> None:
    """Raise UserError unless this person is an approver, or withdraws their own request."""
    if run.state not in (ExecutionState.PROPOSED, ExecutionState.APPROVED):
        raise UserError(f"{_past(run)} Nothing was denied.")
    check_may_act(person)
    if person.id != run.requested_by and person.id not in approvers:
        raise UserError("You are not an approver. Nothing was denied; ask one of the approvers.")


def is_withdrawn(run: Execution) -> bool:
    """Whether the requester denied it."""
    return run.decided_by is not None and run.decided_by == run.requested_by


def check_may_extend(
    hold: TemporaryChange | None,
    run: Execution,
    person: Person,
    approvers: Set[UserId],
    now: datetime,
) -> None:
    """Raise UserError unless this person may extend a temporary change: an approver may."""
    if hold is None or not hold.in_force:
        raise UserError("This has already ended. Nothing was extended.")
    if hold.ends_at <= now:
        raise UserError(
            f"The time of “{hold.state}” is over. Nothing was extended; request it again."
        )
    if person.id == run.requested_by:
        raise UserError(
            "You requested this yourself, so you cannot extend it. Another approver has to."
        )
    check_may_act(person)
    if person.id not in approvers:
        raise UserError("You are not an approver. Nothing was extended; ask one of the approvers.")
    if hold.ends_at + EXTENSION > hold.started_at + LONGEST_TEMPORARY_CHANGE:
        longest = durations.describe(LONGEST_TEMPORARY_CHANGE)
        raise UserError(
            f"“{hold.state}” would last longer than {longest}. Nothing was extended; request it "
            "again once it has ended."
        )


def state_after(run: Execution, approvals: tuple[Approval, ...]) -> ExecutionState:
    """Approved once enough people approved, else still proposed."""
    return (
        ExecutionState.APPROVED
        if len(approvals) >= run.approvals_needed
        else ExecutionState.PROPOSED
    )


def _past(run: Execution) -> str:
    """What became of a request that waits no longer."""
    if (
        run.state
        in (
            ExecutionState.APPROVED,
            ExecutionState.RUNNING,
            ExecutionState.SUCCEEDED,
            ExecutionState.FAILED,
        )
        and run.approvals
    ):
        last = run.approvals[-1]
        return f"Already approved by <@{last.by}> at {last.at:%Y-%m-%d %H:%M:%S} UTC."
    if run.state is ExecutionState.DENIED:
        how = "withdrawn" if is_withdrawn(run) else "denied"
        return f"Already {how} by <@{run.decided_by}>."
    if run.state is ExecutionState.EXPIRED:
        return "This request has expired."
    if run.state is ExecutionState.VOIDED:
        return "This request is void, because the incident was resolved."
    return f"This request is already {run.state.value}."
