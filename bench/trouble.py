"""How long people and changes wait when Slack is away, or incidents are long or many.

Each figure stands beside its bound, and beside that of the version in which flows published
themselves (November 2026).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, LiteralString

from aiohttp import ClientSession
from psycopg import AsyncConnection

from bot.views import action_ids
from sandbox.launcher import RunningSandbox, start_sandbox
from sandbox.slack import Slack

WAIT_SECONDS = 60.0
OUTAGE_SECONDS = 30.0  # after 14 s the bot's pause between two attempts grows no more
ENTRIES, OPEN_INCIDENTS = 10_000, 1_000

ADD_NOTES: LiteralString = """
    INSERT INTO timeline (incident_id, at, kind, by, text, detail)
    SELECT 1, now(), 'noted', declared_by, repeat('a note of some words ', 5), '{}'
    FROM incidents, generate_series(1, %s) WHERE id = 1
"""
SHOW_NOTES: LiteralString = """
    INSERT INTO messages (incident_id, key, channel, ts, digest, final_while_open)
    SELECT 1, 'entry:' || timeline.id, channel_id, '1', '', true
    FROM timeline JOIN incidents ON incidents.id = incident_id WHERE kind = 'noted'
"""
PUBLISH_AGAIN: LiteralString = """
    UPDATE publications SET wanted_version = wanted_version + 1, retry_at = NULL
"""
PUBLISHING: LiteralString = """
    SELECT FROM publications
    WHERE published_version < wanted_version AND (retry_at IS NULL OR lease IS NOT NULL)
"""
ADD_INCIDENTS: LiteralString = """
    INSERT INTO incidents (title, severity, status, playbook, declared_by, declared_at, channel_id)
    SELECT title, severity, status, playbook, declared_by, declared_at, 'C9' || number
    FROM incidents, generate_series(1, %s) number WHERE id = 1
"""


async def trouble(folder: Path, slack: Slack) -> None:
    """Print the four figures."""
    async with start_sandbox(folder, slack) as stage:
        channel = await _declare(slack)
        print("\nin trouble                    now      bound    before")
        await _change_while_silent(stage, channel)
        await _shown_after_outage(slack, channel)
        await _long_timeline(stage)
        await _many_incidents(stage)


def _row(name: str, now: float, bound: float, before: float, unit: str) -> None:
    print(f"  {name:24} {now:7.2f} {unit:2} {bound:6.2f} {unit:2} {before:6.2f} {unit}")


async def _declare(slack: Slack) -> str:
    await slack.say(
        "oncall", "/incident declare sev1 order-service: orders fail", channel="general"
    )
    return str(await slack.wait_for(lambda: _channel(slack), WAIT_SECONDS))


def _channel(slack: Slack) -> str | None:
    """The incident's channel, once its card is pinned."""
    made = [channel for channel in slack.workspace.channels.values() if channel.pins]
    return made[0].name if made else None


async def _change_while_silent(stage: RunningSandbox, channel: str) -> None:
    """From the approval to the write in the cluster, while Slack answers no message."""
    slack, cluster = stage.slack, stage.systems.cluster
    await slack.press(
        "oncall", action_id=action_ids.RUN_STEP, channel=channel, value="rolling-restart"
    )
    view = await slack.wait_for(lambda: slack.views("oncall"), WAIT_SECONDS)
    await slack.submit("oncall", view[-1]["id"], {"reason": {"reason": "It leaks"}})
    approve = await slack.wait_for(
        lambda: slack.find_buttons(action_ids.APPROVE, channel, "second"), WAIT_SECONDS
    )
    slack.fail("chat.*", hang=True, times=None)
    start = time.perf_counter()
    await slack.press("second", approve[0])
    await _wait_until(lambda: any(write.verb == "patch" for write in cluster.writes))
    _row("click to PATCH, silence", time.perf_counter() - start, 0.3, 18.5, "s")
    slack.heal()


async def _shown_after_outage(slack: Slack, channel: str) -> None:
    """From the end of an outage, right after an attempt, until its last change is shown."""
    outage = slack.fail("c*", status=503, times=None)
    start = time.monotonic()
    await slack.say("oncall", "/incident severity sev2", channel=channel)
    await _wait_until(lambda: time.monotonic() - start > OUTAGE_SECONDS)
    attempts = len(slack.called("chat.update"))
    await _wait_until(lambda: len(slack.called("chat.update")) > attempts)
    await asyncio.sleep(1)  # until that attempt has ended
    outage.heal()
    healed = time.monotonic()
    await _wait_until(lambda: "SEV-2 · INC-1" in str(slack.messages(channel, "oncall")))
    _row("shown after an outage", time.monotonic() - healed, 20, 300, "s")


async def _long_timeline(stage: RunningSandbox) -> None:
    """The longest answer of /healthz: an event loop that is busy answers nobody."""
    refusal = stage.slack.fail("chat.postMessage", status=503, times=None)
    async with _database(stage) as conn, ClientSession() as session:
        idle = await _longest_answer(stage, session, conn)
        await conn.execute(ADD_NOTES, [ENTRIES])
        first = await _longest_answer(stage, session, conn)
        await conn.execute(SHOW_NOTES)
        again = await _longest_answer(stage, session, conn)
    refusal.heal()
    _row(f"{ENTRIES} entries: a pause", first * 1000, 50, 870, "ms")
    _row("  once they are shown", again * 1000, 50, 870, "ms")
    print(f"    with no entries        {idle * 1000:7.2f} ms")


async def _longest_answer(
    stage: RunningSandbox, session: ClientSession, conn: AsyncConnection[Any]
) -> float:
    """The longest in a publication, in seconds; of three, as other processes make pauses too."""
    url = f"http://127.0.0.1:{stage.environment['PORT']}/healthz"
    longest = [0.0] * 3
    for number in range(len(longest)):
        await conn.execute(PUBLISH_AGAIN)
        while (await conn.execute(PUBLISHING)).rowcount:
            start = time.perf_counter()
            async with session.get(url):
                longest[number] = max(longest[number], time.perf_counter() - start)
    return min(longest)


async def _many_incidents(stage: RunningSandbox) -> None:
    """From /incident to its answer."""
    async with _database(stage) as conn:
        await conn.execute(ADD_INCIDENTS, [OPEN_INCIDENTS])
    start = time.perf_counter()
    await stage.slack.say("oncall", "/incident", channel="general")
    await _wait_until(
        lambda: "*Open incidents*" in str(stage.slack.ephemerals("general", "oncall"))
    )
    seconds = time.perf_counter() - start
    _row(f"/incident, {OPEN_INCIDENTS} open", seconds, 0.5, 3.1, "s")


@asynccontextmanager
async def _database(stage: RunningSandbox) -> AsyncIterator[AsyncConnection[Any]]:
    url = stage.environment["DATABASE_URL"]
    async with await AsyncConnection.connect(url, autocommit=True) as conn:
        yield conn


async def _wait_until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)
