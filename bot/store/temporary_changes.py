"""Temporary changes in force; each due one is claimed by one replica."""

from collections.abc import Sequence
from datetime import datetime

from bot.model import Execution, ExecutionId, IncidentId, TemporaryChange
from bot.store import db
from bot.store.db import Conn
from bot.store.set_aside import DueRow


async def begin(
    conn: Conn,
    execution: Execution,
    *,
    state: str,
    started_at: datetime,
    ends_at: datetime,
    next_check_at: datetime,
) -> None:
    """Record a temporary change that is in force."""
    query = """
        INSERT INTO temporary_changes
            (execution_id, incident_id, state, started_at, ends_at, next_check_at)
        VALUES (%(id)s, %(incident_id)s, %(state)s, %(started_at)s, %(ends_at)s, %(next_check_at)s)
        ON CONFLICT (execution_id) DO NOTHING
    """
    times = {"started_at": started_at, "ends_at": ends_at, "next_check_at": next_check_at}
    await db.execute(
        conn, query, id=execution.id, incident_id=execution.incident_id, state=state, **times
    )


async def claim_due(
    conn: Conn, now: datetime, again: datetime, but: Sequence[int]
) -> tuple[DueRow, ...]:
    """Claim what is due, except some rows; it is due `again` later should the process die."""
    query = """
        UPDATE temporary_changes SET next_check_at = %(again)s
        WHERE execution_id IN (
            SELECT execution_id FROM temporary_changes
            WHERE ended_at IS NULL AND next_check_at <= %(now)s AND execution_id <> ALL(%(but)s)
            ORDER BY next_check_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED
        )
        RETURNING execution_id AS id, incident_id
    """
    return await db.fetch_all(conn, DueRow, query, now=now, again=again, but=list(but))


async def schedule_recheck(conn: Conn, target: str, by: ExecutionId, now: datetime) -> None:
    """Check the temporary changes of a target now, since an execution changed it."""
    query = """
        UPDATE temporary_changes SET next_check_at = %(now)s, touched_by = %(by)s FROM executions
        WHERE executions.id = execution_id AND plan ->> 'target' = %(target)s AND ended_at IS NULL
    """
    await db.execute(conn, query, target=target, by=by, now=now)


async def clear_touched_by(conn: Conn, execution_id: ExecutionId, by: ExecutionId) -> None:
    """Clear the execution that changed the target: it has not ended the temporary change."""
    query = """
        UPDATE temporary_changes SET touched_by = NULL
        WHERE execution_id = %(id)s AND touched_by = %(by)s AND ended_at IS NULL
    """
    await db.execute(conn, query, id=execution_id, by=by)


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
    return await db.fetch_all(conn, TemporaryChange, query, id=execution_id)


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


async def check_later(
    conn: Conn,
    execution_id: ExecutionId,
    next_check_at: datetime,
    *,
    announced_at: datetime | None = None,
) -> None:
    """Schedule the next check, and record that its end was announced."""
    query = """
        UPDATE temporary_changes SET next_check_at = %(next_check_at)s,
            announced_at = coalesce(%(announced_at)s, announced_at)
        WHERE execution_id = %(id)s
    """
    await db.execute(
        conn, query, id=execution_id, next_check_at=next_check_at, announced_at=announced_at
    )


async def extend(
    conn: Conn, execution_id: ExecutionId, *, ends_at: datetime, next_check_at: datetime
) -> None:
    """Extend it; its end will be announced again."""
    query = """
        UPDATE temporary_changes
        SET ends_at = %(ends_at)s, next_check_at = %(next_check_at)s, announced_at = NULL
        WHERE execution_id = %(id)s
    """
    await db.execute(conn, query, id=execution_id, ends_at=ends_at, next_check_at=next_check_at)


async def mark_overdue(
    conn: Conn, execution_id: ExecutionId, overdue_reason: str, next_check_at: datetime
) -> None:
    """Record why it could not be undone in time, and schedule the next check."""
    query = """
        UPDATE temporary_changes
        SET overdue_reason = %(overdue_reason)s, next_check_at = %(next_check_at)s
        WHERE execution_id = %(id)s
    """
    await db.execute(
        conn, query, id=execution_id, overdue_reason=overdue_reason, next_check_at=next_check_at
    )


async def end(
    conn: Conn, execution_id: ExecutionId, now: datetime, *, by: ExecutionId | None = None
) -> bool:
    """Record that it is no longer in force; False when that is recorded already."""
    query = """
        UPDATE temporary_changes SET ended_at = %(now)s, touched_by = coalesce(%(by)s, touched_by)
        WHERE execution_id = %(id)s AND ended_at IS NULL
    """
    return await db.execute(conn, query, id=execution_id, now=now, by=by) == 1
