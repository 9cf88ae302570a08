"""Plain text, before any markup."""

import re
from collections.abc import Sequence
from typing import Any

# What terminals obey: colours and moves of the cursor, the title of the window, character sets.
TERMINAL_CODES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b[PX\]^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]"
)
# PostgreSQL stores neither NUL nor lone surrogates; nobody sees the other control characters.
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """Text from outside without codes for terminals and control characters; tab and newline stay.

    What could hide a secret, or could not be stored, is gone before anything else sees the text.
    """
    if text.isprintable():  # which most are, and this is fast
        return text
    return UNPRINTABLE.sub("", TERMINAL_CODES.sub("", text))


def printable_values(value: Any) -> Any:
    """A JSON value with each text in it made printable; the keys stay."""
    match value:
        case str():
            return printable(value)
        case dict():
            return {key: printable_values(item) for key, item in value.items()}
        case list():
            return [printable_values(item) for item in value]
    return value


def truncate(text: str, limit: int) -> str:
    """Shorten a text to at most `limit` characters; the last one is then an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def listed(names: Sequence[str], word: str = "and") -> str:
    """`a`, `a and b`, or `a, b and c`; empty for none."""
    *others, last = names or ("",)
    return f"{', '.join(others)} {word} {last}" if others else last
