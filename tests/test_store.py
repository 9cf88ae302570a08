"""What the store promises two flows at once, on a real PostgreSQL."""

import asyncio
from uuid import uuid4

import pytest
from psycopg import AsyncConnection
from psycopg.errors import RaiseException

from bot import store
from bot.model import IncidentId
from bot.store import db
from tests.conftest import Bot, Walk

ID = IncidentId(1)


async def waits_for_a_lock(bot: Bot, pid: int) -> None:
    """Return as soon as the backend waits."""
    query = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
    async with bot.world.pool.connection() as conn:
        while await (await conn.execute(query, [pid])).fetchone() != ("Lock",):
            await conn.execute("SELECT pg_stat_clear_snapshot()")


async def test_publishing_ends_despite_waiting_flows(walk: Walk, bot: Bot, state: str) -> None:
    await walk.declare()
    lease = uuid4()
    async with (
        await AsyncConnection.connect(state) as flow,
        await AsyncConnection.connect(state) as publisher,
    ):
        await store.incidents.lock(flow, ID)
        await store.publications.mark_published(publisher, ID, lease, 1)
        await publisher.execute("UPDATE publications SET lease = %s", [lease])
        marking = asyncio.create_task(store.publications.mark_stale(flow, ID))
        await waits_for_a_lock(bot, flow.info.backend_pid)

        await store.publications.release(publisher, ID, lease)
        await publisher.commit()
        await marking


async def test_starting_replicas_migrate_once(database: str) -> None:
    await asyncio.gather(*(db.migrate(database) for _ in range(5)))

    async with await AsyncConnection.connect(database) as conn:
        cursor = await conn.execute("SELECT count(*), count(DISTINCT name) FROM migrations")
        applied, names = await cursor.fetchone() or (0, 0)
    assert applied == names >= 1


async def test_the_timeline_is_append_only(walk: Walk, bot: Bot) -> None:
    await walk.declare()

    for statement in (
        "UPDATE timeline SET text = ''",
        "DELETE FROM timeline",
        "TRUNCATE timeline",
        "TRUNCATE incidents CASCADE",
        "INSERT INTO timeline OVERRIDING SYSTEM VALUE SELECT * FROM timeline"
        " ON CONFLICT (id) DO UPDATE SET text = ''",
    ):
        with pytest.raises(RaiseException, match="append-only"):
            async with bot.world.pool.connection() as conn:
                await conn.execute(statement)
