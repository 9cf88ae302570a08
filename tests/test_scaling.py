"""Scaling from the incident's channel: what is asked, refused, approved, done and undone."""

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Refusal
from tests.conftest import Walk


async def declare(walk: Walk) -> str:
    return await walk.declare("Orders are slow", "sev3")


async def ask(walk: Walk, channel: str, replicas: int = 5) -> None:
    await walk.press_step("oncall", "scale-up", channel)
    await walk.submit("oncall", replicas=str(replicas), reason="CPU is at its limit")


def replicas(kube: Cluster) -> int:
    return int(kube.deployment()["spec"]["replicas"])


async def test_from_request_to_outcome_and_back(walk: Walk, kube: Cluster) -> None:
    channel = await declare(walk)
    await ask(walk, channel)
    assert "Scale order-service from 3 to 5 replicas" in walk.text(channel)
    assert replicas(kube) == 3

    await walk.press("second", action_ids.APPROVE, channel)
    assert "5 of 5 ready" in walk.text(channel)

    await walk.press("second", action_ids.UNDO, channel)
    assert "Undone by" in walk.text(channel)
    assert replicas(kube) == 3


@pytest.mark.parametrize("wanted", [0, 51])
async def test_out_of_bounds_is_answered_in_the_form(
    wanted: int, walk: Walk, kube: Cluster
) -> None:
    channel = await declare(walk)
    with pytest.raises(Refusal) as refused:
        await ask(walk, channel, wanted)

    assert list(refused.value.errors) == ["replicas"]


async def test_an_autoscaler_in_charge_is_said_with_what_to_do(walk: Walk, kube: Cluster) -> None:
    kube.autoscale(2, 4)
    channel = await declare(walk)
    await ask(walk, channel)

    seen = walk.text(channel, "oncall")
    assert "The autoscaler order-service (2 to 4) is in charge" in seen
    assert """kubectl patch hpa order-service --patch '{"spec":{"maxReplicas":5}}'""" in seen
    assert "Needs 1 more approval" not in seen


async def test_an_autoscaler_that_allows_it_is_a_warning_in_the_plan(
    walk: Walk, kube: Cluster
) -> None:
    kube.autoscale(2, 6)
    channel = await declare(walk)
    await ask(walk, channel)
    assert ":warning: The autoscaler order-service (2 to 6)" in walk.text(channel)

    await walk.press("second", action_ids.APPROVE, channel)
    assert "Done and checked" in walk.text(channel)


async def test_an_autoscaler_made_between_plan_and_approval_stops_it(
    walk: Walk, kube: Cluster
) -> None:
    channel = await declare(walk)
    await ask(walk, channel)
    kube.autoscale(2, 6)
    await walk.press("second", action_ids.APPROVE, channel)

    assert "Not done" in walk.text(channel)
    assert "Changed: autoscaler." in walk.text(channel)
    assert replicas(kube) == 3


async def test_what_was_scaled_by_somebody_else_is_not_scaled_again(
    walk: Walk, kube: Cluster
) -> None:
    channel = await declare(walk)
    await ask(walk, channel, 9)
    kube.scale(6)
    await walk.press("second", action_ids.APPROVE, channel)

    assert "Changed: replicas." in walk.text(channel)
    assert replicas(kube) == 6


@pytest.mark.parametrize("cpu", ["1", "0.5"])
async def test_room_that_comes_and_goes_stops_nothing(cpu: str, walk: Walk, kube: Cluster) -> None:
    """The nodes' pods come and go all the time, and nobody approved how many would fit."""
    kube.limit_nodes(cpu="0.75")
    channel = await declare(walk)
    await ask(walk, channel, 9)
    assert "room for 4 of the 6 new pods" in walk.text(channel)
    kube.limit_nodes(cpu=cpu)
    [button] = walk.slack.find_buttons(action_ids.APPROVE, channel, "second")
    await walk.slack.press("second", button)
    await kube.wait_until(lambda: replicas(kube) == 9)

    kube.limit_nodes(cpu="1")
    await walk.bot.drain()
    assert "9 of 9 ready" in walk.text(channel)


async def test_a_full_quota_is_answered_to_the_person(walk: Walk, kube: Cluster) -> None:
    kube.limit_namespace(pods="9")
    channel = await declare(walk)
    await ask(walk, channel)

    assert "shop-quota allows pods=9, 8 is used" in walk.text(channel, "oncall")
    assert "Needs 1 more approval" not in walk.text(channel)


async def test_a_missing_right_is_answered_to_the_person(walk: Walk, kube: Cluster) -> None:
    kube.forbid("runbolt", "patch", "deployments")
    channel = await declare(walk)
    await ask(walk, channel)

    assert "The bot may not patch deployments" in walk.text(channel, "oncall")


async def test_a_slow_cluster_only_takes_longer(walk: Walk, kube: Cluster) -> None:
    kube.slow("*/tickettoken/*", 0.2)
    channel = await declare(walk)
    await ask(walk, channel)
    await walk.press("second", action_ids.APPROVE, channel)

    assert "5 of 5 ready" in walk.text(channel)


async def test_an_unreachable_cluster_is_answered_to_the_person(walk: Walk, kube: Cluster) -> None:
    channel = await declare(walk)
    await kube.stop_listening()
    await ask(walk, channel)

    assert "Kubernetes cannot be reached" in walk.text(channel, "oncall")
