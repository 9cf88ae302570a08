"""The gate for text that is stored or sent: no secret and no personal data passes it.

It stands at each door, so that nobody has to think of it: the client of Slack, the cursor of the
bot's own database, the formatter of its log, and what people type. The rules are in `bot/masking/`.
None of them can backtrack far, so that the time is linear in the length of the text.
"""

import logging
import sys
import warnings
from collections.abc import Sequence, Set
from functools import lru_cache
from types import TracebackType
from typing import Any

from bot.masking import rules
from bot.masking.spans import MASK
from bot.model.text import printable

REDACTED = MASK
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"
# Longer texts are rarely the same ones again.
MAX_CACHED = 1000


def redact(text: str) -> str:
    """Printable text with `[masked]` instead of each secret and each piece of personal data."""
    return _cached(text) if len(text) <= MAX_CACHED else rules.mask(printable(text))


@lru_cache(maxsize=2048)
def _cached(text: str) -> str:
    return rules.mask(printable(text))


def redact_lines(lines: Sequence[str]) -> list[str]:
    """The lines of one text, masked: as many as there were."""
    return rules.mask_lines([printable(line) for line in lines]) if lines else []


def redact_typed(text: str) -> str:
    """What somebody typed without its secrets; a query may look for an e-mail address."""
    return rules.mask_secrets(printable(text))


def redact_values(value: Any, but: Set[str] = frozenset()) -> Any:
    """A JSON value with each text in it masked, except below the keys in `but`.

    A text under the name of a secret is masked whole.
    """
    match value:
        case str():
            masked = redact(value)
            return value if masked == value else masked  # an enum stays one
        case dict():
            return {key: _redact_item(key, item, but) for key, item in value.items()}
        case list() | tuple():
            return [redact_values(item, but) for item in value]
    return value


def _redact_item(key: Any, item: Any, but: Set[str]) -> Any:
    if key in but:
        return item
    is_text = isinstance(item, str) and isinstance(key, str)
    return REDACTED if is_text and rules.is_secret(key, item) else redact_values(item, but)


class RedactingFormatter(logging.Formatter):
    """Formats records of the log; their text, exception and stack pass the gate."""

    def format(self, record: logging.LogRecord) -> str:
        """The whole record as text, masked."""
        return redact(super().format(record))


def log_redacted() -> None:
    """Let everything that the process says of itself pass the gate: its log, warnings, a crash."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(LOG_FORMAT))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # It would print the arguments of a record that cannot be formatted as they are.
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    warnings.simplefilter("default")
    sys.excepthook = _log_crash


def _log_crash(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    logging.getLogger("runbolt").critical("stopped", exc_info=(kind, error, traceback))
