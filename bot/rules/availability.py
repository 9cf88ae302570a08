"""Who can approve a request now, and whether who asks is alone."""

from collections.abc import Container, Sequence
from datetime import datetime

from bot.config import ServiceConfig
from bot.model import (
    AloneChoice,
    Availability,
    Execution,
    Membership,
    OnCallMember,
    Requirement,
    Shortage,
    UserId,
)
from bot.rules.policy import approvers_of


def availability(
    service: ServiceConfig,
    execution: Execution,
    asked: Requirement,
    approvers: Membership,
    able: Container[UserId],
    now: datetime,
) -> Availability | None:
    """Who can approve it now; None where the list has groups alone, which the request names.

    `able` are those of the approvers who are active full members.
    """
    selector = approvers_of(service, execution)
    if not (selector.on_call or selector.users):
        return None
    given = {approval.by for approval in execution.approvals}

    def can(user: UserId) -> bool:
        return user in able and user not in asked.requesters and user not in given

    on_call = _each_once([member for member in approvers.on_call if can(member.user)])
    named = {member.user for member in on_call}
    return Availability(
        at=now,
        on_call=on_call,
        people=tuple(user for user in asked.users if can(user) and user not in named),
        groups=tuple(
            group.id for group in approvers.groups.values() if any(map(can, group.members))
        ),
        unanswered=approvers.unanswered,
        unmatched=approvers.unmatched,
    )


def _each_once(members: Sequence[OnCallMember]) -> tuple[OnCallMember, ...]:
    """Each person for the first of what they are on call for."""
    by_user: dict[UserId, OnCallMember] = {}
    for member in members:
        by_user.setdefault(member.user, member)
    return tuple(by_user.values())


def when_alone(
    service: ServiceConfig, execution: Execution, seen: Availability, shortage: Shortage | None
) -> AloneChoice | None:
    """What the policy says where nobody else on call can approve, or nobody at all; else None.

    While it is not known who is on call, nobody is alone unless nobody of the list is there.
    """
    knows_nobody = (
        not seen.on_call and not seen.unanswered and bool(approvers_of(service, execution).on_call)
    )
    if not knows_nobody and shortage is None:
        return None
    return service.policy.when_alone.of(execution.risk)


def may_break_glass_early(execution: Execution) -> bool:
    """Whether nobody else was on call, and the policy does not want to wait for an answer then.

    Whether the glass may be broken at all, by whom and for what, is decided elsewhere.
    """
    seen = execution.available
    return seen is not None and seen.alone is AloneChoice.BREAK_GLASS
