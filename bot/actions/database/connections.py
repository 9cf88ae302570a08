"""How many connections the service's database has, and how near that is to the limit."""

from typing import ClassVar, LiteralString, NamedTuple

from pydantic import Field

from bot.actions.base import IN_DATABASE, Read
from bot.actions.wording import percent
from bot.model import ReadResult, Table
from bot.systems import Systems
from bot.systems.database import Database

WARN_AT = 0.8
HIDDEN_STATE = "not shown"
# The limit of the database is reached before that of the server; -1 means that it has none.
LIMITS: LiteralString = """
    SELECT current_setting('max_connections')::int, datconnlimit,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
    FROM pg_database WHERE datname = %(database)s
"""
# Without the session of this query. The state of other roles needs pg_read_all_stats.
STATES: LiteralString = """
    SELECT coalesce(nullif(state, ''), 'not shown'), count(*)
    FROM pg_stat_activity
    WHERE datname = %(database)s AND pid <> pg_backend_pid()
    GROUP BY 1 ORDER BY 2 DESC, 1
"""


class Limits(NamedTuple):
    """Connection limits of the server and of the database, and the connections of the server."""

    server: int
    database: int
    server_used: int

    @property
    def effective(self) -> int:
        """The limit that the database reaches first."""
        return self.server if self.database < 0 else min(self.database, self.server)

    def nearly_reached(self, used: int) -> bool:
        """Whether the database or the whole server uses 80 % of its connections or more."""
        return used >= WARN_AT * self.effective or self.server_used >= WARN_AT * self.server


class DatabaseConnections(Read):
    """Count the connections to one database by state, against the limit."""

    name: ClassVar = "database-connections"
    place_keys: ClassVar = IN_DATABASE
    database: str = Field(default="orders", min_length=1, max_length=63)

    async def read(self, systems: Systems) -> ReadResult:
        """The share in use, with a warning from 80 %."""
        limits = await self._limits(systems.database)
        name = systems.database.qualified(self.database)
        if limits is None:
            return ReadResult(ok=False, text=f"The server has no database named {name}.")
        rows = (await systems.database.select(STATES, {"database": self.database})).rows
        return self._result([(str(state), int(count)) for state, count in rows], limits, name)

    async def _limits(self, database: Database) -> Limits | None:
        rows = (await database.select(LIMITS, {"database": self.database})).rows
        return Limits(*map(int, rows[0])) if rows else None

    def _result(self, states: list[tuple[str, int]], limits: Limits, name: str) -> ReadResult:
        used = sum(count for _, count in states)
        limit = limits.effective
        full = limits.nearly_reached(used)
        text = f"{name} uses {used} of {limit} connections ({_share(used, limit)})"
        counts = ", ".join(f"{count} {state}" for state, count in states)
        rows = tuple((state, str(count), _share(count, limit)) for state, count in states)
        return ReadResult(
            ok=not full,
            text=(f"Nearly full: {text}" if full else text) + (f"\n{counts}" if counts else ""),
            table=Table(columns=("state", "connections", "share"), rows=rows),
            notes=_notes(states, limits),
        )


def _share(part: int, whole: int) -> str:
    return percent(part, whole) if whole else "no limit left"


def _notes(states: list[tuple[str, int]], limits: Limits) -> tuple[str, ...]:
    used, server = limits.server_used, limits.server
    notes = [f"All databases of this server together: {used} of {server} ({_share(used, server)})."]
    if any(state == HIDDEN_STATE for state, _ in states):
        notes.append("The state of other roles' sessions is hidden: grant pg_read_all_stats.")
    return tuple(notes)
