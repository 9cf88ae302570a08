"""Rows that the scheduler has set aside, since it could not read them or act on them."""

from datetime import datetime

from bot.model import IncidentId, Model
from bot.store import db
from bot.store.db import Conn


class DueRow(Model):
    """A row that is due, before anything else of it is read: only its keys."""

    id: int
    incident_id: IncidentId


async def save(conn: Conn, kind: str, row: DueRow, error: str, now: datetime) -> bool:
    """Record that a row failed; False when it had failed before."""
    query = """
        INSERT INTO set_aside (kind, row_id, incident_id, error, failed_at)
        VALUES (%(kind)s, %(row_id)s, %(incident_id)s, %(error)s, %(now)s)
        ON CONFLICT (kind, row_id) DO UPDATE
        SET error = excluded.error, failed_at = excluded.failed_at
        RETURNING xmax = 0
    """
    values = {"kind": kind, "row_id": row.id, "incident_id": row.incident_id}
    cursor = await conn.execute(query, {**values, "error": error, "now": now})
    return (await cursor.fetchone()) == (True,)


async def delete(conn: Conn, kind: str, row: DueRow) -> None:
    """Forget a row that succeeded after all."""
    query = "DELETE FROM set_aside WHERE kind = %(kind)s AND row_id = %(row_id)s"
    await db.execute(conn, query, kind=kind, row_id=row.id)


async def delete_older(conn: Conn, before: datetime) -> tuple[IncidentId, ...]:
    """Forget what has not failed since: it succeeded elsewhere, or is no longer due.

    Returns the incidents of those rows.
    """
    query = "DELETE FROM set_aside WHERE failed_at < %(before)s RETURNING incident_id"
    cursor = await conn.execute(query, {"before": before})
    return tuple(IncidentId(row[0]) for row in await cursor.fetchall())


async def of_incident(conn: Conn, incident_id: IncidentId) -> tuple[str, ...]:
    """What is set aside of an incident, in words, such as “reminder 7 (KeyError)”."""
    query = """
        SELECT kind, row_id, error FROM set_aside WHERE incident_id = %(incident_id)s
        ORDER BY kind, row_id
    """
    cursor = await conn.execute(query, {"incident_id": incident_id})
    return tuple(f"{kind} {row_id} ({error})" for kind, row_id, error in await cursor.fetchall())


async def count(conn: Conn) -> int:
    """How many rows are set aside."""
    cursor = await conn.execute("SELECT count(*) FROM set_aside")
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0])
