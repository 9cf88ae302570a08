"""What a request for a change was asked for, and why, as it is stored with it."""

from datetime import datetime

from bot.model.base import Model, Risk, Severity, UserId


class Amounts(Model):
    """What changes take away together: pods, percent of the capacity, database sessions."""

    pods: int = 0
    capacity: int = 0
    sessions: int = 0


class AppliedRule(Model):
    """A rule of the policy that asked for another number of approvals, `instead_of` which one.

    What it does not name may be any.
    """

    severity: tuple[Severity, ...] = ()
    action: tuple[str, ...] = ()
    risk: tuple[Risk, ...] = ()
    approvals: int
    instead_of: int


class FreezeNotice(Model):
    """A freeze that is on, until when, and why; without a reason it is empty."""

    reason: str = ""
    until: datetime


class BudgetUse(Model):
    """What an incident's changes have `used` of a `limit`, and what this one adds.

    `what` is pods, capacity (in percent) or sessions.
    """

    what: str
    used: int
    added: int
    limit: int


class BrokenGlass(Model):
    """That the commander had a change run which nobody had approved, when, and why.

    `waited_since` is since when no approver had answered. `freeze` is one that was on.
    """

    by: UserId
    at: datetime
    reason: str
    waited_since: datetime
    freeze: FreezeNotice | None = None
