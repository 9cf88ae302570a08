"""Durations as people write them: `15 min`, `2 hours`, `90s`."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
WORDS = r"(\d+)\s*(s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)"


def parse(text: Any) -> Any:
    """Words to a timedelta; raises ValueError; what is no text is left as it is."""
    if not isinstance(text, str) or text.startswith("P"):
        return text  # JSON holds ISO 8601, which pydantic reads
    match = re.fullmatch(WORDS, text.strip().lower())
    if match is None:
        raise ValueError(f"“{text}” is no duration: write for example 15 min, 2 hours or 24 h")
    return int(match[1]) * UNITS[match[2][0]]


def words(span: timedelta) -> str:
    """A timedelta in words, in its largest whole unit: `15 min`, `2 h`; one day is `24 h`."""
    seconds = int(span.total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if (
            seconds >= size
            and (unit, seconds) != ("d", size)
            and (seconds % size == 0 or seconds >= 10 * size)
        ):
            return f"{seconds // size} {unit}"
    return f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"


Duration = Annotated[timedelta, BeforeValidator(parse)]
