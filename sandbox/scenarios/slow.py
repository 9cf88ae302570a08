"""Slow Response Times: a job locks rows for long, and checkouts wait for them."""

import asyncio
from contextlib import suppress
from typing import ClassVar

from psycopg import AsyncConnection, OperationalError

from sandbox.cluster import Load
from sandbox.scenarios.scenario import Scenario

LOAD = Load(cpu=2880, memory=402)
JOB = "SELECT settle_orders(current_date)"
LOCKED = """
    SELECT id FROM orders WHERE status = 'CONFIRMED' AND created_at < now() - interval '1 hour'
    ORDER BY created_at DESC OFFSET %s LIMIT 1
"""
CHECKOUT = "UPDATE orders SET updated_at = now() WHERE id = %s"
CHECKOUTS = 4


class Slow(Scenario):
    """Sessions of order-service wait for the first one, until somebody terminates it."""

    name: ClassVar = "slow-response-times"
    title: ClassVar = "Slow responses"
    description: ClassVar = (
        "A settlement job locks orders, checkouts wait behind it, CPU is at its limit."
    )
    next_command: ClassVar = "/incident declare sev3 Orders: checkout is slow"

    @property
    def is_active(self) -> bool:
        return bool(self.tasks) and not self.tasks[0].done()

    async def begin(self) -> None:
        await self.systems.run("slow.sql")
        started = asyncio.Event()
        self.tasks = [asyncio.create_task(self._settle(started))]
        await started.wait()
        self.tasks += [asyncio.create_task(self._check_out(number)) for number in range(CHECKOUTS)]
        self.systems.cluster.set_trouble("slow", minutes=15)
        self.systems.cluster.set_load(LOAD)

    async def _settle(self, started: asyncio.Event) -> None:
        """Run the job; the service recovers when an operator terminates it."""
        try:
            with suppress(OperationalError):
                dsn = self.systems.shop.service_dsn
                async with await AsyncConnection.connect(dsn) as conn:
                    # Its row locks stand before anybody can come to wait for them.
                    await conn.execute("SELECT count(*) FROM orders_to_settle(current_date)")
                    started.set()
                    await conn.execute(JOB)
        finally:
            started.set()
            self._recover()

    async def _check_out(self, number: int) -> None:
        """Update an order that the job locks; try again when only this session was terminated."""
        while self.is_active:
            with suppress(OperationalError):
                dsn = self.systems.shop.service_dsn
                async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
                    order = await (await conn.execute(LOCKED, [number])).fetchone()
                    await conn.execute(CHECKOUT, order)

    def _recover(self) -> None:
        self.systems.cluster.set_trouble(None)
        self.systems.cluster.set_load(None)

    async def end(self) -> None:
        await self.close()
