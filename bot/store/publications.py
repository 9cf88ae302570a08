"""How far Slack shows what is true.

A flow that changes an incident marks it as stale in its transaction. Whoever publishes it takes a
lease instead of keeping a connection open while Slack is slow. What becomes stale meanwhile, the
holder of the lease publishes, too.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from bot.model import IncidentId, Model
from bot.store import db
from bot.store.db import Conn


class Publication(Model):
    """How far Slack shows an incident: it is stale while published_version < wanted_version."""

    incident_id: IncidentId
    wanted_version: int
    published_version: int
    failures: int
    error: str | None


async def insert(conn: Conn, incident_id: IncidentId, lease: UUID, until: datetime) -> Publication:
    """Insert the publication of a new incident, leased to the process that declares it."""
    query = """
        INSERT INTO publications (incident_id, lease, leased_until)
        VALUES (%(incident_id)s, %(lease)s, %(until)s)
        RETURNING incident_id, wanted_version, published_version, failures, error
    """
    return await db.fetch_one(
        conn, Publication, query, incident_id=incident_id, lease=lease, until=until
    )


async def mark_stale(conn: Conn, incident_id: IncidentId) -> None:
    """Mark an incident as changed: it is to be published again."""
    query = """
        UPDATE publications SET wanted_version = wanted_version + 1
        WHERE incident_id = %(incident_id)s
    """
    await db.execute(conn, query, incident_id=incident_id)


async def mark_all_open_stale(conn: Conn) -> None:
    """Publish every open incident again, as after an upgrade with other words."""
    query = """
        UPDATE publications SET wanted_version = wanted_version + 1
        WHERE incident_id IN (SELECT id FROM incidents WHERE status <> 'resolved')
    """
    await db.execute(conn, query)


async def claim(
    conn: Conn, incident_id: IncidentId, lease: UUID, now: datetime, until: datetime
) -> Publication | None:
    """Acquire or keep the lease; None when another holds it or nothing is to be published now."""
    query = """
        UPDATE publications SET lease = %(lease)s, leased_until = %(until)s,
            -- the former holder died while it published
            failures = failures + (lease IS NOT NULL AND lease <> %(lease)s)::integer
        WHERE incident_id = %(incident_id)s AND published_version < wanted_version
          -- a passing failure delays everything; a lasting one only the version it was about
          AND (retry_at IS NULL OR retry_at <= %(now)s OR wanted_version > refused_version)
          AND (lease = %(lease)s OR lease IS NULL OR leased_until < %(now)s)
        RETURNING incident_id, wanted_version, published_version, failures, error
    """
    values = {"lease": lease, "now": now, "until": until}
    return await db.fetch_optional(conn, Publication, query, incident_id=incident_id, **values)


async def renew(conn: Conn, incident_id: IncidentId, lease: UUID, until: datetime) -> bool:
    """Renew the lease; False when another holder has it."""
    query = """
        UPDATE publications SET leased_until = %(until)s
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    return await db.execute(conn, query, incident_id=incident_id, lease=lease, until=until) == 1


async def mark_published(conn: Conn, incident_id: IncidentId, lease: UUID, version: int) -> None:
    """Record that everything of this version is published."""
    query = """
        UPDATE publications SET published_version = %(version)s,
            failures = 0, retry_at = NULL, error = NULL, refused_version = NULL,
            -- the error is shown on the card, so its end has to be published, too
            wanted_version = wanted_version + (error IS NOT NULL)::integer
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    await db.execute(conn, query, incident_id=incident_id, lease=lease, version=version)


async def mark_failed(
    conn: Conn,
    incident_id: IncidentId,
    lease: UUID,
    *,
    now: datetime,
    retry_at: datetime,
    error: str | None,
    refused_version: int | None,
) -> None:
    """Record a failure and give the lease back.

    The next attempt is at `retry_at`, or earlier for a version after `refused_version`.
    """
    query = """
        UPDATE publications SET retry_at = %(retry_at)s, error = %(error)s,
            refused_version = %(refused_version)s,
            -- an attempt before retry_at, for a newer version, does not lengthen the wait
            failures = failures + (retry_at IS NULL OR retry_at <= %(now)s)::integer,
            lease = NULL, leased_until = NULL
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    values = {"now": now, "retry_at": retry_at, "error": error, "refused_version": refused_version}
    await db.execute(conn, query, incident_id=incident_id, lease=lease, **values)


async def release(conn: Conn, incident_id: IncidentId, lease: UUID) -> bool:
    """Give the lease back; False when the incident changed meanwhile: the holder goes on."""
    query = """
        UPDATE publications SET lease = NULL, leased_until = NULL
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
          AND published_version >= wanted_version
    """
    return await db.execute(conn, query, incident_id=incident_id, lease=lease) == 1


async def abandon(conn: Conn, incident_id: IncidentId, lease: UUID) -> None:
    """Give the lease back after an interruption: the next holder looks for what was sent."""
    query = """
        UPDATE publications SET lease = NULL, leased_until = NULL, failures = failures + 1
        WHERE incident_id = %(incident_id)s AND lease = %(lease)s
    """
    await db.execute(conn, query, incident_id=incident_id, lease=lease)


async def pending(conn: Conn, now: datetime, but: Sequence[int]) -> tuple[IncidentId, ...]:
    """The stale incidents that nobody is publishing, except some."""
    query = """
        SELECT incident_id FROM publications
        WHERE published_version < wanted_version AND (lease IS NULL OR leased_until < %(now)s)
          AND (retry_at IS NULL OR retry_at <= %(now)s OR wanted_version > refused_version)
          AND incident_id <> ALL(%(but)s)
        ORDER BY retry_at NULLS FIRST LIMIT 1000
    """
    cursor = await conn.execute(query, {"now": now, "but": list(but)})
    return tuple(IncidentId(row[0]) for row in await cursor.fetchall())


async def publish_error(conn: Conn, incident_id: IncidentId) -> str | None:
    """What Slack refuses of this incident, if anything."""
    return (await publish_errors(conn)).get(incident_id)


async def publish_errors(conn: Conn) -> dict[IncidentId, str]:
    """What Slack refuses, by incident."""
    cursor = await conn.execute(
        "SELECT incident_id, error FROM publications WHERE error IS NOT NULL"
    )
    return {IncidentId(row[0]): str(row[1]) for row in await cursor.fetchall()}


async def begin_snapshot(conn: Conn) -> None:
    """Make this transaction read one snapshot; it cannot write."""
    await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
