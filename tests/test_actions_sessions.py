"""Ending long queries: exactly the sessions that people approved, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg import Error as PostgresError
from psycopg.types.json import Jsonb

from bot.actions import Systems
from bot.backends import Backend, Backends, Ending
from bot.database import Database, DatabaseError
from bot.model import UserError
from bot.settings import Settings
from bot.views import presses
from commands.actions.sessions import EndQueries
from sandbox.shop import Shop
from sandbox.slack import Refusal
from tests.cluster_fixtures import Told, systems
from tests.conftest import Bot, Walk

__all__ = ["systems"]

Conn = AsyncConnection[Any]

# Answers when a session's query has run for a second, and at once when it has not begun.
LONG_ENOUGH = """
    SELECT pg_sleep_until(query_start + interval '1.1 s') FROM pg_stat_activity
    WHERE pid = %s AND state = 'active'
"""
SLEEP = "SELECT pg_sleep(60)"


class Session:
    """Somebody's session with a query under way."""

    def __init__(self, conn: Conn, query: str) -> None:
        self.conn = conn
        self.pid = conn.info.backend_pid
        self.running = asyncio.create_task(self._run(query))

    async def _run(self, query: str) -> str:
        """How the query ended: with an SQLSTATE, or empty."""
        try:
            await self.conn.execute(query.encode())
        except PostgresError as error:
            return error.sqlstate or type(error).__name__
        return ""

    async def ended(self) -> bool:
        """Whether an administrator's command ended the session, waited for."""
        async with asyncio.timeout(10):
            return await self.running == "57P01"

    async def alive(self) -> bool:
        """Whether the session still runs its query."""
        return not self.running.done() and not self.conn.closed


class Sessions:
    """Opens sessions of the service and others, and closes what is left of them."""

    def __init__(self, shop: Shop, admin: Conn, stack: AsyncExitStack) -> None:
        self.shop = shop
        self.admin = admin
        self._stack = stack

    async def open(self, *queries: str, dsn: str = "", **more: Any) -> Session:
        """A session that runs the last of its queries; it has run for a second."""
        target = dsn or self.shop.service_dsn
        conn = await AsyncConnection.connect(target, autocommit=True, **more)
        self._stack.push_async_callback(conn.close)
        *before, last = queries or (SLEEP,)
        for query in before:
            await conn.execute(query.encode())
        session = Session(conn, last)
        self._stack.push_async_callback(_stop, session.running)
        await self.has_run(session.pid)
        return session

    async def jam(self) -> tuple[Session, Session]:
        """One that holds a lock and is busy, and one that waits for it."""
        holds = await self.open("BEGIN", "LOCK TABLE orders IN EXCLUSIVE MODE", SLEEP)
        update = "UPDATE orders SET status = 'PENDING' WHERE customer_email = 'bob@example.com'"
        return holds, await self.open(update)

    async def has_run(self, pid: int) -> None:
        while not await (await self.admin.execute(LONG_ENOUGH, [pid])).fetchall():
            pass

    async def cancel(self, session: Session) -> None:
        """End its query, and not the session."""
        await self.admin.execute("SELECT pg_cancel_backend(%s)", [session.pid])
        await session.running

    async def of_role(self, role: str) -> int:
        """How many sessions a role has open in this database."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND datname = %s"
        [found] = await (await self.admin.execute(query, [role, self.shop.database])).fetchall()
        return int(found[0])


async def _stop(task: asyncio.Task[str]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def shared_shop(shop: Shop) -> Shop:
    """Sessions are counted here, so the bot looks at a shop of the test's own."""
    return shop


@pytest.fixture
async def sessions(shop: Shop) -> AsyncIterator[Sessions]:
    async with AsyncExitStack() as stack:
        conn = await AsyncConnection.connect(shop.dsn, autocommit=True)
        admin = await stack.enter_async_context(conn)
        yield Sessions(shop, admin, stack)


async def ask(walk: Walk, longer_than: str = "1 s") -> str:
    """Ask for the end of the long queries; the channel."""
    channel = await walk.declare(severity="sev3")
    await walk.step("oncall", "end-queries", channel)
    await walk.submit("oncall", longer_than=longer_than, reason="Orders wait for a lock")
    return channel


