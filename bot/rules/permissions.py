"""Decisions about people: who may act, approve, deny and extend."""

from collections.abc import Container, Iterator
from datetime import datetime

from bot import durations
from bot.config import GuestRights
from bot.model import (
    LONGEST_TEMPORARY,
    Execution,
    ExecutionState,
    Incident,
    Membership,
    Person,
    Playbook,
    Severity,
    TemporaryChange,
    UserError,
    UserId,
)
from bot.model.text import listed
from bot.rules.changes import EXTENSION
from bot.rules.incidents import check_open

NEVER_STARTED = (ExecutionState.DENIED, ExecutionState.EXPIRED, ExecutionState.VOIDED)
CUSTOMER_MESSAGE = "customer-message"  # the action that tells customers
MAX_APPROVERS = 5  # people that a sentence names; of more, any is asked


def customer_severities(playbook: Playbook) -> tuple[Severity, ...]:
    """The severities at which the playbook informs customers."""
    return tuple(
        severity
        for severity in Severity
        if severity in playbook.severities and playbook.severities[severity].customers
    )


def informs_customers(incident: Incident) -> bool:
    """Whether customers are informed at the incident's severity, as its own service decides."""
    return incident.severity in customer_severities(incident.playbook)


def check_informs_customers(incident: Incident) -> None:
    """Raise UserError for an incident that is resolved or not severe enough for customers."""
    check_open(incident)
    if not incident.service:
        raise UserError(
            f"Nobody has chosen the service of {incident.name}. Nothing was done; choose it in the "
            "channel first."
        )
    if not informs_customers(incident):
        informed = [severity.label for severity in customer_severities(incident.playbook)]
        raise UserError(
            f"This playbook informs customers of {' and '.join(informed) or 'nothing'}, and "
            f"{incident.name} is {incident.severity.label}. Nothing was done. If it is worse, "
            "raise it first with `/incident severity`."
        )


def may_act(person: Person) -> bool:
    """Whether this is a full member of the workspace, who is active."""
    try:
        check_may_act(person)
    except UserError:
        return False
    return True


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


def check_may_declare(person: Person, guests: GuestRights) -> None:
    """Raise UserError for people who may do nothing here, unless they may declare."""
    if not (guests.declare and _is_guest(person)):
        check_may_act(person)


def may_read(person: Person, guests: GuestRights) -> bool:
    """Whether somebody may read the titles of incidents that they are not in."""
    try:
        check_may_act(person)
    except UserError:
        return guests.read and _is_guest(person)
    return True


def _is_guest(person: Person) -> bool:
    """A person of flesh and blood who only may do nothing here."""
    return (person.guest or person.external) and not (person.bot or person.deactivated)


def check_may_take_over(
    incident: Incident, commander: UserId, person: Person, team: Container[UserId]
) -> None:
    """Raise UserError unless this person may take command from the commander.

    `team` are the responders and the approvers of its services.
    """
    check_may_act(person)
    if person.id not in team:
        raise UserError(
            f"<@{commander}> is in command of {incident.name}, and only responders and approvers "
            f"of {_services(incident)} can change that. Nothing was changed; ask "
            f"<@{commander}>, or one of them."
        )


def _services(incident: Incident) -> str:
    return listed([each for each in incident.services if each], "or") or "its service"


def command_conflict(incident: Incident) -> UserError:
    """The error for a person who was too late: who has taken command, and when."""
    if incident.commander is None or incident.commanded_at is None:
        return UserError("Nobody is in command any more. Nothing was changed; take command anew.")
    return UserError(
        f"<@{incident.commander}> took command at {incident.commanded_at:%H:%M:%S} UTC. Nothing "
        "was changed. To take it from them, press *Take over command…* on the card."
    )


def check_may_resolve(
    incident: Incident, person: Person, team: Container[UserId], appointed_by: UserId | None
) -> None:
    """Raise UserError unless this person may resolve the incident, which voids what waits.

    `team` are the responders and the approvers of its services. Somebody else may if they declared
    it, or if another person put them in command.
    """
    check_may_act(person)
    is_appointed = person.id == incident.commander and appointed_by != person.id
    if person.id in team or person.id == incident.declared_by or is_appointed:
        return
    raise UserError(
        f"You are neither a responder nor an approver of {_services(incident)}, so you cannot "
        f"resolve {incident.name}. Nothing was done; ask one of them."
    )


def check_may_approve(
    execution: Execution, person: Person, approvers: Membership, now: datetime
) -> None:
    """Raise UserError unless this person may approve this execution now: the gate to production."""
    if execution.state is not ExecutionState.PROPOSED:
        raise UserError(f"{why_not_pending(execution)} Nothing more was approved.")
    if execution.expires_at is not None and execution.expires_at <= now:
        raise UserError("This request has expired. Nothing was approved; request it again.")
    _check_not_requester(execution, person)
    check_may_act(person)
    _check_is_approver(execution, person, approvers, "approved")
    if any(approval.by == person.id for approval in execution.approvals):
        raise UserError("You have already approved this. It needs another person's approval.")


