"""What approvers were told of a request that waits: a reminder, and that nobody can approve it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from bot.model import Availability, Duty, Execution, ExecutionId, Shortage
from bot.store import db
from bot.store.db import Conn
from bot.store.set_aside import DueRow


class Look(NamedTuple):
    """What somebody found who looked at the approvers of a request."""

    shortage: Shortage | None
    available: Availability | None
    called: tuple[Duty, ...] = ()


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
    conn: Conn, execution_id: ExecutionId, now: datetime, look: Look
) -> Execution | None:
    """Record that approvers are reminded, and who is there; it is returned to one caller only."""
    query = """
        UPDATE executions SET nudged_at = %(now)s, shortage = %(shortage)s,
            available = %(available)s, called = %(called)s
        WHERE id = %(id)s AND {halfway}
        RETURNING {columns}
    """.replace("{halfway}", HALFWAY)
    return await db.fetch_optional(
        conn, Execution, query, id=execution_id, now=now, **_columns(look)
    )


async def set_look(conn: Conn, execution_id: ExecutionId, look: Look) -> Execution | None:
    """Write who can approve a request, or why nobody can; None when it waits no longer."""
    query = """
        UPDATE executions SET shortage = %(shortage)s, available = %(available)s,
            called = %(called)s
        WHERE id = %(id)s AND state = 'proposed'
        RETURNING {columns}
    """
    return await db.fetch_optional(conn, Execution, query, id=execution_id, **_columns(look))


def _columns(look: Look) -> dict[str, Any]:
    return {
        "shortage": None if look.shortage is None else db.json(look.shortage),
        "available": None if look.available is None else db.json(look.available),
        "called": db.exact_json(list(look.called)),
    }
