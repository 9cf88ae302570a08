"""The payment service's stand-in, as the health check of the playbook sees it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.actions.http import HttpCheck
from bot.model import ReadResult
from bot.settings import Settings
from bot.systems import Systems
from bot.systems.http import HttpError
from bot.views import action_ids
from sandbox.payments import Health, PaymentService
from sandbox.proxy import Proxy
from sandbox.slack import Slack
from tests.cluster_fixtures import systems
from tests.conftest import Clock, Walk, start_bot

__all__ = ["systems"]

PAYMENTS = "order-service/payment-refund-failures"


@pytest.fixture
async def payments() -> AsyncIterator[PaymentService]:
    async with PaymentService() as started:
        yield started


async def look(systems: Systems, payments: PaymentService, timeout: float = 5) -> ReadResult:
    return await HttpCheck(url=f"{payments.url}/health", timeout=timeout).read(systems)


async def test_well_ill_down_and_well_again(systems: Systems, payments: PaymentService) -> None:
    well = await look(systems, payments)
    assert well.ok
    assert '"status": "ok"' in well.excerpt

    await payments.set_health(Health.DEGRADED)
    ill = await look(systems, payments)
    assert not ill.ok
    assert "answered 503 Service Unavailable" in ill.text
    assert '"status": "degraded"' in ill.excerpt

    for _ in range(2):
        await payments.set_health(Health.DOWN)
        with pytest.raises(HttpError, match="refused the connection"):
            await look(systems, payments)

    await payments.set_health(Health.HEALTHY)
    assert (await look(systems, payments)).ok


async def test_the_playbook_names_the_service(
    slack: Slack, given: Settings, clock: Clock, payments: PaymentService
) -> None:
    await payments.set_health(Health.DEGRADED)
    async with Proxy({("payment-service", 3006): payments.url}) as proxy:
        told = given.model_copy(update={"playbook_proxy": proxy.url})
        async with start_bot(told, clock) as bot:
            slack.request_url = f"{bot.url}/slack/events"
            walk = Walk(slack, bot)
            channel = await walk.declare(severity="sev2")
            await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, PAYMENTS)
            await walk.press_step("oncall", "payment-service-health", channel)
            ill = walk.text(channel)
            await payments.set_health(Health.HEALTHY)
            await walk.press_step("oncall", "payment-service-health", channel)

    assert ":warning: payment-service:3006 answered 503 Service Unavailable in " in ill
    assert '"status": "degraded"' in ill
    assert ":white_check_mark: payment-service:3006 answered 200 OK in " in walk.text(channel)


async def test_slow_until_it_is_well_again(systems: Systems, payments: PaymentService) -> None:
    await payments.set_health(Health.SLOW)
    with pytest.raises(HttpError, match=r"no complete response within 0.2 s"):
        await look(systems, payments, timeout=0.2)

    waiting = asyncio.create_task(look(systems, payments))
    await payments.set_health(Health.HEALTHY)
    assert (await waiting).ok
