"""The database of a service: who owns it, and the two roles through which Runbolt reaches it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, OperationalError, sql
from psycopg.errors import DuplicateDatabase

from sandbox.postgres import Server

DEPLOY = Path(__file__).parent.parent / "deploy" / "sql"
ROLES, FUNCTIONS = DEPLOY / "roles.sql", DEPLOY / "functions.sql"
# What the scripts name, for everybody to put in their own.
READER, OPERATOR = "runbolt_ro", "runbolt_ops"
TABLES = "orders, order_items, webhook_events, refunds, disputes"
# Any constant serves, as long as everybody takes the same one.
ROLES_LOCK = 4_051_772_310

Conn = AsyncConnection[Any]
Workload = Callable[[Conn], Awaitable[None]]


@dataclass(frozen=True)
class DatabaseRoles:
    """Who owns a database, who reads of it the named tables, and who may end its sessions."""

    owner: str
    reader: str = READER
    operator: str = OPERATOR
    tables: str = TABLES

    def scripts(self) -> list[bytes]:
        """The files that people run in production, with these names in them."""
        names = ((READER, self.reader), (OPERATOR, self.operator), (TABLES, self.tables))
        texts = []
        for file in (ROLES, FUNCTIONS):
            text = file.read_text(encoding="utf-8")
            for shipped, own in names:
                text = text.replace(shipped, own)
            texts.append(text.encode())
        return texts


class ServiceDatabase:
    """One database on a server, and the DSNs of its roles."""

    def __init__(self, server: Server, database: str, roles: DatabaseRoles) -> None:
        self.server = server
        self.database = database
        self.roles = roles

    @property
    def dsn(self) -> str:
        """The superuser's DSN."""
        return self.server.dsn(self.database)

    @property
    def service_dsn(self) -> str:
        """The DSN of the service, which owns the tables."""
        name = self.roles.owner.replace("_", "-")
        return self.server.dsn(self.database, self.roles.owner, application_name=name)

    @property
    def ro_dsn(self) -> str:
        """The DSN of the read-only role."""
        return self.server.dsn(self.database, self.roles.reader)

    @property
    def ops_dsn(self) -> str:
        """The DSN of the role that may terminate sessions."""
        return self.server.dsn(self.database, self.roles.operator)

    async def create(self, first_table: str, content: Path) -> None:
        """Create it with the content of an SQL file, or use what was kept; its roles are anew."""
        async with lock_roles(self.server):
            await self.server.create_role(self.roles.owner)
        with contextlib.suppress(DuplicateDatabase):
            await self.server.create_database(self.database, owner=self.roles.owner)
        async with await AsyncConnection.connect(self.service_dsn) as conn:
            await _fill(conn, first_table, content)
        async with await AsyncConnection.connect(self.dsn) as conn:
            await _add_statistics(conn)
        await self.apply_roles()

    async def apply_roles(self) -> None:
        """Run the files that people run in production, and set the roles' passwords."""
        scripts = await asyncio.to_thread(self.roles.scripts)
        async with lock_roles(self.server):
            async with await AsyncConnection.connect(self.dsn) as conn:
                for script in scripts:
                    await conn.execute(script)
            for role in (self.roles.reader, self.roles.operator):
                await self.server.allow_login(role)

    async def keep_strangers_out(self) -> None:
        """Let only the owner and the two roles connect, where the server has other databases."""
        statement = sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC")
        await self.server.execute(statement.format(sql.Identifier(self.database)))


@contextlib.asynccontextmanager
async def lock_roles(server: Server) -> AsyncIterator[None]:
    """Lock the server's roles: the server may be shared, and roles belong to it."""
    async with await AsyncConnection.connect(server.dsn()) as conn:
        await conn.execute("SELECT pg_advisory_xact_lock(%s)", [ROLES_LOCK])
        yield


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


async def run_file(conn: Conn, file: Path) -> None:
    """Run an SQL file without parameters."""
    script = await asyncio.to_thread(file.read_bytes)
    await conn.execute(script)


def statements(file: Path) -> Sequence[bytes]:
    """The SQL statements of a file in order; none may contain a semicolon itself."""
    return [
        statement.encode()
        for statement in file.read_text(encoding="utf-8").split(";")
        if statement.strip()
    ]


async def _fill(conn: Conn, first_table: str, content: Path) -> None:
    """Make the tables in one transaction, unless they exist."""
    query = "SELECT to_regclass(%s)"
    if await (await conn.execute(query, [f"public.{first_table}"])).fetchone() == (None,):
        await run_file(conn, content)


async def _add_statistics(conn: Conn) -> None:
    """Enable pg_stat_statements where the server has loaded it."""
    row = await (await conn.execute("SHOW shared_preload_libraries")).fetchone()
    if row and "pg_stat_statements" in row[0]:
        await conn.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
