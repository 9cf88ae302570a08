"""The one door to the service's database: one SELECT in a READ ONLY transaction, with limits."""

import asyncio
from collections.abc import Mapping
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import AsyncConnection, conninfo, errors

from bot.model import UserError

VARIABLE = "ORDERS_DATABASE_URL"
APPLICATION = "runbolt"
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 8.0
LOCK_SECONDS = 2.0
ROW_CAP = 1000
LIMITS = "SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true)"
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
        self, sql: LiteralString, params: Mapping[str, object] | None = None, cap: int = ROW_CAP
    ) -> Rows:
        """Run one SELECT and return at most `cap` rows; parameters are bound by the server."""
        url = self._address.checked()
        try:
            # The server ends it first; this one is for a server that says nothing at all.
            async with asyncio.timeout(CONNECT_SECONDS + self._seconds + 2):
                return await self._ask(url, sql, params, cap)
        except TimeoutError as error:
            raise DatabaseError(
                f"The database did not answer in time. {UNDONE} "
                f"Check that {VARIABLE} names the right host, then try again."
            ) from error
        except psycopg.Error as error:
            raise _in_words(error, self._seconds) from error

    async def _ask(
        self, url: str, sql: LiteralString, params: Mapping[str, object] | None, cap: int
    ) -> Rows:
        conn = await AsyncConnection.connect(
            url, connect_timeout=CONNECT_SECONDS, application_name=APPLICATION
        )
        async with conn:
            await conn.set_read_only(True)
            await conn.execute(LIMITS, (_milliseconds(self._seconds), _milliseconds(LOCK_SECONDS)))
            # A cursor on the server sends no more rows than are fetched.
            async with conn.cursor(name="runbolt") as cursor:
                await cursor.execute(sql, params)
                rows = await cursor.fetchmany(cap + 1)
                columns = tuple(column.name for column in cursor.description or ())
            return Rows(columns, rows[:cap], len(rows) > cap)


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


def said(error: psycopg.Error) -> str:
    """The server's own words, or the last line of the client's."""
    text = error.diag.message_primary or str(error).strip().rpartition("\n")[2]
    return text.strip().rstrip(".")[:300]
