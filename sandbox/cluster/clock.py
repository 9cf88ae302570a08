"""Time in the simulated cluster: the wall clock for stamps, a faster one for waiting."""

import asyncio
from datetime import UTC, datetime, timedelta


class Clock:
    """A clock that speeds up waiting only: timestamps stay real, for clients compute ages."""

    def __init__(self, speed: float) -> None:
        if speed <= 0:
            raise ValueError("speed must be above zero")
        self.speed = speed

    def now(self) -> datetime:
        """The present, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait for so many of the cluster's seconds."""
        await asyncio.sleep(seconds / self.speed)

    def age(self, since: datetime) -> float:
        """How many of the cluster's seconds have passed since `since`."""
        return (self.now() - since).total_seconds() * self.speed

    def age_of(self, text: str) -> float:
        """The age of a timestamp, rounded down: it hides a fraction of a second."""
        return self.age(parse_stamp(text) + timedelta(seconds=1))


def stamp(moment: datetime) -> str:
    """A time as Kubernetes writes it: RFC 3339 in UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_stamp(moment: datetime) -> str:
    """A time with microseconds, as in log lines and event times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_stamp(text: str) -> datetime:
    """Parse a timestamp with or without fractions of a second."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def stamp_before(moment: datetime, **span: float) -> str:
    """The stamp of a time before `moment`."""
    return stamp(moment - timedelta(**span))
