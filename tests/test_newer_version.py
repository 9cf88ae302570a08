"""A newer replica has changed the schema, and writes what this version does not know."""

import logging
import re
from pathlib import Path

import pytest
from psycopg import AsyncConnection

from bot import store
from bot.store import db
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk
from tests.raw_payloads import broken
from tests.test_web import get

__all__ = ["broken"]

TABLES = (
    "incidents",
    "executions",
    "timeline",
    "reminders",
    "tasks",
    "temporary_changes",
    "updates",
    "publications",
    "messages",
    "attachments",
)
NEWER_COLUMNS = "\n".join(
    f"ALTER TABLE {table} ADD COLUMN newer text NOT NULL DEFAULT 'x';" for table in TABLES
)
NEWER_ROWS = """
    INSERT INTO timeline (incident_id, at, kind, text, detail)
    VALUES (1, '2026-11-24 10:00Z', 'budget_spent', 'Half of it', '{"share": 0.5}');
    INSERT INTO reminders (incident_id, kind, due_at) VALUES (1, 'budget', '2026-11-24 10:00Z');
    INSERT INTO reminders (incident_id, kind, due_at, fired_at)
    VALUES (1, 'budget', '2026-11-24 09:00Z', '2026-11-24 09:00Z');
    INSERT INTO tasks (incident_id, kind, title, state, added_at)
    VALUES (1, 'budget', 'Ask finance', 'open', '2026-11-24 10:00Z'),
           (1, 'follow_up', 'Tell finance', 'delegated', '2026-11-24 10:00Z');
    UPDATE executions SET state = 'on_hold' WHERE step_id = 'pods';
    UPDATE incidents SET playbook = playbook || '{"budget": {"share": 0.5}}';
"""


@pytest.fixture
async def state(database: str) -> str:
    """A database of this test's own, since its tables get other columns."""
    await db.migrate(database)
    return database


async def write(state: str, script: str) -> None:
    """What the newer replica does in the database."""
    async with await AsyncConnection.connect(state) as conn:
        await conn.execute(script.encode())


async def test_older_replica_works_a_whole_incident(
    walk: Walk,
    bot: Bot,
    broken: Cluster,
    clock: Clock,
    state: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "pods", channel)
    await walk.ask_for_rollback(channel)

    await write(state, NEWER_COLUMNS + NEWER_ROWS)

    await walk.press("second", action_ids.TAKE_COMMAND, channel)
    await walk.press("second", action_ids.APPROVE, channel)
    assert walk.execution(channel).state == "Done and checked"
    assert walk.step(channel, "pods").verdict == ":grey_question: On hold"
    clock.forward(minutes=16)
    await bot.tick()
    assert "The next update on INC-1 was due" in walk.posts(channel)[-1].text
    await walk.say("second", "/incident update", channel)
    await walk.submit("second", status="monitoring", impact="None", current="Rolled back")
    assert "the clock recorded “budget spent”: Half of it" in await walk.timeline(channel)
    # What is on hold may have been done: somebody has to know better.
    await walk.say("oncall", "/incident resolve", channel)
    assert "despite" in walk.form().fields
    await walk.submit("oncall", resolution="Rolled back", despite="It only reads")
    assert walk.card(channel)["Status"] == "Resolved"

    assert await get(f"{bot.url}/readyz") == (200, "ready")
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    query = "SELECT fired_at IS NULL FROM reminders WHERE kind = 'budget' ORDER BY due_at"
    async with bot.world.pool.connection() as conn:
        assert await (await conn.execute(query)).fetchall() == [(False,), (True,)]


async def test_prepared_statements_outlive_a_new_column(state: str) -> None:
    pool = await db.open_pool(state, size=1)
    try:
        async with pool.connection() as conn:
            for _ in range(7):  # the driver prepares what it has sent five times
                await store.incidents.list_open(conn, 9)
                await conn.commit()
            await write(state, NEWER_COLUMNS)

            assert await store.incidents.list_open(conn, 9) == ()
    finally:
        await pool.close()


async def test_plan_that_says_more_is_left_to_newer_replicas(
    walk: Walk, bot: Bot, broken: Cluster, clock: Clock, state: str
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await write(state, """UPDATE executions SET plan = plan || '{"budget": 0.5}'""")

    await walk.press("second", action_ids.APPROVE, channel)
    assert walk.answer("second") == (
        "A newer version of the bot made this plan, and this one does not know all that it says. "
        "Nothing was approved; try again once every replica has the newer version."
    )
    await write(state, "UPDATE executions SET state = 'approved'")
    await bot.tick()

    assert [write for write in broken.writes if write.verb == "patch"] == []
    clock.forward(minutes=16)
    await bot.tick()
    assert walk.execution(channel).state == "Expired"


def test_queries_name_their_columns() -> None:
    queries = {file.name: file.read_text("utf-8") for file in Path(store.__path__[0]).glob("*.py")}

    stars = [name for name, text in queries.items() if re.search(r"(SELECT|RETURNING) \*\s", text)]
    assert stars == ["messages.py"]  # of two arrays, not of a table
