"""How often updates are due, how long requests wait, and when people work."""

from datetime import time, timedelta
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator

from bot import durations
from bot.model import Model, Severity

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


def default_cadences() -> dict[Severity, Cadence]:
    """The usual cadence: more severe means more often, and monitoring means half as often."""
    return {
        Severity.SEV1: Cadence(update=15 * MINUTE, monitoring=30 * MINUTE, approval=10 * MINUTE),
        Severity.SEV2: Cadence(update=30 * MINUTE, monitoring=HOUR, approval=15 * MINUTE),
        Severity.SEV3: Cadence(update=HOUR, monitoring=2 * HOUR),
        Severity.SEV4: Cadence(update=24 * HOUR),
    }
