"""Termination of sessions of the service's database; this connection can do nothing else."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import LiteralString

import psycopg
from psycopg import AsyncConnection, conninfo, errors

from bot import dsn
from bot.model import Noun
from bot.postgres_door import (
    APPLICATION,
    CONNECT_SECONDS,
    ConnectionSettings,
    DatabaseError,
    error_text,
    milliseconds,
)

VARIABLE = "ORDERS_DATABASE_ADMIN_URL"
ROLE = "runbolt_ops"
STATEMENT_SECONDS = 5.0
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


class Backend(Noun):
    """A session and the query that it ran when it was looked at; `ran` in whole seconds.

    PostgreSQL reuses pids, so a session is identified by its start too, and its query likewise.
    """

    pid: int
    started: datetime
    query_started: datetime
    ran: int
    user: str
    application: str
    waits_for: str
    blocks: tuple[int, ...]
    query: str


class Ending(StrEnum):
    """What became of one session; only in the first case the bot terminated it."""

    ENDED = "ended"
    GONE = "gone"
    FINISHED = "finished"
    REUSED = "reused"
    SPARED = "spared"
    REFUSED = "refused"


class Backends:
    """Terminates sessions, over a connection for each approved execution."""

    def __init__(self, url: str | None, *, read_only: bool = False) -> None:
        self._settings = ConnectionSettings(url, VARIABLE, ROLE)
        self._read_only = read_only

    def read_only(self) -> "Backends":
        """The same, for steps that may terminate nothing."""
        return Backends(self._settings.url, read_only=True)

    @property
    def role(self) -> str:
        """The role that terminates sessions; raises DatabaseError where it is not configured."""
        role = conninfo.conninfo_to_dict(self._settings.checked_url()).get("user")
        if not role:
            raise DatabaseError(
                f"{VARIABLE} names no role. Nothing was changed. Write it as "
                "postgresql://role:password@host:5432/database, then restart the bot."
            )
        return str(role)

    async def end(self, backends: Sequence[Backend]) -> list[Ending]:
        """Terminate each session that still runs its query; the results, in the same order.

        Raises DatabaseError, unsure when the connection failed halfway.
        """
        if self._read_only:
            raise DatabaseError(
                "This step may only read, but tried to end sessions of the database, so it was "
                "stopped. No session was ended. This is a defect in the step's action: report it "
                "to the people who run Runbolt."
            )
        conn = await self._connect()
        try:
            async with asyncio.timeout(STATEMENT_SECONDS * (1 + len(backends))), conn:
                limit = milliseconds(STATEMENT_SECONDS)
                await conn.execute("SELECT set_config('statement_timeout', %s, false)", [limit])
                return [await _terminate(conn, session) for session in backends]
        except (TimeoutError, psycopg.Error) as error:
            raise DatabaseError(
                "The database stopped answering while sessions were being ended: "
                f"{_reason(error)}. Some of them may have been ended. Look at the long queries, "
                "then ask again.",
                unsure=True,
            ) from error

    async def _connect(self) -> AsyncConnection:
        """Connect; raises DatabaseError.

        With autocommit, since each statement of a transaction would see the same old sessions.
        """
        url = self._settings.checked_url()
        try:
            async with asyncio.timeout(CONNECT_SECONDS + 1):
                return await AsyncConnection.connect(
                    dsn.with_options(url, dsn.UTC),
                    connect_timeout=CONNECT_SECONDS,
                    application_name=APPLICATION,
                    autocommit=True,
                )
        except (TimeoutError, psycopg.Error) as error:
            raise DatabaseError(
                f"The database cannot be reached to end sessions: {_reason(error)}. No session was "
                f"ended. Check the database and {VARIABLE}, then ask again."
            ) from error


def _reason(error: TimeoutError | psycopg.Error) -> str:
    return error_text(error) if isinstance(error, psycopg.Error) else "no answer in time"


async def _terminate(conn: AsyncConnection, session: Backend) -> Ending:
    params = {
        "pid": session.pid,
        "backend_start": session.started,
        "query_start": session.query_started,
        "application_name": APPLICATION,
    }
    try:
        row = await (await conn.execute(TERMINATE, params)).fetchone()
    except errors.InsufficientPrivilege:
        return Ending.REFUSED
    assert row is not None
    return Ending(row[0])
