"""Format database values for people: money, times in UTC, durations, links to Stripe."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bot import redaction
from bot.actions import stripe_dashboard
from bot.model import Cell
from bot.model.findings import NULL
from bot.model.text import printable

CENTS_SUFFIX = "_cents"
# The currencies without cents, as Stripe's documentation lists them.
ZERO_DECIMAL_CURRENCIES = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF"
MAX_CELL_CHARACTERS = 16 * 1024
# Longer than a secret: one that is cut in two at the end may not be recognised, and is dropped.
CUT_MARGIN = 500
# In seconds since 1970: Slack shows times in the zone of the reader up to here.
MAX_SLACK_TIME = 10**11


def cells(columns: Sequence[str], row: Sequence[Any]) -> list[Cell]:
    """The values of a row, masked.

    A column that ends in `_cents` is money, if the row has a `currency`.
    """
    by_name = list(zip(columns, row, strict=True))
    currency = dict(by_name).get("currency")
    return [
        _masked(name, money(value, currency) if name.endswith(CENTS_SUFFIX) else cell(value))
        for name, value in by_name
    ]


def money(cents: Any, currency: Any) -> Cell:
    """An amount in one currency, or in several: `{"EUR": 1250}`."""
    if isinstance(cents, dict):
        parts = [money(amount, code) for code, amount in sorted(cents.items())]
        return parts[0] if len(parts) == 1 else Cell(text=" + ".join(map(str, parts)) or NULL)
    if not isinstance(cents, int | Decimal) or not currency:
        return cell(cents)
    code = str(currency).strip().upper()
    is_whole = code in ZERO_DECIMAL_CURRENCIES.split()
    units, places = (cents, 0) if is_whole else (Decimal(cents) / 100, 2)
    return Cell(text=f"{units:,.{places}f} {code}", number=_number(units))


def cell(value: Any) -> Cell:
    """Any value of the database."""
    match value:
        case None | []:
            return Cell(text=NULL)
        case bool():
            return Cell(text="yes" if value else "no")
        case int() | float() | Decimal():
            return Cell(text=str(value), number=_number(value))
        case datetime():
            return _moment(value)
        case timedelta():
            return Cell(text=span(value), number=max(value.total_seconds(), 0))
        case list():
            return Cell(text=", ".join(cell(item).text for item in value))
        case dict():
            return Cell(text=printable(json.dumps(value, ensure_ascii=False, default=str)))
        case bytes() | memoryview():
            return Cell(text=f"({len(value)} bytes)")
    text = str(value)
    return Cell(text=text, link=stripe_dashboard.page_url(text))


def _number(value: int | float | Decimal) -> float | None:
    """A float, or None for infinity and NaN, which JSON does not have, and for what is larger."""
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _moment(value: datetime) -> Cell:
    """In UTC, to the second; a time without a zone stays as it is."""
    if value.tzinfo is None:
        return Cell(text=f"{value:%Y-%m-%d %H:%M:%S}")
    text = f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    in_range = 0 <= value.timestamp() <= MAX_SLACK_TIME
    return Cell(text=text, at=value if in_range else None)


def span(value: timedelta) -> str:
    """Like `1 h 02 min 05 s`, without leading zero units."""
    minutes, seconds = divmod(max(int(value.total_seconds()), 0), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min {seconds:02} s"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def _masked(column: str, original: Cell) -> Cell:
    """Masked like any text, and completely in a column with the name of a secret."""
    text = original.text
    if text != NULL and _is_named_secret(column, text):
        return Cell(text=redaction.REDACTED)
    masked_text = masked(text)
    return original if masked_text == text else Cell(text=masked_text)


def _is_named_secret(column: str, text: str) -> bool:
    """Whether a column has the name of a secret, or one that says so of this text."""
    if redaction.redact(f"{column}=x") != f"{column}=x":
        return True
    # A number is rather an id, such as the one of a session.
    is_secret = redaction.redact_values({column: text}) == {column: redaction.REDACTED}
    return is_secret and not text.isdigit()


def masked(text: str) -> str:
    """Without secrets; a very long text is cut off and ends in “…”."""
    if len(text) <= MAX_CELL_CHARACTERS:
        return redaction.redact(text)
    return f"{redaction.redact(text[:MAX_CELL_CHARACTERS])[:-CUT_MARGIN]}…"
