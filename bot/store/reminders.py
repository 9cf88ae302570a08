"""Reminders: a unique key prevents duplicates, a row lock a second claim."""

from datetime import datetime

from bot.model import IncidentId, Reminder, ReminderId, ReminderKind, UserId
from bot.store import db
from bot.store.db import Conn


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
        RETURNING *
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


async def claim_due(conn: Conn, now: datetime) -> tuple[Reminder, ...]:
    """Claim what is due; rows that another replica is claiming are left to it."""
    query = """
        UPDATE reminders SET fired_at = %(now)s
        WHERE id IN (
            -- The incident is locked too: an update posted at this moment comes before or after,
            -- and settles whatever is inserted here.
            SELECT reminders.id FROM reminders JOIN incidents ON incidents.id = incident_id
            WHERE fired_at IS NULL AND settled_at IS NULL AND due_at <= %(now)s
              AND (status <> 'resolved' OR kind = 'tasks')
            ORDER BY due_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED
        )
        RETURNING *
    """
    return await db.fetch_all(conn, Reminder, query, now=now)


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
        conn, Reminder, "SELECT * FROM reminders WHERE id = %(id)s", id=reminder_id
    )


async def is_nagging(conn: Conn, incident_id: IncidentId, kind: ReminderKind) -> bool:
    """Whether a reminder of this kind has fired and is not settled."""
    query = """
        SELECT FROM reminders
        WHERE incident_id = %(incident_id)s AND kind = %(kind)s
          AND settled_at IS NULL AND (fired_at IS NOT NULL OR snoozes > 0)
    """
    return await db.execute(conn, query, incident_id=incident_id, kind=kind) > 0


async def of_incident(conn: Conn, incident_id: IncidentId) -> tuple[Reminder, ...]:
    """All reminders of an incident, oldest first."""
    query = "SELECT * FROM reminders WHERE incident_id = %(incident_id)s ORDER BY id"
    return await db.fetch_all(conn, Reminder, query, incident_id=incident_id)
