"""Whatever Slack does, changes run, clocks tick and answers come; what waits is shown in time."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from bot import flows, scheduler, store
from bot.model import IncidentId
from bot.publishers import MAX_TASKS
from bot.publishing import publisher
from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk, start_bot
from tests.rollbacks import DONE, asked, broken, patches
from tests.waiting import until_told

__all__ = ["asked", "broken"]

ID = IncidentId(1)
APPROVED_UNTIL_END = ["proposed", "approved", "started", "succeeded"]
IMPATIENT = pytest.mark.parametrize("slack_seconds", [0.5])
# Whoever waits for Slack waits for longer than the test.
PATIENT = pytest.mark.parametrize("slack_seconds", [60.0])


async def approve(walk: Walk, channel: str) -> None:
    """Press *Approve*, and wait for nothing."""
    [button] = walk.slack.find_buttons(action_ids.APPROVE, channel, "second")
    await walk.slack.press("second", button)


async def kinds(bot: Bot) -> list[str]:
    """What the timeline of the first incident has of its change."""
    async with bot.world.pool.connection() as conn:
        entries = await store.timeline.of_incident(conn, ID)
    return [str(entry.kind) for entry in entries if entry.kind != "declared"]


async def ended(bot: Bot) -> list[str]:
    """Wait until the change has an outcome, and return the entries up to there."""

    async def seen() -> list[str]:
        found = await kinds(bot)
        return found if found[-1] in ("succeeded", "failed", "interrupted") else []

    return await until_told(seen)


@asynccontextmanager
async def lost(bot: Bot, statement: str) -> AsyncIterator[None]:
    """Each statement of publishing that fires this trigger is lost with its connection."""
    async with bot.world.pool.connection() as conn:
        await conn.execute(
            "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'gone' USING ERRCODE = 'admin_shutdown'; END $$"
        )
        await conn.execute(f"CREATE {statement} FOR EACH ROW EXECUTE FUNCTION lose()".encode())
    try:
        yield
    finally:
        async with bot.world.pool.connection() as conn:
            await conn.execute("DROP FUNCTION lose CASCADE")


@PATIENT
async def test_a_silent_slack_delays_no_change(
    walk: Walk, bot: Bot, broken: Cluster, asked: str
) -> None:
    before = len(walk.slack.calls)
    walk.slack.fail("chat.*", hang=True, times=None)

    await approve(walk, asked)
    seen = await ended(bot)

    answered = [call.method for call in walk.slack.calls[before:] if call.status]
    assert not [method for method in answered if method.startswith("chat.")]
    assert (patches(broken), seen) == (1, APPROVED_UNTIL_END)
    walk.slack.heal()
    await bot.drain()
    assert walk.execution(asked).state == DONE


async def test_publishing_is_bounded_in_number(
    walk: Walk, bot: Bot, broken: Cluster, asked: str
) -> None:
    slots, before = bot.world.publishers.slots, len(walk.calls("chat.update"))
    for _ in range(MAX_TASKS):  # so many incidents hang
        await slots.acquire()

    await approve(walk, asked)
    assert (await ended(bot), patches(broken)) == (APPROVED_UNTIL_END, 1)
    assert len(walk.calls("chat.update")) == before

    slots.release()
    await bot.drain()
    assert walk.execution(asked).state == DONE


@pytest.mark.parametrize(
    "statement",
    [
        "TRIGGER at_start BEFORE UPDATE OF lease ON publications",
        "TRIGGER at_record BEFORE INSERT ON messages",
        "CONSTRAINT TRIGGER at_commit AFTER UPDATE OF published_version ON publications"
        " DEFERRABLE INITIALLY DEFERRED",
    ],
)
async def test_a_lost_statement_interrupts_no_change(
    walk: Walk, bot: Bot, clock: Clock, broken: Cluster, asked: str, statement: str
) -> None:
    async with lost(bot, statement):
        await approve(walk, asked)
        await bot.drain()

    assert (patches(broken), await kinds(bot)) == (1, APPROVED_UNTIL_END)
    clock.forward(seconds=3)
    await bot.tick()
    assert walk.execution(asked).state == DONE


@PATIENT
async def test_declaring_waits_for_no_channel(
    walk: Walk, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows.declarations, "CHANNEL_CHECKS", (0.05, 0.1))
    create = walk.slack.fail("conversations.create", hang=True)

    await walk.slack.say("oncall", "/incident declare sev1 Orders are failing", "general")
    answer = (
        "Declared SEV-1 INC-1. Slack has not created its channel yet. The bot goes on trying; "
        "nothing is lost."
    )
    await walk.slack.wait_for(lambda: walk.answer("oncall") == answer)

    create.heal()
    await bot.drain()
    assert "SEV-1 · INC-1" in walk.text("inc-1-orders-are-failing")


@PATIENT
async def test_a_hung_incident_delays_no_other(walk: Walk, bot: Bot, clock: Clock) -> None:
    slow = await walk.declare("The first one is down")
    await walk.press("second", action_ids.TAKE_COMMAND, slow)
    clock.forward(seconds=30)
    other = await walk.declare("The other one is down")
    warning = walk.slack.fail("chat.postEphemeral", hang=True)
    reminder = walk.slack.fail("chat.postMessage", hang=True)
    for minutes in (11.7, 3, 0.5):
        clock.forward(minutes=minutes)
        async with asyncio.timeout(10):
            await scheduler.run_sweeps(bot.world)
        await walk.slack.wait_for(lambda: warning.times == 0)

    await walk.slack.wait_for(lambda: "update on INC-2 was due" in walk.text(other))
    assert reminder.times == 0
    assert "update on INC-1 was due" not in walk.text(slow)
    walk.slack.heal()
    await walk.slack.wait_for(lambda: "update on INC-1 was due" in walk.text(slow))


async def test_all_is_shown_soon_after_an_outage(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    walk.slack.fail("c*", status=503, times=None)
    await walk.say("oncall", "/incident severity sev2", channel)
    for _ in range(6):
        clock.forward(minutes=2.5)
        await bot.tick()
    walk.slack.heal()

    clock.forward(seconds=16)
    await bot.tick()

    assert "SEV-2 · INC-1" in walk.text(channel)
    assert "changed the severity" in walk.text(channel)


async def test_lasting_refusals_are_tried_rarely(walk: Walk, bot: Bot, clock: Clock) -> None:
    walk.slack.fail("pins.add", error="restricted_action", times=None)
    await walk.declare()
    for _ in range(60):
        clock.forward(seconds=15)
        await publisher.publish_pending(bot.world)
        await bot.drain()

    # After 2, 4, 8 … seconds, then every five minutes.
    assert 8 <= len(walk.calls("pins.add")) <= 10


@IMPATIENT
async def test_silence_ends_an_attempt(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    walk.slack.fail("*", hang=True, times=None)
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE incidents SET title = 'Other words'")
        await conn.execute("DELETE FROM messages WHERE key = 'pin:card'")
        await store.publications.mark_stale(conn, ID)
    waiting = asyncio.create_task(bot.tick())
    await walk.slack.wait_for(lambda: walk.calls("conversations.setTopic")[1:])
    clock.forward(seconds=15)
    await waiting
    assert len(walk.calls("pins.add")) == 1
    walk.slack.heal()

    # That call has waited for as long as the pause would be.
    await bot.tick()

    assert len(walk.calls("conversations.setTopic")) == 3
    assert "Other words" in walk.text(channel)


@contextmanager
def measured_loop() -> Iterator[list[float]]:
    """The seconds of computing between two turns of this test: as long, nobody else has one."""
    turns: list[float] = []

    async def probe() -> None:
        while True:
            start = time.thread_time()
            await asyncio.sleep(0)
            turns.append(time.thread_time() - start)

    gc.collect()
    gc.freeze()  # as the bot does when it starts
    task = asyncio.create_task(probe())
    try:
        yield turns
    finally:
        task.cancel()
        gc.unfreeze()


async def test_long_timelines_stop_nobody(walk: Walk, bot: Bot) -> None:
    await walk.declare()
    walk.slack.fail("chat.postMessage", status=503, times=None)
    async with bot.world.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO timeline (incident_id, at, kind, by, text, detail)"
            " SELECT 1, now(), 'noted', 'U1', repeat('a note of some words ', 5), '{}'"
            " FROM generate_series(1, 3000)"
        )
        await store.publications.mark_stale(conn, ID)

    with measured_loop() as turns:
        await bot.tick()

    # Rendered in one piece, they take a quarter of a second; as rows, 30 ms.
    assert max(turns) < 0.02


async def test_help_reads_few_incidents(walk: Walk, bot: Bot) -> None:
    await walk.declare()
    async with bot.world.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO incidents (title, severity, status, playbook, declared_by, declared_at,"
            " channel_id) SELECT title, severity, status, playbook, declared_by, declared_at,"
            " 'C9' || n FROM incidents, generate_series(1, 1000) n"
        )

    start = time.process_time()
    await walk.say("oncall", "/incident")
    seconds = time.process_time() - start

    assert "*Open incidents* (1001), the 20 most severe of them" in walk.text("general")
    assert seconds < 0.5
    await walk.say("lead", "/incident severity sev2")
    assert "and 996 more)" in walk.answer("lead")


async def test_a_lost_lease_sends_nothing(
    slack: Slack, given: Settings, clock: Clock, walk: Walk, bot: Bot
) -> None:
    """A replica that slept while another took over would send what is there already."""
    channel = await walk.declare()
    slack.fail("chat.postMessage", status=503)
    for note in ("the first", "the second"):
        await walk.say("oncall", f"/incident note {note}", channel)
    asleep = slack.fail("chat.postMessage", hang=True, after=True)
    clock.forward(seconds=5)
    waiting = asyncio.create_task(bot.tick())
    await slack.wait_for(lambda: asleep.times == 0)
    clock.forward(seconds=91)
    async with start_bot(given, clock) as other:
        await other.tick()
        assert "the second" in walk.text(channel)

        asleep.heal()
        await waiting
        await other.tick()

    assert [walk.text(channel).count(note) for note in ("the first", "the second")] == [1, 1]
