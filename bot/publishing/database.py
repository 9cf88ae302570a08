"""Publishing's connections to the bot's own database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.store.db import Conn
from bot.world import World


@asynccontextmanager
async def connection(world: World) -> AsyncIterator[Conn]:
    """A connection whose transaction ends with the block; the others of the pool are for flows."""
    async with world.publishers.connections, world.pool.connection() as conn:
        yield conn
