"""Temporary changes in force; each due one is claimed by one replica."""

from datetime import datetime

from bot.model import Execution, ExecutionId, Hold, IncidentId
from bot.store import db
from bot.store.db import Conn


async def begin(
    conn: Conn,
    run: Execution,
    *,
    state: str,
    since: datetime,
    until: datetime,
    due_at: datetime,
) -> None:
    """Record a temporary change that is in force."""
    query = """
        INSERT INTO holds (execution_id, incident_id, state, since, until, due_at)
        VALUES (%(id)s, %(incident_id)s, %(state)s, %(since)s, %(until)s, %(due_at)s)
        ON CONFLICT (execution_id) DO NOTHING
    """
    times = {"since": since, "until": until, "due_at": due_at}
    await db.do(conn, query, id=run.id, incident_id=run.incident_id, state=state, **times)


async def claim_due(conn: Conn, now: datetime, again: datetime) -> tuple[Hold, ...]:
    """Claim what is due; it is due `again` later should the claiming process die."""
    query = """
        UPDATE holds SET due_at = %(again)s
        WHERE execution_id IN (
            SELECT execution_id FROM holds WHERE ended_at IS NULL AND due_at <= %(now)s
            ORDER BY due_at LIMIT 100 FOR NO KEY UPDATE SKIP LOCKED
        )
        RETURNING *
    """
    return await db.many(conn, Hold, query, now=now, again=again)


async def look_again(conn: Conn, target: str, by: ExecutionId, now: datetime) -> None:
    """Check the temporary changes of a target now, since an execution changed it."""
    query = """
        UPDATE holds SET due_at = %(now)s, touched_by = %(by)s FROM executions
        WHERE executions.id = execution_id AND plan ->> 'target' = %(target)s AND ended_at IS NULL
    """
    await db.do(conn, query, target=target, by=by, now=now)


async def forget_touch(conn: Conn, id: ExecutionId, by: ExecutionId) -> None:
    """Clear the execution that changed the target: it has not ended the temporary change."""
    query = """
        UPDATE holds SET touched_by = NULL
        WHERE execution_id = %(id)s AND touched_by = %(by)s AND ended_at IS NULL
    """
    await db.do(conn, query, id=id, by=by)


async def resume(conn: Conn, ended_by: ExecutionId, now: datetime) -> None:
    """Put in force again what an execution had ended and whose undo succeeded."""
    query = """
        UPDATE holds SET ended_at = NULL, due_at = %(now)s
        WHERE touched_by = %(ended_by)s AND ended_at IS NOT NULL
    """
    await db.do(conn, query, ended_by=ended_by, now=now)


async def ended_by(conn: Conn, id: ExecutionId) -> tuple[Hold, ...]:
    """What an execution has ended, and its undo will put in force again."""
    query = """
        SELECT * FROM holds WHERE touched_by = %(id)s AND ended_at IS NOT NULL
        ORDER BY execution_id
    """
    return await db.many(conn, Hold, query, id=id)


async def get(conn: Conn, id: ExecutionId) -> Hold | None:
    """The hold of an execution, if it was temporary."""
    query = "SELECT * FROM holds WHERE execution_id = %(id)s"
    return await db.first(conn, Hold, query, id=id)


async def lock(conn: Conn, id: ExecutionId) -> Hold | None:
    """The hold of an execution, unchanged by others until this transaction ends."""
    query = "SELECT * FROM holds WHERE execution_id = %(id)s FOR NO KEY UPDATE"
    return await db.first(conn, Hold, query, id=id)


async def of_incident(conn: Conn, incident_id: IncidentId) -> tuple[Hold, ...]:
    """All holds of an incident, oldest first."""
    query = "SELECT * FROM holds WHERE incident_id = %(incident_id)s ORDER BY execution_id"
    return await db.many(conn, Hold, query, incident_id=incident_id)


async def wait(
    conn: Conn, id: ExecutionId, due_at: datetime, *, nudged_at: datetime | None = None
) -> None:
    """Schedule the next check, and record that its end was announced."""
    query = """
        UPDATE holds SET due_at = %(due_at)s, nudged_at = coalesce(%(nudged_at)s, nudged_at)
        WHERE execution_id = %(id)s
    """
    await db.do(conn, query, id=id, due_at=due_at, nudged_at=nudged_at)


async def extend(conn: Conn, id: ExecutionId, *, until: datetime, due_at: datetime) -> None:
    """Extend it; its end will be announced again."""
    query = """
        UPDATE holds SET until = %(until)s, due_at = %(due_at)s, nudged_at = NULL
        WHERE execution_id = %(id)s
    """
    await db.do(conn, query, id=id, until=until, due_at=due_at)


async def be_late(conn: Conn, id: ExecutionId, trouble: str, due_at: datetime) -> None:
    """Record why it could not be undone in time, and schedule the next check."""
    query = """
        UPDATE holds SET trouble = %(trouble)s, due_at = %(due_at)s WHERE execution_id = %(id)s
    """
    await db.do(conn, query, id=id, trouble=trouble, due_at=due_at)


async def end(conn: Conn, id: ExecutionId, now: datetime, *, by: ExecutionId | None = None) -> bool:
    """Record that it is no longer in force; False when that is recorded already."""
    query = """
        UPDATE holds SET ended_at = %(now)s, touched_by = coalesce(%(by)s, touched_by)
        WHERE execution_id = %(id)s AND ended_at IS NULL
    """
    return await db.do(conn, query, id=id, now=now, by=by) == 1


async def interrupted(conn: Conn, silent_since: datetime) -> tuple[Execution, ...]:
    """The interrupted executions that are temporary changes or undos of them."""
    query = """
        SELECT * FROM executions
        WHERE state = 'interrupted' AND heartbeat_at < %(silent_since)s
          AND (jsonb_typeof(plan -> 'temporary') = 'object'
               OR undo_of IN (SELECT execution_id FROM holds WHERE ended_at IS NULL))
        ORDER BY id
    """
    return await db.many(conn, Execution, query, silent_since=silent_since)
