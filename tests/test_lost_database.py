"""The bot's database restarts, ends sessions or only reads: a press works, or says what to do."""

import asyncio
from collections.abc import AsyncIterator
from typing import LiteralString

import pytest
from psycopg import AsyncConnection, conninfo
from psycopg_pool import PoolTimeout

from bot.model import UserError
from bot.settings import Settings
from bot.store import db
from bot.store.db import Conn
from sandbox.postgres import Postgres, Server
from sandbox.redis import free_port
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.databases import open_folder
from tests.outages import LOST, away, end_sessions, read_only
from tests.test_web import get

ONLY_READ = (
    "The bot's database can only be read at the moment. Nothing was done. Try again in a minute."
)
NOT_READY = "the database in DATABASE_URL is read-only, or no longer the primary"
NOTE = "@oncall noted: It is DNS"
# Waits for the lock of the incident's row in the transaction that writes.
WAITING = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
# The session ends while it commits, as if the answer to the commit were lost. A sequence counts,
# whatever is rolled back.
LOSE_COMMIT = """
    CREATE SEQUENCE attempts;
    CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN
            PERFORM nextval(''attempts'');
            PERFORM pg_terminate_backend(pg_backend_pid());
            RETURN NULL;
        END';
    CREATE CONSTRAINT TRIGGER lose_commit AFTER INSERT ON timeline
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION end_session();
"""
FIND_COMMIT = """
    DROP TRIGGER lose_commit ON timeline; DROP FUNCTION end_session; DROP SEQUENCE attempts
"""


async def note(walk: Walk, channel: str) -> str:
    """What is answered to a note."""
    await walk.say("oncall", "/incident note It is DNS", channel)
    return walk.answer("oncall")


async def fill(pool: db.Pool, statement: LiteralString = "SELECT 1") -> None:
    """Have the pool open all the connections that it may, and leave them idle."""

    async def borrow(barrier: asyncio.Barrier) -> None:
        async with pool.connection() as conn:
            await conn.execute(statement)
            await barrier.wait()

    barrier = asyncio.Barrier(pool.max_size)
    await asyncio.gather(*(borrow(barrier) for _ in range(pool.max_size)))


async def only_reads(walk: Walk) -> None:
    """Have the bot connect anew, and wait until it says that its database can only be read."""
    pool = walk.bot.world.pool
    await pool.drain()
    await walk.slack.wait_for(lambda: pool.is_read_only, seconds=20)
    assert await get(f"{walk.bot.url}/readyz") == (503, NOT_READY)


async def test_ended_sessions_fail_no_press(walk: Walk, bot: Bot, state: str) -> None:
    channel = await walk.declare()
    await fill(bot.world.pool)
    await end_sessions(state)

    async with asyncio.timeout(3):
        await note(walk, channel)

    assert (await walk.timeline(channel))[-1] == NOTE


async def test_restart_fails_no_press(walk: Walk, bot: Bot, postgres: Server) -> None:
    if not isinstance(postgres, Postgres):
        pytest.skip("the server is somebody else's")
    channel = await walk.declare()
    await fill(bot.world.pool)

    _, answer = await asyncio.gather(postgres.restart(), note(walk, channel))

    assert "went wrong" not in answer
    assert (await walk.timeline(channel)).count(NOTE) == 1


async def test_read_only_database_is_told(walk: Walk, bot: Bot, state: str) -> None:
    channel = await walk.declare()
    async with read_only(state):
        await only_reads(walk)
        bot.world.pool.timeout = 0.5

        assert await note(walk, channel) == ONLY_READ

    bot.world.pool.timeout = db.LOAN_SECONDS
    await note(walk, channel)

    assert (await walk.timeline(channel)).count(NOTE) == 1
    assert await get(f"{bot.url}/readyz") == (200, "ready")


