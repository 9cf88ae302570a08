"""The bot's own database: the pool, the migrations, and rows as models."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString, Self, TypeVar

from psycopg import AsyncConnection, AsyncCursor, OperationalError, conninfo, sql
from psycopg import Error as DatabaseError
from psycopg.errors import (
    DeadlockDetected,
    LockNotAvailable,
    QueryCanceled,
    ReadOnlySqlTransaction,
    SerializationFailure,
)
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow, dict_row
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json, to_jsonable_python

from bot.model import UserError
from bot.redaction import redact_values
from bot.systems import values

log = logging.getLogger(__name__)

Conn = AsyncConnection[TupleRow]
Row = TypeVar("Row", bound=BaseModel)

# The database is away, was restarted or only reads: the caller may try again.
ERRORS = (OperationalError, ReadOnlySqlTransaction, PoolTimeout, PoolClosed)
# Whatever the database answers but rows, such as that a table is not there.
ANY_ERROR = (DatabaseError, PoolClosed)
# Classes of SQLSTATE: the connection broke, a deadlock, the server shut down. Without any, libpq
# itself noticed.
LOST_SESSION = ("08", "40", "57P")

# A row that somebody else keeps locked is no sign that the database is away.
OF_ONE_ROW = (DeadlockDetected, LockNotAvailable, QueryCanceled, SerializationFailure)

# libpq's parameters: a silent server is probed after 20 s and given up 30 s after its last sign of
# life, before the pool runs out of connections. `tcp_user_timeout` is in ms.
CONNECTION_LIMITS = {
    "connect_timeout": 5,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 30_000,
}
# How long somebody waits for a connection: after a failure, pgbouncer tries again only after 15 s.
LOAN_SECONDS = 20.0
# The pool would wait twice as long after each failure: after an outage, minutes too long.
RECONNECT_SECONDS = 1.0

# Our statements take milliseconds: one that takes this long waits for a lock that never comes.
# None of these takes a snapshot, so a transaction may still choose its isolation level.
BEGIN: LiteralString = """
    BEGIN;
    SET LOCAL statement_timeout = '30s';
    SET LOCAL idle_in_transaction_session_timeout = '20s';
    SET LOCAL TimeZone = 'UTC';
    SHOW transaction_read_only
"""
# In one message: whether the transaction wrote or locked a row, and its end.
COMMIT: LiteralString = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL; COMMIT"

ROWS_AT_ONCE = 100
NEW_WORD = re.compile(r"\B(?=[A-Z])")
LONG = 8192  # characters

# Any constant serves, as long as every replica takes the same one.
MIGRATION_LOCK = 7_236_041_155


def is_away(error: Exception) -> bool:
    """Whether an error means that the database is away, rather than a mistake with one row."""
    return isinstance(error, ERRORS) and not isinstance(error, OF_ONE_ROW)


class Writes:
    """Whether anything was committed, or may have been: the answer to a commit can get lost."""

    def __init__(self) -> None:
        self.any = False


_watched: ContextVar[Writes | None] = ContextVar("watched", default=None)


@contextmanager
def watching_writes() -> Iterator[Writes]:
    """Watch what this task, and those that it starts, write from here on."""
    writes = Writes()
    token = _watched.set(writes)
    try:
        yield writes
    finally:
        _watched.reset(token)


class Exact(Jsonb):
    """JSON that the bot acts on, such as parameters: it is stored as it is."""


class Key(str):
    """A text that only programs read, such as an id of Slack's: it is compared as it is."""

    __slots__ = ()


class RedactingCursor(AsyncCursor[TupleRow]):
    """A cursor whose parameters pass the gate: each text, and each text in JSON."""

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        """Run a statement; long parameters are masked in a thread, so that nobody waits."""
        return await super().execute(query, await _redacted(params), **options)


async def _redacted(params: Any) -> Any:
    if not params:
        return params
    if sum(map(_size, params.values() if isinstance(params, Mapping) else params)) > LONG:
        return await asyncio.to_thread(_redact_all, params)
    return _redact_all(params)


def _size(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_size, value))
    if isinstance(value, Jsonb):
        return 0 if isinstance(value, Exact) else len(to_json(value.obj))
    return len(value) if isinstance(value, str) and not isinstance(value, Key) else 0


