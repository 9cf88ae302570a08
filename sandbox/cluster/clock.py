"""Time in the simulated cluster: the wall clock for stamps, a faster one for waiting."""

import asyncio
from datetime import UTC, datetime, timedelta


class Clock:
    """Stamps are real, because clients compute ages from them; only waiting is sped up."""

    def __init__(self, speed: float) -> None:
        if speed <= 0:
            raise ValueError("speed must be above zero")
        self.speed = speed

    def now(self) -> datetime:
        """The present, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait as long as the cluster thinks `seconds` are."""
        await asyncio.sleep(seconds / self.speed)

    def age(self, since: datetime) -> float:
        """How many of the cluster's seconds have passed since a moment."""
        return (self.now() - since).total_seconds() * self.speed

    def age_of(self, text: str) -> float:
        """The same for a stamp: it hides part of a second, and nothing may come too early."""
        return self.age(parse_stamp(text) + timedelta(seconds=1))


def stamp(moment: datetime) -> str:
    """The form Kubernetes writes times in: RFC 3339, whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_stamp(moment: datetime) -> str:
    """The finer form, which log lines and event times carry."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_stamp(text: str) -> datetime:
    """Read either form back."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def ago(moment: datetime, **span: float) -> str:
    """The stamp of a time before `moment`."""
    return stamp(moment - timedelta(**span))
