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


async def test_drawing_ends_while_a_flow_waits_for_the_picture(
    walk: Walk, bot: Bot, state: str
) -> None:
    await walk.declare()
    lease = uuid4()
    async with (
        await AsyncConnection.connect(state) as flow,
        await AsyncConnection.connect(state) as drawer,
    ):
        await store.incidents.lock(flow, ID)
        await store.publications.mark_published(drawer, ID, lease, 1)
        await drawer.execute("UPDATE publications SET lease = %s", [lease])
        wanting = asyncio.create_task(store.publications.mark_stale(flow, ID))
        await waits_for_a_lock(bot, flow.info.backend_pid)

        await store.publications.release(drawer, ID, lease)
        await drawer.commit()
        await wanting


async def test_replicas_that_start_at_once_make_the_schema_once(database: str) -> None:
    await asyncio.gather(*(db.migrate(database) for _ in range(5)))

    async with await AsyncConnection.connect(database) as conn:
        cursor = await conn.execute("SELECT count(*), count(DISTINCT name) FROM migrations")
        applied, names = await cursor.fetchone() or (0, 0)
    assert applied == names >= 1


async def test_the_timeline_is_never_changed(walk: Walk, bot: Bot) -> None:
    await walk.declare()

    for statement in ("UPDATE timeline SET text = ''", "DELETE FROM timeline"):
        with pytest.raises(RaiseException, match="append-only"):
            async with bot.world.pool.connection() as conn:
                await conn.execute(statement)
