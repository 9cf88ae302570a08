"""Freeze windows: when a change needs one more approver."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from bot.model import FreezeNotice, Model

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WEEK = timedelta(days=7)
CLOCK = r"([01]\d|2[0-3]):([0-5]\d)"
WALL_TIME = re.compile(rf"(\d{{4}}-\d\d-\d\d) {CLOCK}")
WEEK_TIME = re.compile(rf"({'|'.join(DAYS)}) {CLOCK}")


def _wall_time(value: Any) -> Any:
    """A local date and time; raises ValueError for anything else, as one with an offset."""
    if isinstance(value, str) and WALL_TIME.fullmatch(value):
        return datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value
    raise ValueError("expects a date and time such as 2026-12-24 18:00, without an offset")


def _week_time(value: Any) -> Any:
    """A day and time of the week as the time since Monday 00:00; raises ValueError."""
    if isinstance(value, timedelta):
        return value
    found = WEEK_TIME.fullmatch(value.lower()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("expects a day and time such as fri 16:00")
    day, hour, minute = found.groups()
    return timedelta(days=DAYS.index(day), hours=int(hour), minutes=int(minute))


WallTime = Annotated[datetime, BeforeValidator(_wall_time)]
WeekTime = Annotated[timedelta, BeforeValidator(_week_time)]


class Freeze(Model):
    """A time in which each change needs one more approver: once, or every week.

    It begins with its first moment and has ended at its last one, by the clocks of `timezone`.
    """

    model_config = ConfigDict(populate_by_name=True)

    begin: WallTime | None = Field(default=None, alias="from")
    until: WallTime | None = None
    weekly: tuple[WeekTime, WeekTime] | None = None
    timezone: ZoneInfo | None = None
    reason: str = Field(default="", max_length=100)

    @model_validator(mode="after")
    def _check_times(self) -> Self:
        """Raises ValueError unless it has one beginning and a later end."""
        once = (self.begin, self.until)
        if (self.weekly is None) == (once == (None, None)):
            raise ValueError("expects either from and until, or weekly")
        if self.weekly is not None:
            if self.weekly[0] == self.weekly[1]:
                raise ValueError("its weekly beginning and end are the same")
            return self
        if self.begin is None or self.until is None:
            raise ValueError("expects both from and until")
        if self.begin >= self.until:
            raise ValueError("its from must be before its until")
        return self

    def end_at(self, now: datetime, default: ZoneInfo) -> datetime | None:
        """When it ends, in UTC, if it is on at a time; `default` is the zone of one without."""
        zone = self.timezone or default
        return next((end for begin, end in self._windows(now, zone) if begin <= now < end), None)

    def _windows(self, now: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        """The windows, in UTC, that a time may be in."""
        if self.begin is not None and self.until is not None:
            yield _earliest(self.begin, zone), _latest(self.until, zone)
        if self.weekly is not None:
            begin, end = self.weekly
            for monday in _mondays(now, zone):
                last = monday + end + (WEEK if end < begin else timedelta())
                yield _earliest(monday + begin, zone), _latest(last, zone)


def _mondays(now: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The beginnings of this week and of the one before, as the clocks there show them."""
    today: date = now.astimezone(zone).date()
    monday = datetime.combine(today - timedelta(days=today.weekday()), time())
    return monday - WEEK, monday


def _instants(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """What a time by the clocks may mean: in an autumn night two moments, in spring none."""
    local = wall.replace(tzinfo=zone)
    return local.astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _earliest(wall: datetime, zone: ZoneInfo) -> datetime:
    return min(_instants(wall, zone))


def _latest(wall: datetime, zone: ZoneInfo) -> datetime:
    return max(_instants(wall, zone))


def freeze_at(freezes: Iterable[Freeze], now: datetime, zone: ZoneInfo) -> FreezeNotice | None:
    """The freeze that is on at a time, of several the one that ends last; None without one."""
    ends = [(end, freeze.reason) for freeze in freezes if (end := freeze.end_at(now, zone))]
    if not ends:
        return None
    until, reason = max(ends)
    return FreezeNotice(reason=reason, until=until)
