"""How many log lines there are, by alternative of the search and by time."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bot.actions.kubernetes.log_lines import Line, is_error
from bot.model import Chart, Series

MAX_POINTS = 20
MAX_SERIES = 6
MAX_COUNTS_IN_TEXT = 10
# The time that one point of the chart covers, in minutes.
WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440)
MINUTE_LENGTH = len("2026-11-24T10:42")


class LogCounts:
    """Counts log lines; `alternatives` are the indexes of the parts of the search that a line has.

    `total` is how many lines were read, `counted` how many of them were passed to `count`;
    `last_error` is the newest of all sources.
    """

    def __init__(self) -> None:
        self.total = 0
        self.counted = 0
        self.errors = 0
        self.last_error: Line | None = None
        self._by_alternative: Counter[int] = Counter()
        self._by_minute: Counter[str] = Counter()
        self._by_minute_and_alternative: Counter[tuple[str, int]] = Counter()

    def count(self, line: Line, alternatives: Sequence[int] = ()) -> None:
        """Count one line, once for each alternative that was found in it."""
        self.counted += 1
        if is_error(line.text):
            self.errors += 1
            if self.last_error is None or line.at >= self.last_error.at:
                self.last_error = line
        minute = line.at[:MINUTE_LENGTH]  # empty for a line without a time
        self._by_minute[minute] += 1
        for index in alternatives:
            self._by_alternative[index] += 1
            self._by_minute_and_alternative[minute, index] += 1

    def counts_text(self, alternatives: Sequence[str]) -> str:
        """Like `stripe 40, webhook 12, payment 0`."""
        named = alternatives[:MAX_COUNTS_IN_TEXT]
        counts = [f"{name} {self._by_alternative[index]}" for index, name in enumerate(named)]
        rest = len(alternatives) - len(named)
        return ", ".join([*counts, f"{rest} others"] if rest else counts)

    def chart(self, alternatives: Sequence[str]) -> Chart | None:
        """Lines by time for the most frequent alternatives; None when no line has a time."""
        times = self._times()
        if not times:
            return None
        width = times[1] - times[0] if len(times) > 1 else timedelta(minutes=1)
        return Chart(
            title=f"Lines {_per(width)}, UTC",
            kind="line" if len(times) > 1 else "bar",
            categories=_labels(times),
            series=tuple(
                Series(name=alternatives[index], values=self._values(times, width, index))
                for index in self._most_frequent(len(alternatives))
            ),
        )

    def _most_frequent(self, count: int) -> list[int]:
        """The indexes of the alternatives with the most lines, in their own order."""
        by_lines = sorted(range(count), key=lambda index: -self._by_alternative[index])
        return sorted(by_lines[:MAX_SERIES])

    def peak(self) -> str:
        """When there were the most lines, as a sentence; empty with less than two points."""
        times = self._times()
        if len(times) < 2:
            return ""
        width = times[1] - times[0]
        points = _by_point(times, width, self._by_minute)
        start, count = points.most_common(1)[0]
        return f"Most lines {_per(width)}: {count}, from {start:%Y-%m-%d %H:%M} UTC on."

    def _times(self) -> list[datetime]:
        """The start of each point: as narrow as possible with at most twenty points."""
        minutes = sorted(minute for minute in self._by_minute if minute)
        if not minutes:
            return []
        first, last = _moment(minutes[0]), _moment(minutes[-1])
        days = -(-(last - first) // timedelta(days=MAX_POINTS - 1))
        for width in (*WIDTHS, max(2, days) * 1440):
            step = timedelta(minutes=width)
            start = _floor(first, step)
            count = (last - start) // step + 1
            if count <= MAX_POINTS:
                return [start + step * number for number in range(count)]
        raise AssertionError("the last width is wide enough")

    def _values(
        self, times: Sequence[datetime], width: timedelta, alternative: int
    ) -> tuple[float, ...]:
        by_minute = Counter(
            {
                minute: count
                for (minute, index), count in self._by_minute_and_alternative.items()
                if index == alternative
            }
        )
        points = _by_point(times, width, by_minute)
        return tuple(points[time] for time in times)


def _by_point(
    times: Sequence[datetime], width: timedelta, by_minute: Counter[str]
) -> Counter[datetime]:
    """The lines in each point; lines without a time are in none."""
    points = Counter(dict.fromkeys(times, 0))
    for minute, count in by_minute.items():
        if minute:
            points[_floor(_moment(minute), width)] += count
    return points


def _moment(minute: str) -> datetime:
    return datetime.fromisoformat(minute).replace(tzinfo=UTC)


def _floor(moment: datetime, width: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (moment - epoch) // width * width


def _per(width: timedelta) -> str:
    minutes = width // timedelta(minutes=1)
    for unit, size in (("day", 1440), ("hour", 60), ("minute", 1)):
        if minutes % size == 0:
            count = minutes // size
            return f"per {unit}" if count == 1 else f"per {count} {unit}s"
    raise AssertionError("every width is of whole minutes")


def _labels(times: Sequence[datetime]) -> tuple[str, ...]:
    """The time of day, with the day when there are several."""
    layout = "%H:%M" if times[0].date() == times[-1].date() else "%d %b %H:%M"
    return tuple(time.strftime(layout) for time in times)
