"""What arrived from Slack: each delivery is claimed by one process, once."""

from datetime import timedelta

from bot.store import db
from bot.store.db import Conn


async def claim(conn: Conn, delivery_id: str) -> bool:
    """Claim a delivery; False when it was claimed before."""
    query = "INSERT INTO deliveries (id) VALUES (%(id)s) ON CONFLICT DO NOTHING"
    return await db.execute(conn, query, id=db.Key(delivery_id)) == 1


async def release(conn: Conn, delivery_id: str) -> None:
    """Forget that a delivery was claimed."""
    await db.execute(conn, "DELETE FROM deliveries WHERE id = %(id)s", id=db.Key(delivery_id))


async def delete_older(conn: Conn, age: timedelta) -> None:
    """Delete what was claimed longer ago."""
    query = "DELETE FROM deliveries WHERE seen_at < now() - %(age)s::interval"
    await db.execute(conn, query, age=age)
