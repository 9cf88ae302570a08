"""The database's clock."""

from datetime import datetime

from bot.store.db import Conn


async def read(conn: Conn) -> datetime:
    """The time of the database at this moment, not that of the transaction's start."""
    cursor = await conn.execute("SELECT clock_timestamp()")
    row = await cursor.fetchone()
    assert row is not None
    time: datetime = row[0]
    return time
