"""Replicas go by the database's time: one whose own clock is wrong changes nothing, and logs it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from bot import clock, scheduler
from bot.clock import DatabaseClock, utc_now
from bot.settings import Settings
from bot.store import db
from bot.views import action_ids
from bot.web import SignatureCheck
from sandbox.cluster import Cluster
from sandbox.slack import Slack
from sandbox.slack.deliveries import signature
from tests.conftest import Bot, Walk, start_bot
from tests.raw_payloads import broken, timeline_kinds

__all__ = ["broken"]

AHEAD = "the clock of this machine is 3600 s ahead of the database's"
BEHIND = "the clock of this machine is 3600 s behind the database's"
ADVICE = (
    ". Runbolt goes by the database's, so nothing is done earlier or later; set this machine's "
    "clock right"
)


def off_by(hours: float) -> Callable[[], datetime]:
    """A machine's clock that is wrong."""
    return lambda: utc_now() + timedelta(hours=hours)


def walk_to(slack: Slack, bot: Bot) -> Walk:
    """The workspace calls this replica from now on."""
    slack.request_url = f"{bot.url}/slack/events"
    return Walk(slack, bot)


def clock_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the clock logged."""
    return [record.getMessage() for record in caplog.records if record.name == clock.__name__]


@pytest.mark.parametrize("hours", [1, -1])
async def test_replica_an_hour_off_changes_nothing(
    given: Settings, slack: Slack, broken: Cluster, hours: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        start_bot(given, None) as right,
        start_bot(given, None, wall_clock=off_by(hours)) as off,
    ):
        assert clock_lines(caplog) == [(AHEAD if hours > 0 else BEHIND) + ADVICE]
        # What the one writes is not late for the other: no reminder, no expiry.
        for first, second in ((right, off), (off, right)):
            walk = walk_to(slack, first)
            channel = await walk.declare(f"Orders fail at {first.url}")
            await walk.ask_for_rollback(channel)
            await second.tick()
            assert walk.execution(channel).state == "Needs 1 more approval"
        assert await timeline_kinds(off) == ["declared", "proposed"]
        # What the one runs is alive for the other.
        runner, watcher = (off, right) if hours < 0 else (right, off)
        walk = walk_to(slack, runner)
        broken.slow("patch *", 0.5)
        [button] = slack.find_buttons(action_ids.APPROVE, channel, "second")
        sent = len(broken.requests)
        await slack.press("second", button)
        await broken.wait_until(
            lambda: any(call.verb == "patch" for call in broken.requests[sent:])
        )
        await watcher.tick()
        await runner.drain()
        assert walk.execution(channel).state == "Done and checked"
        assert await timeline_kinds(off) == ["declared", "proposed"]


async def test_measured_skew_is_logged_when_it_changes(
    state: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pool, hours = await db.open_pool(state, size=1), [0, 0, -1, 1, 1, 0]
    database_clock = DatabaseClock(lambda: off_by(hours[-1])())
    try:
        while hours:
            await database_clock.synchronise(pool)
            hours.pop()
            assert abs(database_clock() - utc_now()) < timedelta(seconds=1)
    finally:
        await pool.close()

    again = "the clock of this machine agrees with the database's again"
    assert clock_lines(caplog) == [AHEAD + ADVICE, BEHIND + ADVICE, again]


async def test_sweeps_go_on_after_clock_was_set_back(bot: Bot) -> None:
    swept = asyncio.Event()

    async def sweep(_: object) -> None:
        swept.set()

    running = scheduler.start(bot.world)
    try:
        job = running.add_job(sweep, "interval", args=[bot.world], seconds=5)
        job.modify(next_run_time=utc_now() + timedelta(hours=1))
        for step in bot.world.clock.on_step:
            step()
        async with asyncio.timeout(10):
            await swept.wait()
    finally:
        running.shutdown(wait=False)


@pytest.mark.parametrize(("hours", "valid"), [(0, False), (1, True)])
def test_age_of_a_signature_is_the_databases(hours: int, valid: bool) -> None:
    at = str(int((utc_now() + timedelta(hours=1)).timestamp()))
    headers = {
        "x-slack-request-timestamp": at,
        "x-slack-signature": signature("secret", at, "a=b"),
    }

    assert SignatureCheck("secret", off_by(hours)).passes(b"a=b", headers) is valid
