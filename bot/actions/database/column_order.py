"""The order in which people read the columns of a query: age, amount and who first, ids last."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bot.actions import stripe_dashboard

AMOUNT = re.compile(r"(^|_)(amount|total|sum|count|price|cents)(_|$)")
PERSON = re.compile(
    r"(^|_)(user|customer|client|owner|account|buyer|seller)(_(id|uuid|name|email))?$"
    r"|^(usename|username|full_name)$|(^|_)email$"
)
# In the middle of a name, a capital begins a word: orderId, but not paid.
ID = re.compile(r"(^|_)(?i:id|pid|oid|uuid|guid)$|[a-z](Id|ID|Uuid|UUID)$")


def reading_order(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    """The indexes of the columns as people read them; those of one kind stay in their order.

    A time says how old something is where the query has no duration that does.
    """
    indexes = range(len(columns))
    values = [next((row[at] for row in rows if row[at] is not None), None) for at in indexes]
    has_duration = any(isinstance(value, timedelta) for value in values)
    ages = (timedelta,) if has_duration else (datetime,)
    return sorted(indexes, key=lambda at: _rank(columns[at], values[at], ages))


def _rank(name: str, value: Any, ages: tuple[type, ...]) -> int:
    """Where a column goes, by its name and one of its values."""
    if isinstance(value, ages):
        return 0
    if AMOUNT.search(name.lower()):
        return 1
    if PERSON.search(name.lower()):
        return 2
    return 4 if _is_id(name, value) else 3


def _is_id(name: str, value: Any) -> bool:
    is_of_stripe = isinstance(value, str) and stripe_dashboard.page_url(value) is not None
    return bool(ID.search(name)) or isinstance(value, UUID) or is_of_stripe
