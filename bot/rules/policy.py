"""The one decision about what a change needs: how many approvals, of whom, until when, and why."""

from collections.abc import Callable, Container, Iterator, Mapping, Set
from datetime import datetime, timedelta
from typing import NamedTuple

from bot.config import CHANGING, Config, MemberSelector, Policy, Rule, ServiceConfig, Terms
from bot.config.policy_checks import deciding_rule, kinds, most_approvals
from bot.model import (
    Amounts,
    Approval,
    ApprovalReason,
    BudgetUse,
    Execution,
    ExecutionState,
    FreezeNotice,
    Incident,
    Membership,
    Plan,
    Requirement,
    Risk,
    Severity,
    Shortage,
    ShortageKind,
    UserId,
)

# What tells customers something changes nothing in production.
TELLS_CUSTOMERS = ("customer-message", "withdraw-customer-message")
NOTHING_USED = Amounts()


class ProposedChange(NamedTuple):
    """A change that somebody asks for; `requested_by` is None for the scheduler.

    `undoes` is the execution that it undoes, and `in_force` whether that is a temporary change that
    has not ended. An undo is approved along with its change for those who `may_use_approval`: an
    approver, and the scheduler at its first attempt. `used` is what the incident's other changes of
    this service take away, those that wait included.
    """

    plan: Plan
    risk: Risk
    requested_by: UserId | None
    undoes: Execution | None = None
    in_force: bool = False
    may_use_approval: bool = False
    action: str = ""
    used: Amounts = NOTHING_USED

    @property
    def touches_production(self) -> bool:
        """Whether it changes more than what customers read."""
        return self.action not in TELLS_CUSTOMERS


class _Count(NamedTuple):
    """How many must approve, and why; `over` is what would be over the incident's budget."""

    approvals: int
    reasons: tuple[ApprovalReason, ...]
    over: tuple[BudgetUse, ...] = ()


def decide(
    service: ServiceConfig, incident: Incident, change: ProposedChange, now: datetime
) -> Requirement:
    """What the change needs before it runs."""
    terms = service.terms(incident.severity, change.action, change.risk)
    outside_freezes = change.in_force or not change.touches_production
    freeze = None if outside_freezes else service.freeze_at(now)
    count = _count(service.policy, terms, change, freeze, now)
    is_counted = ApprovalReason.APPROVED_WITH_CHANGE not in count.reasons
    return Requirement(
        approvals=count.approvals,
        groups=terms.approvers.groups,
        users=tuple(map(UserId, terms.approvers.users)),
        requesters=_requesters(change),
        until=now + terms.expires_after,
        reasons=count.reasons,
        severity=incident.severity,
        rule=terms.counted if is_counted else None,
        freeze=freeze if is_counted else None,
        over=count.over,
        outside_freezes=outside_freezes or not is_counted,
        undo_window=terms.undo_window,
        break_glass_after=_break_glass_after(service.policy, incident, change, count),
    )


def _count(
    policy: Policy,
    terms: Terms,
    change: ProposedChange,
    freeze: FreezeNotice | None,
    now: datetime,
) -> _Count:
    renewed = tuple(_needs_new_approval(change, now))
    if change.undoes is not None and not renewed:
        return _Count(0, (ApprovalReason.APPROVED_WITH_CHANGE,))
    needed, radius = terms.approvals, change.plan.blast_radius
    reasons = [ApprovalReason.POLICY if terms.counted is None else ApprovalReason.RULE]
    is_wide, over = policy.budget.is_exceeded_by(radius), _overruns(policy, change)
    if is_wide or over:
        needed += 1
    if is_wide:
        reasons.append(ApprovalReason.OVER_BUDGET)
    if over:
        needed = max(needed, 2)
        reasons.append(ApprovalReason.OVER_INCIDENT_BUDGET)
    if freeze is not None:
        needed += 1
        reasons.append(ApprovalReason.FREEZE)
    return _Count(needed, (*reasons, *renewed), over)


def _overruns(policy: Policy, change: ProposedChange) -> tuple[BudgetUse, ...]:
    return policy.incident_budget.overruns(change.used, change.plan.blast_radius)


def _break_glass_after(
    policy: Policy, incident: Incident, change: ProposedChange, count: _Count
) -> timedelta | None:
    """How long nobody must have answered before the commander may have it run; None for never."""
    glass = policy.break_glass
    if glass is None or not count.approvals or not change.touches_production:
        return None
    return glass.after if incident.severity in glass.severities else None


