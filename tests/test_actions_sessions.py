"""Ending long queries: exactly the sessions that people approved, on a real PostgreSQL."""

import re
from datetime import timedelta

import pytest
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from bot import store
from bot.actions.database.sessions import EndQueries
from bot.model import ExecutionId
from bot.settings import Settings
from bot.systems.sessions import DatabaseSession
from bot.views import action_ids
from sandbox.shop import Shop
from sandbox.slack import Refusal
from tests.conftest import ORDERS, Bot, Clock, Walk
from tests.sessions import SLEEP, Session, Sessions, sessions

__all__ = ["sessions"]


@pytest.fixture
def shared_shop(shop: Shop) -> Shop:
    """Sessions are counted here, so the bot looks at a shop of the test's own."""
    return shop


async def ask(walk: Walk, longer_than: str = "1 s") -> str:
    """Ask for the end of the long queries; the channel."""
    channel = await walk.declare(severity="sev3")
    await walk.press_step("oncall", "end-queries", channel)
    await walk.submit("oncall", longer_than=longer_than, reason="Orders wait for a lock")
    return channel


async def test_plan_names_sessions_and_ends_none(walk: Walk, sessions: Sessions) -> None:
    holds, waits = await sessions.block_one()

    channel = await ask(walk)

    seen = walk.text(channel)
    assert "End 2 sessions" in seen
    assert f"s: order_service, order-service, pid {holds.pid}\n" in seen
    assert f"active, waits for Timeout: PgSleep; blocks {waits.pid}" in seen
    assert f"s: order_service, order-service, pid {waits.pid}\n" in seen
    assert "active, waits for Lock: relation" in seen
    assert "UPDATE orders SET status = 'PENDING' WHERE customer_email = '[masked]'" in seen
    assert f"Some of these only wait for others of these: {waits.pid}." in seen
    assert "There is no undo" in seen
    assert "Needs 1 more approval" in seen
    assert await holds.alive()
    assert await waits.alive()


async def test_approval_ends_only_blocking_sessions(walk: Walk, sessions: Sessions) -> None:
    holds, waits = await sessions.block_one()
    channel = await ask(walk)
    late = await sessions.open()
    async with walk.bot.world.pool.connection() as conn:
        request = await store.executions.get(conn, ExecutionId(1))
    assert request is not None
    assert request.plan is not None
    assert request.plan.blast_radius.sessions == 2

    await walk.press("second", action_ids.APPROVE, channel)

    assert await holds.ended()
    assert await waits.ended()
    assert await late.alive()
    seen = walk.text(channel)
    assert "Done and checked." in seen
    assert "Ended 2 of 2 sessions. None of them runs that query any more." in seen
    assert "Undo" not in walk.buttons(channel)
    assert await sessions.of_role("runbolt_ops") == 0


async def test_many_sessions_are_a_table(walk: Walk, sessions: Sessions) -> None:
    holds, waits = await sessions.block_one()
    others = [await sessions.open() for _ in range(2)]
    channel = await ask(walk)

    [table] = [
        block
        for message in walk.slack.messages(channel, "second")
        for block in message.get("blocks", [])
        if block["type"] == "data_table"
    ]
    header, *rows = [[cell["text"] for cell in row] for row in table["rows"]]
    assert header == ["pid", "ran for", "blocks", "query", "user", "application"]
    assert [rows[0][0], rows[0][2]] == [str(holds.pid), str(waits.pid)]
    assert {row[0] for row in rows} == {str(each.pid) for each in (holds, waits, *others)}
    request = walk.execution(channel)
    assert re.fullmatch(r"End 4 sessions in \w+ that ran for more than 1 s", request.plan["Plan"])
    assert request.loss.startswith("4 sessions lost, each with what it has not committed.")
    assert request.diff == ""


async def test_session_with_new_query_is_spared(walk: Walk, sessions: Sessions) -> None:
    slow, goes_on, leaves = [await sessions.open() for _ in range(3)]
    channel = await ask(walk)
    await sessions.cancel(leaves)
    await leaves.conn.close()
    await sessions.cancel(goes_on)
    again = Session(goes_on.conn, SLEEP)
    await sessions.has_run(again.pid)

    await walk.press("second", action_ids.APPROVE, channel)

    assert await slow.ended()
    assert await again.alive()
    seen = walk.text(channel)
    assert "Done and checked." in seen
    first, last = sorted((leaves.pid, again.pid))
    ended = "Ended 1 of 3 sessions; the others came free before"
    assert f"{ended}. Left alone: {first}, {last}." in seen
    assert walk.card(channel)["Last change"].startswith(
        f":white_check_mark: Kill long queries · done and checked: {ended} · @oncall, "
    )
    await sessions.cancel(again)


