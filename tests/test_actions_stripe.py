"""Undelivered webhook events, at a Stripe that is well, refuses, is mute, or is not there."""

import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot.actions.stripe import StripeEvents
from bot.model import Cell, ReadResult
from bot.settings import Settings
from bot.systems import Systems
from bot.systems.stripe import Stripe
from bot.views import action_ids
from sandbox.redis import free_port
from sandbox.slack import Slack
from sandbox.stripe import Stripe as SimulatedStripe
from tests.cluster_fixtures import systems
from tests.conftest import ROOT, Clock, Walk, message_text, start_bot

__all__ = ["systems"]

PAYMENTS = "order-service/payment-refund-failures"
HOUR = 3600.0


@pytest.fixture
async def stripe(clock: Clock) -> AsyncIterator[SimulatedStripe]:
    """An account in which nothing has happened."""
    async with SimulatedStripe(clock) as started:
        yield started


async def read(
    systems: Systems, stripe: SimulatedStripe, clock: Clock, key: str = "", hours: int = 24
) -> ReadResult:
    door = Stripe(key or stripe.key, stripe.url, seconds=1.0)
    return await StripeEvents(hours=hours).read(replace(systems, stripe=door, now=clock))


def rows(reading: ReadResult) -> list[tuple[Cell | str, ...]]:
    assert reading.table is not None
    return list(reading.table.rows)


async def in_slack(slack: Slack, given: Settings, clock: Clock, **more: Any) -> tuple[str, str]:
    """What the step shows in its thread, and in the playbook."""
    async with start_bot(given.model_copy(update=more), clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare(severity="sev2")
        await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, PAYMENTS)
        await walk.press_step("oncall", "undelivered-webhooks", channel)
        opened = await walk.press("oncall", action_ids.OPEN_LINK, channel)
        assert opened.ok
        messages = slack.messages(channel, "oncall")
        replies = [reply for message in messages for reply in message.get("replies", [])]
        return str(replies), "\n".join(map(message_text, messages))


async def test_undelivered_events_are_shown_and_linked(
    slack: Slack, given: Settings, clock: Clock, stripe: SimulatedStripe
) -> None:
    stripe.add_event("charge.succeeded", ago=HOUR)
    lost = stripe.add_event("charge.refunded", ago=3 * HOUR, delivered=False)
    stripe.add_event("charge.refunded", ago=HOUR, delivered=False)
    stripe.add_event("payment_intent.succeeded", ago=HOUR, delivered=False)

    thread, read = await in_slack(
        slack, given, clock, stripe_api_key=stripe.key, stripe_api_url=stripe.url
    )

    said = ":warning: 3 webhook events of the last 24 h not delivered, the oldest 3h old"
    assert said in read
    assert "charge.refunded 2, payment_intent.succeeded 1" in read
    assert f"https://dashboard.stripe.com/test/events/{lost}" in thread
    assert "charge.succeeded" not in read


async def test_without_key_only_link_is_shown(slack: Slack, given: Settings, clock: Clock) -> None:
    thread, read = await in_slack(slack, given, clock)

    assert ":grey_question: Stripe was not asked: the bot has no key." in read
    assert "https://dashboard.stripe.com/webhooks" in thread
    assert ":white_check_mark:" not in thread
    assert ":warning:" not in thread


async def test_everything_delivered(
    systems: Systems, stripe: SimulatedStripe, clock: Clock
) -> None:
    stripe.add_event("charge.succeeded", ago=HOUR)
    lost = stripe.add_event("charge.failed", ago=HOUR, delivered=False)
    stripe.deliver(lost)
    reading = await read(systems, stripe, clock)

    assert (reading.ok, reading.text) == (
        True,
        "Every webhook event of the last 24 h was delivered",
    )
    assert rows(reading) == []
    assert reading.notes == ()


async def test_only_last_hours_are_read(
    systems: Systems, stripe: SimulatedStripe, clock: Clock
) -> None:
    stripe.add_event("charge.failed", ago=2 * HOUR + 60, delivered=False)
    inside = stripe.add_event("charge.failed", ago=2 * HOUR - 60, delivered=False)
    reading = await read(systems, stripe, clock, hours=2)

    assert [str(row[-1]) for row in rows(reading)] == [inside]


