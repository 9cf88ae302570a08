"""Temporary changes in force; each due one is claimed by one replica."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bot.model import Execution, ExecutionId, IncidentId, Observation, TemporaryChange
from bot.store import db
from bot.store.db import Conn
from bot.store.set_aside import DueRow


async def record(
    conn: Conn,
    execution: Execution,
    *,
    applied: bool,
    state: str,
    started_at: datetime,
    ends_at: datetime,
    now: datetime,
) -> None:
    """Record a temporary change: before it is written, and again (`applied`) once it was.

    One that was withdrawn, as if it had not been written, is in force again.
    """
    query = """
        INSERT INTO temporary_changes AS known
            (execution_id, incident_id, applied, state, started_at, ends_at, next_check_at)
        VALUES (%(id)s, %(incident_id)s, %(applied)s, %(state)s, %(started_at)s, %(ends_at)s,
            %(now)s)
        ON CONFLICT (execution_id) DO UPDATE SET applied = true, next_check_at = %(now)s,
            ended_at = CASE WHEN known.applied THEN known.ended_at END
            WHERE %(applied)s
    """
    values: dict[str, Any] = {"applied": applied, "state": state}
    values |= {"started_at": started_at, "ends_at": ends_at, "now": now}
    await db.execute(conn, query, id=execution.id, incident_id=execution.incident_id, **values)


async def mark_found_late(
    conn: Conn, execution_id: ExecutionId, overdue_reason: str, now: datetime
) -> None:
    """Say why it is not over yet, where that it was written became known after its end."""
    query = """
        UPDATE temporary_changes SET overdue_reason = %(overdue_reason)s
        WHERE execution_id = %(id)s AND ends_at <= %(now)s AND ended_at IS NULL
          AND overdue_reason IS NULL
    """
    await db.execute(conn, query, id=execution_id, overdue_reason=overdue_reason, now=now)


async def withdraw(conn: Conn, execution_id: ExecutionId, now: datetime) -> None:
    """End one that was not written after all."""
    query = """
        UPDATE temporary_changes SET ended_at = %(now)s
        WHERE execution_id = %(id)s AND NOT applied AND ended_at IS NULL
    """
    await db.execute(conn, query, id=execution_id, now=now)


async def claim_due(
    conn: Conn, now: datetime, again: datetime, but: Sequence[int]
) -> tuple[DueRow, ...]:
    """Claim what is due, except some rows; it is due `again` later should the process die.

    Also what was withdrawn, until its time is over: what was sent may still arrive.
    """
    query = """
        UPDATE temporary_changes SET next_check_at = %(again)s
        WHERE execution_id IN (
            SELECT execution_id FROM temporary_changes
            WHERE next_check_at <= %(now)s AND execution_id <> ALL(%(but)s)
                AND (ended_at IS NULL OR NOT applied AND ends_at > %(now)s)
            ORDER BY next_check_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED
        )
        RETURNING execution_id AS id, incident_id
    """
    return await db.fetch_all(conn, DueRow, query, now=now, again=again, but=list(but))


async def schedule_recheck(conn: Conn, target: str, now: datetime) -> None:
    """Look at the temporary changes of a target now, since an execution changed it."""
    query = """
        UPDATE temporary_changes SET next_check_at = %(now)s FROM executions
        WHERE executions.id = execution_id AND plan ->> 'target' = %(target)s AND ended_at IS NULL
    """
    await db.execute(conn, query, target=db.Key(target), now=now)


async def resume(conn: Conn, ended_by: ExecutionId, now: datetime) -> None:
    """Put in force again what an execution had ended and whose undo succeeded."""
    query = """
        UPDATE temporary_changes SET ended_at = NULL, next_check_at = %(now)s
        WHERE touched_by = %(ended_by)s AND ended_at IS NOT NULL
    """
    await db.execute(conn, query, ended_by=ended_by, now=now)


async def ended_by(conn: Conn, execution_id: ExecutionId) -> tuple[TemporaryChange, ...]:
    """What an execution has ended, and its undo will put in force again."""
    query = """
        SELECT {columns} FROM temporary_changes WHERE touched_by = %(id)s AND ended_at IS NOT NULL
        ORDER BY execution_id
    """
    return await db.fetch_all(conn, TemporaryChange, query, strict=True, id=execution_id)


async def executions_in_force(conn: Conn) -> tuple[Execution, ...]:
    """The executions whose temporary changes are in force, oldest first."""
    query = """
        SELECT {columns} FROM executions
        WHERE id IN (SELECT execution_id FROM temporary_changes WHERE applied AND ended_at IS NULL)
        ORDER BY id
    """
    return await db.fetch_all(conn, Execution, query)


async def not_ended(conn: Conn) -> tuple[TemporaryChange, ...]:
    """What is or may be in force, of all incidents, oldest first."""
    query = "SELECT {columns} FROM temporary_changes WHERE ended_at IS NULL ORDER BY execution_id"
    return await db.fetch_all(conn, TemporaryChange, query)


async def get(conn: Conn, execution_id: ExecutionId) -> TemporaryChange | None:
    """The temporary change of an execution, if it was temporary."""
    query = "SELECT {columns} FROM temporary_changes WHERE execution_id = %(id)s"
    return await db.fetch_optional(conn, TemporaryChange, query, id=execution_id)


async def lock(conn: Conn, execution_id: ExecutionId) -> TemporaryChange | None:
    """The temporary change of an execution, locked until the transaction ends."""
    query = "SELECT {columns} FROM temporary_changes WHERE execution_id = %(id)s FOR NO KEY UPDATE"
    return await db.fetch_optional(conn, TemporaryChange, query, id=execution_id)


async def of_incident(
    conn: Conn, incident_id: IncidentId, unreadable: list[str] | None = None
) -> tuple[TemporaryChange, ...]:
    """All temporary changes of an incident, oldest first."""
    query = """
        SELECT {columns} FROM temporary_changes WHERE incident_id = %(incident_id)s
        ORDER BY execution_id
    """
    return await db.fetch_all(conn, TemporaryChange, query, unreadable, incident_id=incident_id)


async def look_again(
    conn: Conn, execution_id: ExecutionId, next_check_at: datetime, seen: Observation | None
) -> TemporaryChange:
    """Schedule the next look, and keep what its target is if it was seen in force."""
    query = """
        UPDATE temporary_changes SET next_check_at = %(next_check_at)s,
            last_seen = coalesce(%(last_seen)s, last_seen)
        WHERE execution_id = %(id)s
        RETURNING {columns}
    """
    sighting = seen.sighting if seen is not None and seen.in_force else None
    last_seen = None if sighting is None else db.exact_json(sighting)
    values: dict[str, Any] = {"next_check_at": next_check_at, "last_seen": last_seen}
    return await db.fetch_one(conn, TemporaryChange, query, id=execution_id, **values)


async def set_unseen(
    conn: Conn, execution_id: ExecutionId, since: datetime | None, reason: str | None
) -> None:
    """Record since when it cannot be seen, and why; or that it can."""
    query = """
        UPDATE temporary_changes SET unseen_since = %(since)s, unseen_reason = %(reason)s
        WHERE execution_id = %(id)s
    """
    await db.execute(conn, query, id=execution_id, since=since, reason=reason)


async def set_as_left(
    conn: Conn, execution_id: ExecutionId, fingerprint: Mapping[str, Any]
) -> None:
    """Keep the fingerprint of the target that the undo was planned from."""
    query = "UPDATE temporary_changes SET as_left = %(as_left)s WHERE execution_id = %(id)s"
    await db.execute(conn, query, id=execution_id, as_left=db.exact_json(fingerprint))


async def mark_announced(conn: Conn, execution_id: ExecutionId, now: datetime) -> None:
    """Record that its end was announced."""
    query = "UPDATE temporary_changes SET announced_at = %(now)s WHERE execution_id = %(id)s"
    await db.execute(conn, query, id=execution_id, now=now)


async def extend(conn: Conn, execution_id: ExecutionId, *, ends_at: datetime) -> None:
    """Extend it; its end will be announced again."""
    query = """
        UPDATE temporary_changes SET ends_at = %(ends_at)s, announced_at = NULL
        WHERE execution_id = %(id)s
    """
    await db.execute(conn, query, id=execution_id, ends_at=ends_at)


async def mark_overdue(
    conn: Conn, execution_id: ExecutionId, overdue_reason: str, retry_at: datetime
) -> None:
    """Record why it could not be undone in time, and when that is tried again."""
    query = """
        UPDATE temporary_changes
        SET overdue_reason = %(overdue_reason)s, retry_at = %(retry_at)s
        WHERE execution_id = %(id)s
    """
    await db.execute(conn, query, id=execution_id, overdue_reason=overdue_reason, retry_at=retry_at)


async def end(
    conn: Conn, execution_id: ExecutionId, now: datetime, *, by: ExecutionId | None = None
) -> bool:
    """Record that it is no longer in force; False when that is recorded already."""
    query = """
        UPDATE temporary_changes SET ended_at = %(now)s, touched_by = %(by)s
        WHERE execution_id = %(id)s AND ended_at IS NULL
    """
    return await db.execute(conn, query, id=execution_id, now=now, by=by) == 1
