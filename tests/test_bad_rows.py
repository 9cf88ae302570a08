"""A row that the bot cannot read or act on is set aside and told; everything else goes on."""

from dataclasses import dataclass

import pytest
from psycopg import AsyncConnection

from bot.store import db
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk
from tests.pausing import approve_pause
from tests.raw_payloads import broken
from tests.test_web import get

__all__ = ["broken"]

WARNING = (
    ":warning: This version of the bot cannot work with {}. The rest goes on, this is tried again, "
    "and the bot's log says more."
)
NO_PLAN = """
    CREATE TABLE kept AS SELECT id, plan FROM executions WHERE id = 1;
    UPDATE executions SET plan = '{"target": 7}' WHERE id = 1;
"""
ITS_PLAN = "UPDATE executions SET plan = kept.plan FROM kept WHERE executions.id = kept.id;"
UNREADABLE = "(unreadable)"
NO_ACTION = "(This version of the bot has no action “of-yore”. Nothing was done.)"


@dataclass(frozen=True)
class BadRow:
    """How a row of the first incident gets bad, how it is mended, and what is said meanwhile."""

    bad: tuple[str, ...]
    mended: tuple[str, ...]
    told: tuple[str, ...]
    state_in_the_end: str = "Expired"


BAD_ROWS = {
    "request": BadRow((NO_PLAN,), (ITS_PLAN,), ("execution 1", f"request 1 {UNREADABLE}")),
    "approved request": BadRow(
        (NO_PLAN, "UPDATE executions SET state = 'approved', expires_at = NULL WHERE id = 1;"),
        (ITS_PLAN,),
        ("execution 1", f"approved request 1 {UNREADABLE}"),
        "Done and checked",
    ),
    "execution": BadRow(
        (NO_PLAN, "UPDATE executions SET state = 'running', holds_target = true WHERE id = 1;"),
        (ITS_PLAN,),
        ("execution 1", f"execution 1 {UNREADABLE}"),
        "Not done",
    ),
    "action": BadRow(
        (
            "UPDATE executions SET state = 'approved', action = 'of-yore', expires_at = NULL",
            "WHERE id = 1;",
        ),
        ("UPDATE executions SET action = 'rollback' WHERE id = 1;",),
        (f"approved request 1 {NO_ACTION}",),
        "Done and checked",
    ),
    "interrupted action": BadRow(
        (
            "UPDATE executions SET state = 'interrupted', action = 'of-yore', holds_target = true,",
            "expires_at = NULL, heartbeat_at = now() - interval '9 years' WHERE id = 1;",
        ),
        ("UPDATE executions SET action = 'rollback' WHERE id = 1;",),
        (f"execution 1 {NO_ACTION}",),
        "Not done",
    ),
    "reminder": BadRow(
        ("ALTER TABLE reminders ADD CONSTRAINT never CHECK (id <> 1 OR fired_at IS NULL);",),
        ("ALTER TABLE reminders DROP CONSTRAINT never;",),
        ("reminder 1 (CheckViolation)",),
    ),
    "entry": BadRow(
        ("INSERT INTO timeline (incident_id, at, kind, text) VALUES (1, now(), 'read', 'x');",),
        ("ALTER TABLE timeline DISABLE TRIGGER USER;", "DELETE FROM timeline WHERE text = 'x';"),
        ("entry 5",),
    ),
}


@pytest.fixture
async def state(database: str) -> str:
    """A database of this test's own, in which rows get bad."""
    await db.migrate(database)
    return database


async def write(state: str, *script: str) -> None:
    """Write into the database, and have everything published again."""
    async with await AsyncConnection.connect(state) as conn:
        await conn.execute(" ".join(script).encode())
        await conn.execute("UPDATE publications SET wanted_version = wanted_version + 1")


def warnings(walk: Walk, channel: str) -> list[str]:
    """What the card warns of."""
    lines = walk.posts(channel)[0].lines
    return [line for line in lines if line.startswith(":warning:")]


def reminders(walk: Walk, channel: str) -> list[str]:
    """What people were reminded of."""
    return [post.heading for post in walk.posts(channel) if post.heading.startswith(":bell:")]


async def two_incidents(walk: Walk) -> tuple[str, str]:
    """Two incidents, each with a request."""
    sick = await walk.declare("The sick one is down")
    await walk.ask_for_rollback(sick)
    well = await walk.declare("The well one is down")
    await walk.press_step("oncall", "rolling-restart", well)
    await walk.submit("oncall", reason="It hangs")
    return sick, well


@pytest.mark.parametrize("row", BAD_ROWS.values(), ids=BAD_ROWS)
async def test_bad_row_stops_nothing_else(
    walk: Walk, bot: Bot, broken: Cluster, clock: Clock, state: str, row: BadRow
) -> None:
    sick, well = await two_incidents(walk)
    await write(state, *row.bad)

    clock.forward(minutes=16)
    for _ in range(2):
        await bot.tick()

    assert walk.execution(well).state == "Expired"
    assert len(reminders(walk, well)) == 2
    assert warnings(walk, sick) == [WARNING.format(", ".join(row.told))]
    assert warnings(walk, well) == []
    set_aside = "(" in row.told[-1]
    ready = "ready, but 1 set aside: see the log" if set_aside else "ready"
    assert await get(f"{bot.url}/readyz") == (200, ready)

    await write(state, *row.mended)
    clock.forward(minutes=1)
    for _ in range(2):
        await bot.tick()
    assert warnings(walk, sick) == []
    assert await get(f"{bot.url}/readyz") == (200, "ready")
    assert walk.execution(sick).state == row.state_in_the_end


