"""Values as PostgreSQL has them, also those that Python has not, such as `infinity` or 24:00."""

import re
from collections.abc import Iterable
from typing import Any

from psycopg import DataError, adapters
from psycopg.abc import AdaptContext, Buffer, Loader
from psycopg.adapt import AdaptersMap
from psycopg.pq import Format

TIMES = ("timestamptz", "timestamp", "date", "time", "timetz")
DOCUMENTS = ("json", "jsonb")
# psycopg reads these as another interval, without an error.
NO_TIMEDELTA = re.compile(rb"infinity|\d{7} (year|mon|day)")
# Whoever goes through a document recurses, and Python ends that at some 1000 calls.
MAX_DEPTH = 100


def register(known: AdaptersMap) -> None:
    """Read a value that Python has not as text; psycopg would fail with all rows of a query.

    No model takes that text, so its own row is unreadable; a table shows it.
    """
    for name in TIMES:
        known.register_loader(name, TimeLoader)
    known.register_loader("interval", IntervalLoader)
    for name in DOCUMENTS:
        known.register_loader(name, DocumentLoader)


class TimeLoader:
    """psycopg's loader, but a value that Python has not stays text."""

    format = Format.TEXT

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        loader_class = adapters.get_loader(oid, Format.TEXT)
        assert loader_class is not None
        self._loader: Loader = loader_class(oid, context)

    def load(self, data: Buffer) -> Any:
        """The value, or the text that is none."""
        try:
            return self._load(data)
        except (DataError, ValueError, RecursionError):
            return bytes(data).decode()

    def _load(self, data: Buffer) -> Any:
        """The value; raises DataError, ValueError or RecursionError."""
        return self._loader.load(data)


class IntervalLoader(TimeLoader):
    """The same for intervals, which are wider in PostgreSQL."""

    def _load(self, data: Buffer) -> Any:
        if NO_TIMEDELTA.search(data):
            raise ValueError("no timedelta")
        return super()._load(data)


class DocumentLoader(TimeLoader):
    """The same for JSON: one that is very deep stays text, as do numbers of thousands of digits."""

    def _load(self, data: Buffer) -> Any:
        document = super()._load(data)
        if _is_deep(document):
            raise ValueError("too deep")
        return document


def _is_deep(document: Any) -> bool:
    """Whether it has more than MAX_DEPTH levels of arrays and objects."""
    level, depth = _containers([document]), 0
    while level and depth < MAX_DEPTH:
        level = [part for whole in level for part in _containers(_parts(whole))]
        depth += 1
    return bool(level)


def _parts(whole: Any) -> Iterable[Any]:
    return whole.values() if isinstance(whole, dict) else whole


def _containers(values: Iterable[Any]) -> list[Any]:
    return [value for value in values if isinstance(value, dict | list)]
