"""What Slack shows of an incident, thing by thing."""

from bot.model import IncidentId, Noun
from bot.store import db
from bot.store.db import Conn


class Shown(Noun):
    """One thing that Slack shows: where it is, and the digest of what it says."""

    key: str
    channel: str
    ts: str
    digest: str


async def of_incident(conn: Conn, incident_id: IncidentId) -> dict[str, Shown]:
    """Everything shown, by key."""
    query = """
        SELECT key, channel, ts, digest FROM messages WHERE incident_id = %(incident_id)s
    """
    shown = await db.many(conn, Shown, query, incident_id=incident_id)
    return {row.key: row for row in shown}


async def put(conn: Conn, incident_id: IncidentId, shown: Shown) -> None:
    """Remember what Slack shows now."""
    query = """
        INSERT INTO messages (incident_id, key, channel, ts, digest)
        VALUES (%(incident_id)s, %(key)s, %(channel)s, %(ts)s, %(digest)s)
        ON CONFLICT (incident_id, key) DO UPDATE
        SET channel = excluded.channel, ts = excluded.ts, digest = excluded.digest
    """
    await db.do(conn, query, incident_id=incident_id, **shown.model_dump())