def _redact_all(params: Any) -> Any:
    if isinstance(params, Mapping):
        return {name: _redact_one(value) for name, value in params.items()}
    return [_redact_one(value) for value in params]


def _redact_one(value: Any) -> Any:
    if isinstance(value, list):  # compared with texts that were masked when they were stored
        return [_redact_one(each) for each in value]
    if isinstance(value, Jsonb) and not isinstance(value, Exact):
        return Jsonb(redact_values(to_jsonable_python(value.obj)), dumps=to_json)
    is_text = isinstance(value, str) and not isinstance(value, Key)
    return redact_values(value) if is_text else value


class Pool(AsyncConnectionPool[Conn]):
    """Lends connections in a transaction that has begun, with the settings that all of them have.

    So a session that has ended, or that only reads, is found before it is lent. `is_read_only` is
    whether the newest session that was tried only reads: its server is no longer the primary, or
    was made read-only.
    """

    def __init__(self, url: str, size: int) -> None:
        super().__init__(
            _connection_string(url),
            # The pool begins the transactions itself.
            kwargs={"autocommit": True, "cursor_factory": RedactingCursor},
            min_size=1,
            max_size=size,
            open=False,
            timeout=LOAN_SECONDS,
            configure=self._configure,
            check=self._lend,
            reconnect_timeout=RECONNECT_SECONDS,
            reconnect_failed=AsyncConnectionPool.check,
        )
        self.is_read_only = False

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator[Conn]:
        """Lend a connection for one transaction, which an error rolls back."""
        async with super().connection(timeout) as conn:
            yield conn
            if conn.info.transaction_status is TransactionStatus.INTRANS:
                await _commit(conn)

    async def _configure(self, conn: Conn) -> None:
        """Prepare a new connection; raises OperationalError for a session that only reads."""
        values.register(conn.adapters)
        await self._begin(conn)
        [(pid,)] = await (await conn.execute("SELECT pg_backend_pid()")).fetchall()
        if pid != conn.info.backend_pid:  # behind a pooler: another session knows no statement
            conn.prepare_threshold = None
        await conn.rollback()

    async def _lend(self, conn: Conn) -> None:
        """Begin the borrower's transaction; raises OperationalError."""
        try:
            await self._begin(conn)
        except OperationalError:
            # The other sessions are of the same server: each would cost the borrower another wait.
            await self.drain()
            raise

    async def _begin(self, conn: Conn) -> None:
        """Begin a transaction; raises OperationalError for a session that ended or only reads."""
        cursor = await conn.execute(BEGIN)
        await cursor.set_result(-1)
        self.is_read_only = await cursor.fetchone() == ("on",)
        if self.is_read_only:
            # Within the transaction: so a pooler gives up its session too.
            await conn.close()
            raise OperationalError("the session only reads")


async def _commit(conn: Conn) -> None:
    """Commit, and tell who watches when something was written, or may have been."""
    writes = _watched.get() or Writes()
    wrote_before, writes.any = writes.any, True
    cursor = await conn.execute(COMMIT)
    [(wrote,)] = await cursor.fetchall()
    writes.any = wrote_before or wrote


async def open_pool(url: str, *, size: int = 10) -> Pool:
    """Connect, bring the schema up to date, and return the pool; raises UserError with the fix."""
    await migrate(url)
    pool = Pool(url, size)
    try:
        await pool.open(wait=True, timeout=10)
    except PoolTimeout as error:
        await pool.close()
        raise _not_started(error) from error
    return pool


async def migrate(url: str) -> None:
    """Apply the numbered SQL files that this database has not seen, one replica at a time.

    There is no time limit for them. Raises UserError when the database does not answer, or refuses
    them.
    """
    try:
        async with await AsyncConnection.connect(_connection_string(url)) as conn:
            await conn.execute("SET LOCAL statement_timeout = 0")
            await conn.execute("SET LOCAL TimeZone = 'UTC'")
            await conn.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATION_LOCK])
            await conn.execute(
                "CREATE TABLE IF NOT EXISTS migrations"
                " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
            )
            await _apply_missing(conn)
    except DatabaseError as error:
        raise _not_started(error) from error


def _connection_string(url: str) -> str:
    """The URL with our limits where it sets none; of several hosts, the one that takes writes.

    It has no `options`: a pooler such as pgbouncer refuses them.
    """
    parameters = conninfo.conninfo_to_dict(url)
    defaults: dict[str, str | int] = dict(CONNECTION_LIMITS)
    if "," in str(parameters.get("host") or parameters.get("hostaddr")):
        defaults["target_session_attrs"] = "read-write"
    return conninfo.make_conninfo("", **{**defaults, **parameters})


