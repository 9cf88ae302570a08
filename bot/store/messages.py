"""What Slack shows of an incident, thing by thing."""

from collections.abc import Sequence

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
        SET channel = excluded.channel, ts = excluded.ts, digest = excluded.digest,
            final_open = NULL
    """
    await db.do(conn, query, incident_id=incident_id, **shown.model_dump())


async def forget(conn: Conn, incident_id: IncidentId, channel: str) -> None:
    """What this channel showed is shown no more."""
    query = "DELETE FROM messages WHERE incident_id = %(incident_id)s AND channel = %(channel)s"
    await db.do(conn, query, incident_id=incident_id, channel=channel)


async def keep(conn: Conn, incident_id: IncidentId, shown: Sequence[Shown], *, open: bool) -> None:
    """These stay as they look while the incident is open, or is not; not what changed since."""
    query = """
        UPDATE messages SET final_open = %(open)s
        WHERE incident_id = %(incident_id)s
          AND (key, digest) IN (SELECT * FROM unnest(%(keys)s::text[], %(digests)s::text[]))
    """
    keys, digests = [message.key for message in shown], [message.digest for message in shown]
    await db.do(conn, query, incident_id=incident_id, open=open, keys=keys, digests=digests)


async def final(conn: Conn, incident_id: IncidentId, *, open: bool) -> frozenset[str]:
    """The keys of what need not be drawn again while the incident is open, or is not."""
    query = """
        SELECT key FROM messages WHERE incident_id = %(incident_id)s AND final_open = %(open)s
    """
    cursor = await conn.execute(query, {"incident_id": incident_id, "open": open})
    return frozenset(str(row[0]) for row in await cursor.fetchall())


async def forget_final(conn: Conn) -> None:
    """Nothing of an open incident is final, as after a new version with other words."""
    query = """
        UPDATE messages SET final_open = NULL
        WHERE final_open IS NOT NULL
          AND incident_id IN (SELECT id FROM incidents WHERE status <> 'resolved')
    """
    await db.do(conn, query)
