"""What approvers were told of a request that waits: a reminder, and that nobody can approve it."""

from collections.abc import Sequence
from datetime import datetime

from bot.model import Execution, ExecutionId, Shortage
from bot.store import db
from bot.store.db import Conn
from bot.store.set_aside import DueRow

HALFWAY = """
    state = 'proposed' AND nudged_at IS NULL AND expires_at > %(now)s
    AND requested_at + (expires_at - requested_at) / 2 <= %(now)s
"""


async def due(conn: Conn, now: datetime, but: Sequence[int]) -> tuple[DueRow, ...]:
    """The requests half of whose time is over, whose approvers were not reminded, but some."""
    query = """
        SELECT id, incident_id FROM executions WHERE {halfway} AND id <> ALL(%(but)s) ORDER BY id
    """.replace("{halfway}", HALFWAY)
    return await db.fetch_all(conn, DueRow, query, now=now, but=list(but))


async def record(
    conn: Conn, execution_id: ExecutionId, now: datetime, shortage: Shortage | None
) -> Execution | None:
    """Record that approvers are reminded, and who lacks; it is returned to one caller only."""
    query = """
        UPDATE executions SET nudged_at = %(now)s, shortage = %(shortage)s
        WHERE id = %(id)s AND {halfway}
        RETURNING {columns}
    """.replace("{halfway}", HALFWAY)
    lacking = None if shortage is None else db.json(shortage)
    return await db.fetch_optional(
        conn, Execution, query, id=execution_id, now=now, shortage=lacking
    )


async def set_shortage(conn: Conn, execution_id: ExecutionId, shortage: Shortage) -> None:
    """Write why a request cannot get its approvals, while it waits for them."""
    query = "UPDATE executions SET shortage = %(shortage)s WHERE id = %(id)s AND state = 'proposed'"
    await db.execute(conn, query, id=execution_id, shortage=db.json(shortage))
