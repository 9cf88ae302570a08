"""The ticket shop: its orders database, and the sessions of order-service."""

import asyncio
from pathlib import Path
from typing import Self

from sandbox.databases import Conn, DatabaseRoles, ServiceDatabase, run_forever
from sandbox.postgres import Server, ServerError

HERE = Path(__file__).parent
SERVICE = "order_service"
OPEN_TIMEOUT = 15.0


class Shop(ServiceDatabase):
    """The shop's database; inside `async with`, order-service holds its connections open."""

    def __init__(self, server: Server, database: str) -> None:
        super().__init__(server, database, DatabaseRoles(SERVICE))
        self._workers: list[asyncio.Task[None]] = []

    async def clone(self, name: str) -> "Shop":
        """Copy the shop into a new database."""
        await self.server.create_database(name, template=self.database, owner=SERVICE)
        copy = Shop(self.server, name)
        await copy.apply_roles()
        return copy

    async def __aenter__(self) -> Self:
        """Open the service's connections and wait for all of them; raises ServerError."""
        habits = [*[browse] * 8, *[check_out] * 2, *[slow_down] * 2]
        opened = [asyncio.Event() for _ in habits]
        pairs = zip(habits, opened, strict=True)
        self._workers = [
            asyncio.create_task(run_forever(self.service_dsn, habit, ready))
            for habit, ready in pairs
        ]
        try:
            async with asyncio.timeout(OPEN_TIMEOUT):
                await asyncio.gather(*(ready.wait() for ready in opened))
        except BaseException as error:
            await self.__aexit__()
            if isinstance(error, TimeoutError):
                raise _no_connections(self.database) from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers.clear()


async def browse(conn: Conn) -> None:
    """Read an order every two seconds: mostly idle."""
    await conn.execute(
        "SELECT ticket_type, seat FROM order_items WHERE order_id ="
        " (SELECT id FROM orders ORDER BY created_at DESC LIMIT 1)"
    )
    await asyncio.sleep(2)


async def check_out(conn: Conn) -> None:
    """Run one slow query after another: nearly always active."""
    await conn.execute(
        "SELECT count(*), pg_sleep(0.5) FROM order_items JOIN orders ON orders.id = order_id"
        " WHERE orders.status = 'PENDING'"
    )


async def slow_down(conn: Conn) -> None:
    """Hold a transaction open while waiting for Stripe: idle in transaction."""
    async with conn.transaction():
        await conn.execute("SELECT id, status FROM orders WHERE status = 'PENDING' LIMIT 1")
        await asyncio.sleep(3)


async def build(server: Server, database: str = "orders") -> Shop:
    """Create the shop's database with its content, or use the one that was kept.

    The roles that may look at it are made anew.
    """
    shop = Shop(server, database)
    await shop.create("orders", HERE / "shop.sql")
    return shop


def _no_connections(database: str) -> ServerError:
    return ServerError(
        f"order-service got no connections to the database {database} within {OPEN_TIMEOUT:.0f} s, "
        "so it was not started. Look at postgres.log for the reason and start again."
    )
