"""Connections: how full the pool of the service's database is."""

from typing import ClassVar

from pydantic import Field

from bot.actions import Read, Systems
from bot.model import Reading, Table

NEARLY_FULL = 0.8
COUNT = """
    SELECT coalesce(state, 'other') AS state, count(*)::int AS connections,
           current_setting('max_connections')::int AS allowed,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int
               AS everywhere
    FROM pg_stat_activity
    WHERE datname = %(database)s AND backend_type = 'client backend' AND pid <> pg_backend_pid()
    GROUP BY 1 ORDER BY 2 DESC, 1
"""


class DatabaseConnections(Read):
    """Count the connections to a database by state, against what the server allows."""

    name: ClassVar = "database-connections"
    database: str = Field(min_length=1, max_length=63)

    async def read(self, systems: Systems) -> Reading:
        """All is well below 80 % of max_connections, which all databases of a server share."""
        found = await systems.database.select(COUNT, {"database": self.database})
        if not found.rows:
            return Reading(ok=True, text=f"No connections to {self.database} but the bot's own")
        _, _, allowed, everywhere = found.rows[0]
        here = sum(count for _, count, _, _ in found.rows)
        states = ", ".join(f"{count} {state}" for state, count, _, _ in found.rows)
        share = everywhere / allowed
        return Reading(
            ok=share < NEARLY_FULL,
            text=(
                f"{here} connections to {self.database} ({states}); the server has {everywhere} "
                f"of {allowed} (max_connections), {share:.0%}"
            ),
            table=Table(
                columns=("State", "Connections"),
                rows=tuple((state, str(count)) for state, count, _, _ in found.rows),
            ),
        )
