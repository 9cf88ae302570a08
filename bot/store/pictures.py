"""How far Slack shows what is true.

A flow that changes an incident says `want` in its transaction. A drawer takes a lease instead of
holding a connection while Slack is slow; what is wanted meanwhile, the holder of the lease draws.
"""

from datetime import datetime, timedelta
from uuid import UUID

from bot.model import IncidentId, Noun
from bot.store import db
from bot.store.db import Conn


class Picture(Noun):
    """One incident's picture, while somebody draws it."""

    incident_id: IncidentId
    wanted: int
    drawn: int
    failures: int
    trouble: str | None


async def want(conn: Conn, incident_id: IncidentId) -> None:
    """Something changed: the picture is to be drawn again."""
    query = "UPDATE pictures SET wanted = wanted + 1 WHERE incident_id = %(incident_id)s"
    await db.do(conn, query, incident_id=incident_id)


async def want_all_open(conn: Conn) -> None:
    """Draw every open incident again, as after a new version with other words."""
    query = """
        UPDATE pictures SET wanted = wanted + 1
        WHERE incident_id IN (SELECT id FROM incidents WHERE status <> 'resolved')
    """
    await db.do(conn, query)


async def claim(
    conn: Conn, incident_id: IncidentId, lease: UUID, now: datetime, length: timedelta
) -> Picture | None:
    """Take or keep the lease; None when another drawer has it or nothing is to be drawn."""
    query = """
        UPDATE pictures SET lease = %(lease)s, leased_until = %(until)s
        WHERE incident_id = %(incident_id)s AND drawn < wanted
          AND (lease = %(lease)s OR lease IS NULL OR leased_until < %(now)s)
        RETURNING incident_id, wanted, drawn, failures, trouble
    """
    return await db.first(
        conn, Picture, query, incident_id=incident_id, lease=lease, now=now, until=now + length
    )


async def drawn(conn: Conn, incident_id: IncidentId, lease: UUID, version: int) -> None:
    """Everything of that version is shown."""
    query = """
        UPDATE pictures SET drawn = %(version)s, failures = 0, retry_at = NULL, trouble = NULL,
            -- the trouble itself is shown, so once it is over there is more to draw
            wanted = wanted + (trouble IS NOT NULL)::integer
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    await db.do(conn, query, incident_id=incident_id, lease=lease, version=version)


async def failed(
    conn: Conn, incident_id: IncidentId, lease: UUID, retry_at: datetime, trouble: str | None
) -> None:
    """Slack refused a part: let go, and try again later."""
    query = """
        UPDATE pictures SET failures = failures + 1, retry_at = %(retry_at)s,
            trouble = %(trouble)s, lease = NULL, leased_until = NULL
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    values = {"retry_at": retry_at, "trouble": trouble}
    await db.do(conn, query, incident_id=incident_id, lease=lease, **values)


async def release(conn: Conn, incident_id: IncidentId, lease: UUID) -> bool:
    """Let go, unless more was wanted meanwhile: then False, and the holder draws on."""
    query = """
        UPDATE pictures SET lease = NULL, leased_until = NULL
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s AND drawn >= wanted
    """
    return await db.do(conn, query, incident_id=incident_id, lease=lease) == 1


async def behind(conn: Conn, now: datetime) -> tuple[IncidentId, ...]:
    """The incidents whose picture waits for somebody to draw it."""
    query = """
        SELECT incident_id FROM pictures
        WHERE drawn < wanted AND (lease IS NULL OR leased_until < %(now)s)
          AND (retry_at IS NULL OR retry_at <= %(now)s)
        ORDER BY retry_at NULLS FIRST LIMIT 50
    """
    cursor = await conn.execute(query, {"now": now})
    return tuple(IncidentId(row[0]) for row in await cursor.fetchall())


async def troubles(conn: Conn) -> dict[IncidentId, str]:
    """What Slack refuses, of every incident where it does."""
    cursor = await conn.execute(
        "SELECT incident_id, trouble FROM pictures WHERE trouble IS NOT NULL"
    )
    return {IncidentId(row[0]): str(row[1]) for row in await cursor.fetchall()}
