"""The clock: it only ticks; what is due is in Postgres, and any number of replicas may tick."""

from collections.abc import Awaitable, Callable

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import flows, publisher
from bot.world import World

Sweep = Callable[[World], Awaitable[None]]

# Each sweep claims what it takes, so how often it runs is only a matter of promptness.
SWEEPS: dict[Sweep, float] = {
    flows.reminders.fire_due: 5,
    flows.approvals.expire_due: 5,
    flows.runs.start_approved: 5,
    flows.runs.mark_interrupted: 10,
    flows.holds.check_interrupted: 10,
    flows.holds.keep: 5,
    publisher.publish_what_is_behind: 1,
}


def start(world: World) -> AsyncIOScheduler:
    """Start ticking; what is due already is done at once."""
    clock = AsyncIOScheduler(timezone="UTC")
    for sweep, seconds in SWEEPS.items():
        clock.add_job(
            sweep,
            "interval",
            args=[world],
            seconds=seconds,
            next_run_time=world.now(),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
    clock.start()
    return clock


async def tick(world: World) -> None:
    """Run every sweep once."""
    for sweep in SWEEPS:
        await sweep(world)
