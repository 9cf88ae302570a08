"""RUNBOLT_CONFIG: policies, approvers, channels and cadence, with a default for the rest."""

from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, model_validator

from bot import deprecations, pages
from bot.durations import Duration
from bot.model import Noun, Risk, Severity, UserError
from bot.pages import Page

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

# No cadence is shorter: whoever writes updates more often than that does nothing else.
SHORTEST_CADENCE = 5 * MINUTE


class People(Noun):
    """Some people: by Slack id, and by the handle or id of a user group."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Channels(Noun):
    """Where incidents are announced, and where customers are told: a channel's name or id."""

    incidents: str = "incidents"
    customers: str = ""


class PagerDuty(Noun):
    """Whose being on call is asked for, by PagerDuty's ids; where neither is named, everybody's."""

    schedule: str = ""
    escalation_policy: str = ""


class Clock(Noun):
    """How often an update is due, and how long a request for approval lives, at one severity."""

    update: Annotated[Duration, Field(ge=SHORTEST_CADENCE)]
    monitoring: Annotated[Duration, Field(ge=SHORTEST_CADENCE)] | None = None
    approval: Duration = 30 * MINUTE


class Hours(Noun):
    """When people are at work, and when the milder severities may remind them."""

    timezone: ZoneInfo = Field(default_factory=lambda: ZoneInfo("UTC"))
    begin: time = time(9)
    end: time = time(18)
    severities: tuple[Severity, ...] = (Severity.SEV3, Severity.SEV4)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.begin >= self.end:
            raise ValueError("begin must be before end")
        return self


class Policy(Noun):
    """How many other people must approve a change, by risk; two where much is lost meanwhile."""

    approvals: dict[Risk, int] = Field(
        default_factory=lambda: {Risk.CHANGE: 1, Risk.DESTRUCTIVE: 1}
    )
    undo_window: Duration = 15 * MINUTE
    execution_timeout: Duration = 10 * MINUTE


def default_clocks() -> dict[Severity, Clock]:
    """The field's usual cadence: worse is more often, watching is half as often."""
    return {
        Severity.SEV1: Clock(update=15 * MINUTE, monitoring=30 * MINUTE, approval=10 * MINUTE),
        Severity.SEV2: Clock(update=30 * MINUTE, monitoring=HOUR, approval=15 * MINUTE),
        Severity.SEV3: Clock(update=HOUR, monitoring=2 * HOUR),
        Severity.SEV4: Clock(update=24 * HOUR),
    }


class Config(Noun):
    """What a team decides about its bot."""

    channels: Channels = Channels()
    responders: People = People()
    approvers: People
    clocks: dict[Severity, Clock] = Field(default_factory=default_clocks)
    hours: Hours = Hours()
    policy: Policy = Policy()
    pagerduty: PagerDuty = PagerDuty()
    playbooks: Path | None = None
    runbooks: str = ""  # what the playbooks' relative links are relative to

    def clock(self, severity: Severity) -> Clock:
        """The clock of a severity, the default where the file names others only."""
        return self.clocks.get(severity) or default_clocks()[severity]


def load(path: Path) -> Config:
    """Read the file; raises UserError that names the variable and each line."""
    page = pages.read(path)
    deprecations.replace(page, Config)
    if not page.mistakes:
        try:
            return Config.model_validate({} if page.value is None else page.value)
        except ValidationError as error:
            _note(page, error)
    head = f"RUNBOLT_CONFIG ({path}) has mistakes, so nothing was started. Correct:"
    raise UserError("\n".join([head, *(f"  {mistake}" for mistake in sorted(page.mistakes))]))


def _note(page: Page, error: ValidationError) -> None:
    for mistake in error.errors():
        place = tuple(part for part in mistake["loc"] if part != "[key]")
        name = ".".join(map(str, place)) or "the file"
        page.wrong(page.key_spot(place), f"{name}: {mistake['msg']}")
