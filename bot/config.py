"""The team's configuration file (RUNBOLT_CONFIG): people, channels, cadence and policy."""

from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from bot import durations
from bot.model import BlastRadius, Model, Risk, Severity, UserError
from bot.playbooks import deprecations, validation, yaml_source
from bot.playbooks.yaml_source import SourceFile

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

# A longer time limit would be a mistake: whoever waited for it has gone home.
LONGEST = timedelta(days=7)
TimeLimit = Annotated[
    timedelta, Field(gt=timedelta(0), le=LONGEST), BeforeValidator(durations.parse)
]

# A shorter interval would leave the incident commander no time for anything but updates.
SHORTEST_CADENCE = 5 * MINUTE
Interval = Annotated[
    timedelta, Field(ge=SHORTEST_CADENCE, le=LONGEST), BeforeValidator(durations.parse)
]


def _refuse_approvals(count: Any) -> Any:
    """Raises ValueError for approvals of what changes nothing in production through the bot."""
    if count:
        raise ValueError(
            "a read changes nothing and runs at once, and a manual step is done outside the bot, "
            "so neither can wait for approval; remove this line"
        )
    return count


Approvals = Annotated[int, Field(strict=True, ge=0, le=20)]
NoApprovals = Annotated[int, Field(strict=True), BeforeValidator(_refuse_approvals)]


class MemberSelector(Model):
    """A selection of people: by Slack user id, and by the handle or id of a user group."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it selects nobody."""
        return not (self.users or self.groups)


class Channels(Model):
    """The channels, by name or id, for announcing incidents and for informing customers."""

    incidents: str = "incidents"
    customers: str = ""


class OnCallSource(Model):
    """The PagerDuty ids that select who is on call; without either, everybody on call counts."""

    schedule: str = ""
    escalation_policy: str = ""


class Cadence(Model):
    """How often an update is due at one severity, and when a request for approval expires."""

    update: Interval
    monitoring: Interval | None = None
    approval: TimeLimit = 30 * MINUTE


class WorkingHours(Model):
    """Working hours; incidents of these severities send reminders only within them."""

    timezone: ZoneInfo = Field(default_factory=lambda: ZoneInfo("UTC"))
    begin: time = time(9)
    end: time = time(18)
    severities: tuple[Severity, ...] = (Severity.SEV3, Severity.SEV4)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        """Raises ValueError when the hours do not begin before they end."""
        if self.begin >= self.end:
            raise ValueError("“begin” must be before “end”")
        return self


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


class GuestRights(Model):
    """What guests and people of other companies may do: `declare` incidents, `read` titles."""

    declare: bool = False
    read: bool = False


class Masking(Model):
    """What people may read that is hidden otherwise.

    `show_variables` are names of environment variables, where `*` stands for any characters.
    """

    show_variables: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()


class Policy(Model):
    """How many other people must approve a change, its time limits, and what else is let through.

    `probe_pods` is the label selector of pods that ports may be tried from, where no pod of the
    service can.
    """

    approvals: ApprovalCounts = ApprovalCounts()
    budget: Budget = Budget()
    undo_window: TimeLimit = 15 * MINUTE
    execution_timeout: TimeLimit = 10 * MINUTE
    guests: GuestRights = GuestRights()
    probe_pods: Annotated[str, Field(max_length=253)] = ""


def default_cadences() -> dict[Severity, Cadence]:
    """The usual cadence: more severe means more often, and monitoring means half as often."""
    return {
        Severity.SEV1: Cadence(update=15 * MINUTE, monitoring=30 * MINUTE, approval=10 * MINUTE),
        Severity.SEV2: Cadence(update=30 * MINUTE, monitoring=HOUR, approval=15 * MINUTE),
        Severity.SEV3: Cadence(update=HOUR, monitoring=2 * HOUR),
        Severity.SEV4: Cadence(update=24 * HOUR),
    }


class Config(Model):
    """The whole configuration file."""

    channels: Channels = Channels()
    responders: MemberSelector = MemberSelector()
    approvers: MemberSelector
    clocks: dict[Severity, Cadence] = Field(default_factory=default_cadences)
    hours: WorkingHours = WorkingHours()
    policy: Policy = Policy()
    masking: Masking = Masking()
    pagerduty: OnCallSource = OnCallSource()
    playbooks: Path | None = None
    runbooks: str = ""  # the base URL of relative links in playbooks

    @property
    def team(self) -> MemberSelector:
        """The responders and the approvers."""
        both = (self.responders, self.approvers)
        return MemberSelector(
            users=tuple(user for people in both for user in people.users),
            groups=tuple(group for people in both for group in people.groups),
        )

    def cadence(self, severity: Severity) -> Cadence:
        """The cadence of a severity: from the file, else the default."""
        return self.clocks.get(severity) or default_cadences()[severity]


def load(path: Path) -> Config:
    """Read the file; raises UserError that names the variable and each line."""
    source = yaml_source.read(path)
    deprecations.replace(source, Config)
    if not source.diagnostics:
        try:
            config = Config.model_validate({} if source.value is None else source.value)
        except ValidationError as error:
            _report(source, error)
        else:
            _check_enough_approvers(source, config)
            if not source.diagnostics:
                return config
    head = f"RUNBOLT_CONFIG ({path}) has mistakes, so nothing was started. Correct:"
    raise UserError("\n".join([head, *(f"  {mistake}" for mistake in sorted(source.diagnostics))]))


def _check_enough_approvers(source: SourceFile, config: Config) -> None:
    """Report a number of approvals that the approvers cannot give; groups may have any size."""
    if config.approvers.groups:
        return
    people = len(set(config.approvers.users))
    for risk in (Risk.CHANGE, Risk.DESTRUCTIVE):
        key_path = ("policy", "approvals", risk.value)
        needed = config.policy.approvals.of(risk) + config.policy.budget.is_set
        if needed > people:
            is_default = source.closest_existing(key_path) != key_path
            source.report(
                source.key_position(("approvers",) if is_default else key_path),
                f"policy.approvals.{risk.value}: up to {needed} people must approve, and approvers "
                f"names only {people}, so such a change could not run; name more people or a group "
                "under approvers, or ask for fewer",
            )


def _report(source: SourceFile, error: ValidationError) -> None:
    """Report pydantic's errors at the keys that they are about."""
    for detail in error.errors():
        key_path = tuple(part for part in detail["loc"] if part != "[key]")
        source.report(
            source.key_position(key_path), validation.explain_with_field(detail, "the file")
        )
