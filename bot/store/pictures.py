"""How far Slack shows what is true.

A flow that changes an incident says `want` in its transaction. A drawer takes a lease instead of
holding a connection while Slack is slow; what is wanted meanwhile, the holder of the lease draws.
"""

from datetime import datetime
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


async def insert(conn: Conn, incident_id: IncidentId, lease: UUID, until: datetime) -> Picture:
    """The picture of a new incident, still to be drawn, by the one who declares it."""
    query = """
        INSERT INTO pictures (incident_id, lease, leased_until)
        VALUES (%(incident_id)s, %(lease)s, %(until)s)
        RETURNING incident_id, wanted, drawn, failures, trouble
    """
    return await db.one(conn, Picture, query, incident_id=incident_id, lease=lease, until=until)


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
    conn: Conn, incident_id: IncidentId, lease: UUID, now: datetime, until: datetime
) -> Picture | None:
    """Take or keep the lease; None when another drawer has it or nothing is to be drawn now."""
    query = """
        UPDATE pictures SET lease = %(lease)s, leased_until = %(until)s,
            -- whoever had it died while drawing
            failures = failures + (lease IS NOT NULL AND lease <> %(lease)s)::integer
        WHERE incident_id = %(incident_id)s AND drawn < wanted
          -- what passes holds everything back; what lasts, only what it was about
          AND (retry_at IS NULL OR retry_at <= %(now)s OR wanted > tried)
          AND (lease = %(lease)s OR lease IS NULL OR leased_until < %(now)s)
        RETURNING incident_id, wanted, drawn, failures, trouble
    """
    values = {"lease": lease, "now": now, "until": until}
    return await db.first(conn, Picture, query, incident_id=incident_id, **values)


async def renew(conn: Conn, incident_id: IncidentId, lease: UUID, until: datetime) -> bool:
    """Keep the lease for longer; False when another drawer has taken it."""
    query = """
        UPDATE pictures SET leased_until = %(until)s
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    return await db.do(conn, query, incident_id=incident_id, lease=lease, until=until) == 1


async def drawn(conn: Conn, incident_id: IncidentId, lease: UUID, version: int) -> None:
    """Everything of that version is shown."""
    query = """
        UPDATE pictures SET drawn = %(version)s,
            failures = 0, retry_at = NULL, trouble = NULL, tried = NULL,
            -- the trouble itself is shown, so once it is over there is more to draw
            wanted = wanted + (trouble IS NOT NULL)::integer
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    await db.do(conn, query, incident_id=incident_id, lease=lease, version=version)


async def failed(
    conn: Conn,
    incident_id: IncidentId,
    lease: UUID,
    *,
    now: datetime,
    retry_at: datetime,
    trouble: str | None,
    tried: int | None,
) -> None:
    """A part is not shown: let go, and try again later, or when more than `tried` is wanted."""
    query = """
        UPDATE pictures SET retry_at = %(retry_at)s, trouble = %(trouble)s, tried = %(tried)s,
            -- a try ahead of its time, because of something new, makes nobody wait longer
            failures = failures + (retry_at IS NULL OR retry_at <= %(now)s)::integer,
            lease = NULL, leased_until = NULL
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    values = {"now": now, "retry_at": retry_at, "trouble": trouble, "tried": tried}
    await db.do(conn, query, incident_id=incident_id, lease=lease, **values)


async def release(conn: Conn, incident_id: IncidentId, lease: UUID) -> bool:
    """Let go, unless more was wanted meanwhile: then False, and the holder draws on."""
    query = """
        UPDATE pictures SET lease = NULL, leased_until = NULL
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s AND drawn >= wanted
    """
    return await db.do(conn, query, incident_id=incident_id, lease=lease) == 1


async def let_go(conn: Conn, incident_id: IncidentId, lease: UUID) -> None:
    """Whoever comes next may draw, and has to look what was drawn: this one was stopped."""
    query = """
        UPDATE pictures SET lease = NULL, leased_until = NULL, failures = failures + 1
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    await db.do(conn, query, incident_id=incident_id, lease=lease)


async def behind(conn: Conn, now: datetime) -> tuple[IncidentId, ...]:
    """The incidents whose picture waits for somebody to draw it."""
    query = """
        SELECT incident_id FROM pictures
        WHERE drawn < wanted AND (lease IS NULL OR leased_until < %(now)s)
          AND (retry_at IS NULL OR retry_at <= %(now)s OR wanted > tried)
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


async def at_one_moment(conn: Conn) -> None:
    """Let all that this transaction reads be of the same moment; it may not write."""
    await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