async def test_the_plan_names_each_session_and_ends_none(walk: Walk, sessions: Sessions) -> None:
    holds, waits = await sessions.jam()

    channel = await ask(walk)

    seen = walk.text(channel)
    assert "End 2 sessions" in seen
    assert f"- {holds.pid}: order_service, order-service" in seen
    assert f"active, waits for Timeout: PgSleep; blocks {waits.pid}" in seen
    assert f"- {waits.pid}: order_service, order-service" in seen
    assert "active, waits for Lock: relation" in seen
    assert "UPDATE orders SET status = 'PENDING' WHERE customer_email = '[masked]'" in seen
    assert "There is no undo" in seen
    assert "Needs 1 more approval" in seen
    assert await holds.alive()
    assert await waits.alive()


async def test_an_approval_ends_the_sessions_that_block_each_other_and_no_other(
    walk: Walk, sessions: Sessions
) -> None:
    holds, waits = await sessions.jam()
    channel = await ask(walk)
    late = await sessions.open()

    await walk.press("second", presses.APPROVE, channel)

    assert await holds.ended()
    assert await waits.ended()
    assert await late.alive()
    seen = walk.text(channel)
    assert "Done and checked." in seen
    assert f"2 of 2 sessions ended. {holds.pid} was ended. {waits.pid} was ended." in seen
    assert "None of them runs that query any more." in seen
    assert "Undo" not in walk.buttons(channel)
    assert await sessions.of_role("runbolt_ops") == 0


async def test_what_ended_by_itself_is_told_and_what_came_after_is_left_alone(
    walk: Walk, sessions: Sessions
) -> None:
    slow, goes_on, leaves = [await sessions.open() for _ in range(3)]
    channel = await ask(walk)
    await sessions.cancel(leaves)
    await leaves.conn.close()
    await sessions.cancel(goes_on)
    again = Session(goes_on.conn, SLEEP)
    await sessions.has_run(again.pid)

    await walk.press("second", presses.APPROVE, channel)

    assert await slow.ended()
    assert await again.alive()
    seen = walk.text(channel)
    assert "Done and checked." in seen
    assert f"1 of 3 sessions ended. {slow.pid} was ended." in seen
    assert f"{leaves.pid} had ended by itself." in seen
    assert f"{again.pid} had finished that query by itself, and its session was left" in seen
    await sessions.cancel(again)


async def test_a_pid_that_was_given_away_again_is_not_touched(
    walk: Walk, bot: Bot, sessions: Sessions
) -> None:
    """As after a reuse: what was approved began earlier than the session that has its pid now."""
    innocent = await sessions.open()
    channel = await ask(walk)
    async with bot.world.pool.connection() as conn:
        found = await (await conn.execute("SELECT params FROM executions")).fetchone()
        assert found is not None
        params = dict(found[0])
        [backend] = [Backend.model_validate(one) for one in params["backends"]]
        earlier = backend.model_copy(update={"started": backend.started - timedelta(hours=1)})
        params["backends"] = [earlier.model_dump(mode="json")]
        plan = await EndQueries.model_validate(params).plan(bot.world.systems)
        await conn.execute(
            "UPDATE executions SET params = %s, plan = %s, plan_digest = %s",
            [Jsonb(params), Jsonb(plan.model_dump(mode="json")), plan.digest],
        )

    await walk.press("second", presses.APPROVE, channel)

    assert await innocent.alive()
    assert f"0 of 1 session ended. {innocent.pid} is another session by now" in walk.text(channel)


async def test_superusers_and_the_bot_itself_are_never_ended(
    walk: Walk, shop: Shop, sessions: Sessions
) -> None:
    spared = [
        await sessions.open(dsn=shop.dsn),
        await sessions.open(dsn=shop.ro_dsn),
        await sessions.open(dsn=shop.ops_dsn),
        await sessions.open(application_name="runbolt"),
    ]

    channel = await ask(walk)

    told = walk.text(channel)
    assert "No query that may be ended has run for more than 1 s" in told
    assert "superusers, of replication and of the bot itself are never ended" in told
    assert all([await one.alive() for one in spared])


