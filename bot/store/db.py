"""The bot's own database: the pool, the migrations, and rows as models."""

import asyncio
import logging
import select
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString, TypeVar

from psycopg import AsyncConnection, OperationalError, sql
from psycopg import Error as DatabaseError
from psycopg.errors import (
    DeadlockDetected,
    LockNotAvailable,
    QueryCanceled,
    SerializationFailure,
)
from psycopg.rows import TupleRow, dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from bot import pg_options
from bot.model import UserError

log = logging.getLogger(__name__)

Conn = AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Conn]
Row = TypeVar("Row", bound=BaseModel)

# The database is away, or was restarted: the caller may try again.
ERRORS = (OperationalError, PoolTimeout, PoolClosed)

# A row that somebody else keeps locked is no sign that the database is away.
_OF_ONE_ROW = (DeadlockDetected, LockNotAvailable, QueryCanceled, SerializationFailure)

# libpq's parameters: a silent server is probed after 20 s and given up 30 s after its last sign of
# life, before the pool runs out of connections. `tcp_user_timeout` is in ms.
CONNECTION_LIMITS = {
    "connect_timeout": 5,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 30_000,
}
# Our statements take milliseconds: one that takes this long waits for a lock that never comes.
STATEMENT_LIMIT = "-c statement_timeout=30s"

ROWS_AT_ONCE = 100

# Any constant serves, as long as every replica takes the same one.
MIGRATION_LOCK = 7_236_041_155


def is_away(error: Exception) -> bool:
    """Whether an error means that the database is away, rather than a mistake with one row."""
    return isinstance(error, ERRORS) and not isinstance(error, _OF_ONE_ROW)


async def open_pool(url: str, *, size: int = 10) -> Pool:
    """Connect, bring the schema up to date, and return the pool; raises UserError with the fix."""
    await migrate(url)
    pool: Pool = AsyncConnectionPool(
        pg_options.with_options(
            url, pg_options.TIME_ZONE_UTC, STATEMENT_LIMIT, **CONNECTION_LIMITS
        ),
        min_size=1,
        max_size=size,
        open=False,
        timeout=10,
        check=_check_alive,
    )
    try:
        await pool.open(wait=True, timeout=10)
    except PoolTimeout as error:
        await pool.close()
        raise _did_not_answer(error) from error
    return pool


async def _check_alive(conn: Conn) -> None:
    """Check a connection before it is lent: it may have died while idle.

    A server sends nothing on an idle connection but its end, so only one with data to read is
    checked. A query at each loan would be a third of all queries.
    """
    readable = select.poll()
    readable.register(conn.fileno(), select.POLLIN)
    if readable.poll(0):
        await AsyncConnectionPool.check_connection(conn)


async def migrate(url: str) -> None:
    """Apply the numbered SQL files that this database has not seen, one replica at a time.

    There is no time limit for them. Raises UserError when the database does not answer.
    """
    try:
        conn = await AsyncConnection.connect(
            pg_options.with_options(url, pg_options.TIME_ZONE_UTC, **CONNECTION_LIMITS)
        )
    except OperationalError as error:
        raise _did_not_answer(error) from error
    async with conn:
        await conn.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
        await conn.execute(
            "CREATE TABLE IF NOT EXISTS migrations"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        await _apply_missing(conn)


async def is_reachable(pool: Pool, seconds: float) -> bool:
    """Whether the database answers within so many seconds."""
    query = asyncio.create_task(_answered(pool, seconds))
    try:
        done, _ = await asyncio.wait([query], timeout=seconds)
        return bool(done) and query.result()
    finally:
        # Not awaited: with a silent server, psycopg takes 10 s to cancel a query.
        query.cancel()


async def _answered(pool: Pool, seconds: float) -> bool:
    try:
        async with pool.connection(timeout=seconds) as conn:
            await conn.execute("SELECT 1")
    except (DatabaseError, PoolTimeout):
        return False
    return True


def _did_not_answer(error: Exception) -> UserError:
    return UserError(
        "The database in DATABASE_URL did not answer, so nothing was started: "
        f"{str(error).strip()}. Check the host, the name and the password, and that it is up."
    )


async def _apply_missing(conn: Conn) -> None:
    cursor = await conn.execute("SELECT name FROM migrations")
    seen = {row[0] for row in await cursor.fetchall()}
    folder = files("bot.store") / "migrations"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".sql") and file.name not in seen:
            # The files are ours and have no parameters.
            await conn.execute(file.read_text(encoding="utf-8").encode())
            await conn.execute("INSERT INTO migrations (name) VALUES (%s)", [file.name])


@cache
def _with_columns(model: type[BaseModel], query: LiteralString) -> bytes:
    """The query with the model's columns by name: those of a newer version are left alone.

    A `*` would break the prepared statements of this version once a newer one adds a column.
    """
    names = map(sql.Identifier, model.model_fields)
    return sql.SQL(query).format(columns=sql.SQL(", ").join(names)).as_bytes()


class UnreadableRow(UserError):
    """A row that this version cannot read; `name` is such as “execution 7”."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"This version of the bot cannot read {name}. Nothing was done; the bot's log has the "
            "reason."
        )
        self.name = name


def _read(model: type[Row], row: dict[str, Any]) -> Row:
    """A row as a model; keys in its JSON that only a newer version knows are kept.

    Raises UnreadableRow.
    """
    try:
        return model.model_validate(row, extra="allow")
    except ValidationError as error:
        name = f"{model.__name__.lower()} {row.get('id') or row.get('execution_id')}"
        log.error("%s cannot be read: %s", name, error)
        raise UnreadableRow(name) from error


async def fetch_optional(
    conn: Conn, model: type[Row], query: LiteralString, **params: Any
) -> Row | None:
    """The first row as a model, or None; `{columns}` in the query are those of the model."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_with_columns(model, query), params)
        row = await cursor.fetchone()
    return None if row is None else _read(model, row)


async def fetch_one(conn: Conn, model: type[Row], query: LiteralString, **params: Any) -> Row:
    """The only row, as after an INSERT; raises LookupError when there is none."""
    row = await fetch_optional(conn, model, query, **params)
    if row is None:
        raise LookupError(f"no {model.__name__} for {sorted(params)}")
    return row


async def fetch_all(
    conn: Conn,
    model: type[Row],
    query: LiteralString,
    unreadable: list[str] | None = None,
    **params: Any,
) -> tuple[Row, ...]:
    """All rows as models; others get a turn between every few milliseconds' worth of them.

    A row that this version cannot read raises UnreadableRow. With `unreadable`, it is left out and
    named there instead.
    """
    models: list[Row | None] = []
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_with_columns(model, query), params)
        while some := await cursor.fetchmany(ROWS_AT_ONCE):
            models += [_read_or_name(model, row, unreadable) for row in some]
            if len(some) == ROWS_AT_ONCE:
                await asyncio.sleep(0)
    return tuple(read for read in models if read is not None)


def _read_or_name(
    model: type[Row], row: dict[str, Any], unreadable: list[str] | None
) -> Row | None:
    try:
        return _read(model, row)
    except UnreadableRow as bad:
        if unreadable is None:
            raise
        unreadable.append(bad.name)
        return None


async def execute(conn: Conn, query: LiteralString, **params: Any) -> int:
    """Run a statement; returns the number of rows that it changed."""
    return (await conn.execute(query, params)).rowcount


def json(value: Any) -> Jsonb:
    """A model, or anything made of models, as JSONB."""
    return Jsonb(value, dumps=to_json)
