"""The one door to the service's database: one SELECT in a READ ONLY transaction, with limits."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import AsyncConnection, conninfo, errors, sql

from bot import dsn
from bot.masking import MASK, mask
from bot.model import UserError

VARIABLE = "ORDERS_DATABASE_URL"
APPLICATION = "runbolt"
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 8.0
LOCK_SECONDS = 2.0
IDLE_SECONDS = 10.0
READ_ONLY = "-c default_transaction_read_only=on"
ROW_CAP = 1000
BYTE_CAP = 8 * 1024 * 1024
# The last one, from PostgreSQL 14 on: a query ends soon after whoever asked has gone.
LIMITS = """
    SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),
        set_config('idle_in_transaction_session_timeout', %s, true),
        CASE WHEN current_setting('client_connection_check_interval', true) IS NOT NULL
            THEN set_config('client_connection_check_interval', '500', true) END
"""
# The client reads a row as a whole, whatever its size: so the server adds up how large they are,
# and sends those that fit. Their number comes with each, and alone where none fits. What is stored
# compressed is counted as text; a text is not made of what is too large as it is.
CAPPED = """
    WITH runbolt_found AS (
        SELECT runbolt_asked.*, row_number() OVER () AS runbolt_row,
            sum(CASE
                WHEN pg_column_size(runbolt_asked.*) > {bytes} THEN {bytes} + 1
                ELSE octet_length(runbolt_asked::text)
            END) OVER (ROWS UNBOUNDED PRECEDING) AS runbolt_bytes
        FROM (SELECT * FROM (
{asked}
        ) AS runbolt_query LIMIT %(runbolt_rows)s) AS runbolt_asked
    )
    SELECT runbolt_count, runbolt_found.*
    FROM (SELECT count(*) AS runbolt_count FROM runbolt_found) AS counted
    LEFT JOIN runbolt_found ON runbolt_bytes <= {bytes}
    ORDER BY runbolt_row
"""
# Where a semicolon ends nothing: texts, names and remarks.
INERT = re.compile(
    r"""(?<!\w)[eE]'(?:[^'\\]|\\.)*'|'[^']*'|"[^"]*"|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/""",
    re.DOTALL,
)
VALUE = re.compile(r'".*"', re.DOTALL)
UNDONE = "Nothing was read or changed."


class DatabaseError(UserError):
    """The database did not answer what was asked."""


class Address(NamedTuple):
    """Where the service's database is, for one of the bot's two roles."""

    url: str | None
    variable: str
    role: str

    def checked(self) -> str:
        """The URL; raises DatabaseError where there is none that can be used."""
        if not self.url:
            raise DatabaseError(
                f"The bot has no way into the database for this: {self.variable} is not set. "
                f"{UNDONE} Set it to a PostgreSQL URL of the role {self.role} and start the bot "
                "again."
            )
        try:
            conninfo.conninfo_to_dict(self.url)
        except psycopg.ProgrammingError:
            # Its words would repeat the URL, and the password with it.
            raise DatabaseError(
                f"{self.variable} is no PostgreSQL URL. {UNDONE} Write it as "
                "postgresql://role:password@host:5432/database and start the bot again."
            ) from None
        return self.url


