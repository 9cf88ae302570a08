"""Reminders: what is due; a unique key forbids a duplicate, a row lock a second claim."""

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
    """A new reminder, or one that was settled before its time and is waited for again."""
    query = """
        INSERT INTO reminders (incident_id, kind, due_at, deadline, snoozes, nags)
        VALUES (%(incident_id)s, %(kind)s, %(due_at)s, %(deadline)s, %(snoozes)s, %(nags)s)
        ON CONFLICT (incident_id, kind, due_at) DO UPDATE
        SET settled_at = NULL, deadline = excluded.deadline, snoozes = excluded.snoozes,
            nags = excluded.nags
        WHERE reminders.fired_at IS NULL
        RETURNING *
    """
    return await db.first(
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
    """Take what is due; a row that another replica is taking is left to it."""
    query = """
        UPDATE reminders SET fired_at = %(now)s
        WHERE id IN (
            -- The incident is held too: an update posted at this moment comes before or after,
            -- and settles whatever is inserted here.
            SELECT reminders.id FROM reminders JOIN incidents ON incidents.id = incident_id
            WHERE fired_at IS NULL AND settled_at IS NULL AND due_at <= %(now)s
              AND (status <> 'resolved' OR kind = 'tasks')
            ORDER BY due_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED
        )
        RETURNING *
    """
    return await db.many(conn, Reminder, query, now=now)


async def postpone(conn: Conn, id: ReminderId, until: datetime) -> None:
    """Wait again for what was claimed and not said."""
    query = "UPDATE reminders SET fired_at = NULL, due_at = %(until)s WHERE id = %(id)s"
    await db.do(conn, query, id=id, until=until)


async def settle(
    conn: Conn, incident_id: IncidentId, now: datetime, kind: ReminderKind | None = None
) -> None:
    """Nothing of this kind (of any kind, without one) is waited for any more."""
    query = """
        UPDATE reminders SET settled_at = %(now)s
        WHERE incident_id = %(incident_id)s AND settled_at IS NULL
          AND (%(kind)s::text IS NULL OR kind = %(kind)s)
    """
    await db.do(conn, query, incident_id=incident_id, kind=kind, now=now)


async def snooze(
    conn: Conn,
    incident_id: IncidentId,
    kind: ReminderKind,
    now: datetime,
    *,
    until: datetime,
    by: UserId,
) -> None:
    """What was said of this kind is put off, which settles nothing but its buttons."""
    query = """
        UPDATE reminders
        SET settled_at = %(now)s, snoozed_by = %(by)s, snoozed_until = %(until)s
        WHERE incident_id = %(incident_id)s AND kind = %(kind)s
          AND fired_at IS NOT NULL AND settled_at IS NULL
    """
    await db.do(conn, query, incident_id=incident_id, kind=kind, now=now, until=until, by=by)


async def get(conn: Conn, id: ReminderId) -> Reminder | None:
    """The reminder of that number."""
    return await db.first(conn, Reminder, "SELECT * FROM reminders WHERE id = %(id)s", id=id)


async def nagging(conn: Conn, incident_id: IncidentId, kind: ReminderKind) -> bool:
    """Whether people have been asked already, and nobody answered more than “later”."""
    query = """
        SELECT FROM reminders
        WHERE incident_id = %(incident_id)s AND kind = %(kind)s
          AND settled_at IS NULL AND (fired_at IS NOT NULL OR snoozes > 0)
    """
    return await db.do(conn, query, incident_id=incident_id, kind=kind) > 0


async def of_incident(conn: Conn, incident_id: IncidentId) -> tuple[Reminder, ...]:
    """All reminders of an incident, oldest first."""
    query = "SELECT * FROM reminders WHERE incident_id = %(incident_id)s ORDER BY id"
    return await db.many(conn, Reminder, query, incident_id=incident_id)
