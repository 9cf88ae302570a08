"""The order in which people read the columns of a query: age, amount and who first, ids last."""

from collections.abc import Callable, Sequence
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
    """The indexes of the columns as people read them; those of one kind stay in their order."""
    values = [next((row[at] for row in rows if row[at] is not None), None) for at in _all(columns)]
    return sorted(_all(columns), key=lambda at: _rank(columns[at].lower(), values[at]))


def _all(columns: Sequence[str]) -> range:
    return range(len(columns))


def _rank(name: str, value: Any) -> int:
    """Where a column goes, by its name and one of its values."""
    kinds: tuple[Callable[[str, Any], bool], ...] = (_is_age, _is_amount, _is_person)
    rank = next((rank for rank, is_kind in enumerate(kinds) if is_kind(name, value)), len(kinds))
    return len(kinds) + 1 if rank == len(kinds) and _is_id(name, value) else rank


def _is_age(name: str, value: Any) -> bool:
    return isinstance(value, datetime | timedelta)


def _is_amount(name: str, value: Any) -> bool:
    return name in AMOUNTS or name.endswith(AMOUNT_SUFFIXES)


def _is_person(name: str, value: Any) -> bool:
    return name.removesuffix("_id") in PEOPLE or name.endswith("_email")


def _is_id(name: str, value: Any) -> bool:
    return name in ID_NAMES or name.endswith(ID_SUFFIXES) or isinstance(value, UUID)
