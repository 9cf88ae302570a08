"""The order in which people read the columns of a query: age, amount and who first, ids last."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from bot.actions.cell_format import CENTS_SUFFIX

PEOPLE = frozenset(
    ("user", "username", "usename", "customer", "client", "owner", "account", "full_name", "email")
)
ID_NAMES = frozenset(("id", "pid", "oid", "uuid", "guid"))
ID_SUFFIXES = tuple(f"_{name}" for name in sorted(ID_NAMES))
AMOUNTS = frozenset(("amount", "total", "sum", "count"))
AMOUNT_SUFFIXES = (CENTS_SUFFIX, *(f"_{name}" for name in sorted(AMOUNTS)))


def reading_order(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    """The indexes of the columns as people read them; those of one kind stay in their order.

    A time says how old something is where the query has no duration that does.
    """
    indexes = range(len(columns))
    values = [next((row[at] for row in rows if row[at] is not None), None) for at in indexes]
    has_duration = any(isinstance(value, timedelta) for value in values)
    ages = (timedelta,) if has_duration else (datetime,)
    return sorted(indexes, key=lambda at: _rank(columns[at].lower(), values[at], ages))


def _rank(name: str, value: Any, ages: tuple[type, ...]) -> int:
    """Where a column goes, by its name and one of its values."""
    if isinstance(value, ages):
        return 0
    if name in AMOUNTS or name.endswith(AMOUNT_SUFFIXES):
        return 1
    if name.removesuffix("_id") in PEOPLE or name.endswith("_email"):
        return 2
    return 4 if _is_id(name, value) else 3


def _is_id(name: str, value: Any) -> bool:
    return name in ID_NAMES or name.endswith(ID_SUFFIXES) or isinstance(value, UUID)
