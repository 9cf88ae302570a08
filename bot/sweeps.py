"""Sweeps take rows one by one: what cannot be read or acted on is set aside, the rest goes on."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from bot import backoff, store
from bot.model import UserError
from bot.store import db
from bot.store.db import Conn
from bot.store.set_aside import DueRow
from bot.world import World

log = logging.getLogger(__name__)

# Finds what is due at a time, except the rows of these numbers.
Find = Callable[[Conn, datetime, Sequence[int]], Awaitable[Sequence[DueRow]]]


async def each(world: World, kind: str, find: Find, act: Callable[[int], Awaitable[None]]) -> None:
    """Act on each due row in a transaction of its own; raises only when the database is away."""
    now = world.now()
    async with world.pool.connection() as conn:
        rows = await find(conn, now, world.backoff.waiting(kind, now))
    for row in rows:
        await attempt(world, kind, row, act(row.id))


async def attempt(world: World, kind: str, row: DueRow, work: Awaitable[None]) -> None:
    """Act on one row; whatever goes wrong, it is set aside and tried again later.

    Raises the database's errors when it is away.
    """
    try:
        await work
    except Exception as error:
        if db.is_away(error):
            raise
        await _set_aside(world, kind, row, error)
    else:
        if world.backoff.succeed(kind, row.id):
            async with world.pool.connection() as conn:
                await store.set_aside.delete(conn, kind, row)
                await store.publications.mark_stale(conn, row.incident_id)


async def _set_aside(world: World, kind: str, row: DueRow, error: Exception) -> None:
    now = world.now()
    world.backoff.fail(kind, row.id, now)
    message = "%s %s of INC-%s was set aside, and is tried again later. Set aside in all: %s"
    try:
        async with world.pool.connection() as conn:
            if await store.set_aside.save(conn, kind, row, _reason(error), now):
                await store.publications.mark_stale(conn, row.incident_id)
            count: object = await store.set_aside.count(conn)
    except db.OF_ONE_ROW:  # somebody keeps its incident locked: the other rows are due all the same
        count = "not known"
    log.error(message, kind, row.id, row.incident_id, count, exc_info=error)


def _reason(error: Exception) -> str:
    """What people read about it; the log has more."""
    if isinstance(error, db.UnreadableRow):
        return "unreadable"
    return str(error) if isinstance(error, UserError) else type(error).__name__


async def forget_passed(world: World) -> None:
    """Forget what has not failed for a while: it succeeded in another process, or is not due."""
    async with world.pool.connection() as conn:
        before = world.now() - 3 * backoff.LAST_RETRY
        for incident_id in await store.set_aside.delete_older(conn, before):
            await store.publications.mark_stale(conn, incident_id)


async def count_set_aside(world: World) -> int:
    """How many rows are set aside."""
    async with world.pool.connection() as conn:
        return await store.set_aside.count(conn)