def is_lost_session(error: Exception) -> bool:
    """Whether the session ended, or its transaction lost a deadlock: another try may succeed."""
    if not isinstance(error, OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(LOST_SESSION)


async def problem(pool: Pool, seconds: float) -> str | None:
    """Why the database cannot be written to, as found within so many seconds; None if it can."""
    # The pool tries again every second, so it need not be tried here.
    answers = pool.is_read_only or await _answers(pool, seconds)
    if pool.is_read_only:
        return "the database in DATABASE_URL is read-only, or no longer the primary"
    return None if answers else "the database in DATABASE_URL does not answer"


async def _answers(pool: Pool, seconds: float) -> bool:
    """Whether the pool lends a connection within so many seconds."""
    loan = asyncio.create_task(_is_lent(pool, seconds))
    try:
        done, _ = await asyncio.wait([loan], timeout=seconds)
        return bool(done) and loan.result()
    finally:
        # Not awaited: with a silent server, psycopg takes 10 s to cancel a query.
        loan.cancel()


async def _is_lent(pool: Pool, seconds: float) -> bool:
    """Whether the pool lends a connection: it has begun a transaction on it."""
    try:
        async with pool.connection(timeout=seconds):
            return True
    except (DatabaseError, PoolTimeout, PoolClosed):
        return False


def _not_started(error: Exception) -> UserError:
    """What people read when the bot cannot start."""
    reason = str(error).strip().rstrip(".")
    match error:
        case ReadOnlySqlTransaction():
            text = (
                f"The database in DATABASE_URL is read-only, or no longer the primary: {reason}. "
                "Nothing was started. Name the primary, or let the bot's role write."
            )
        case OperationalError() | PoolTimeout():
            text = (
                f"The database in DATABASE_URL did not answer, so nothing was started: {reason}. "
                "Check the host, the name and the password, and that it is up."
            )
        case _:
            text = (
                f"The database in DATABASE_URL refused the bot's tables: {reason}. Nothing was "
                "started, and no table was changed. Let the bot's role own this database."
            )
    return UserError(text)


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
    names = sql.SQL(", ").join(map(sql.Identifier, model.model_fields))
    return query.encode().replace(b"{columns}", names.as_bytes())


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
        noun = NEW_WORD.sub(" ", model.__name__).lower()
        name = f"{noun} {row.get('id') or row.get('execution_id')}"
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
    *,
    strict: bool = False,
    **params: Any,
) -> tuple[Row, ...]:
    """All rows as models; others get a turn between every few milliseconds' worth of them.

    A row that this version cannot read is left out, logged, and named in `unreadable`; `strict`
    raises UnreadableRow instead, for decisions that need every row.
    """
    models: list[Row | None] = []
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_with_columns(model, query), params)
        while some := await cursor.fetchmany(ROWS_AT_ONCE):
            models += [_read_or_name(model, row, unreadable, strict=strict) for row in some]
            if len(some) == ROWS_AT_ONCE:
                await asyncio.sleep(0)
    return tuple(read for read in models if read is not None)


async def fetch_first(
    conn: Conn, model: type[Row], query: LiteralString, **params: Any
) -> Row | None:
    """The first row that can be read as a model, or None."""
    rows = await fetch_all(conn, model, query, **params)
    return rows[0] if rows else None


def _read_or_name(
    model: type[Row], row: dict[str, Any], unreadable: list[str] | None, *, strict: bool
) -> Row | None:
    try:
        return _read(model, row)
    except UnreadableRow as bad:
        if strict:
            raise
        if unreadable is not None:
            unreadable.append(bad.name)
        return None


async def execute(conn: Conn, query: LiteralString, **params: Any) -> int:
    """Run a statement; returns the number of rows that it changed."""
    return (await conn.execute(query, params)).rowcount


def json(value: Any) -> Jsonb:
    """A model, or anything made of models, as JSONB; each text in it is masked."""
    return Jsonb(value, dumps=to_json)


def exact_json(value: Any) -> Jsonb:
    """The same for what the bot acts on: nothing in it is changed."""
    return Exact(value, dumps=to_json)
