"""What a change needs before it runs, and what else a team lets through."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, NamedTuple, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bot.config.clocks import MINUTE, TimeLimit
from bot.config.freezes import Freeze
from bot.config.night import SecondSteps, WhenAlone
from bot.config.people import MemberSelector, Right
from bot.model import Amounts, AppliedRule, BlastRadius, BudgetUse, Model, Risk, Severity

Name = TypeVar("Name")
CHANGING = (Risk.CHANGE, Risk.DESTRUCTIVE)


def _refuse_approvals(count: Any) -> Any:
    """Raises ValueError for approvals of what changes nothing in production through the bot."""
    if count:
        raise ValueError(
            "a read changes nothing and runs at once, and a manual step is done outside the bot, "
            "so neither can wait for approval; remove this line"
        )
    return count


def _check_changing(risk: Risk) -> Risk:
    """Raises ValueError for a risk of what changes nothing in production through the bot."""
    if risk not in CHANGING:
        raise ValueError("expects change or destructive: nothing else waits for approval")
    return risk


def _check_not_empty(names: tuple[Name, ...] | None) -> tuple[Name, ...] | None:
    """Raises ValueError for an empty list, which could mean all or none."""
    if names == ():
        raise ValueError("is empty: name at least one, or leave it out to mean all")
    return names


Approvals = Annotated[int, Field(strict=True, ge=0, le=20)]
NoApprovals = Annotated[int, Field(strict=True), BeforeValidator(_refuse_approvals)]
ChangingRisk = Annotated[Risk, AfterValidator(_check_changing)]
Word = Annotated[str, Field(min_length=1, max_length=100)]
OneOrMore = Annotated[tuple[Name, ...] | None, AfterValidator(_check_not_empty)]


class ApprovalCounts(Model):
    """How many other people must approve a change, by its risk; 0 means that it runs at once."""

    change: Approvals = 1
    destructive: Approvals = 1
    read: NoApprovals = 0
    manual: NoApprovals = 0

    def of(self, risk: Risk) -> int:
        """The number for one risk."""
        return int(getattr(self, risk.value))


class Budget(Model):
    """The blast radius above which a change needs one more approval; without a number, none is.

    So many `pods` missing at the same time, this share of the `capacity` in percent, so many
    database `sessions` ended.
    """

    pods: Annotated[int, Field(strict=True, ge=0)] | None = None
    capacity: Annotated[int, Field(strict=True, ge=0, le=100)] | None = None
    sessions: Annotated[int, Field(strict=True, ge=0)] | None = None

    @property
    def is_set(self) -> bool:
        """Whether anything can be over it."""
        return any(limit is not None for limit in (self.pods, self.capacity, self.sessions))

    def is_exceeded_by(self, radius: BlastRadius) -> bool:
        """Whether a change takes away more than this in any way."""
        amounts = (radius.pods, radius.capacity, radius.sessions)
        limits = (self.pods, self.capacity, self.sessions)
        pairs = zip(amounts, limits, strict=True)
        return any(limit is not None and amount > limit for amount, limit in pairs)


class IncidentBudget(Budget):
    """The sum of what an incident's changes of a service take away, above which two approve."""

    capacity: Annotated[int, Field(strict=True, ge=0)] | None = None

    def overruns(self, used: Amounts, radius: BlastRadius) -> tuple[BudgetUse, ...]:
        """Where a change adds something, and the sum is more than this."""
        uses = (
            BudgetUse(what=what, used=getattr(used, what), added=getattr(radius, what), limit=limit)
            for what in ("pods", "capacity", "sessions")
            if (limit := getattr(self, what)) is not None
        )
        return tuple(use for use in uses if use.added and use.used + use.added > use.limit)


class GuestRights(Model):
    """What guests and people of other companies may do: `declare` incidents, `read` titles."""

    declare: bool = False
    read: bool = False


class Masking(Model):
    """What people may read that is hidden otherwise.

    `show_variables` are names of environment variables, where `*` stands for any characters.
    """

    show_variables: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()