async def test_recent_event_is_no_alarm(
    systems: Systems, stripe: SimulatedStripe, clock: Clock
) -> None:
    stripe.add_event("charge.failed", ago=5, delivered=False)
    reading = await read(systems, stripe, clock)

    assert (reading.ok, reading.is_unjudged) == (None, True)
    assert reading.text.startswith("1 webhook event of the last 24 h not delivered")
    assert "within the last minute" in reading.notes[0]


async def test_number_of_pages_is_limited(
    systems: Systems, stripe: SimulatedStripe, clock: Clock
) -> None:
    ids = [
        stripe.add_event("charge.failed", ago=100 + number, delivered=False)
        for number in range(150)
    ]
    reading = await read(systems, stripe, clock)
    assert [str(row[-1]) for row in rows(reading)] == ids

    for number in range(200):
        stripe.add_event("charge.failed", ago=500 + number, delivered=False)
    stripe.requests.clear()
    reading = await read(systems, stripe, clock)

    assert reading.text.startswith("At least 300 webhook events")
    # The client asks again for a page that a busy machine answers late.
    assert len({request.query.get("starting_after") for request in stripe.requests}) == 3


async def test_a_revoked_key(systems: Systems, stripe: SimulatedStripe, clock: Clock) -> None:
    reading = await read(systems, stripe, clock, key="rk_test_51Revoked0000000000")

    assert reading.ok is False
    assert "does not accept the key in STRIPE_API_KEY" in reading.text
    assert reading.link is not None


async def test_a_missing_permission_is_named(
    systems: Systems, stripe: SimulatedStripe, clock: Clock
) -> None:
    reading = await read(systems, stripe, clock, key=stripe.blind_key)

    assert reading.ok is False
    assert "lacks the permission rak_event_read" in reading.text


async def test_too_powerful_key_is_warned_of(
    systems: Systems, stripe: SimulatedStripe, clock: Clock
) -> None:
    reading = await read(systems, stripe, clock, key=stripe.secret_key)

    assert reading.ok
    assert "which may move money" in reading.notes[-1]


async def test_a_rate_limit(systems: Systems, stripe: SimulatedStripe, clock: Clock) -> None:
    stripe.fail(429)
    reading = await read(systems, stripe, clock)

    assert "limits the bot's requests at the moment (429)" in reading.text
    assert len(stripe.requests) == 1


async def test_failed_request_is_retried_once(
    systems: Systems, stripe: SimulatedStripe, clock: Clock
) -> None:
    stripe.fail(500)
    assert (await read(systems, stripe, clock)).ok

    stripe.fail(503, times=2)
    reading = await read(systems, stripe, clock)
    assert reading.ok is False
    assert "Stripe failed (503)" in reading.text


async def test_slow_answer_times_out(
    systems: Systems, stripe: SimulatedStripe, clock: Clock
) -> None:
    stripe.hang(times=2)
    reading = await read(systems, stripe, clock)

    assert reading.ok is False
    assert reading.text.startswith("Stripe did not answer in time")
    assert len(stripe.requests) == 2


async def test_an_unreachable_stripe(
    systems: Systems, stripe: SimulatedStripe, clock: Clock
) -> None:
    door = Stripe(stripe.key, f"http://127.0.0.1:{free_port()}", seconds=1.0)
    reading = await StripeEvents().read(replace(systems, stripe=door, now=clock))

    assert reading.ok is False
    assert reading.text.startswith("Stripe cannot be reached at 127.0.0.1")


async def test_a_key_is_told_to_nobody(
    systems: Systems, stripe: SimulatedStripe, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for key in (stripe.key, stripe.blind_key, "rk_test_51Revoked0000000000"):
        reading = await read(systems, stripe, clock, key=key)
        assert key not in reading.text + caplog.text


async def test_no_speed_measurements_are_sent(
    systems: Systems, stripe: SimulatedStripe, clock: Clock
) -> None:
    for number in range(101):
        stripe.add_event("charge.failed", ago=100 + number, delivered=False)
    await read(systems, stripe, clock)

    assert len(stripe.requests) == 2
    for request in stripe.requests:
        assert "X-Stripe-Client-Telemetry" not in request.headers
        assert "platform" not in request.headers["X-Stripe-Client-User-Agent"]


def test_library_is_not_loaded_when_unused() -> None:
    words = "import sys, bot.__main__; sys.exit('stripe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], cwd=ROOT, check=False).returncode == 0
