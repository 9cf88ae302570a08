"""The time that decides: the database's. The clocks of replicas may be wrong, each in its way.

What one replica writes, another compares: heartbeats, leases, the expiry of a request. So all of
them go by one clock, and no replica by its own.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Self

from bot import store
from bot.store import db
from bot.store.db import Pool

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 10
TOLERATED_SKEW = 1.0  # s
# Linux has a counter that goes on while the machine is suspended.
COUNTER = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def utc_now() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)


class DatabaseClock:
    """Tells the database's time in UTC: measured now and then, and counted in between.

    `on_step` are called after this machine's clock was set to another time.
    """

    def __init__(self, wall_clock: Callable[[], datetime] = utc_now) -> None:
        self._wall_clock = wall_clock
        self._offset: float | None = None  # s, of the database's time from the counter
        self._skew = 0.0
        self.on_step: list[Callable[[], None]] = []

    def __call__(self) -> datetime:
        assert self._offset is not None, "not synchronised yet"
        return datetime.fromtimestamp(_count() + self._offset, UTC)

    async def synchronise(self, pool: Pool) -> None:
        """Measure the database's time, and log it if this machine's clock differs from it anew."""
        async with pool.connection() as conn:
            before = _count()
            measured = (await store.clock.read(conn)).timestamp()
            after = _count()
        # It was that time at some moment between the two: what agrees with this stays.
        least, most = measured - after, measured - before
        offset = (least + most) / 2 if self._offset is None else self._offset
        self._offset = min(max(offset, least), most)
        self._compare()

    def _compare(self) -> None:
        skew = (self._wall_clock() - self()).total_seconds()
        if abs(skew - self._skew) < TOLERATED_SKEW:
            return
        self._skew = skew
        if abs(skew) < TOLERATED_SKEW:
            log.info("the clock of this machine agrees with the database's again")
        else:
            log.warning(
                "the clock of this machine is %.0f s %s the database's. Runbolt goes by the "
                "database's, so nothing is done earlier or later; set this machine's clock right",
                abs(skew),
                "ahead of" if skew > 0 else "behind",
            )
        for act in self.on_step:
            act()

    @asynccontextmanager
    async def kept_in_step(self, pool: Pool) -> AsyncIterator[Self]:
        """Synchronise now, and again and again until the end."""
        await self.synchronise(pool)
        keeping = asyncio.create_task(self._keep_in_step(pool))
        try:
            yield self
        finally:
            keeping.cancel()

    async def _keep_in_step(self, pool: Pool) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            try:
                await self.synchronise(pool)
            except db.ERRORS as error:
                log.info("the database's time was not measured: %s", error)


def _count() -> float:
    """Seconds since some moment; no setting of a clock changes how fast it goes."""
    return time.clock_gettime(COUNTER)
