"""Termination of sessions of a service's database; this connection can do nothing else."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, LiteralString, Protocol

import psycopg
from psycopg import AsyncConnection, conninfo, errors
from psycopg.rows import TupleRow
from pydantic import model_validator

from bot.model import Model, target
from bot.systems.postgres import (
    APPLICATION_NAME,
    CONNECT_SECONDS,
    ConnectionSettings,
    DatabaseError,
    capitalized,
    error_text,
    milliseconds,
)

VARIABLE = "ORDERS_DATABASE_ADMIN_URL"
ROLE = "runbolt_ops"
STATEMENT_SECONDS = 5.0
# For the transaction alone: a pooler lends the session to somebody else afterwards.
LIMIT = "SELECT set_config('statement_timeout', %s, true)"
# The statement that terminates a session checks that it is the same one and still runs that query.
# A CASE is evaluated in its order, so no session is terminated whose check comes first.
TERMINATE: LiteralString = """
    SELECT CASE
        WHEN session.pid IS NULL THEN 'gone'
        WHEN session.backend_start IS NULL THEN 'refused'
        WHEN session.backend_start <> %(backend_start)s THEN 'reused'
        WHEN session.state <> 'active' THEN 'finished'
        WHEN session.query_start IS DISTINCT FROM %(query_start)s THEN 'finished'
        WHEN session.backend_type <> 'client backend' THEN 'spared'
        WHEN session.application_name = %(application_name)s THEN 'spared'
        WHEN session.usename = current_user THEN 'spared'
        WHEN coalesce(owner.rolsuper, true) THEN 'spared'
        WHEN pg_terminate_backend(session.pid) THEN 'ended'
        ELSE 'gone'
    END
    FROM (VALUES (1)) AS one (row)
    LEFT JOIN pg_stat_activity AS session ON session.pid = %(pid)s
    LEFT JOIN pg_roles AS owner ON owner.oid = session.usesysid
"""
OWN_SESSION: LiteralString = """
    SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""
# A pooler may lend the session to whoever closes it: then nothing else runs in it.
CLOSE: LiteralString = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = %(pid)s AND backend_start = %(backend_start)s AND pid <> pg_backend_pid()
"""
IS_OPEN: LiteralString = """
    SELECT FROM pg_stat_activity WHERE pid = %(pid)s AND backend_start = %(backend_start)s
"""
CLOSE_SECONDS = 2.0
CLOSE_ATTEMPTS = 20


FORMER_NAMES = {
    "started": "backend_start",
    "query_started": "query_start",
    "ran": "running_seconds",
    "application": "application_name",
    "waits_for": "wait_event",
    "blocks": "blocked_pids",
}


class DatabaseSession(Model):
    """A session and the query that it ran when it was read.

    PostgreSQL reuses pids, so a session is identified by its start too, and its query likewise.
    """

    pid: int
    backend_start: datetime
    query_start: datetime
    running_seconds: int
    user: str
    application_name: str
    wait_event: str
    blocked_pids: tuple[int, ...]
    query: str

    @model_validator(mode="before")
    @classmethod
    def _with_current_names(cls, fields: Any) -> Any:
        """Requests of an older version are stored with its names."""
        if not isinstance(fields, dict):
            return fields
        return {FORMER_NAMES.get(name, name): value for name, value in fields.items()}


class OwnSession(Model):
    """A session of the bot's own, in which it ends others."""

    pid: int
    backend_start: datetime


class Witness(Protocol):
    """Who records what is sent and what was answered."""

    async def opened(self, own: OwnSession) -> None:
        """The bot's own session is open, and nothing was sent yet."""

    async def sending(self, session: DatabaseSession) -> None:
        """The session is about to be ended. Raises UserError where that must not be."""

    async def answered(self, session: DatabaseSession, result: "TerminationResult") -> None:
        """What became of the session."""


class TerminationResult(StrEnum):
    """What became of one session; only in the first case the bot terminated it."""

    TERMINATED = "ended"
    GONE = "gone"
    QUERY_FINISHED = "finished"
    PID_REUSED = "reused"
    PROTECTED = "spared"
    NOT_PERMITTED = "refused"


