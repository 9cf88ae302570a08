"""Breaking the glass: whether the commander may have a change run that nobody has approved."""

from datetime import datetime, timedelta

from bot.config import BreakGlass, ServiceConfig
from bot.model import Execution, ExecutionState, Incident, Person, UserError
from bot.rules.availability import may_break_glass_early
from bot.rules.permissions import check_may_act, why_not_pending

# How soon it must be reviewed whether that was right.
REVIEW_WITHIN = timedelta(days=2)


def review_title(execution: Execution) -> str:
    """What the task to review it is called; the number tells two of one title apart."""
    return f"Review why the glass was broken: {execution.title} (request {execution.id})"


def waits_since(execution: Execution, incident: Incident) -> datetime:
    """Since when no approver has answered, and the same person is in command."""
    answers = [approval.at for approval in execution.approvals]
    commanded = [incident.commanded_at] if incident.commanded_at else []
    return max((execution.requested_at, *answers, *commanded))


def opens_at(execution: Execution, incident: Incident) -> datetime | None:
    """When the commander may break the glass, if nobody answers until then; None for never."""
    asked = execution.requirement
    if asked is None or asked.break_glass_after is None:
        return None
    return waits_since(execution, incident) + _wait(execution, asked.break_glass_after)


def is_open_at_once(execution: Execution) -> bool:
    """Whether the policy waits for no answer: nobody else is on call, and nobody has answered."""
    return may_break_glass_early(execution) and not execution.approvals


def _wait(execution: Execution, after: timedelta) -> timedelta:
    return timedelta() if is_open_at_once(execution) else after


def check_may_break(
    service: ServiceConfig,
    incident: Incident,
    execution: Execution,
    person: Person,
    *,
    was_denied: bool,
    now: datetime,
) -> None:
    """Raise UserError unless this person may have the request run now.

    `was_denied` says that an approver has denied the same change of this target in the incident.
    """
    if execution.state is not ExecutionState.PROPOSED:
        raise UserError(f"{why_not_pending(execution)} Nothing was done.")
    if execution.expires_at is not None and execution.expires_at <= now:
        raise UserError("This request has expired. Nothing was done; request it again.")
    glass = _glass(service, incident, execution)
    check_may_act(person)
    if person.id != incident.commander:
        raise UserError("Only the incident commander can break the glass. Nothing was done.")
    if person.id in execution.requesters and not glass.own_requests:
        raise UserError(
            "You requested this yourself, so you cannot break the glass for it. Nothing was done; "
            "somebody else has to be in command, or to request it."
        )
    if was_denied:
        raise UserError(
            "An approver has denied this change in this incident, and that is an answer. Nothing "
            "was done; talk to them."
        )
    _check_waited(glass, incident, execution, now)


def _glass(service: ServiceConfig, incident: Incident, execution: Execution) -> BreakGlass:
    """The setting, where it was on at the request and still is; raises UserError."""
    glass, asked = service.policy.break_glass, execution.requirement
    if glass is None or asked is None or asked.break_glass_after is None:
        raise UserError("The policy lets nobody break the glass for this. Nothing was done.")
    if incident.severity not in glass.severities:
        allowed = " and ".join(severity.label for severity in glass.severities)
        raise UserError(
            f"The glass can be broken only in a {allowed}, and {incident.name} is "
            f"{incident.severity.label}. Nothing was done."
        )
    return glass


def _check_waited(
    glass: BreakGlass, incident: Incident, execution: Execution, now: datetime
) -> None:
    """Raise UserError while an approver may still answer."""
    asked = execution.requirement
    after = max(glass.after, (asked and asked.break_glass_after) or glass.after)
    opens = waits_since(execution, incident) + _wait(execution, after)
    if now < opens:
        raise UserError(
            f"The glass can be broken at {opens:%H:%M:%S} UTC, if no approver answers "
            "until then and you are still in command. Nothing was done; call the approvers."
        )
