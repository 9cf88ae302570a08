"""Queries of a service's database: one SELECT in a READ ONLY transaction, with limits."""

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import AsyncConnection, errors, sql

from bot.model.text import printable, printable_values
from bot.playbooks import statements
from bot.systems import values
from bot.systems.postgres import APPLICATION_NAME as APPLICATION_NAME
from bot.systems.postgres import (
    CONNECT_SECONDS,
    NOTHING_CHANGED,
    ConnectionSettings,
    capitalized,
    error_text,
    milliseconds,
)
from bot.systems.postgres import DatabaseError as DatabaseError

log = logging.getLogger(__name__)

VARIABLE = "ORDERS_DATABASE_URL"
ROLE = "runbolt_ro"
STATEMENT_SECONDS = 8.0
LOCK_SECONDS = 2.0
IDLE_SECONDS = 10.0
MAX_ROWS = 1000
MAX_BYTES = 8 * 1024 * 1024
# For the transaction alone: a pooler lends the session to somebody else afterwards. Strings mean
# what they meant when the query was checked. The last one, from PostgreSQL 14 on, ends a query
# soon after its client has gone. The answer is whether functions.sql has not been run.
LIMITS = """
    SELECT set_config('TimeZone', 'UTC', true),
        set_config('standard_conforming_strings', 'on', true),
        set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),
        set_config('idle_in_transaction_session_timeout', %s, true),
        CASE WHEN current_setting('client_connection_check_interval', true) IS NOT NULL
            THEN set_config('client_connection_check_interval', '500', true) END,
        has_function_privilege('pg_catalog.pg_notify(text, text)', 'EXECUTE')
"""
# The client would read a row of any size as a whole, so the server adds up the sizes of the rows
# and sends only those that fit. The number of all rows comes with each, and alone where none fits.
# A row that may be compressed is counted as text, unless it is too large even compressed.
LIMITED_QUERY = """
    WITH runbolt_result AS (
        SELECT runbolt_source.*, row_number() OVER () AS runbolt_row,
            sum(CASE
                WHEN pg_column_size(runbolt_source.*) > {max_bytes} THEN {max_bytes} + 1
                ELSE octet_length(runbolt_source::text)
            END) OVER (ROWS UNBOUNDED PRECEDING) AS runbolt_bytes
        FROM (SELECT * FROM (
{query}
        ) AS runbolt_query LIMIT %(runbolt_rows)s) AS runbolt_source
    )
    SELECT runbolt_count, runbolt_result.*
    FROM (SELECT count(*) AS runbolt_count FROM runbolt_result) AS counted
    LEFT JOIN runbolt_result ON runbolt_bytes <= {max_bytes}
    ORDER BY runbolt_row
"""


