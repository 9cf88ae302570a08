"""Second steps of approvals outside Slack: asked for, and confirmed once."""

from datetime import datetime

from bot.model import Confirmation, IncidentId
from bot.store import db
from bot.store.db import Conn


async def ask(conn: Conn, asked: Confirmation) -> None:
    """Ask somebody to confirm; what they were asked before is not valid any more."""
    query = """
        INSERT INTO confirmations (execution_id, user_id, token_hash, plan_digest, asked_at,
            expires_at)
        VALUES (%(execution_id)s, %(user_id)s, %(token_hash)s, %(plan_digest)s, %(asked_at)s,
            %(expires_at)s)
        ON CONFLICT (execution_id, user_id) DO UPDATE SET token_hash = excluded.token_hash,
            plan_digest = excluded.plan_digest, asked_at = excluded.asked_at,
            expires_at = excluded.expires_at
        WHERE confirmations.confirmed_at IS NULL
    """
    await db.execute(conn, query, **dict(asked))


async def find(conn: Conn, token_hash: str) -> Confirmation | None:
    """The confirmation of a token."""
    query = "SELECT {columns} FROM confirmations WHERE token_hash = %(token_hash)s"
    return await db.fetch_optional(conn, Confirmation, query, token_hash=token_hash)


async def confirm(conn: Conn, token_hash: str, now: datetime) -> bool:
    """Use a token; False when it was used, has expired, or is not valid any more."""
    query = """
        UPDATE confirmations SET confirmed_at = %(now)s
        WHERE token_hash = %(token_hash)s AND confirmed_at IS NULL AND expires_at > %(now)s
    """
    return await db.execute(conn, query, token_hash=token_hash, now=now) == 1


async def of_incident(
    conn: Conn, incident_id: IncidentId, unreadable: list[str] | None = None
) -> tuple[Confirmation, ...]:
    """The steps that people still have to take for requests of an incident that wait."""
    query = """
        SELECT {columns} FROM confirmations
        WHERE confirmed_at IS NULL AND execution_id IN (
            SELECT id FROM executions WHERE incident_id = %(incident_id)s AND state = 'proposed'
        )
        ORDER BY asked_at
    """
    return await db.fetch_all(conn, Confirmation, query, unreadable, incident_id=incident_id)