async def test_a_backend_without_a_client_is_none_of_the_sessions(
    systems: Systems, shop: Shop, sessions: Sessions
) -> None:
    """A worker that helps a query is seen as active under the same user, and goes with it."""
    slow = await sessions.open("SET debug_parallel_query = on", SLEEP)
    query = "SELECT backend_type FROM pg_stat_activity WHERE leader_pid = %s AND state = 'active'"
    workers = await (await sessions.admin.execute(query, [slow.pid])).fetchall()
    assert workers == [("parallel worker",)]

    change = await long_ones(shop).settle(doors(systems, shop))

    assert [one.pid for one in change.backends] == [slow.pid]


async def test_nothing_long_is_nothing_to_do(walk: Walk) -> None:
    channel = await ask(walk, "30 s")

    assert "has run for more than 30 s" in walk.text(channel)
    assert "there is nothing to do" in walk.text(channel)
    assert presses.APPROVE not in str(walk.slack.messages(channel, "oncall"))


@pytest.mark.parametrize("longer_than", ["soon", "0 s", "25 h"])
async def test_a_span_that_is_none_is_said_in_the_form(walk: Walk, longer_than: str) -> None:
    with pytest.raises(Refusal):
        await ask(walk, longer_than)


class TestWithoutTheSecondDoor:
    """The bot was not given the role that ends sessions."""

    @pytest.fixture
    def given(self, given: Settings) -> Settings:
        return given.model_copy(update={"orders_database_admin_url": None})

    async def test_the_variable_and_the_fix_are_named(self, walk: Walk, sessions: Sessions) -> None:
        slow = await sessions.open()

        channel = await ask(walk)

        told = walk.text(channel)
        assert "ORDERS_DATABASE_ADMIN_URL is not set" in told
        assert "Set it to a PostgreSQL URL of the role runbolt_ops" in told
        assert await slow.alive()


class TestWithAnUnreachableSecondDoor:
    """The second door is used by approved executions only."""

    @pytest.fixture
    def given(self, given: Settings) -> Settings:
        nowhere = "postgresql://runbolt_ops:hunter2@127.0.0.1:1/orders"
        return given.model_copy(update={"orders_database_admin_url": nowhere})

    async def test_it_is_asked_for_without_it_and_not_done(
        self, walk: Walk, sessions: Sessions
    ) -> None:
        slow = await sessions.open()
        channel = await ask(walk)
        assert "Needs 1 more approval" in walk.text(channel)

        await walk.press("second", presses.APPROVE, channel)

        seen = walk.text(channel)
        assert "*Not done.* The database cannot be reached to end sessions" in seen
        assert "No session was ended." in seen
        assert "hunter2" not in seen
        assert await slow.alive()


class TestWithARoleThatMayNot:
    """The second door's role was not granted pg_signal_backend."""

    @pytest.fixture
    async def weak(self, shop: Shop) -> str:
        await shop.server.create_role("weak")
        async with await AsyncConnection.connect(shop.dsn) as conn:
            await conn.execute("GRANT pg_read_all_stats TO weak")
        return shop.server.dsn(shop.database, "weak")

    @pytest.fixture
    def given(self, given: Settings, weak: str) -> Settings:
        return given.model_copy(update={"orders_database_admin_url": weak})

    async def test_the_grant_is_named_before_anybody_is_asked(
        self, walk: Walk, sessions: Sessions
    ) -> None:
        slow = await sessions.open()

        channel = await ask(walk)

        assert "The role weak may not end sessions" in walk.text(channel)
        assert "pg_signal_backend as in deploy/sql" in walk.text(channel)
        assert await slow.alive()

    async def test_a_grant_taken_back_at_the_last_moment_is_told_for_each(
        self, systems: Systems, shop: Shop, sessions: Sessions, weak: str
    ) -> None:
        slow = await sessions.open()
        change = await long_ones(shop).settle(doors(systems, shop))
        without = replace(doors(systems, shop), backends=Backends(weak))

        done = await change.execute(without, await change.plan(doors(systems, shop)), Told().run)
        verdict = await change.verify(without, await change.plan(doors(systems, shop)), Told().run)

        assert done == f"0 of 1 session ended. {slow.pid} may not be ended by the bot's role."
        assert (verdict.ok, verdict.done) == (False, False)
        assert await slow.alive()


