"""The items that were sent to Slack for an incident."""

from collections.abc import Sequence

from bot.model import IncidentId, Model
from bot.store import db
from bot.store.db import Conn


class SentItem(Model):
    """An item that was sent to Slack: where it is, and the digest of its content.

    `ts` is that of the message; of a pin or a file, that of the message that it belongs to.
    """

    key: str
    channel: str
    ts: str
    digest: str


async def of_incident(conn: Conn, incident_id: IncidentId) -> dict[str, SentItem]:
    """What was sent for an incident, by key."""
    query = """
        SELECT key, channel, ts, digest FROM messages WHERE incident_id = %(incident_id)s
    """
    sent = await db.fetch_all(conn, SentItem, query, incident_id=incident_id)
    return {row.key: row for row in sent}


async def save(conn: Conn, incident_id: IncidentId, sent: SentItem) -> None:
    """Record that an item was sent."""
    query = """
        INSERT INTO messages (incident_id, key, channel, ts, digest)
        VALUES (%(incident_id)s, %(key)s, %(channel)s, %(ts)s, %(digest)s)
        ON CONFLICT (incident_id, key) DO UPDATE
        SET channel = excluded.channel, ts = excluded.ts, digest = excluded.digest,
            final_while_open = NULL
    """
    await db.execute(conn, query, incident_id=incident_id, **sent.model_dump())


async def forget(conn: Conn, incident_id: IncidentId, gone: SentItem) -> None:
    """Forget a message that is gone, its pin and its files: all are to be sent again."""
    query = """
        DELETE FROM messages
        WHERE incident_id = %(incident_id)s AND channel = %(channel)s
          -- versions before this one recorded no ts for a pin
          AND (ts = %(ts)s OR key = 'pin:' || %(key)s)
    """
    values = {"channel": gone.channel, "key": gone.key, "ts": gone.ts}
    await db.execute(conn, query, incident_id=incident_id, **values)


async def delete_of_channel(conn: Conn, incident_id: IncidentId, channel: str) -> None:
    """Forget what was sent to a channel that is gone."""
    query = "DELETE FROM messages WHERE incident_id = %(incident_id)s AND channel = %(channel)s"
    await db.execute(conn, query, incident_id=incident_id, channel=channel)


async def mark_final(
    conn: Conn, incident_id: IncidentId, sent: Sequence[SentItem], *, is_open: bool
) -> None:
    """Record that these stay as they are while the incident is open, or is not."""
    query = """
        UPDATE messages SET final_while_open = %(open)s
        WHERE incident_id = %(incident_id)s
          AND (key, digest) IN (SELECT * FROM unnest(%(keys)s::text[], %(digests)s::text[]))
    """
    keys = [db.Key(message.key) for message in sent]
    digests = [db.Key(message.digest) for message in sent]
    await db.execute(conn, query, incident_id=incident_id, open=is_open, keys=keys, digests=digests)


async def final_keys(conn: Conn, incident_id: IncidentId, *, is_open: bool) -> frozenset[str]:
    """The keys of items that stay as they are while the incident is open, or is not."""
    query = """
        SELECT key FROM messages WHERE incident_id = %(incident_id)s AND final_while_open = %(open)s
    """
    cursor = await conn.execute(query, {"incident_id": incident_id, "open": is_open})
    return frozenset(str(row[0]) for row in await cursor.fetchall())


async def clear_final(conn: Conn) -> None:
    """Render everything of open incidents again, as after an upgrade with other words."""
    query = """
        UPDATE messages SET final_while_open = NULL
        WHERE final_while_open IS NOT NULL
          AND incident_id IN (SELECT id FROM incidents WHERE status <> 'resolved')
    """
    await db.execute(conn, query)