class Rows(NamedTuple):
    """The result of a SELECT; `truncated` is whether rows were left out."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    truncated: bool


class Database:
    """A service's database. Opens a connection for each query, as queries are rare.

    `source` is its URL, or the file that has it, `variable` the environment variable that it comes
    from, and `name` what people call it; empty where there is only one.
    """

    def __init__(
        self,
        source: str | Path | None,
        *,
        variable: str = VARIABLE,
        name: str = "",
        seconds: float = STATEMENT_SECONDS,
    ) -> None:
        self._settings = ConnectionSettings(source, variable, ROLE, name)
        self._seconds = seconds
        self._warned = False

    @property
    def inside(self) -> str:
        """Like ` in the database reporting`, for sentences; nothing where there is only one."""
        return self._settings.inside

    def qualified(self, database: str) -> str:
        """A database of this server for sentences: `orders`, or `orders (reporting)`."""
        name = self._settings.name
        return f"{database} ({name})" if name else database

    async def select(
        self,
        query: LiteralString,
        params: Mapping[str, object] | None = None,
        max_rows: int = MAX_ROWS,
    ) -> Rows:
        """Run one SELECT; at most `max_rows` rows, of 8 MB together. Raises DatabaseError.

        The server binds the parameters.
        """
        url = self._settings.checked_url()
        try:
            # The server's own limits are shorter: this one is for a server that does not answer.
            async with asyncio.timeout(CONNECT_SECONDS + self._seconds + 2):
                async with await self._connect(url) as conn:
                    return await self._fetch(conn, query, params, max_rows)
        except TimeoutError as error:
            raise DatabaseError(
                f"{capitalized(self._settings.label)} did not answer in time. {NOTHING_CHANGED} "
                f"Check that {self._settings.origin} names the right host, then try again."
            ) from error
        except psycopg.Error as error:
            raise _translate(error, self._settings, self._seconds) from error

    async def _connect(self, url: str) -> AsyncConnection:
        conn = await AsyncConnection.connect(
            url, connect_timeout=CONNECT_SECONDS, application_name=APPLICATION_NAME
        )
        values.register(conn.adapters)
        return conn

    async def _fetch(
        self,
        conn: AsyncConnection,
        query: LiteralString,
        params: Mapping[str, object] | None,
        max_rows: int,
    ) -> Rows:
        limits = [milliseconds(limit) for limit in (self._seconds, LOCK_SECONDS, IDLE_SECONDS)]
        await conn.set_read_only(True)
        [(*_, may_act)] = await (await conn.execute(LIMITS, limits)).fetchall()
        self._warn_once(may_act)
        # Always with a parameter: without one the server would take several statements, one of
        # which could end the transaction that only reads. And in one message: a query that is
        # parsed first starts in spite of a cancellation that arrives between the two.
        bound = {"runbolt_rows": max_rows + 1} | dict(params or {})
        statement = query[: statements.end(query)]
        escaped = statement if params else statement.replace("%", "%%")
        cursor = await conn.execute(_limited(escaped), bound, prepare=False)
        names = [column.name for column in cursor.description or ()]
        fetched = await cursor.fetchall()
        # A transaction that only reads may notify others (pg_notify) when it is committed.
        await conn.rollback()
        return _rows(names, fetched, max_rows, self.inside)

    def _warn_once(self, may_act: bool) -> None:
        if may_act and not self._warned:
            self._warned = True
            log.warning(
                "The role of %s may call functions that act, which a view or an operator can hide: "
                "connect as %s, and run deploy/sql/functions.sql on that database.",
                self._settings.origin,
                ROLE,
            )


def _limited(query: LiteralString) -> sql.Composed:
    return sql.SQL(LIMITED_QUERY).format(query=sql.SQL(query), max_bytes=MAX_BYTES)


def _rows(
    names: list[str], fetched: list[tuple[Any, ...]], max_rows: int, inside: str = ""
) -> Rows:
    """The rows without the columns of LIMITED_QUERY; raises DatabaseError when not even one fits.

    Those columns are the number of rows, which comes first, and the row's number and size, last.
    """
    count = int(fetched[0][0])
    fitting = [row[1:-2] for row in fetched if row[-1] is not None][:max_rows]
    rows = [tuple(map(printable_values, row)) for row in fitting]
    if count and not rows:
        raise _too_large(inside)
    return Rows(tuple(map(printable, names[1:-2])), rows, count > len(rows))


def _translate(error: psycopg.Error, settings: ConnectionSettings, seconds: float) -> DatabaseError:
    message, inside, label = error_text(error), settings.inside, settings.label
    match error:
        case errors.QueryCanceled():
            text = (
                f"The query{inside} was stopped after {seconds:g} s. {NOTHING_CHANGED} "
                "The database is busy, or the query reads too much: try again, or look with psql."
            )
        case errors.LockNotAvailable():
            text = (
                f"The query{inside} waited {LOCK_SECONDS:g} s for a lock that another session "
                f"holds. {NOTHING_CHANGED} Look with psql which one holds it."
            )
        case errors.InsufficientPrivilege():
            text = (
                f"The bot's role may not read this{inside}: {message}. {NOTHING_CHANGED} "
                "Grant it as in deploy/sql."
            )
        case psycopg.OperationalError() if not _is_limit(error):
            text = (
                f"{capitalized(label)} cannot be reached: {message}. {NOTHING_CHANGED} "
                f"Check the database and {settings.origin}, then try again."
            )
        case _:
            text = (
                f"{capitalized(label)} refused the query: {message}. {NOTHING_CHANGED} "
                "Correct the query."
            )
    return DatabaseError(text)


def _is_limit(error: psycopg.Error) -> bool:
    """Whether the query asks for more than PostgreSQL can; psycopg has one class for both."""
    return (error.sqlstate or "").startswith("54")


def _too_large(inside: str) -> DatabaseError:
    return DatabaseError(
        f"The result{inside} is larger than {MAX_BYTES // 1024**2} MB, so it was not read. "
        "Nothing was changed. Select fewer columns, or shorten them with left()."
    )
