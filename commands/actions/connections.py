"""Who is connected to the service's database, and how near that is to the limit."""

from typing import ClassVar, LiteralString

from pydantic import Field

from bot.actions import Read, Systems
from bot.model import Reading, Table

WARN_AT = 0.8
# A limit of the database comes before that of the server; -1 means that it has none of its own.
LIMITS: LiteralString = """
    SELECT current_setting('max_connections')::int, datconnlimit,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
    FROM pg_database WHERE datname = %(database)s
"""
# The session that asks is not counted. Without pg_read_all_stats the state of others is hidden.
STATES: LiteralString = """
    SELECT coalesce(nullif(state, ''), 'not shown'), count(*)
    FROM pg_stat_activity
    WHERE datname = %(database)s AND pid <> pg_backend_pid()
    GROUP BY 1 ORDER BY 2 DESC, 1
"""


class DatabaseConnections(Read):
    """Count the connections to one database by state, against the limit."""

    name: ClassVar = "database-connections"
    database: str = Field(default="orders", min_length=1, max_length=63)

    async def read(self, systems: Systems) -> Reading:
        """The share in use, with a warning from 80 %."""
        bound = {"database": self.database}
        limits = (await systems.database.select(LIMITS, bound)).rows
        if not limits:
            return Reading(ok=False, text=f"The server has no database named {self.database}.")
        states = [
            (str(one), int(n)) for one, n in (await systems.database.select(STATES, bound)).rows
        ]
        server_limit, own_limit, all_used = map(int, limits[0])
        return self._reading(states, server_limit, own_limit, all_used)

    def _reading(
        self, states: list[tuple[str, int]], server: int, own: int, all_used: int
    ) -> Reading:
        used = sum(count for _, count in states)
        limit = server if own < 0 else min(own, server)
        full = used >= WARN_AT * limit or all_used >= WARN_AT * server
        text = f"{self.database} uses {used} of {limit} connections ({_percent(used, limit)})"
        told = ", ".join(f"{count} {state}" for state, count in states)
        rows = tuple((state, str(count), _percent(count, limit)) for state, count in states)
        return Reading(
            ok=not full,
            text=(f"Nearly full: {text}" if full else text) + (f"\n{told}" if told else ""),
            table=Table(columns=("state", "connections", "share"), rows=rows),
            notes=_notes(states, all_used, server),
        )


def _percent(part: int, whole: int) -> str:
    return f"{round(100 * part / whole)} %" if whole else "no limit left"


def _notes(states: list[tuple[str, int]], all_used: int, server: int) -> tuple[str, ...]:
    share = _percent(all_used, server)
    notes = [f"All databases of this server together: {all_used} of {server} ({share})."]
    if any(state == "not shown" for state, _ in states):
        notes.append("The state of other roles' sessions is hidden: grant pg_read_all_stats.")
    return tuple(notes)
