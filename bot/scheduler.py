"""The scheduler: runs each sweep again and again; Postgres knows what is due.

Any number of replicas may do so at the same time.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from bot import flows, sweeps
from bot.clock import utc_now
from bot.flows import temporary_changes
from bot.publishing import publisher
from bot.world import World

Sweep = Callable[[World], Awaitable[None]]

# Seconds between two runs. A sweep claims what it takes, so they only decide how late it may be.
SWEEPS: dict[Sweep, float] = {
    flows.reminders.fire_due: 5,
    flows.approvals.expire_due: 5,
    flows.approvers.remind_halfway: 5,
    flows.deliveries.delete_old: 600,
    sweeps.forget_passed: 60,
    flows.runs.start_approved: 5,
    flows.runs.mark_interrupted: 10,
    flows.runs.check_unsettled: 10,
    temporary_changes.look_at_due: 2,
    publisher.publish_pending: 1,
}


def start(world: World) -> AsyncIOScheduler:
    """Start the scheduler: each sweep runs at once, then every interval. Needs an event loop."""
    scheduler = AsyncIOScheduler(timezone="UTC")
    for sweep, seconds in SWEEPS.items():
        scheduler.add_job(
            sweep,
            "interval",
            args=[world],
            seconds=seconds,
            next_run_time=utc_now(),
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
    scheduler.start()
    world.clock.on_step.append(partial(_run_now, scheduler))
    return scheduler


def _run_now(scheduler: AsyncIOScheduler) -> None:
    """Run every sweep now: APScheduler counts by this machine's clock, which was set back."""
    for job in scheduler.get_jobs():
        job.modify(next_run_time=utc_now())


async def run_sweeps(world: World) -> None:
    """Run every sweep once."""
    for sweep in SWEEPS:
        await sweep(world)