def in_freeze(service: ServiceConfig, execution: Execution, now: datetime) -> Requirement | None:
    """What a request needs by now, if a freeze is on that had not begun when it was made.

    None where nothing changes. The end of a freeze lowers nothing: what people read stays true.
    """
    asked = execution.requirement
    if asked is None or asked.outside_freezes or asked.freeze is not None:
        return None
    freeze = None if execution.broken_glass else service.freeze_at(now)
    if freeze is None:
        return None
    return asked.model_copy(
        update={
            "approvals": asked.approvals + 1,
            "reasons": (*asked.reasons, ApprovalReason.FREEZE),
            "freeze": freeze,
        }
    )


def approvers_of(service: ServiceConfig, execution: Execution) -> MemberSelector:
    """Who approves a request: by the configuration of now, at the severity of the request."""
    asked = execution.requirement
    if asked is None or asked.severity is None:
        return service.approvers
    return service.terms(asked.severity, execution.action, execution.risk).approvers


def may_run_alone(service: ServiceConfig, action: str, risk: Risk) -> bool:
    """Whether such a change may run without any approval, at whichever severity."""
    return any(not service.terms(severity, action, risk).approvals for severity in Severity)


def expected_approvals(
    service: ServiceConfig, severity: Severity, action: str, risk: Risk, now: datetime
) -> int:
    """How many approvals a change needs that is within the budgets, as far as is known by now."""
    has_freeze = action not in TELLS_CUSTOMERS and service.freeze_at(now) is not None
    return service.terms(severity, action, risk).approvals + has_freeze


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
    """What must be said when the bot starts: what nobody has to approve, and what fewer have to."""
    return tuple(warning for service in config.all for warning in _warnings(service))


def _warnings(service: ServiceConfig) -> Iterator[str]:
    for risk in CHANGING:
        if not service.policy.approvals.of(risk):
            yield f"policy.approvals.{risk.value}{_of(service)} is 0: {_alone(service)}"
    for place, rule in service.policy.rules_for(service.id):
        if rule.approvals == 0 and rule.lowers:
            yield f"policy.rules.{place}{_of(service)} asks for 0 approvals: {_alone(service)}"
        elif rule.lowers:
            yield (
                f"policy.rules.{place}{_of(service)} lowers the approvals to {rule.approvals}: "
                f"{_described(rule)}"
            )


def _alone(service: ServiceConfig) -> str:
    return (
        "such a change runs as soon as somebody requests it, without any approval"
        f"{_exception(service)}"
    )


def _exception(service: ServiceConfig) -> str:
    policy = service.policy
    exceptions = [
        *(["it is over the budget"] if policy.budget.is_set else []),
        *(["it is over the incident's budget"] if policy.incident_budget.is_set else []),
        *(["there is a freeze"] if policy.freezes else []),
    ]
    return f", unless {' or '.join(exceptions)}" if exceptions else ""


def _described(rule: Rule) -> str:
    """The changes that a rule is about."""
    named = (*(rule.action or ()), *(risk.value for risk in rule.risk or ()))
    severities = ", ".join(severity.label for severity in rule.severity or ())
    return f"{', '.join(named) or 'every change'}{f' in {severities}' if severities else ''}"


def _of(service: ServiceConfig) -> str:
    """Whose setting it is, where there are several services."""
    return f" of {service.id}" if service.id else ""


def shortages(
    service: ServiceConfig,
    count: Callable[[MemberSelector], int],
    actions: Mapping[str, Risk] | None = None,
) -> tuple[str, ...]:
    """What must be said when the bot starts and there are only so many approvers.

    Groups grow and shrink, so this is no reason not to start.
    """
    return tuple(dict.fromkeys(_shortages(service, count, actions or {})))


def _shortages(
    service: ServiceConfig, count: Callable[[MemberSelector], int], actions: Mapping[str, Risk]
) -> Iterator[str]:
    """One for each risk or rule whose number is too large."""
    for kind in kinds(actions):
        terms = service.terms(*kind)
        if terms.approvers.on_call:
            continue  # how many these are changes with every shift
        needed, approvers = most_approvals(service, kind), count(terms.approvers)
        if needed > approvers:
            rule = deciding_rule(service, kind)
            key = f"approvals.{kind.risk.value}" if rule is None else f"rules.{rule[0]}"
            number = terms.approvals if needed == terms.approvals else f"up to {needed}"
            yield (
                f"policy.{key}{_of(service)} is {number}, and the approvers are {approvers} at the "
                "moment: no such change can be approved"
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
