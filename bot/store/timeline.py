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