async def test_press_on_an_unreadable_request_is_answered(
    walk: Walk, bot: Bot, broken: Cluster, state: str
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    await write(state, NO_PLAN)

    await walk.press("second", action_ids.APPROVE, channel)

    assert walk.answer("second") == (
        "This version of the bot cannot read execution 1. Nothing was done; the bot's log has the "
        "reason."
    )
    # Nobody knows here whether it was done, so ending the incident takes a reason.
    await walk.say("oncall", "/incident resolve", channel)
    assert ":warning: This version of the bot cannot read execution 1." in walk.form().text
    await walk.submit("oncall", resolution="Over", despite="The pods are well")
    assert walk.card(channel)["Status"] == "Resolved"


async def test_unreadable_incident_stops_no_other(
    walk: Walk, bot: Bot, broken: Cluster, clock: Clock, state: str
) -> None:
    sick, well = await two_incidents(walk)
    await write(state, "UPDATE incidents SET severity = 'sev9' WHERE id = 1;")

    clock.forward(minutes=16)
    for _ in range(2):
        await bot.tick()

    assert walk.execution(well).state == "Expired"
    assert len(reminders(walk, well)) == 2
    assert (await get(f"{bot.url}/readyz"))[1].startswith("ready, but ")
    third = await walk.declare("The sick one is down")
    assert walk.card(third)["Title"] == "The sick one is down"
    await walk.say("oncall", "/incident")
    lines = walk.private_post("oncall").lines
    assert lines[lines.index("Open incidents (3)") :][:3] == (
        "Open incidents (3)",
        ":warning: This version of the bot cannot read incident 1.",
        ":red_circle: SEV-1 · INC-2 · The well one is down",
    )

    await write(state, "UPDATE incidents SET severity = 'sev1' WHERE id = 1;")
    clock.forward(minutes=6)
    for _ in range(2):
        await bot.tick()
    assert walk.execution(sick).state == "Expired"
    assert await get(f"{bot.url}/readyz") == (200, "ready")


async def test_bad_temporary_change_is_set_aside(
    walk: Walk, bot: Bot, clock: Clock, state: str
) -> None:
    channel = await approve_pause(walk)
    await write(state, NO_PLAN)
    clock.forward(minutes=26)
    for _ in range(2):
        await bot.tick()
    told = "execution 1, orders paused, temporary change 1 (unreadable)"
    assert warnings(walk, channel) == [WARNING.format(told)]

    await write(state, ITS_PLAN)
    clock.forward(minutes=1.1)
    for _ in range(2):
        await bot.tick()
    assert warnings(walk, channel) == []
    assert [post for post in walk.posts(channel) if "orders paused ends" in post.heading]


NO_TIMES = """
    UPDATE executions SET risk = 'deadly' WHERE id = 1;
    UPDATE reminders SET due_at = '-infinity' WHERE id = 1;
    INSERT INTO timeline (incident_id, at, kind, text, detail)
    VALUES (1, 'infinity', 'noted', 'x', '{}');
    INSERT INTO tasks (incident_id, kind, title, link, step_id, added_at)
    VALUES (1, 'finding', 'x', '', 'x', 'infinity');
    INSERT INTO updates (incident_id, at, by, status, impact, current, source)
    VALUES (1, 'infinity', 'U1', 'identified', 'x', 'x', 'x');
"""


async def test_bad_times_and_words_fail_no_list(
    walk: Walk, bot: Bot, clock: Clock, state: str
) -> None:
    channel = await approve_pause(walk)
    await write(state, NO_TIMES)
    for _ in range(2):
        await bot.tick()

    told = (
        "execution 1, entry 7, update 1, reminder 1, task 4, orders paused, reminder 1 "
        "(unreadable), temporary change 1 (unreadable)"
    )
    assert warnings(walk, channel) == [WARNING.format(told)]
    assert await get(f"{bot.url}/readyz") == (200, "ready, but 2 set aside: see the log")
    await walk.say("oncall", "/incident update", channel)
    assert walk.form().fields["impact"].value == ""
    await walk.say("oncall", "/incident resolve", channel)
    assert ":warning: This version of the bot cannot read execution 1." in walk.form().text
    await walk.press_step("oncall", "resume-orders", channel)
    await walk.submit("oncall", reason="They may order again")
    assert walk.execution(channel).title == "Resume orders"


async def test_row_that_is_no_longer_due_is_forgotten(
    walk: Walk, bot: Bot, clock: Clock, state: str, caplog: pytest.LogCaptureFixture
) -> None:
    channel = await walk.declare()
    await write(state, *BAD_ROWS["reminder"].bad)
    clock.forward(minutes=16)
    for _ in range(3):
        await bot.tick()
    assert warnings(walk, channel) == [WARNING.format("reminder 1 (CheckViolation)")]
    assert [record.getMessage() for record in caplog.records if record.name == "bot.sweeps"] == [
        "reminder 1 of INC-1 was set aside, and is tried again later. Set aside in all: 1"
    ]

    await walk.press("second", action_ids.TAKE_COMMAND, channel)
    clock.forward(minutes=16)
    for _ in range(2):
        await bot.tick()
    assert warnings(walk, channel) == []