async def test_reused_process_number_is_not_touched(
    walk: Walk, bot: Bot, sessions: Sessions
) -> None:
    """As after a reuse: what was approved began earlier than the session that has its pid now."""
    innocent = await sessions.open()
    channel = await ask(walk)
    async with bot.world.pool.connection() as conn:
        found = await (await conn.execute("SELECT params FROM executions")).fetchone()
        assert found is not None
        params = dict(found[0])
        [backend] = [DatabaseSession.model_validate(session) for session in params["backends"]]
        earlier = backend.model_copy(
            update={"backend_start": backend.backend_start - timedelta(hours=1)}
        )
        params["backends"] = [earlier.model_dump(mode="json")]
        plan = await EndQueries.model_validate(params).plan(bot.world.services.systems(ORDERS))
        await conn.execute(
            "UPDATE executions SET params = %s, plan = %s, plan_digest = %s",
            [Jsonb(params), Jsonb(plan.model_dump(mode="json")), plan.digest],
        )

    await walk.press("second", action_ids.APPROVE, channel)

    assert await innocent.alive()
    told = f"Ended 0 of 1 session. {innocent.pid}: another session by now, and left alone."
    assert told in walk.text(channel)


async def test_after_an_interruption_looking_is_enough(
    walk: Walk, bot: Bot, sessions: Sessions, clock: Clock
) -> None:
    slow = await sessions.open()
    channel = await ask(walk)
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'running', heartbeat_at = requested_at")
    clock.forward(seconds=31)
    await bot.tick()
    assert "Interrupted." in walk.text(channel)
    await sessions.cancel(slow)

    await walk.press("oncall", action_ids.CHECK_INTERRUPTED, channel)

    assert "None of them runs that query any more." in walk.text(channel)
    assert not slow.conn.closed


async def test_superusers_and_bot_are_spared(walk: Walk, shop: Shop, sessions: Sessions) -> None:
    spared = [
        await sessions.open(dsn=shop.dsn),
        await sessions.open(dsn=shop.ro_dsn),
        await sessions.open(dsn=shop.ops_dsn),
        await sessions.open(application_name="runbolt"),
    ]

    with pytest.raises(Refusal) as refused:
        await ask(walk)

    told = refused.value.errors["longer_than"]
    assert told.startswith("No query that may be ended has run for more than 1 s")
    assert "superusers, of replication and of the bot itself are never ended" in told
    assert all([await session.alive() for session in spared])


async def test_nothing_long_is_nothing_to_do(walk: Walk) -> None:
    with pytest.raises(Refusal) as refused:
        await ask(walk, "30 s")

    told = refused.value.errors["longer_than"]
    assert "has run for more than 30 s in" in told
    assert "there is nothing to do" in told
    assert told.endswith(" For example 30 s or 2 min. From 1 s to 24 h.")


async def test_playbook_fills_the_form(walk: Walk) -> None:
    channel = await walk.declare(severity="sev3")
    await walk.press_step("oncall", "end-queries", channel)
    [view] = walk.slack.views("oncall")
    assert "WHERE now() - query_start > interval '30 seconds'" in walk.form().text
    [field] = [block for block in view["blocks"] if block["block_id"] == "longer_than"]
    assert field["element"]["initial_value"] == "30 s"

    typed = field["element"]["initial_value"]
    told = await walk.submit_refused("oncall", longer_than=typed, reason="Slow")

    assert "has run for more than 30 s" in told["longer_than"]


@pytest.mark.parametrize("longer_than", ["soon", "0 s", "25 h"])
async def test_invalid_time_span_is_refused(walk: Walk, longer_than: str) -> None:
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

        await walk.press("second", action_ids.APPROVE, channel)

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


class TestWithAnUnreachableFirstDoor:
    """What cannot be looked at is not ended."""

    @pytest.fixture
    def given(self, given: Settings) -> Settings:
        nowhere = "postgresql://runbolt_ro:hunter2@127.0.0.1:1/orders"
        return given.model_copy(update={"orders_database_url": nowhere})

    async def test_it_is_not_asked_for(self, walk: Walk) -> None:
        channel = await ask(walk)

        assert "The database cannot be reached" in walk.text(channel)
        assert action_ids.APPROVE not in str(walk.slack.messages(channel, "oncall"))
