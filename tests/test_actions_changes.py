"""Restarting, deleting pods and scaling: each with its plan, its guard and its check."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from bot.actions.base import Change
from bot.actions.kubernetes import deployments
from bot.actions.kubernetes.restarts import DeletePods, RollingRestart
from bot.actions.kubernetes.scale import ScaleDeployment
from bot.model import UserError
from bot.systems import ChangingSystems
from bot.systems import kubernetes as door
from bot.systems.kubernetes import resources
from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from sandbox.cluster.store import editable_copy
from tests.cluster_fixtures import SELECTOR, USER, RecordedProgress, carry_out, systems

__all__ = ["systems"]

TIMES = {"watch_seconds": 0.3, "deadline_seconds": 8.0}


def restart() -> Change:
    return RollingRestart.model_validate({"deployment": "order-service"} | TIMES)


def delete() -> Change:
    return DeletePods.model_validate({"selector": SELECTOR} | TIMES)


def scale(replicas: int = 4) -> Change:
    return ScaleDeployment.model_validate(
        {"deployment": "order-service", "replicas": replicas} | TIMES
    )


CHANGES = pytest.mark.parametrize("change", [restart, delete, scale])


@CHANGES
async def test_plans_are_dry_and_steady(
    change: Callable[[], Change], systems: ChangingSystems, kube: Cluster
) -> None:
    await kube.scenario("crash-loop")
    before = len(kube.writes)
    plans = [await change().plan(systems.for_planning()) for _ in range(2)]

    assert plans[0].digest == plans[1].digest
    place = f"{DEFAULT_NAMESPACE} of 127.0.0.1:{kube.port}/users/{USER}"
    assert plans[0].target == f"deployment/order-service in {place}"
    assert len(kube.writes) == before


@CHANGES
async def test_a_healthy_service_stays_so(
    change: Callable[[], Change], systems: ChangingSystems, kube: Cluster
) -> None:
    before = set(kube.pod_names())
    _, verdict = await carry_out(change(), systems, RecordedProgress())

    assert verdict.ok, verdict.text
    assert "no restarts for 0.3 s" in verdict.text
    assert set(kube.pod_names()) != before


@CHANGES
async def test_a_crash_loop_is_not_healed(
    change: Callable[[], Change], systems: ChangingSystems, kube: Cluster
) -> None:
    await kube.scenario("crash-loop")
    action = change().model_copy(update={"watch_seconds": 1.5, "deadline_seconds": 3.0})
    _, verdict = await carry_out(action, systems, RecordedProgress())

    assert not verdict.ok
    assert "exit 2" in verdict.text


@CHANGES
async def test_an_unreachable_cluster(
    change: Callable[[], Change], systems: ChangingSystems, kube: Cluster
) -> None:
    plan = await change().plan(systems.for_planning())
    await kube.stop_listening()
    with pytest.raises(door.Unreachable):
        await change().plan(systems.for_planning())
    with pytest.raises(door.Unreachable):
        await change().execute(systems, plan, RecordedProgress().run)


@CHANGES
async def test_a_mute_cluster(
    change: Callable[[], Change], systems: ChangingSystems, kube: Cluster
) -> None:
    kube.hang("*")
    with pytest.raises(door.TimedOut):
        await change().plan(systems.for_planning())


@pytest.mark.parametrize(
    ("change", "verb", "resource"),
    [
        (restart, "patch", "deployments"),
        (delete, "delete", "pods"),
        (scale, "patch", "deployments"),
    ],
)
async def test_missing_right_shows_in_plan(
    change: Callable[[], Change], verb: str, resource: str, systems: ChangingSystems, kube: Cluster
) -> None:
    kube.forbid(USER, verb, resource)
    with pytest.raises(door.Forbidden, match=f"{verb} {resource}"):
        await change().plan(systems.for_planning())


@pytest.mark.parametrize(
    ("change", "drift"),
    [
        (restart, lambda kube: kube.deploy("v2.3.2")),
        (scale, lambda kube: kube.deploy("v2.3.2")),
        (scale, lambda kube: kube.scale(2)),
    ],
)
async def test_drift_is_refused(
    change: Callable[[], Change],
    drift: Callable[[Cluster], None],
    systems: ChangingSystems,
    kube: Cluster,
) -> None:
    plan = await change().plan(systems.for_planning())
    drift(kube)
    with pytest.raises(UserError, match="changed since the plan"):
        await change().execute(systems, plan, RecordedProgress().run)


@CHANGES
async def test_what_was_not_done_is_said(
    change: Callable[[], Change], systems: ChangingSystems, kube: Cluster
) -> None:
    plan = await change().plan(systems.for_planning())
    verdict = await change().settle(systems, plan, RecordedProgress().run)

    assert verdict is not None
    assert not verdict.was_applied
    assert kube.writes == []


async def test_only_the_planned_pods_are_deleted(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await delete().plan(systems.for_planning())
    planned = set(kube.pod_names())
    kube.scale(4)
    await kube.wait_for_ready_pods(4)
    added = set(kube.pod_names()) - planned
    await delete().execute(systems, plan, RecordedProgress().run)
    await kube.wait_until(lambda: not planned & set(kube.pod_names()))

    assert added <= set(kube.pod_names())


async def test_deletion_plan_names_pods_and_loss(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await delete().plan(systems.for_planning())

    assert all(name in plan.summary for name in kube.pod_names())
    assert plan.fingerprint["pods"].keys() == set(kube.pod_names())
    assert re.fullmatch(r"All 3 pods at once: no capacity for some \d+ s\.", plan.blast_radius.text)
    assert (plan.blast_radius.pods, plan.blast_radius.capacity) == (3, 100)
    assert plan.undo is None


async def test_approval_covers_share_of_pods(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await delete().plan(systems.for_planning())
    kube.scale(6)
    await kube.wait_for_rollout()

    assert plan.fingerprint["of"] == 3
    assert (await delete().plan(systems.for_planning())).fingerprint["of"] == 6


async def test_parallel_deletions_take_pods_once(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await delete().plan(systems.for_planning())
    runs = (delete().execute(systems, plan, RecordedProgress().run) for _ in range(2))
    await asyncio.gather(*runs)
    await kube.wait_for_ready_pods(3)

    assert not set(plan.fingerprint["pods"]) & set(kube.pod_names())


@pytest.mark.parametrize(
    ("replicas", "words", "missing"),
    [
        (1, "67 % of the capacity", (2, 67)),
        (5, "2 pods are added", (0, 0)),
    ],
)
async def test_scaling_says_what_it_costs(
    replicas: int, words: str, missing: tuple[int, int], systems: ChangingSystems, kube: Cluster
) -> None:
    plan, verdict = await carry_out(scale(replicas), systems, RecordedProgress())

    assert verdict.ok, verdict.text
    assert words in plan.blast_radius.text
    assert (plan.blast_radius.pods, plan.blast_radius.capacity) == missing
    assert plan.undo is not None
    assert plan.undo.params["replicas"] == 3
    assert len(kube.ready_pods()) == replicas


async def test_scaling_to_current_number_is_refused(systems: ChangingSystems) -> None:
    with pytest.raises(UserError, match="already"):
        await scale(3).plan(systems.for_planning())


async def test_no_pods_to_delete(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("no-pods")
    with pytest.raises(UserError, match="nothing to delete"):
        await delete().plan(systems.for_planning())


STRATEGIES: list[tuple[dict[str, Any], tuple[int, int]]] = [
    ({}, (0, 25)),
    ({"type": "Recreate"}, (0, 100)),
    ({"rollingUpdate": {"maxUnavailable": "30%"}}, (0, 30)),
    ({"rollingUpdate": {"maxUnavailable": 2}}, (2, 0)),
    ({"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}, (0, 0)),
    ({"rollingUpdate": {"maxUnavailable": "10%", "maxSurge": 0}}, (1, 10)),
    ({"rollingUpdate": {"maxUnavailable": 0, "maxSurge": "0%"}}, (1, 0)),
]


async def test_a_strategy_bounds_what_is_missing(kube: Cluster) -> None:
    raw = editable_copy(kube.deployment())
    for strategy, bounds in STRATEGIES:
        raw["spec"]["strategy"] = strategy
        for replicas in (0, 3, 20):
            raw["spec"]["replicas"] = replicas
            radius = deployments.blast_radius(resources.parse_deployment(raw, "k:6443", "shop"))
            assert (radius.pods, radius.capacity, radius.sessions) == (*bounds, 0)
