"""Customers: they order, Stripe tells that they paid, and order-service confirms, or cannot."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Self

from sandbox.shop import OPEN_WITHIN, Conn, Shop, keep_at_it

SQL = Path(__file__).parent / "trade.sql"
PACE = 2.0


class Trade:
    """What goes on in the shop inside `async with`; without pods that take orders, nothing does.

    `paid` is whether payment-service confirms what Stripe tells, and `fraud` whether the three
    suspicious users buy as well.
    """

    def __init__(self, shop: Shop, takes_orders: Callable[[], bool], *, pace: float = PACE) -> None:
        self.shop = shop
        self.pace = pace
        self.takes_orders = takes_orders
        self.paid = True
        self.fraud = False
        self._task: asyncio.Task[None] | None = None
        self._order, self._fraud, self._webhook, self._confirm = statements(SQL)

    async def __aenter__(self) -> Self:
        opened = asyncio.Event()
        work = keep_at_it(self.shop.service_dsn, self._once, opened)
        self._task = asyncio.create_task(work)
        await asyncio.wait_for(opened.wait(), OPEN_WITHIN)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _once(self, conn: Conn) -> None:
        if self.takes_orders():
            await conn.execute(self._order)
            if self.fraud:
                await conn.execute(self._fraud)
            await conn.execute(self._webhook)
            if self.paid:
                await conn.execute(self._confirm)
        await asyncio.sleep(self.pace)


def statements(file: Path) -> list[bytes]:
    """The statements of a file of ours, in order; none holds a semicolon inside."""
    return [one.encode() for one in file.read_text(encoding="utf-8").split(";") if one.strip()]
