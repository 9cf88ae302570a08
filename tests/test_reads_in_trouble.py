"""Every read step, pressed in Slack, where what it asks is forbidden, away, or slow."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from psycopg import AsyncConnection

from bot.settings import Settings
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.payments import Health, PaymentService
from sandbox.proxy import Proxy
from sandbox.redis import free_port
from sandbox.shop import Shop
from sandbox.slack import Slack
from sandbox.stripe import Stripe
from tests.conftest import Clock, Walk, start_bot

# Where each step stands: the severity, and the scenario where people choose one.
OUTAGE = ("sev1", None)
PAYMENTS = ("sev2", "order-service/payment-refund-failures")
DISPUTES = ("sev2", "order-service/high-dispute-rate")
SLOW = ("sev3", None)
Place = tuple[str, str | None]

OF_THE_CLUSTER = [
    (OUTAGE, "pods"),
    (OUTAGE, "logs"),
    (OUTAGE, "dependencies"),
    (PAYMENTS, "webhook-logs"),
    (SLOW, "pod-resources"),
]
OF_THE_TABLES = [(PAYMENTS, "idempotency"), (PAYMENTS, "stuck-orders"), (DISPUTES, "review-orders")]
OF_THE_DATABASE = [
    (OUTAGE, "database-connections"),
    *OF_THE_TABLES,
    (SLOW, "long-queries"),
    (SLOW, "missing-indexes"),
]


async def pressed(walk: Walk, place: Place, step: str) -> str:
    """What the channel shows once a step was pressed."""
    severity, scenario = place
    channel = await walk.declare(severity=severity)
    if scenario is not None:
        await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, scenario)
    await walk.press_step("oncall", step, channel)
    return walk.text(channel)


@asynccontextmanager
async def told(slack: Slack, given: Settings, clock: Clock, **more: Any) -> AsyncIterator[Walk]:
    """The bot, told something else."""
    async with start_bot(given.model_copy(update=more), clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        yield Walk(slack, bot)


@pytest.mark.parametrize(("place", "step"), OF_THE_CLUSTER)
async def test_a_cluster_that_forbids_it(
    walk: Walk, kube: Cluster, place: Place, step: str
) -> None:
    kube.forbid("runbolt", "*", "*")

    shown = await pressed(walk, place, step)

    assert ":warning:" in shown
    assert "may not" in shown
    assert "deploy/rbac.yaml" in shown


@pytest.mark.parametrize(("place", "step"), OF_THE_CLUSTER)
async def test_a_cluster_that_is_away(walk: Walk, kube: Cluster, place: Place, step: str) -> None:
    await kube.stop_listening()

    shown = await pressed(walk, place, step)

    assert ":warning:" in shown
    assert "cannot be reached" in shown


@pytest.mark.parametrize(("place", "step"), OF_THE_CLUSTER)
async def test_slow_cluster_is_still_read(
    walk: Walk, kube: Cluster, place: Place, step: str
) -> None:
    kube.slow("*", 0.3)

    shown = await pressed(walk, place, step)

    assert "details in the thread" in shown
    assert "did not answer" not in shown


@pytest.mark.parametrize(("place", "step"), OF_THE_TABLES)
async def test_role_without_right_gives_warning(
    slack: Slack, given: Settings, clock: Clock, shop: Shop, place: Place, step: str
) -> None:
    async with await AsyncConnection.connect(shop.dsn) as conn:
        await conn.execute("REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM runbolt_ro")
    async with told(slack, given, clock, orders_database_url=shop.ro_dsn) as walk:
        shown = await pressed(walk, place, step)

    assert ":warning:" in shown
    assert "permission denied" in shown


@pytest.mark.parametrize(("place", "step"), OF_THE_DATABASE)
async def test_a_database_that_is_away(
    slack: Slack, given: Settings, clock: Clock, place: Place, step: str
) -> None:
    nowhere = f"postgresql://runbolt_ro@127.0.0.1:{free_port()}/orders"
    async with told(slack, given, clock, orders_database_url=nowhere) as walk:
        shown = await pressed(walk, place, step)

    assert ":warning:" in shown
    assert "cannot be reached" in shown


async def test_a_database_that_says_nothing(slack: Slack, given: Settings, clock: Clock) -> None:
    """All steps of a scenario at once, each given up on in its time."""
    taken: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: taken.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    mute = f"postgresql://runbolt_ro@127.0.0.1:{port}/orders"
    async with server, told(slack, given, clock, orders_database_url=mute) as walk:
        channel = await walk.declare(severity="sev3")
        found = slack.find_buttons(action_ids.RUN_STEP, channel, "oncall")
        steps: Sequence[str] = ("long-queries", "missing-indexes")
        buttons = [button for button in found if button.value in steps]
        await asyncio.gather(*(slack.press("oncall", button) for button in buttons))
        await walk.bot.drain()
        shown = walk.text(channel)
        for writer in taken:
            writer.close()

    assert len(buttons) == len(steps)
    assert shown.count(":warning:") >= len(steps)


@pytest.mark.parametrize("forbidden", [True, False])
async def test_stripe(slack: Slack, given: Settings, clock: Clock, forbidden: bool) -> None:
    async with Stripe(clock) as stripe:
        key = stripe.blind_key if forbidden else stripe.key
        url = stripe.url if forbidden else f"http://127.0.0.1:{free_port()}"
        async with told(slack, given, clock, stripe_api_key=key, stripe_api_url=url) as walk:
            shown = await pressed(walk, PAYMENTS, "undelivered-webhooks")

    assert ":warning:" in shown
    assert ("lacks the permission" if forbidden else "Stripe cannot be reached") in shown


async def test_the_payment_service(slack: Slack, given: Settings, clock: Clock) -> None:
    async with (
        PaymentService() as payments,
        Proxy({("payment-service", 3006): payments.url}) as proxy,
    ):
        await payments.set_health(Health.DOWN)
        async with told(slack, given, clock, playbook_proxy=proxy.url) as walk:
            shown = await pressed(walk, PAYMENTS, "payment-service-health")

    assert ":warning: payment-service:3006 answered 502 Bad Gateway" in shown


async def test_a_slow_stripe(slack: Slack, given: Settings, clock: Clock) -> None:
    async with Stripe(clock) as stripe:
        stripe.hang(times=2)
        more = {"stripe_api_key": stripe.key, "stripe_api_url": stripe.url}
        async with told(slack, given, clock, **more) as walk:
            shown = await pressed(walk, PAYMENTS, "undelivered-webhooks")

    assert ":warning: Stripe did not answer in time" in shown


async def test_a_slow_payment_service(slack: Slack, given: Settings, clock: Clock) -> None:
    async with (
        PaymentService() as payments,
        Proxy({("payment-service", 3006): payments.url}) as proxy,
    ):
        await payments.set_health(Health.SLOW)
        async with told(slack, given, clock, playbook_proxy=proxy.url) as walk:
            shown = await pressed(walk, PAYMENTS, "payment-service-health")
        await payments.set_health(Health.HEALTHY)

    assert "or a firewall is in between" in shown
