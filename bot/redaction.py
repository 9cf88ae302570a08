"""The gate for text that is stored or sent: no secret and no personal data passes it.

The rules are in `bot/masking/`. None of them can backtrack far, so that the time is linear in the
length of the text.
"""

from bot.masking import rules
from bot.masking.spans import MASK
from bot.model.text import printable

REDACTED = MASK


def redact(text: str) -> str:
    """Printable text with `[masked]` instead of each secret and each piece of personal data."""
    return rules.mask(printable(text))