class Rule(Model):
    """What is different for some changes: those of a `service`, `severity`, `action` and `risk`.

    What it does not name may be any. Its `approvals` only raise the number, unless it says that it
    `lowers` it. Of several rules the later one decides.
    """

    service: OneOrMore[Word] = None
    severity: OneOrMore[Severity] = None
    action: OneOrMore[Word] = None
    risk: OneOrMore[ChangingRisk] = None
    approvals: Approvals | None = None
    lowers: bool = False
    approvers: MemberSelector | None = None
    expires_after: TimeLimit | None = None
    undo_window: TimeLimit | None = None

    @model_validator(mode="after")
    def _check_says_something(self) -> Self:
        """Raises ValueError for a rule without effect."""
        said = (self.approvals, self.approvers, self.expires_after, self.undo_window)
        if all(value is None for value in said):
            raise ValueError("says nothing: add approvals, approvers, expires_after or undo_window")
        if self.lowers and self.approvals is None:
            raise ValueError("lowers nothing: add approvals")
        if self.approvers is not None and self.approvers.is_empty:
            raise ValueError("its approvers name nobody")
        return self

    def is_of(self, service: str) -> bool:
        """Whether it is about a service."""
        return self.service is None or service in self.service

    def matches(self, severity: Severity, action: str, risk: Risk) -> bool:
        """Whether it is about a change of its services."""
        return (
            (self.severity is None or severity in self.severity)
            and (self.action is None or action in self.action)
            and (self.risk is None or risk in self.risk)
        )

    def count(self, before: int) -> int:
        """How many approvals it asks for, where there were so many without it."""
        if self.approvals is None:
            return before
        return self.approvals if self.lowers else max(before, self.approvals)

    def applied(self, before: int) -> AppliedRule:
        """What people read of it, where it made another number of the one before."""
        return AppliedRule(
            severity=self.severity or (),
            action=self.action or (),
            risk=self.risk or (),
            approvals=self.count(before),
            instead_of=before,
        )


class BreakGlass(Model):
    """When the commander may have a change run that nobody approves.

    That is once no approver has answered for the time `after`, in an incident of these
    `severities`. `announce` are the people who are told besides the approvers. With `own_requests`
    it may be the commander's own request.
    """

    after: TimeLimit
    announce: MemberSelector
    severities: tuple[Severity, ...] = Field(default=(Severity.SEV1,), min_length=1)
    own_requests: bool = False

    @model_validator(mode="after")
    def _check_loud(self) -> Self:
        """Raises ValueError where nobody is told, or where it is for what can wait."""
        if self.announce.is_empty:
            raise ValueError("its announce names nobody: say who is told, such as an escalation")
        if not set(self.severities) <= {Severity.SEV1, Severity.SEV2}:
            raise ValueError("its severities can only be sev1 and sev2: the others can wait")
        return self


class Policy(Model):
    """How many other people must approve a change, its time limits, and what else is let through.

    `anyone_may` is what people may do who are neither responders nor approvers. `probe_pods` is the
    label selector of pods that ports may be tried from, where no pod of the service can.
    """

    approvals: ApprovalCounts = ApprovalCounts()
    rules: tuple[Rule, ...] = ()
    budget: Budget = Budget()
    incident_budget: IncidentBudget = IncidentBudget()
    freezes: tuple[Freeze, ...] = ()
    break_glass: BreakGlass | None = None
    undo_window: TimeLimit = 15 * MINUTE
    execution_timeout: TimeLimit = 10 * MINUTE
    guests: GuestRights = GuestRights()
    anyone_may: tuple[Right, ...] = ()
    probe_pods: Annotated[str, Field(max_length=253)] = ""
    when_alone: WhenAlone = WhenAlone()
    second_step: SecondSteps = SecondSteps()

    @property
    def has_budget(self) -> bool:
        """Whether a change that takes away much needs one more approval."""
        return self.budget.is_set or self.incident_budget.is_set

    def rules_for(self, service: str) -> Iterable[tuple[int, Rule]]:
        """The rules about a service, each with its place in the list."""
        return ((place, rule) for place, rule in enumerate(self.rules) if rule.is_of(service))


class Terms(NamedTuple):
    """What is asked for before a change of one severity, action and risk, whatever it takes away.

    `places` are those of the rules that apply, and `counted` is the rule that made the number.
    """

    approvals: int
    approvers: MemberSelector
    expires_after: timedelta
    undo_window: timedelta
    places: tuple[int, ...] = ()
    counted: AppliedRule | None = None

    def with_rule(self, place: int, rule: Rule) -> Self:
        """The same where one more rule applies."""
        changes = rule.count(self.approvals) != self.approvals
        return self._replace(
            approvals=rule.count(self.approvals),
            approvers=rule.approvers or self.approvers,
            expires_after=rule.expires_after or self.expires_after,
            undo_window=rule.undo_window or self.undo_window,
            places=(*self.places, place),
            counted=rule.applied(self.approvals) if changes else self.counted,
        )
