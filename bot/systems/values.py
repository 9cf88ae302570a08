"""Times as PostgreSQL has them: `infinity` and the year 10000 too, which Python has not."""

from typing import Any

from psycopg import DataError, adapters
from psycopg.abc import AdaptContext, Buffer, Loader
from psycopg.adapt import AdaptersMap
from psycopg.pq import Format

NAMES = ("timestamptz", "timestamp", "date")


def register(known: AdaptersMap) -> None:
    """Read a time that Python has not as text; psycopg would fail with all rows of a query.

    No model takes that text, so its own row is unreadable; a table shows it.
    """
    for name in NAMES:
        known.register_loader(name, TimestampLoader)


class TimestampLoader:
    """psycopg's loader, but a time that Python has not stays text."""

    format = Format.TEXT

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        loader_class = adapters.get_loader(oid, Format.TEXT)
        assert loader_class is not None
        self._loader: Loader = loader_class(oid, context)

    def load(self, data: Buffer) -> Any:
        """The time, or the text that is none."""
        try:
            return self._loader.load(data)
        except DataError:
            return bytes(data).decode()
