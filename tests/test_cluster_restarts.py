"""An API server that does not answer for a while: before a change, while it runs, and after it."""

import asyncio
import time
from collections.abc import Callable

import pytest

from bot.actions.kubernetes.scale import ScaleDeployment
from bot.systems import ChangingSystems
from bot.systems.kubernetes import NotConnected, TimedOut, Unreachable, patches
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.cluster.requests import Request
from tests.cluster_fixtures import SELECTOR, RecordedProgress, systems
from tests.conftest import Bot, Walk
from tests.rollbacks import broken
from tests.waiting import until

__all__ = ["broken", "systems"]

LOST = ("list", 500)
WAITS = "Kubernetes of cluster sandbox does not answer. Waiting for it, for {} s at most"


@pytest.fixture
def patient(systems: ChangingSystems) -> tuple[ChangingSystems, list[str]]:
    """Systems that wait for the cluster, and what they told of it."""
    told: list[str] = []

    async def report(text: str) -> None:
        told.append(text)

    return systems.patient(report), told


async def stop_until(kube: Cluster, is_told: Callable[[], bool]) -> asyncio.Task[None]:
    """Refuse connections until it is told, as an API server does that restarts."""
    await kube.stop_listening()

    async def restart() -> None:
        await until(is_told)
        await kube.start_listening()

    return asyncio.create_task(restart())


async def test_reads_and_dry_runs_wait(
    patient: tuple[ChangingSystems, list[str]], kube: Cluster
) -> None:
    systems, told = patient
    restart = await stop_until(kube, lambda: bool(told))

    plan = await ScaleDeployment(deployment="order-service", replicas=4).plan(
        systems.for_planning()
    )

    await restart
    assert plan.summary == "Scale order-service from 3 to 4 replicas"
    assert told == [WAITS.format(300)]


async def test_a_write_that_was_never_sent_waits(
    patient: tuple[ChangingSystems, list[str]], kube: Cluster
) -> None:
    systems, told = patient
    cluster = systems.cluster
    deployment = await cluster.deployment("order-service")
    restart = await stop_until(kube, lambda: bool(told))

    await cluster.patch(deployment, patches.scale(4), 7)

    await restart
    assert len(kube.writes) == 1


@pytest.mark.parametrize("trouble", ["hang", "fail"])
async def test_a_write_that_was_sent_is_not_sent_again(
    patient: tuple[ChangingSystems, list[str]], kube: Cluster, trouble: str
) -> None:
    cluster = patient[0].cluster
    cluster.timeout = 0.3
    deployment = await cluster.deployment("order-service")
    if trouble == "hang":
        kube.hang("patch *")
    else:
        kube.fail("patch *", 500)

    with pytest.raises((TimedOut, Unreachable)) as failed:
        await cluster.patch(deployment, patches.scale(4), 7)

    assert failed.value.unsure
    assert len([request for request in kube.requests if request.verb == "patch"]) == 1


async def test_patience_ends(systems: ChangingSystems, kube: Cluster) -> None:
    systems.cluster.patience_seconds = 0.5
    told = RecordedProgress()
    await kube.stop_listening()
    start = time.monotonic()

    with pytest.raises(NotConnected):
        await systems.patient(told.run.report).cluster.pods(SELECTOR)

    assert time.monotonic() - start < 2
    assert told.texts == [WAITS.format(0)]


async def test_a_stall_before_the_write(walk: Walk, bot: Bot, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    restart = await stop_until(broken, lambda: WAITS.format(300) in walk.text(channel))

    await walk.press("second", action_ids.APPROVE, channel)

    await restart
    assert "Done and checked" in walk.text(channel)


async def test_a_restart_between_write_and_check(walk: Walk, bot: Bot, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    written = asyncio.create_task(broken.wait_until(lambda: bool(broken.writes)))
    [button] = walk.slack.find_buttons(action_ids.APPROVE, channel, "second")
    await walk.slack.press("second", button)
    await written
    restart = await stop_until(broken, lambda: WAITS.format(300) in walk.text(channel))
    await bot.drain()

    await restart
    assert "Done and checked" in walk.text(channel)
    assert len(broken.writes) == 1


def _is_deletion(request: Request) -> bool:
    return request.verb == "delete" and "dryRun" not in str((request.query, request.body))


async def test_a_check_that_begins_in_a_restart_waits(walk: Walk, bot: Bot, kube: Cluster) -> None:
    """Once it began without an answer, there would be no verdict, and no word of the wait."""
    channel = await walk.declare()
    await walk.press_step("oncall", "delete-pods", channel)
    await walk.submit("oncall", reason="They hang")
    [button] = walk.slack.find_buttons(action_ids.APPROVE, channel, "second")
    kube.slow("delete *", 0.1, dry_run=False)
    await walk.slack.press("second", button)
    await kube.wait_until(lambda: _is_deletion(kube.requests[-1]))
    kube.fail("list */pods", 500)
    await kube.wait_until(lambda: (kube.requests[-1].verb, kube.requests[-1].status) == LOST)
    kube.heal()
    await bot.drain()

    request = walk.execution(channel)
    assert (request.state, request.outcome) == (
        "Done and checked",
        "3 pods were replaced: 3 of 3 ready, no restarts for 0.4 s",
    )
