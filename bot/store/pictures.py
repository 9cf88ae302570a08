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
    """How far Slack shows an incident: published < wanted means that it is stale."""

    incident_id: IncidentId
    wanted: int
    drawn: int
    failures: int
    trouble: str | None


async def insert(conn: Conn, incident_id: IncidentId, lease: UUID, until: datetime) -> Picture:
    """Insert the publication of a new incident, leased to the process that declares it."""
    query = """
        INSERT INTO pictures (incident_id, lease, leased_until)
        VALUES (%(incident_id)s, %(lease)s, %(until)s)
        RETURNING incident_id, wanted, drawn, failures, trouble
    """
    return await db.one(conn, Picture, query, incident_id=incident_id, lease=lease, until=until)


async def want(conn: Conn, incident_id: IncidentId) -> None:
    """Mark an incident as changed: it is to be published again."""
    query = "UPDATE pictures SET wanted = wanted + 1 WHERE incident_id = %(incident_id)s"
    await db.do(conn, query, incident_id=incident_id)


async def want_all_open(conn: Conn) -> None:
    """Publish every open incident again, as after an upgrade with other words."""
    query = """
        UPDATE pictures SET wanted = wanted + 1
        WHERE incident_id IN (SELECT id FROM incidents WHERE status <> 'resolved')
    """
    await db.do(conn, query)


async def claim(
    conn: Conn, incident_id: IncidentId, lease: UUID, now: datetime, until: datetime
) -> Picture | None:
    """Acquire or keep the lease; None when another holds it or nothing is to be published now."""
    query = """
        UPDATE pictures SET lease = %(lease)s, leased_until = %(until)s,
            -- the former holder died while it published
            failures = failures + (lease IS NOT NULL AND lease <> %(lease)s)::integer
        WHERE incident_id = %(incident_id)s AND drawn < wanted
          -- a passing failure delays everything; a lasting one only the version it was about
          AND (retry_at IS NULL OR retry_at <= %(now)s OR wanted > tried)
          AND (lease = %(lease)s OR lease IS NULL OR leased_until < %(now)s)
        RETURNING incident_id, wanted, drawn, failures, trouble
    """
    values = {"lease": lease, "now": now, "until": until}
    return await db.first(conn, Picture, query, incident_id=incident_id, **values)


async def renew(conn: Conn, incident_id: IncidentId, lease: UUID, until: datetime) -> bool:
    """Renew the lease; False when another holder has it."""
    query = """
        UPDATE pictures SET leased_until = %(until)s
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    return await db.do(conn, query, incident_id=incident_id, lease=lease, until=until) == 1


async def drawn(conn: Conn, incident_id: IncidentId, lease: UUID, version: int) -> None:
    """Record that everything of this version is published."""
    query = """
        UPDATE pictures SET drawn = %(version)s,
            failures = 0, retry_at = NULL, trouble = NULL, tried = NULL,
            -- the error is shown on the card, so its end has to be published, too
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
    """Record a failure and give the lease back; try again later, or for a version after `tried`."""
    query = """
        UPDATE pictures SET retry_at = %(retry_at)s, trouble = %(trouble)s, tried = %(tried)s,
            -- an attempt before retry_at, for a newer version, does not lengthen the wait
            failures = failures + (retry_at IS NULL OR retry_at <= %(now)s)::integer,
            lease = NULL, leased_until = NULL
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    values = {"now": now, "retry_at": retry_at, "trouble": trouble, "tried": tried}
    await db.do(conn, query, incident_id=incident_id, lease=lease, **values)


async def release(conn: Conn, incident_id: IncidentId, lease: UUID) -> bool:
    """Give the lease back; False when the incident changed meanwhile: the holder goes on."""
    query = """
        UPDATE pictures SET lease = NULL, leased_until = NULL
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s AND drawn >= wanted
    """
    return await db.do(conn, query, incident_id=incident_id, lease=lease) == 1


async def let_go(conn: Conn, incident_id: IncidentId, lease: UUID) -> None:
    """Give the lease back after an interruption: the next holder looks what was sent."""
    query = """
        UPDATE pictures SET lease = NULL, leased_until = NULL, failures = failures + 1
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    await db.do(conn, query, incident_id=incident_id, lease=lease)


async def behind(conn: Conn, now: datetime) -> tuple[IncidentId, ...]:
    """The stale incidents that nobody is publishing."""
    query = """
        SELECT incident_id FROM pictures
        WHERE drawn < wanted AND (lease IS NULL OR leased_until < %(now)s)
          AND (retry_at IS NULL OR retry_at <= %(now)s OR wanted > tried)
        ORDER BY retry_at NULLS FIRST LIMIT 50
    """
    cursor = await conn.execute(query, {"now": now})
    return tuple(IncidentId(row[0]) for row in await cursor.fetchall())


async def troubles(conn: Conn) -> dict[IncidentId, str]:
    """What Slack refuses, by incident."""
    cursor = await conn.execute(
        "SELECT incident_id, trouble FROM pictures WHERE trouble IS NOT NULL"
    )
    return {IncidentId(row[0]): str(row[1]) for row in await cursor.fetchall()}


async def at_one_moment(conn: Conn) -> None:
    """Make this transaction read one snapshot; it cannot write."""
    await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
