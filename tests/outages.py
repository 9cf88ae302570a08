"""A database that only reads for a while, and one whose sessions an administrator ends."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection, sql
from psycopg.conninfo import conninfo_to_dict

from sandbox.postgres import Server

LOST = (
    "The bot lost its database while it worked on this, so it may be done only in part. Look at the"
    " incident's card, then do what is missing."
)
END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def end_sessions(url: str) -> None:
    """End every other session of the database."""
    async with await AsyncConnection.connect(url) as conn:
        await conn.execute(END_OTHERS)


@asynccontextmanager
async def read_only(url: str) -> AsyncIterator[None]:
    """Sessions that begin meanwhile only read, also afterwards; those of before are ended."""
    async with await AsyncConnection.connect(url, autocommit=True) as conn:
        name = sql.Identifier(conn.info.dbname)
        change = "ALTER DATABASE {} SET default_transaction_read_only TO {}"
        await conn.execute(sql.SQL(change).format(name, sql.SQL("on")))
        try:
            await conn.execute(END_OTHERS)
            yield
        finally:
            await conn.execute(sql.SQL(change).format(name, sql.SQL("DEFAULT")))


@asynccontextmanager
async def away(postgres: Server, url: str) -> AsyncIterator[None]:
    """A database that ends every session, and takes no new one."""
    name = str(conninfo_to_dict(url)["dbname"])
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    async with await AsyncConnection.connect(postgres.url, autocommit=True) as admin:
        await admin.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        try:
            query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            await admin.execute(query, [name])
            yield
        finally:
            await admin.execute(allow.format(sql.Identifier(name), sql.SQL("true")))
