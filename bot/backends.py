"""The second door to the service's database: it ends sessions, and can do nothing else."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import LiteralString

import psycopg
from psycopg import AsyncConnection, conninfo, errors

from bot import dsn
from bot.database import APPLICATION, CONNECT_SECONDS, Address, DatabaseError, said
from bot.model import Noun

VARIABLE = "ORDERS_DATABASE_ADMIN_URL"
STATEMENT_SECONDS = 5.0
# Whose it is and whether it still runs that query is asked in the statement that ends it. A CASE
# is evaluated in its order, so nothing is ended whose turn did not come.
END: LiteralString = """
    SELECT CASE
        WHEN found.pid IS NULL THEN 'gone'
        WHEN found.backend_start IS NULL THEN 'refused'
        WHEN found.backend_start <> %(started)s THEN 'reused'
        WHEN found.state <> 'active' THEN 'finished'
        WHEN found.query_start IS DISTINCT FROM %(query_started)s THEN 'finished'
        WHEN found.backend_type <> 'client backend' THEN 'spared'
        WHEN found.application_name = %(ours)s OR found.usename = current_user THEN 'spared'
        WHEN coalesce(owner.rolsuper, true) THEN 'spared'
        WHEN pg_terminate_backend(found.pid) THEN 'ended'
        ELSE 'gone'
    END
    FROM (VALUES (1)) AS one (row)
    LEFT JOIN pg_stat_activity AS found ON found.pid = %(pid)s
    LEFT JOIN pg_roles AS owner ON owner.oid = found.usesysid
"""


class Backend(Noun):
    """One session and the query it ran when it was looked at; `ran` in whole seconds.

    A pid is given away again, so the session is known by when it began, and its query likewise.
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
    """What became of one session: only the first was done by the bot."""

    ENDED = "ended"
    GONE = "gone"
    FINISHED = "finished"
    REUSED = "reused"
    SPARED = "spared"
    REFUSED = "refused"


class Backends:
    """A connection for each change, which an approved execution makes. Raises DatabaseError."""

    def __init__(self, url: str | None, *, read_only: bool = False) -> None:
        self._address = Address(url, VARIABLE, "runbolt_ops")
        self._read_only = read_only

    def read_only(self) -> "Backends":
        """The same door, which ends nothing."""
        return Backends(self._address.url, read_only=True)

    @property
    def role(self) -> str:
        """Who ends sessions; raises DatabaseError where the door is not set up."""
        role = conninfo.conninfo_to_dict(self._address.checked()).get("user")
        if not role:
            raise DatabaseError(
                f"{VARIABLE} names no role. Nothing was changed. Write it as "
                "postgresql://role:password@host:5432/database and start the bot again."
            )
        return str(role)

    async def end(self, backends: Sequence[Backend]) -> list[Ending]:
        """End each if it is still that session with that query; what became of each, in order."""
        if self._read_only:
            raise DatabaseError(
                "This was only to look, and would have ended sessions of the database, so it was "
                "stopped. No session was ended. It is a mistake in the step's action: report it to "
                "the people who look after Runbolt."
            )
        conn = await self._connect()
        try:
            async with asyncio.timeout(STATEMENT_SECONDS * (1 + len(backends))), conn:
                limit = str(int(STATEMENT_SECONDS * 1000))
                await conn.execute("SELECT set_config('statement_timeout', %s, false)", [limit])
                return [await _end_one(conn, backend) for backend in backends]
        except (TimeoutError, psycopg.Error) as error:
            raise DatabaseError(
                f"The database stopped answering while sessions were ended: {_why(error)}. Some of "
                "them may have been ended. Look at the long queries, then ask again.",
                unsure=True,
            ) from error

    async def _connect(self) -> AsyncConnection:
        """Each statement is its own transaction, or all would see the sessions as the first did."""
        url = self._address.checked()
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
                f"The database cannot be reached to end sessions: {_why(error)}. No session was "
                f"ended. Check the database and {VARIABLE}, then ask again."
            ) from error


def _why(error: TimeoutError | psycopg.Error) -> str:
    return said(error) if isinstance(error, psycopg.Error) else "no answer in time"


async def _end_one(conn: AsyncConnection, backend: Backend) -> Ending:
    bound = {
        "pid": backend.pid,
        "started": backend.started,
        "query_started": backend.query_started,
        "ours": APPLICATION,
    }
    try:
        found = await (await conn.execute(END, bound)).fetchone()
    except errors.InsufficientPrivilege:
        return Ending.REFUSED
    assert found is not None
    return Ending(found[0])
