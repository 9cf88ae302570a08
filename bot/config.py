"""The team's configuration file (RUNBOLT_CONFIG): people, channels, cadence and policy."""

from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from bot import durations
from bot.durations import Duration
from bot.model import Model, Risk, Severity, UserError
from bot.playbooks import deprecations, validation, yaml_source
from bot.playbooks.yaml_source import SourceFile

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

# A shorter interval would leave the incident commander no time for anything but updates.
SHORTEST_CADENCE = 5 * MINUTE
Interval = Annotated[timedelta, Field(ge=SHORTEST_CADENCE), BeforeValidator(durations.parse)]


class MemberSelector(Model):
    """A selection of people: by Slack user id, and by the handle or id of a user group."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


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
    approval: Duration = 30 * MINUTE


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


class Policy(Model):
    """How many other people must approve a change, by risk, and the time limits of a change."""

    approvals: dict[Risk, int] = Field(
        default_factory=lambda: {Risk.CHANGE: 1, Risk.DESTRUCTIVE: 1}
    )
    undo_window: Duration = 15 * MINUTE
    execution_timeout: Duration = 10 * MINUTE


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
    pagerduty: OnCallSource = OnCallSource()
    playbooks: Path | None = None
    runbooks: str = ""  # the base URL of relative links in playbooks

    def cadence(self, severity: Severity) -> Cadence:
        """The cadence of a severity: from the file, else the default."""
        return self.clocks.get(severity) or default_cadences()[severity]


def load(path: Path) -> Config:
    """Read the file; raises UserError that names the variable and each line."""
    source = yaml_source.read(path)
    deprecations.replace(source, Config)
    if not source.diagnostics:
        try:
            return Config.model_validate({} if source.value is None else source.value)
        except ValidationError as error:
            _report(source, error)
    head = f"RUNBOLT_CONFIG ({path}) has mistakes, so nothing was started. Correct:"
    raise UserError("\n".join([head, *(f"  {mistake}" for mistake in sorted(source.diagnostics))]))


def _report(source: SourceFile, error: ValidationError) -> None:
    """Report pydantic's errors at the keys that they are about."""
    for detail in error.errors():
        key_path = tuple(part for part in detail["loc"] if part != "[key]")
        source.report(
            source.key_position(key_path), validation.explain_with_field(detail, "the file")
        )