def _check_is_approver(
    execution: Execution, person: Person, approvers: Membership, done: str
) -> None:
    """Raise UserError for somebody who is none: whose approver they are not, and who these are.

    And what is not known of them.
    """
    if person.id in approvers:
        return
    service = execution.place.service
    people = [f"<@{user}>" for user in sorted(approvers.everybody - set(execution.requesters))]
    named = f": {listed(people, 'or')}" if 0 < len(people) <= MAX_APPROVERS else ""
    doubts = "".join(f" {sentence}" for sentence in _doubts(approvers))
    of, whose = (f" of {service}", "its") if service else ("", "the")
    raise UserError(
        f"You are not an approver{of}. Nothing was {done}; ask one of {whose} approvers{named}."
        f"{doubts}"
    )


def _doubts(approvers: Membership) -> Iterator[str]:
    """Why somebody on call may not be known as such."""
    yield from approvers.unanswered
    if approvers.unmatched:
        yield (
            f"Slack knows nobody by the e-mail address of {', '.join(approvers.unmatched)}, who "
            "is on call: add it under people in RUNBOLT_CONFIG."
        )


def _check_not_requester(execution: Execution, person: Person) -> None:
    """Raise UserError for whoever asked for it, or for the change whose end became a request."""
    if person.id not in execution.requesters:
        return
    if execution.requested_by is None:
        raise UserError(
            "You requested the change that this undoes, so you cannot approve it. Another approver "
            "has to."
        )
    raise UserError(
        "You requested this yourself, so you cannot approve it. Another approver has to."
    )


def check_may_deny(
    execution: Execution, person: Person, approvers: Membership, *, done: str = "denied"
) -> None:
    """Raise UserError unless this person is an approver, or withdraws their own request.

    `done` is what is not done then: an edit denies too, and it is not called so.
    """
    if execution.state not in (ExecutionState.PROPOSED, ExecutionState.APPROVED):
        raise UserError(f"{why_not_pending(execution)} Nothing was {done}.")
    check_may_act(person)
    if person.id != execution.requested_by:
        _check_is_approver(execution, person, approvers, done)


def check_may_withdraw(execution: Execution, user_id: UserId) -> None:
    """Raise UserError unless this person made the request; an approver denies it instead."""
    if user_id != execution.requested_by:
        raise UserError(
            f"<@{execution.requested_by}> requested this, so only they can withdraw it. Nothing "
            "was withdrawn; an approver can deny it."
        )


def check_may_extend(
    change: TemporaryChange | None,
    execution: Execution,
    person: Person,
    approvers: Membership,
    now: datetime,
    seen_end: datetime,
) -> None:
    """Raise UserError unless this person may extend a temporary change: an approver may.

    `seen_end` is the end that they saw: they extend nothing that somebody extended before them.
    """
    if change is None or not change.in_force:
        raise UserError("This has already ended. Nothing was extended.")
    if change.ends_at != seen_end:
        raise UserError(
            f"“{change.state}” was already extended, to {change.ends_at:%H:%M} UTC. Nothing more "
            "was extended."
        )
    if change.ends_at <= now:
        raise UserError(
            f"The time of “{change.state}” is over. Nothing was extended; request it again."
        )
    if person.id == execution.requested_by:
        raise UserError(
            "You requested this yourself, so you cannot extend it. Another approver has to."
        )
    check_may_act(person)
    _check_is_approver(execution, person, approvers, "extended")
    if change.ends_at + EXTENSION > change.started_at + LONGEST_TEMPORARY:
        longest = durations.describe(LONGEST_TEMPORARY)
        raise UserError(
            f"“{change.state}” would last longer than {longest}. Nothing was extended; request it "
            "again once it has ended."
        )


def why_not_pending(execution: Execution) -> str:
    """What became of a request that waits no longer."""
    broken = execution.broken_glass
    if broken is not None and execution.state not in NEVER_STARTED:
        return f"<@{broken.by}> broke the glass for this at {broken.at:%Y-%m-%d %H:%M:%S} UTC."
    if (
        execution.state
        in (
            ExecutionState.APPROVED,
            ExecutionState.RUNNING,
            ExecutionState.SUCCEEDED,
            ExecutionState.FAILED,
        )
        and execution.approvals
    ):
        last = execution.approvals[-1]
        return f"Already approved by <@{last.by}> at {last.at:%Y-%m-%d %H:%M:%S} UTC."
    if execution.state is ExecutionState.DENIED:
        return f"Already {execution.denial} by <@{execution.decided_by}>."
    if execution.state is ExecutionState.EXPIRED:
        return "This request has expired."
    if execution.state is ExecutionState.VOIDED:
        return "This request is void, because the incident was resolved."
    return f"This request is already {execution.state.value}."
