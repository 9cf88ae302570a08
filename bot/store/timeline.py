"""Timeline entries: append-only, written in the transaction of the change that they record."""

from datetime import datetime

from bot.model import Entry, IncidentId, UserId
from bot.model.entries import Detail
from bot.store import db
from bot.store.db import Conn


async def add(
    conn: Conn,
    incident_id: IncidentId,
    detail: Detail,
    *,
    at: datetime,
    by: UserId | None = None,
    text: str = "",
    source: str | None = None,
) -> Entry | None:
    """Add an entry of the detail's kind, or return None when the same source already wrote one."""
    query = """
        INSERT INTO timeline (incident_id, at, kind, by, text, detail, source)
        VALUES (%(incident_id)s, %(at)s, %(kind)s, %(by)s, %(text)s, %(detail)s, %(source)s)
        ON CONFLICT (incident_id, source) DO NOTHING
        RETURNING {columns}
    """
    return await db.fetch_optional(
        conn,
        Entry,
        query,
        incident_id=incident_id,
        kind=detail.kind,
        detail=db.json(detail.model_dump(mode="json", exclude_defaults=True)),
        at=at,
        by=by,
        text=text,
        source=source,
    )


async def of_incident(
    conn: Conn, incident_id: IncidentId, unreadable: list[str] | None = None
) -> tuple[Entry, ...]:
    """All entries of an incident, oldest first."""
    query = "SELECT {columns} FROM timeline WHERE incident_id = %(incident_id)s ORDER BY id"
    return await db.fetch_all(conn, Entry, query, unreadable, incident_id=incident_id)


async def latest_appointer(conn: Conn, incident_id: IncidentId) -> UserId | None:
    """Who put the commander in command; None without one."""
    query = """
        SELECT by FROM timeline WHERE incident_id = %(incident_id)s AND kind = 'command_taken'
        ORDER BY id DESC LIMIT 1
    """
    row = await (await conn.execute(query, {"incident_id": incident_id})).fetchone()
    return None if row is None else row[0]


async def for_publishing(
    conn: Conn, incident_id: IncidentId, unreadable: list[str] | None = None
) -> tuple[Entry, ...]:
    """The same without notes whose messages are final, as long as the incident is open.

    People may write thousands of them; the others are few, and more than messages depends on them.
    """
    query = """
        SELECT {columns} FROM timeline WHERE incident_id = %(incident_id)s AND NOT (
            kind = 'noted' AND EXISTS (
                SELECT FROM messages JOIN incidents ON incidents.id = messages.incident_id
                WHERE messages.incident_id = timeline.incident_id
                  AND key = 'entry:' || timeline.id
                  AND final_while_open AND status <> 'resolved'
            )
        )
        ORDER BY id
    """
    return await db.fetch_all(conn, Entry, query, unreadable, incident_id=incident_id)
