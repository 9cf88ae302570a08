"""The one decision about what a change needs: how many approvals, of whom, until when, and why."""

from collections.abc import Container, Iterator, Set
from datetime import datetime
from typing import NamedTuple

from bot.config import Config, Policy, ServiceConfig
from bot.model import (
    Approval,
    ApprovalReason,
    Execution,
    ExecutionState,
    Incident,
    Membership,
    Plan,
    Requirement,
    Risk,
    Shortage,
    ShortageKind,
    UserId,
)


class ProposedChange(NamedTuple):
    """A change that somebody asks for; `requested_by` is None for the scheduler.

    `undoes` is the execution that it undoes, and `in_force` whether that is a temporary change that
    has not ended. An undo is approved along with its change for those who `may_use_approval`: an
    approver, and the scheduler at its first attempt.
    """

    plan: Plan
    risk: Risk
    requested_by: UserId | None
    undoes: Execution | None = None
    in_force: bool = False
    may_use_approval: bool = False


def decide(
    config: ServiceConfig, incident: Incident, change: ProposedChange, now: datetime
) -> Requirement:
    """What the change needs before it runs."""
    approvals, reasons = _approvals(config.policy, change, now)
    return Requirement(
        approvals=approvals,
        groups=config.approvers.groups,
        users=tuple(map(UserId, config.approvers.users)),
        requesters=_requesters(change),
        until=now + config.cadence(incident.severity).approval,
        reasons=reasons,
    )


def _approvals(
    policy: Policy, change: ProposedChange, now: datetime
) -> tuple[int, tuple[ApprovalReason, ...]]:
    """How many, and why."""
    renewed = tuple(_needs_new_approval(change, now))
    if change.undoes is not None and not renewed:
        return 0, (ApprovalReason.APPROVED_WITH_CHANGE,)
    needed = policy.approvals.of(change.risk)
    if policy.budget.is_exceeded_by(change.plan.blast_radius):
        return needed + 1, (ApprovalReason.POLICY, ApprovalReason.OVER_BUDGET, *renewed)
    return needed, (ApprovalReason.POLICY, *renewed)


def _needs_new_approval(change: ProposedChange, now: datetime) -> Iterator[ApprovalReason]:
    """Why the approval of a change does not cover this undo of it."""
    undone = change.undoes
    if undone is None:
        return
    if undone.undo_of is not None:
        yield ApprovalReason.UNDO_OF_UNDO
    elif not (change.in_force or (undone.undo_until is not None and now < undone.undo_until)):
        yield ApprovalReason.UNDO_TOO_LATE
    elif undone.undo_digest is None and not undone.evidence.undone_outside:
        yield ApprovalReason.UNDO_NOT_PLANNED
    elif undone.undo_digest != change.plan.digest:
        yield ApprovalReason.TARGET_CHANGED
    elif not change.may_use_approval:
        is_scheduler = change.requested_by is None
        yield ApprovalReason.TRIED_BEFORE if is_scheduler else ApprovalReason.NOT_AN_APPROVER


def _requesters(change: ProposedChange) -> tuple[UserId, ...]:
    """Who asked for it; what the scheduler asks for was asked for with the change it undoes."""
    if change.requested_by is not None:
        return (change.requested_by,)
    return () if change.undoes is None else change.undoes.requesters


def loud_warnings(config: Config) -> tuple[str, ...]:
    """What must be said when the bot starts: the changes that nobody has to approve."""
    return tuple(
        f"policy.approvals.{risk.value}{_of(service)} is 0: such a change runs as soon as somebody "
        f"requests it, without any approval{_exception(service)}"
        for service in config.all
        for risk in (Risk.CHANGE, Risk.DESTRUCTIVE)
        if not service.policy.approvals.of(risk)
    )


def _exception(service: ServiceConfig) -> str:
    return ", unless it is over the budget" if service.policy.budget.is_set else ""


def _of(service: ServiceConfig) -> str:
    """Whose setting it is, where there are several services."""
    return f" of {service.id}" if service.id else ""


def shortages(service: ServiceConfig, approvers: int) -> tuple[str, ...]:
    """What must be said when the bot starts and there are only so many approvers.

    Groups grow and shrink, so this is no reason not to start.
    """
    approvals = service.policy.approvals
    return tuple(
        f"policy.approvals.{risk.value}{_of(service)} is {approvals.of(risk)}, and the approvers "
        f"are {approvers} at the moment: no such change can be approved"
        for risk in (Risk.CHANGE, Risk.DESTRUCTIVE)
        if approvals.of(risk) > approvers
    )


def find_shortage(
    asked: Requirement,
    given: Set[UserId],
    approvers: Membership,
    able: Container[UserId],
    now: datetime,
) -> Shortage | None:
    """Why a request cannot get its approvals; None where enough people can approve it.

    `given` are the people who have approved it: that counts, whoever is an approver by now. `able`
    are those of the approvers who are active full members.
    """
    may = [user_id for user_id in approvers.everybody if user_id in able]
    others = given | {user_id for user_id in may if user_id not in asked.requesters}
    if len(others) >= asked.approvals:
        return None
    if others:
        kind = ShortageKind.TOO_FEW
    elif may:
        kind = ShortageKind.ONLY_REQUESTERS
    else:
        kind = ShortageKind.NOBODY_MAY if approvers.everybody else ShortageKind.NO_MEMBERS
    return Shortage(kind=kind, at=now, count=len(others))


def state_after(execution: Execution, approvals: tuple[Approval, ...]) -> ExecutionState:
    """Approved once enough people have approved this plan, else still proposed."""
    people = {approval.by for approval in approvals if _counts(approval, execution)}
    enough = len(people) >= execution.approvals_needed
    return ExecutionState.APPROVED if enough else ExecutionState.PROPOSED


def _counts(approval: Approval, execution: Execution) -> bool:
    # Approvals of before they kept a digest have none; a request's plan is never replaced.
    is_same_plan = approval.plan_digest in ("", execution.plan_digest)
    return is_same_plan and approval.by not in execution.requesters
