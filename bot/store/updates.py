"""Updates that were posted."""

from datetime import datetime

from bot.model import IncidentId, NewUpdate, Update, UpdateId
from bot.store import db
from bot.store.db import Conn


async def insert(conn: Conn, new: NewUpdate) -> Update | None:
    """Insert an update; None when the same source already inserted one."""
    query = """
        INSERT INTO updates (incident_id, at, by, status, impact, current, next_update_at, source)
        VALUES (%(incident_id)s, %(at)s, %(by)s, %(status)s, %(impact)s, %(current)s,
                %(next_update_at)s, %(source)s)
        ON CONFLICT (source) DO NOTHING
        RETURNING id, incident_id, at, by, status, impact, current, next_update_at, posted_text
    """
    return await db.fetch_optional(conn, Update, query, **dict(new))


async def set_posted_text(conn: Conn, update_id: UpdateId, words: str | None) -> None:
    """Store the text as it was posted."""
    query = "UPDATE updates SET posted_text = %(words)s WHERE id = %(id)s"
    await db.execute(conn, query, id=update_id, words=words)


async def promised_next_at(conn: Conn, incident_id: IncidentId) -> datetime | None:
    """The time of the next update that the last one promised, if any."""
    updates = await of_incident(conn, incident_id)
    return updates[-1].next_update_at if updates else None


async def of_incident(
    conn: Conn, incident_id: IncidentId, unreadable: list[str] | None = None
) -> tuple[Update, ...]:
    """All updates of an incident, oldest first."""
    query = """
        SELECT id, incident_id, at, by, status, impact, current, next_update_at, posted_text
        FROM updates WHERE incident_id = %(incident_id)s ORDER BY id
    """
    return await db.fetch_all(conn, Update, query, unreadable, incident_id=incident_id)
