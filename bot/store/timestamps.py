"""Times as PostgreSQL has them: `infinity` and the year 10000 too, which Python has not."""

from typing import Any

from psycopg import DataError, adapters, postgres
from psycopg.abc import AdaptContext, Buffer, Loader
from psycopg.adapt import AdaptersMap
from psycopg.pq import Format

TIMESTAMP = postgres.types["timestamptz"].oid


def register(known: AdaptersMap) -> None:
    """Have a time that Python has not make its own row unreadable, not all rows of a query."""
    known.register_loader(TIMESTAMP, TimestampLoader)


class TimestampLoader:
    """psycopg's loader, but a time that Python has not stays text, which no model takes."""

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