class TestWhereTheServerBecomesAStandby:
    @pytest.fixture
    async def server(self) -> AsyncIterator[Postgres]:
        """A server of the test's own."""
        with open_folder() as folder:
            server = Postgres(folder)
            server.settings["wal_level"] = "replica"
            async with server:
                yield server

    @pytest.fixture
    async def state(self, server: Postgres) -> str:
        return await server.create_database("state")

    async def test_it_is_told_until_it_is_promoted(
        self, walk: Walk, bot: Bot, server: Postgres
    ) -> None:
        channel = await walk.declare()
        (server.folder / "postgres-data" / "standby.signal").touch()
        await server.restart()
        await only_reads(walk)
        bot.world.pool.timeout = 0.5

        assert await note(walk, channel) == ONLY_READ
        async with await AsyncConnection.connect(server.url, autocommit=True) as admin:
            await admin.execute("SELECT pg_promote()")
        bot.world.pool.timeout = db.LOAN_SECONDS
        await note(walk, channel)

        assert (await walk.timeline(channel)).count(NOTE) == 1
        assert await get(f"{bot.url}/readyz") == (200, "ready")


async def test_sessions_that_only_read_are_given_up(walk: Walk, bot: Bot) -> None:
    """They were opened while the database was read-only, and nobody ended them."""
    channel = await walk.declare()
    await fill(bot.world.pool, "SET default_transaction_read_only TO on")

    async with asyncio.timeout(3):
        await note(walk, channel)

    assert (await walk.timeline(channel))[-1] == NOTE


async def test_unwritten_press_is_done_again(walk: Walk, state: str) -> None:
    channel = await walk.declare()
    async with (
        await AsyncConnection.connect(state) as blocker,
        await AsyncConnection.connect(state, autocommit=True) as admin,
    ):
        await blocker.execute("SELECT * FROM incidents FOR UPDATE")
        saying = asyncio.create_task(note(walk, channel))
        await admin.execute("SELECT pg_terminate_backend(%s)", [await waiting(admin)])
        await waiting(admin)
        await blocker.rollback()
        await saying

    assert (await walk.timeline(channel)).count(NOTE) == 1


async def waiting(admin: Conn) -> int:
    """The process of the session that waits for a lock, once there is one."""
    async with asyncio.timeout(10):
        while not (rows := await (await admin.execute(WAITING)).fetchall()):
            pass
    return int(rows[0][0])


async def test_lost_commit_is_not_repeated(walk: Walk, state: str) -> None:
    channel = await walk.declare()
    async with await AsyncConnection.connect(state, autocommit=True) as admin:
        await admin.execute(LOSE_COMMIT)
        try:
            answer = await note(walk, channel)
            [(attempts,)] = await (
                await admin.execute("SELECT last_value FROM attempts")
            ).fetchall()
        finally:
            await admin.execute(FIND_COMMIT)

    assert answer == LOST
    assert attempts == 1


async def test_outage_does_not_slow_attempts(
    state: str, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "RECONNECT_SECONDS", 0.02)
    pool = await db.open_pool(state)
    try:
        async with away(postgres, state), asyncio.timeout(10):
            while pool.get_stats().get("connections_errors", 0) < 20:
                with pytest.raises(PoolTimeout):
                    async with pool.connection(timeout=0.05):
                        pass
        async with pool.connection():
            pass
    finally:
        await pool.close()


@pytest.mark.parametrize(
    ("role", "sentence"),
    [
        ("runbolt_ro", "is read-only, or no longer the primary: cannot execute CREATE TABLE"),
        ("stranger", "refused the bot's tables: permission denied for schema public"),
    ],
)
async def test_tables_cannot_be_made(
    given: Settings, clock: Clock, postgres: Server, database: str, role: str, sentence: str
) -> None:
    await postgres.create_role(role)
    name = str(conninfo.conninfo_to_dict(database)["dbname"])
    refused = given.model_copy(update={"database_url": postgres.dsn(name, role)})

    with pytest.raises(UserError, match=sentence) as told:
        async with start_bot(refused, clock):
            pass

    assert "othing was started" in str(told.value)


async def test_primary_is_found_among_hosts(state: str) -> None:
    # The first host takes no connections.
    parts = conninfo.conninfo_to_dict(state)
    hosts = {"host": "127.0.0.1,127.0.0.1", "port": f"{free_port()},{parts['port']}"}
    pool = await db.open_pool(conninfo.make_conninfo(state, **hosts), size=1)
    try:
        async with pool.connection() as conn:
            assert conn.info.get_parameters()["target_session_attrs"] == "read-write"
    finally:
        await pool.close()
