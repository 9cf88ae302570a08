"""The payment service's stand-in, as the health check of the playbook sees it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from bot.actions import Systems
from bot.http import HttpError
from bot.model import Reading
from commands.actions.http import HttpCheck
from sandbox.payments import Health, Payments
from tests.cluster_fixtures import systems

__all__ = ["systems"]


@pytest.fixture
async def payments() -> AsyncIterator[Payments]:
    async with Payments() as started:
        yield started


async def look(systems: Systems, payments: Payments, timeout: float = 5) -> Reading:
    return await HttpCheck(url=f"{payments.url}/health", timeout=timeout).read(systems)


async def test_well_ill_down_and_well_again(systems: Systems, payments: Payments) -> None:
    well = await look(systems, payments)
    assert well.ok
    assert '"status": "ok"' in well.excerpt

    await payments.turn(Health.DEGRADED)
    ill = await look(systems, payments)
    assert not ill.ok
    assert "answered 503 Service Unavailable" in ill.text
    assert '"status": "degraded"' in ill.excerpt

    for _ in range(2):
        await payments.turn(Health.DOWN)
        with pytest.raises(HttpError, match="refused the connection"):
            await look(systems, payments)

    await payments.turn(Health.HEALTHY)
    assert (await look(systems, payments)).ok


async def test_slow_until_it_is_well_again(systems: Systems, payments: Payments) -> None:
    await payments.turn(Health.SLOW)
    with pytest.raises(HttpError, match=r"no whole answer within 0.2 s"):
        await look(systems, payments, timeout=0.2)

    waiting = asyncio.create_task(look(systems, payments))
    await payments.turn(Health.HEALTHY)
    assert (await waiting).ok