class SessionTerminator:
    """Terminates sessions, over a connection for each approved execution.

    `source`, `variable` and `name` are those of `Database`, for another role.
    """

    def __init__(
        self,
        source: str | Path | None,
        *,
        variable: str = VARIABLE,
        name: str = "",
        read_only: bool = False,
    ) -> None:
        self._settings = ConnectionSettings(source, variable, ROLE, name)
        self._read_only = read_only

    def read_only(self) -> "SessionTerminator":
        """The same, for steps that may terminate nothing."""
        source, variable, _, name = self._settings
        return SessionTerminator(source, variable=variable, name=name, read_only=True)

    def target(self, database: str) -> str:
        """What a plan names the sessions of a database by. Raises DatabaseError.

        A server that two URLs write differently has two targets: its sessions are checked again
        before each is ended.
        """
        return target.on_server(f"database/{database}", self._settings.server)

    @property
    def role(self) -> str:
        """The role that terminates sessions; raises DatabaseError where it is not configured."""
        role = conninfo.conninfo_to_dict(self._settings.checked_url()).get("user")
        if not role:
            raise DatabaseError(
                f"{self._settings.origin} names no role. Nothing was changed. Write it as "
                "postgresql://role:password@host:5432/database, then restart the bot."
            )
        return str(role)

    async def terminate(
        self, sessions: Sequence[DatabaseSession], witness: Witness
    ) -> list[TerminationResult]:
        """Terminate each session that still runs its query; the results, in the same order.

        Raises DatabaseError, unsure when the connection failed halfway, and what the witness does.
        """
        self._check_may_end()
        async with self._connected(len(sessions)) as conn:
            await witness.opened(await _own_session(conn))
            results = []
            for session in sessions:
                await witness.sending(session)
                results.append(await _terminate(conn, session))
                await witness.answered(session, results[-1])
            return results

    async def close(self, own: OwnSession) -> None:
        """End an earlier session of the bot's own, and wait until it is gone.

        What was sent in it can no longer be done then. Raises DatabaseError while it may be open.
        """
        self._check_may_end()
        async with self._connected(1) as conn:
            params = own.model_dump()
            for _ in range(CLOSE_ATTEMPTS):
                if await _close(conn, params):
                    return
                await asyncio.sleep(CLOSE_SECONDS / CLOSE_ATTEMPTS)
        raise DatabaseError(
            f"The session in which the bot ended others{self._settings.inside} is still open, so "
            "what became of them is not known yet.",
            unsure=True,
        )

    def _check_may_end(self) -> None:
        if self._read_only:
            raise DatabaseError(
                f"This step may only read, but tried to end sessions of {self._settings.label}, so "
                "it was stopped. No session was ended. This is a defect in the step's action: "
                "report it to the people who run Runbolt."
            )

    @asynccontextmanager
    async def _connected(self, statements: int) -> AsyncIterator[AsyncConnection]:
        """A transaction with a limit for each statement; raises DatabaseError.

        A pooler may lend another session to the next transaction, so all is sent in this one.
        """
        conn = await self._connect()
        try:
            async with (
                asyncio.timeout(STATEMENT_SECONDS * (1 + statements)),
                conn,
                conn.transaction(),
            ):
                await conn.execute(LIMIT, [milliseconds(STATEMENT_SECONDS)])
                yield conn
        except (TimeoutError, psycopg.Error) as error:
            raise DatabaseError(
                f"{capitalized(self._settings.label)} stopped answering while sessions were being "
                f"ended: {_reason(error)}.",
                unsure=True,
            ) from error

    async def _connect(self) -> AsyncConnection:
        """Connect; raises DatabaseError."""
        url = self._settings.checked_url()
        try:
            async with asyncio.timeout(CONNECT_SECONDS + 1):
                return await AsyncConnection.connect(
                    url,
                    connect_timeout=CONNECT_SECONDS,
                    application_name=APPLICATION_NAME,
                    autocommit=True,
                    prepare_threshold=None,
                )
        except (TimeoutError, psycopg.Error) as error:
            raise DatabaseError(
                f"{capitalized(self._settings.label)} cannot be reached to end sessions: "
                f"{_reason(error)}. No session was ended. Check the database and "
                f"{self._settings.origin}, then request it again."
            ) from error


def _reason(error: TimeoutError | psycopg.Error) -> str:
    return error_text(error) if isinstance(error, psycopg.Error) else "no answer in time"


async def _own_session(conn: AsyncConnection) -> OwnSession:
    row = await _fetch_now(conn, OWN_SESSION, {})
    assert row is not None
    return OwnSession(pid=row[0], backend_start=row[1])


async def _terminate(conn: AsyncConnection, session: DatabaseSession) -> TerminationResult:
    params = {
        "pid": session.pid,
        "backend_start": session.backend_start,
        "query_start": session.query_start,
        "application_name": APPLICATION_NAME,
    }
    try:
        async with conn.transaction():  # a savepoint
            row = await _fetch_now(conn, TERMINATE, params)
    except errors.InsufficientPrivilege:
        return TerminationResult.NOT_PERMITTED
    assert row is not None
    return TerminationResult(row[0])


async def _close(conn: AsyncConnection, params: Mapping[str, Any]) -> bool:
    """Whether the session is gone; a role that may end none waits until it ends by itself."""
    try:
        async with conn.transaction():  # a savepoint
            return await _fetch_now(conn, CLOSE, params) is None
    except errors.InsufficientPrivilege:
        return await _fetch_now(conn, IS_OPEN, params) is None


async def _fetch_now(
    conn: AsyncConnection, query: LiteralString, params: Mapping[str, Any]
) -> TupleRow | None:
    """A row about sessions as they are now, and not as the transaction saw them first."""
    await conn.execute("SELECT pg_stat_clear_snapshot()")
    return await (await conn.execute(query, params)).fetchone()
