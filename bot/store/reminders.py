"""Reminders: a unique key prevents duplicates, a row lock a second claim."""

from collections.abc import Sequence
from datetime import datetime

from bot.model import IncidentId, Reminder, ReminderId, ReminderKind, UserId
from bot.store import db
from bot.store.db import Conn
from bot.store.set_aside import DueRow

# Of reminders with their incidents. Those of a resolved incident are about its tasks.
DUE = """
    fired_at IS NULL AND settled_at IS NULL AND due_at <= %(now)s
    AND (status <> 'resolved' OR kind = 'tasks')
"""


async def insert(
    conn: Conn,
    incident_id: IncidentId,
    kind: ReminderKind,
    due_at: datetime,
    *,
    deadline: datetime | None = None,
    snoozes: int = 0,
    nags: int = 0,
) -> Reminder | None:
    """Insert a reminder, or reactivate one that was settled before it fired."""
    query = """
        INSERT INTO reminders (incident_id, kind, due_at, deadline, snoozes, nags)
        VALUES (%(incident_id)s, %(kind)s, %(due_at)s, %(deadline)s, %(snoozes)s, %(nags)s)
        ON CONFLICT (incident_id, kind, due_at) DO UPDATE
        SET settled_at = NULL, deadline = excluded.deadline, snoozes = excluded.snoozes,
            nags = excluded.nags
        WHERE reminders.fired_at IS NULL
        RETURNING {columns}
    """
    return await db.fetch_optional(
        conn,
        Reminder,
        query,
        incident_id=incident_id,
        kind=kind,
        due_at=due_at,
        deadline=deadline,
        snoozes=snoozes,
        nags=nags,
    )


async def due(conn: Conn, now: datetime, but: Sequence[int]) -> tuple[DueRow, ...]:
    """What is due, of the kinds that this version knows, except some rows."""
    query = """
        SELECT reminders.id, incident_id FROM reminders JOIN incidents ON incidents.id = incident_id
        WHERE {due} AND kind = ANY(%(kinds)s) AND reminders.id <> ALL(%(but)s)
        ORDER BY due_at, reminders.id LIMIT 100
    """.replace("{due}", DUE)
    return await db.fetch_all(conn, DueRow, query, now=now, kinds=list(ReminderKind), but=list(but))


async def claim(conn: Conn, reminder_id: ReminderId, now: datetime) -> Reminder | None:
    """Claim a reminder that is due; None when another replica claims or has claimed it.

    The incident is locked too: an update that is posted at this moment comes before or after, and
    settles whatever is inserted here.
    """
    query = """
        UPDATE reminders SET fired_at = %(now)s
        WHERE id = (
            SELECT reminders.id FROM reminders JOIN incidents ON incidents.id = incident_id
            WHERE reminders.id = %(id)s AND {due}
            FOR NO KEY UPDATE SKIP LOCKED
        )
        RETURNING {columns}
    """.replace("{due}", DUE)
    return await db.fetch_optional(conn, Reminder, query, id=reminder_id, now=now)


async def postpone(conn: Conn, reminder_id: ReminderId, until: datetime) -> None:
    """Fire a claimed reminder later instead."""
    query = "UPDATE reminders SET fired_at = NULL, due_at = %(until)s WHERE id = %(id)s"
    await db.execute(conn, query, id=reminder_id, until=until)


async def settle(
    conn: Conn, incident_id: IncidentId, now: datetime, kind: ReminderKind | None = None
) -> None:
    """Settle the pending reminders of a kind, or of every kind."""
    query = """
        UPDATE reminders SET settled_at = %(now)s
        WHERE incident_id = %(incident_id)s AND settled_at IS NULL
          AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    """
    await db.execute(conn, query, incident_id=incident_id, kind=kind, now=now)


async def snooze(
    conn: Conn,
    incident_id: IncidentId,
    kind: ReminderKind,
    now: datetime,
    *,
    until: datetime,
    by: UserId,
) -> None:
    """Record who snoozed the fired reminders of a kind, and until when."""
    query = """
        UPDATE reminders
        SET settled_at = %(now)s, snoozed_by = %(by)s, snoozed_until = %(until)s
        WHERE incident_id = %(incident_id)s AND kind = %(kind)s
          AND fired_at IS NOT NULL AND settled_at IS NULL
    """
    await db.execute(conn, query, incident_id=incident_id, kind=kind, now=now, until=until, by=by)


async def get(conn: Conn, reminder_id: ReminderId) -> Reminder | None:
    """The reminder of that number."""
    return await db.fetch_optional(
        conn, Reminder, "SELECT {columns} FROM reminders WHERE id = %(id)s", id=reminder_id
    )


async def is_nagging(conn: Conn, incident_id: IncidentId, kind: ReminderKind) -> bool:
    """Whether a reminder of this kind has fired and is not settled."""
    query = """
        SELECT FROM reminders
        WHERE incident_id = %(incident_id)s AND kind = %(kind)s
          AND settled_at IS NULL AND (fired_at IS NOT NULL OR snoozes > 0)
    """
    return await db.execute(conn, query, incident_id=incident_id, kind=kind) > 0


async def of_incident(
    conn: Conn, incident_id: IncidentId, unreadable: list[str] | None = None
) -> tuple[Reminder, ...]:
    """All reminders of an incident, oldest first."""
    query = "SELECT {columns} FROM reminders WHERE incident_id = %(incident_id)s ORDER BY id"
    return await db.fetch_all(conn, Reminder, query, unreadable, incident_id=incident_id)
