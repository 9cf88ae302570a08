"""How many lines of logs there are, of each kind and in each minute."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.model import Chart, Series
from commands.actions.loglines import Line, is_error

POINTS = 20
SERIES = 6
WORDS = 10
# The width of a point, in minutes.
WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440)
MINUTE = len("2026-11-24T10:42")


class Tally:
    """Counts lines as they come; `last_error` is the newest of all sources."""

    def __init__(self) -> None:
        self.read = 0
        self.found = 0
        self.errors = 0
        self.last_error: Line | None = None
        self.by_part: Counter[int] = Counter()
        self._by_minute: Counter[str] = Counter()
        self._by_both: Counter[tuple[str, int]] = Counter()

    def count(self, line: Line, parts: Sequence[int] = ()) -> None:
        """A line, and which alternatives were found in it."""
        self.found += 1
        if is_error(line.text):
            self.errors += 1
            if self.last_error is None or line.at >= self.last_error.at:
                self.last_error = line
        minute = line.at[:MINUTE]
        self._by_minute[minute] += 1
        self.by_part.update(parts)
        self._by_both.update((minute, part) for part in parts)

    def words(self, parts: Sequence[str]) -> str:
        """Like `stripe 40, webhook 12, payment 0`."""
        told = [f"{part} {self.by_part[at]}" for at, part in enumerate(parts[:WORDS])]
        more = len(parts) - WORDS
        return ", ".join([*told, f"{more} others"] if more > 0 else told)

    def chart(self, parts: Sequence[str]) -> Chart | None:
        """Lines by time, for each of the alternatives that are found most; None without times."""
        times = self._times()
        if not times:
            return None
        shown = sorted(sorted(range(len(parts)), key=lambda at: -self.by_part[at])[:SERIES])
        width = times[1] - times[0] if len(times) > 1 else timedelta(minutes=1)
        return Chart(
            title=f"Lines {_per(width)}, UTC",
            kind="line" if len(times) > 1 else "bar",
            categories=_labels(times),
            series=tuple(
                Series(name=parts[at], values=self._values(times, width, at)) for at in shown
            ),
        )

    def peak(self) -> str:
        """When there were the most lines; empty where there is nothing to compare."""
        times = self._times()
        if len(times) < 2:
            return ""
        width = times[1] - times[0]
        points = Counter(dict.fromkeys(times, 0))
        for minute, count in self._by_minute.items():
            if minute:
                points[_floor(_moment(minute), width)] += count
        at, count = points.most_common(1)[0]
        return f"Most lines {_per(width)}: {count}, from {at:%Y-%m-%d %H:%M} UTC on."

    def _times(self) -> list[datetime]:
        """Where the points begin, as narrow as twenty of them allow."""
        minutes = sorted(minute for minute in self._by_minute if minute)
        if not minutes:
            return []
        first, last = _moment(minutes[0]), _moment(minutes[-1])
        days = -(-(last - first) // timedelta(days=POINTS - 1))
        for width in (*WIDTHS, max(2, days) * 1440):
            step = timedelta(minutes=width)
            start = _floor(first, step)
            count = (last - start) // step + 1
            if count <= POINTS:
                return [start + step * number for number in range(count)]
        raise AssertionError("the last width is wide enough")

    def _values(self, times: Sequence[datetime], width: timedelta, part: int) -> tuple[float, ...]:
        points = Counter(dict.fromkeys(times, 0))
        for (minute, found), count in self._by_both.items():
            if minute and found == part:
                points[_floor(_moment(minute), width)] += count
        return tuple(points[time] for time in times)


def _moment(minute: str) -> datetime:
    return datetime.fromisoformat(minute).replace(tzinfo=UTC)


def _floor(at: datetime, width: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (at - epoch) // width * width


def _per(width: timedelta) -> str:
    minutes = width // timedelta(minutes=1)
    for unit, size in (("day", 1440), ("hour", 60), ("minute", 1)):
        if minutes % size == 0:
            count = minutes // size
            return f"per {unit}" if count == 1 else f"per {count} {unit}s"
    raise AssertionError("every width is of whole minutes")


def _labels(times: Sequence[datetime]) -> tuple[str, ...]:
    """The time of day, and the day where there are several."""
    form = "%H:%M" if times[0].date() == times[-1].date() else "%d %b %H:%M"
    return tuple(time.strftime(form) for time in times)
