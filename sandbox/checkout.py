"""Customers who order: Stripe reports the payment, order-service confirms the order or fails."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Self

from sandbox.databases import Conn, run_forever, statements
from sandbox.shop import OPEN_TIMEOUT, Shop
from sandbox.stripe import Stripe

SQL = Path(__file__).parent / "checkout.sql"
PACE = 2.0
# Cards are declined in one of two clusters.
DECLINED_SHARE = 0.5


class Checkout:
    """What goes on in the shop inside `async with`; without pods that take orders, nothing does.

    `paid` is whether payment-service confirms what Stripe tells, `declined` whether cards are
    declined, and `fraud` whether the three suspicious users buy as well.
    """

    def __init__(
        self,
        shop: Shop,
        stripe: Stripe,
        accepts_orders: Callable[[], bool],
        *,
        pace: float = PACE,
    ) -> None:
        self.shop = shop
        self.stripe = stripe
        self.pace = pace
        self.accepts_orders = accepts_orders
        self.paid = True
        self.declined = False
        self.fraud = False
        self._task: asyncio.Task[None] | None = None
        self._order, self._fraud, self._webhook, self._confirm, self._waiting, self._give_up = (
            statements(SQL)
        )

    async def __aenter__(self) -> Self:
        opened = asyncio.Event()
        work = run_forever(self.shop.service_dsn, self._check_out_once, opened)
        self._task = asyncio.create_task(work)
        await asyncio.wait_for(opened.wait(), OPEN_TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _check_out_once(self, conn: Conn) -> None:
        if self.accepts_orders():
            await conn.execute(self._order)
            if self.fraud:
                await conn.execute(self._fraud)
            declined = self.declined and random.random() < DECLINED_SHARE
            await conn.execute(self._give_up if declined else self._webhook)
            if self.paid and not declined:
                await conn.execute(self._confirm)
        await self._tell_stripe(conn)
        await asyncio.sleep(self.pace)

    async def _tell_stripe(self, conn: Conn) -> None:
        """Mark in Stripe as undelivered what order-service has not processed."""
        waiting = {row[0]: row[1:] for row in await (await conn.execute(self._waiting)).fetchall()}
        for event_id, (kind, age) in waiting.items():
            if event_id not in self.stripe.undelivered:
                self.stripe.add_event(kind, ago=age, delivered=False, event_id=event_id)
        for event_id in self.stripe.undelivered - waiting.keys():
            self.stripe.deliver(event_id)