class TestWithAnUnreachableFirstDoor:
    """What cannot be looked at is not ended."""

    @pytest.fixture
    def given(self, given: Settings) -> Settings:
        nowhere = "postgresql://runbolt_ro:hunter2@127.0.0.1:1/orders"
        return given.model_copy(update={"orders_database_url": nowhere})

    async def test_it_is_not_asked_for(self, walk: Walk) -> None:
        channel = await ask(walk)

        assert "The database cannot be reached" in walk.text(channel)
        assert presses.APPROVE not in str(walk.slack.messages(channel, "oncall"))


def doors(systems: Systems, shop: Shop) -> Systems:
    return replace(systems, database=Database(shop.ro_dsn), backends=Backends(shop.ops_dsn))


def long_ones(shop: Shop) -> EndQueries:
    return EndQueries.model_validate(
        {"database": shop.database, "longer_than": "1 s", "deadline_seconds": 0.5}
    )


async def test_sessions_that_are_hidden_are_not_taken_for_none(
    systems: Systems, shop: Shop, sessions: Sessions
) -> None:
    await sessions.open(dsn=shop.ro_dsn)
    blind = replace(doors(systems, shop), database=Database(shop.service_dsn))

    with pytest.raises(DatabaseError, match=r"may not see .*pg_read_all_stats"):
        await long_ones(shop).settle(blind)


async def test_the_plan_stays_the_same_while_its_sessions_go(
    systems: Systems, shop: Shop, sessions: Sessions
) -> None:
    slow = await sessions.open()
    change = await long_ones(shop).settle(doors(systems, shop))
    before = await change.plan(doors(systems, shop))
    await sessions.cancel(slow)
    await sessions.open()

    again = EndQueries.model_validate(change.model_dump(mode="json"))

    assert (await again.plan(doors(systems, shop))).digest == before.digest
    assert list(before.fingerprint) == [str(slow.pid)]
    assert before.undo is None


async def test_more_sessions_than_one_may_answer_for_are_refused(
    systems: Systems, shop: Shop, sessions: Sessions
) -> None:
    opened = [await AsyncConnection.connect(shop.service_dsn, autocommit=True) for _ in range(51)]
    asleep = [Session(conn, SLEEP) for conn in opened]
    try:
        for one in asleep:
            await sessions.has_run(one.pid)
        with pytest.raises(UserError, match=r"51 queries .*no more than 50"):
            await long_ones(shop).settle(doors(systems, shop))
    finally:
        for one in asleep:
            await _stop(one.running)
            await one.conn.close()


@asynccontextmanager
async def mute() -> AsyncIterator[int]:
    """The port of a server that takes connections and says nothing."""
    done = asyncio.Event()

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    server = await asyncio.start_server(keep, "127.0.0.1", 0)
    yield int(server.sockets[0].getsockname()[1])
    done.set()
    server.close()
    await server.wait_closed()


async def test_a_mute_server_is_given_up_on(
    systems: Systems, shop: Shop, sessions: Sessions
) -> None:
    await sessions.open()
    change = await long_ones(shop).settle(doors(systems, shop))
    async with mute() as port:
        backends = Backends(f"postgresql://u:p@127.0.0.1:{port}/orders")
        with pytest.raises(DatabaseError, match="cannot be reached to end") as caught:
            await backends.end(change.backends)

    assert not caught.value.unsure


async def test_a_superusers_session_is_spared_though_it_was_approved(
    systems: Systems, shop: Shop, sessions: Sessions
) -> None:
    """A role may become mightier between the plan and its end."""
    service, mighty = await sessions.open(), await sessions.open(dsn=shop.dsn)
    [seen] = (await long_ones(shop).settle(doors(systems, shop))).backends
    assert seen.pid == service.pid
    query = "SELECT backend_start, query_start FROM pg_stat_activity WHERE pid = %s"
    [(started, query_started)] = await (
        await sessions.admin.execute(query, [mighty.pid])
    ).fetchall()
    theirs = seen.model_copy(
        update={"pid": mighty.pid, "started": started, "query_started": query_started}
    )

    assert await Backends(shop.ops_dsn).end([theirs]) == [Ending.SPARED]
    assert await mighty.alive()