class Rows(NamedTuple):
    """What a SELECT found; `more` if rows were left out."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    more: bool


class Database:
    """A connection for each question, which is asked rarely. Raises DatabaseError."""

    def __init__(self, url: str | None, *, seconds: float = STATEMENT_SECONDS) -> None:
        self._address = Address(url, VARIABLE, "runbolt_ro")
        self._seconds = seconds

    async def select(
        self, query: LiteralString, params: Mapping[str, object] | None = None, cap: int = ROW_CAP
    ) -> Rows:
        """Run one SELECT and return at most `cap` rows of 8 MB together.

        Parameters are bound by the server.
        """
        url = self._address.checked()
        try:
            # The server ends it first; this one is for a server that says nothing at all.
            async with asyncio.timeout(CONNECT_SECONDS + self._seconds + 2):
                return await self._ask(url, query, params, cap)
        except TimeoutError as error:
            raise DatabaseError(
                f"The database did not answer in time. {UNDONE} "
                f"Check that {VARIABLE} names the right host, then try again."
            ) from error
        except psycopg.Error as error:
            raise _in_words(error, self._seconds) from error

    async def _ask(
        self, url: str, query: LiteralString, params: Mapping[str, object] | None, cap: int
    ) -> Rows:
        conn = await AsyncConnection.connect(
            dsn.with_options(url, dsn.UTC, READ_ONLY),
            connect_timeout=CONNECT_SECONDS,
            application_name=APPLICATION,
        )
        limits = [_milliseconds(one) for one in (self._seconds, LOCK_SECONDS, IDLE_SECONDS)]
        async with conn:
            await conn.set_read_only(True)
            await conn.execute(LIMITS, limits)
            # Always with a parameter: without one the server would take several statements, one of
            # which could end the transaction that only reads. And in one message: a query that is
            # parsed first starts in spite of a cancellation that arrives between the two.
            bound = {"runbolt_rows": cap + 1} | dict(params or {})
            asked = query if params else query.replace("%", "%%")
            cursor = await conn.execute(_capped(asked), bound, prepare=False)
            names = [column.name for column in cursor.description or ()]
            return _rows(names, await cursor.fetchall(), cap)


def _capped(query: LiteralString) -> sql.Composed:
    return sql.SQL(CAPPED).format(asked=sql.SQL(_without_end(query)), bytes=BYTE_CAP)


def _without_end(query: LiteralString) -> LiteralString:
    """The query without its last semicolon, and without the remarks after it."""

    def blank(inert: re.Match[str]) -> str:
        return (" " if inert[0].startswith(("--", "/*")) else "x") * len(inert[0])

    return query[: len(INERT.sub(blank, query).rstrip("; \t\r\n"))]


def _rows(names: list[str], found: list[tuple[Any, ...]], cap: int) -> Rows:
    """Without the columns that were added; raises DatabaseError when not even one row fits."""
    count = int(found[0][0])
    rows = [row[1:-2] for row in found if row[-1] is not None][:cap]
    if count and not rows:
        raise _too_large()
    return Rows(tuple(names[1:-2]), rows, count > len(rows))


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


def _in_words(error: psycopg.Error, seconds: float) -> DatabaseError:
    words = said(error)
    if isinstance(error, errors.QueryCanceled):
        return DatabaseError(
            f"The query was stopped after {seconds:g} s. {UNDONE} "
            "The database is busy, or the query too wide: try again, or look with psql."
        )
    if isinstance(error, errors.LockNotAvailable):
        return DatabaseError(
            f"The query waited {LOCK_SECONDS:g} s for a lock that somebody holds. {UNDONE} "
            "Look with psql who holds it."
        )
    if isinstance(error, errors.InsufficientPrivilege):
        return DatabaseError(
            f"The bot's role may not read this: {words}. {UNDONE} Grant it as in deploy/sql."
        )
    if isinstance(error, psycopg.OperationalError):
        return DatabaseError(
            f"The database cannot be reached: {words}. {UNDONE} "
            f"Check the database and {VARIABLE}, then try again."
        )
    return DatabaseError(f"The database refused the query: {words}. {UNDONE} Correct the query.")


def _too_large() -> DatabaseError:
    return DatabaseError(
        f"The answer is larger than {BYTE_CAP // 1024**2} MB, so it was not read. Nothing was "
        "changed. Let the query name fewer columns, or cut them with left()."
    )


def said(error: psycopg.Error) -> str:
    """The server's own words, or the client's, without its guesses and without what rows hold."""
    lines = str(error).strip().splitlines() or [""]
    text = error.diag.message_primary or [one for one in lines if not one.startswith("\t")][-1]
    if isinstance(error, psycopg.DataError):
        # As in: invalid input syntax for type integer: "Alice".
        text = VALUE.sub(f'"{MASK}"', text)
    return mask(text).strip().rstrip(".")[:300]
