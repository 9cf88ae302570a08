"""The ticket shop: its orders database, and the sessions of order-service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Self

from psycopg import AsyncConnection, OperationalError
from psycopg.errors import DuplicateDatabase

from sandbox.postgres import Server, ServerError

HERE = Path(__file__).parent
ROLES = HERE.parent / "deploy" / "sql" / "roles.sql"
FUNCTIONS = HERE.parent / "deploy" / "sql" / "functions.sql"
SERVICE = "order_service"
READER, OPERATOR = "runbolt_ro", "runbolt_ops"
# Any constant serves, as long as everybody takes the same one.
ROLES_LOCK = 4_051_772_310
OPEN_TIMEOUT = 15.0

Conn = AsyncConnection[Any]
Workload = Callable[[Conn], Awaitable[None]]


class Shop:
    """The shop's database; inside `async with`, order-service holds its connections open."""

    def __init__(self, server: Server, database: str) -> None:
        self.server = server
        self.database = database
        self._workers: list[asyncio.Task[None]] = []

    @property
    def dsn(self) -> str:
        """The superuser's DSN."""
        return self.server.dsn(self.database)

    @property
    def service_dsn(self) -> str:
        """The DSN of order-service, which owns the tables."""
        return self.server.dsn(self.database, SERVICE, application_name="order-service")

    @property
    def ro_dsn(self) -> str:
        """The DSN of the read-only role."""
        return self.server.dsn(self.database, READER)

    @property
    def ops_dsn(self) -> str:
        """The DSN of the role that may terminate sessions."""
        return self.server.dsn(self.database, OPERATOR)

    async def clone(self, name: str) -> "Shop":
        """Copy the shop into a new database."""
        await self.server.create_database(name, template=self.database, owner=SERVICE)
        copy = Shop(self.server, name)
        await apply_roles(copy)
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


async def run_forever(dsn: str, habit: Workload, ready: asyncio.Event) -> None:
    """Repeat a workload; reconnect when an operator terminates the session, as pools do."""
    while True:
        try:
            async with await AsyncConnection.connect(dsn, autocommit=True) as conn:
                await conn.execute("SELECT 1")
                ready.set()
                while True:
                    await habit(conn)
        except OperationalError:
            # A cancelled statement may end as one that the server gave up.
            if (task := asyncio.current_task()) and task.cancelling():
                return
            await asyncio.sleep(0.2)


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
    async with lock_roles(server):
        await server.create_role(SERVICE)
    with contextlib.suppress(DuplicateDatabase):
        await server.create_database(database, owner=SERVICE)
    async with await AsyncConnection.connect(shop.service_dsn) as conn:
        await fill(conn)
    async with await AsyncConnection.connect(shop.dsn) as conn:
        await add_statistics(conn)
    await apply_roles(shop)
    return shop


@contextlib.asynccontextmanager
async def lock_roles(server: Server) -> AsyncIterator[None]:
    """Lock the server's roles: the server may be shared, and roles belong to it."""
    async with await AsyncConnection.connect(server.dsn()) as conn:
        await conn.execute("SELECT pg_advisory_xact_lock(%s)", [ROLES_LOCK])
        yield


async def fill(conn: Conn) -> None:
    """Fill the shop's tables in one transaction, unless they exist."""
    table = await (await conn.execute("SELECT to_regclass('public.orders')")).fetchone()
    if table == (None,):
        await run_file(conn, HERE / "shop.sql")


async def apply_roles(shop: Shop) -> None:
    """Run the files that people run in production, and set the roles' passwords."""
    async with lock_roles(shop.server):
        async with await AsyncConnection.connect(shop.dsn) as conn:
            await run_file(conn, ROLES)
            await run_file(conn, FUNCTIONS)
        for role in (READER, OPERATOR):
            await shop.server.allow_login(role)


async def add_statistics(conn: Conn) -> None:
    """Enable pg_stat_statements where the server has loaded it."""
    row = await (await conn.execute("SHOW shared_preload_libraries")).fetchone()
    if row and "pg_stat_statements" in row[0]:
        await conn.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")


async def run_file(conn: Conn, file: Path) -> None:
    """Run an SQL file without parameters."""
    script = await asyncio.to_thread(file.read_bytes)
    await conn.execute(script)


def _no_connections(database: str) -> ServerError:
    return ServerError(
        f"order-service got no connections to the database {database} within {OPEN_TIMEOUT:.0f} s, "
        "so it was not started. Look at postgres.log for the reason and start again."
    )
