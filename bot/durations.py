"""Durations as people write them: `15 min`, `2 hours`, `90s`."""

import re
from datetime import timedelta
from typing import Any

UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
EXPECTED = 'expects a duration such as "15 min", "2 hours" or "24 h"'
PATTERN = r"(\d+)\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)"


def parse(text: Any) -> Any:
    """Convert text such as `15 min` to a timedelta, for pydantic as a validator.

    ISO 8601 (`PT15M`, as JSON has it) and values that are neither text nor numbers are returned
    unchanged: pydantic validates them. Raises ValueError for any other text, for one that means
    more than 999,999,999 days, and for a number: 15 could mean seconds or minutes.
    """
    if isinstance(text, int | float):
        raise ValueError(EXPECTED)
    if not isinstance(text, str) or text.startswith("P"):
        return text
    match = re.fullmatch(PATTERN, text.strip().lower())
    if match is None:
        raise ValueError(EXPECTED)
    try:
        return int(match[1]) * UNITS[match[2][0]]
    except OverflowError as error:
        raise ValueError(EXPECTED) from error


def describe(span: timedelta) -> str:
    """Format a timedelta in its largest fitting unit: `15 min`, `2 h`, `3 d`; one day is `24 h`.

    A unit fits when it divides the time evenly, or when there are at least ten of it; the rest is
    then dropped.
    """
    seconds = int(span.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        is_one_day = seconds == size == 86_400
        if seconds >= size and not is_one_day and (seconds % size == 0 or seconds >= 10 * size):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def describe_elapsed(span: timedelta) -> str:
    """Format how long something lasted, or is ago: from two minutes on without its seconds."""
    minutes = span // timedelta(minutes=1)
    return describe(timedelta(minutes=minutes) if minutes >= 2 else span)
