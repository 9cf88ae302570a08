"""The team's configuration file (RUNBOLT_CONFIG): people, channels, cadence and policy."""

from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from bot import deprecations, durations, pages, parsing
from bot.durations import Duration
from bot.model import Noun, Risk, Severity, UserError
from bot.pages import Page

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

# A shorter interval would leave the incident commander no time for anything but updates.
SHORTEST_CADENCE = 5 * MINUTE
Interval = Annotated[timedelta, Field(ge=SHORTEST_CADENCE), BeforeValidator(durations.parse)]


class People(Noun):
    """A selection of people: by Slack user id, and by the handle or id of a user group."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Channels(Noun):
    """The channels, by name or id, for announcing incidents and for informing customers."""

    incidents: str = "incidents"
    customers: str = ""


class PagerDuty(Noun):
    """The PagerDuty ids that select who is on call; without either, everybody on call counts."""

    schedule: str = ""
    escalation_policy: str = ""


class Clock(Noun):
    """How often an update is due at one severity, and when a request for approval expires."""

    update: Interval
    monitoring: Interval | None = None
    approval: Duration = 30 * MINUTE


class Hours(Noun):
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


class Policy(Noun):
    """How many other people must approve a change, by risk, and the time limits of a change."""

    approvals: dict[Risk, int] = Field(
        default_factory=lambda: {Risk.CHANGE: 1, Risk.DESTRUCTIVE: 1}
    )
    undo_window: Duration = 15 * MINUTE
    execution_timeout: Duration = 10 * MINUTE


def default_clocks() -> dict[Severity, Clock]:
    """The usual cadence: more severe means more often, and monitoring means half as often."""
    return {
        Severity.SEV1: Clock(update=15 * MINUTE, monitoring=30 * MINUTE, approval=10 * MINUTE),
        Severity.SEV2: Clock(update=30 * MINUTE, monitoring=HOUR, approval=15 * MINUTE),
        Severity.SEV3: Clock(update=HOUR, monitoring=2 * HOUR),
        Severity.SEV4: Clock(update=24 * HOUR),
    }


class Config(Noun):
    """The whole configuration file."""

    channels: Channels = Channels()
    responders: People = People()
    approvers: People
    clocks: dict[Severity, Clock] = Field(default_factory=default_clocks)
    hours: Hours = Hours()
    policy: Policy = Policy()
    pagerduty: PagerDuty = PagerDuty()
    playbooks: Path | None = None
    runbooks: str = ""  # the base URL of relative links in playbooks

    def clock(self, severity: Severity) -> Clock:
        """The cadence of a severity: from the file, else the default."""
        return self.clocks.get(severity) or default_clocks()[severity]


def load(path: Path) -> Config:
    """Read the file; raises UserError that names the variable and each line."""
    page = pages.read(path)
    deprecations.replace(page, Config)
    if not page.mistakes:
        try:
            return Config.model_validate({} if page.value is None else page.value)
        except ValidationError as error:
            _report(page, error)
    head = f"RUNBOLT_CONFIG ({path}) has mistakes, so nothing was started. Correct:"
    raise UserError("\n".join([head, *(f"  {mistake}" for mistake in sorted(page.mistakes))]))


def _report(page: Page, error: ValidationError) -> None:
    """Report pydantic's errors at the keys that they are about."""
    for detail in error.errors():
        place = tuple(part for part in detail["loc"] if part != "[key]")
        page.wrong(page.key_spot(place), parsing.describe(detail, "the file"))
