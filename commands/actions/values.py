"""How people read a database's values: money, times in UTC, durations, ids that lead to Stripe."""

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from bot import masking
from bot.findings import NULL
from bot.model import Cell
from commands.actions import stripe_pages

CENTS = "_cents"
# Stripe counts these in whole units.
WHOLE = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF"
LONGEST_CELL = 16 * 1024
# More than any secret is long that a cut might halve, and so hide from the mask.
BRINK = 500
# A moment that Slack draws as the reader's own: from 1970 on, in eleven digits.
LATEST = 10**11


def cells(columns: Sequence[str], row: Sequence[Any]) -> list[Cell]:
    """A row's values, masked; cents become money where the currency is known."""
    of_row = dict(zip(columns, row, strict=True))
    return [
        _masked(
            name,
            money(value, of_row.get("currency")) if name.endswith(CENTS) else cell(value),
        )
        for name, value in zip(columns, row, strict=True)
    ]


def money(cents: Any, currency: Any) -> Cell:
    """Of one currency, or of several: `{"EUR": 1250}`."""
    if isinstance(cents, dict):
        parts = [money(some, code) for code, some in sorted(cents.items())]
        return parts[0] if len(parts) == 1 else Cell(text=" + ".join(map(str, parts)) or NULL)
    if not isinstance(cents, int | Decimal) or not currency:
        return cell(cents)
    code = str(currency).strip().upper()
    units, places = (cents, 0) if code in WHOLE.split() else (Decimal(cents) / 100, 2)
    return Cell(text=f"{units:,.{places}f} {code}", number=_number(units))


def cell(value: Any) -> Cell:
    """A value of the database as people read it."""
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
            return Cell(text=", ".join(cell(one).text for one in value))
        case dict():
            return Cell(text=json.dumps(value, ensure_ascii=False, default=str))
        case bytes() | memoryview():
            return Cell(text=f"({len(value)} bytes)")
    words = str(value)
    return Cell(text=words, link=stripe_pages.link(words))


def _number(value: int | float | Decimal) -> float | None:
    """As JSON can hold it."""
    number = float(value)
    return number if math.isfinite(number) else None


def _moment(value: datetime) -> Cell:
    """In UTC to the second; a time without a zone stays without one."""
    if value.tzinfo is None:
        return Cell(text=f"{value:%Y-%m-%d %H:%M:%S}")
    known = 0 <= value.timestamp() <= LATEST
    return Cell(text=f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC", at=value if known else None)


def span(value: timedelta) -> str:
    """Like `1 h 02 min 05 s`, without the units that are too large."""
    minutes, seconds = divmod(max(int(value.total_seconds()), 0), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min {seconds:02} s"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def _masked(column: str, found: Cell) -> Cell:
    """As in a text, and the whole of it in a column whose name says that it is a secret."""
    words = found.text
    if words != NULL and masking.mask(f"{column}=x") != f"{column}=x":
        return Cell(text=masking.MASK)
    kept = masked(words)
    return found if kept == words else Cell(text=kept)


def masked(words: str) -> str:
    """Without secrets, and ended by … where it is very long."""
    if len(words) <= LONGEST_CELL:
        return masking.mask(words)
    return f"{masking.mask(words[:LONGEST_CELL])[:-BRINK]}…"
