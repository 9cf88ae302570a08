"""Deliveries: what Slack sends twice, or somebody sends again, is done once."""

from datetime import timedelta

from bot import store
from bot.world import World

# A signed request is good for five minutes, and Slack repeats an event for an hour or two.
KEPT = timedelta(days=1)


async def claim(world: World, delivery_id: str) -> bool:
    """Whether this process is the first to work on a delivery."""
    async with world.pool.connection() as conn:
        return await store.deliveries.claim(conn, delivery_id)


async def release(world: World, delivery_id: str) -> None:
    """Let a delivery come again: nothing was done, and a person sends the same form once more."""
    async with world.pool.connection() as conn:
        await store.deliveries.release(conn, delivery_id)


async def delete_old(world: World) -> None:
    """Delete the deliveries that can no longer arrive again."""
    async with world.pool.connection() as conn:
        await store.deliveries.delete_older(conn, KEPT)
