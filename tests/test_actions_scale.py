"""Scaling: bounded, and aware of who else decides how many pods there are and can be."""

import re

import pytest
import yaml
from pydantic import ValidationError

from bot.actions.kubernetes.scale import ScaleDeployment
from bot.model import UserError
from bot.systems import ChangingSystems
from bot.systems import kubernetes as door
from sandbox.cluster import Cluster
from tests.cluster_fixtures import USER, RecordedProgress, carry_out, systems
from tests.conftest import ROOT

__all__ = ["systems"]


def scale(replicas: int, **more: float) -> ScaleDeployment:
    times = {"watch_seconds": 0.3, "deadline_seconds": 8.0} | more
    return ScaleDeployment.model_validate(
        {"deployment": "order-service", "replicas": replicas} | times
    )


def replicas(kube: Cluster) -> int:
    return int(kube.deployment()["spec"]["replicas"])


@pytest.mark.parametrize("replicas", [0, 51, -1])
def test_the_bounds(replicas: int) -> None:
    with pytest.raises(ValidationError):
        scale(replicas)


async def test_from_nothing_there_is_no_undo(systems: ChangingSystems, kube: Cluster) -> None:
    """Back would be to none, which is out of bounds."""
    await kube.scenario("no-pods")
    plan, verdict = await carry_out(scale(2), systems, RecordedProgress())

    assert verdict.ok, verdict.text
    assert plan.undo is None


@pytest.mark.parametrize(
    ("wanted", "back", "command"),
    [
        (
            8,
            6,
            "kubectl patch hpa order-service --namespace tickettoken --patch "
            '\'{"spec":{"maxReplicas":8}}\'',
        ),
        (
            1,
            2,
            "kubectl patch hpa order-service --namespace tickettoken --patch "
            '\'{"spec":{"minReplicas":1}}\'',
        ),
    ],
)
async def test_outside_autoscaler_bounds_is_refused(
    wanted: int, back: int, command: str, systems: ChangingSystems, kube: Cluster
) -> None:
    kube.autoscale(2, 6)
    with pytest.raises(UserError) as refused:
        await scale(wanted).plan(systems.for_planning())

    assert "The autoscaler order-service (2 to 6) is in charge" in str(refused.value)
    assert f"set it back to {back} within seconds" in str(refused.value)
    assert str(refused.value).endswith(f"`{command}`")
    assert kube.writes == []


@pytest.mark.parametrize(("wanted", "bound"), [(5, "minReplicas"), (2, "maxReplicas")])
async def test_within_autoscaler_bounds_is_warned_of(
    wanted: int, bound: str, systems: ChangingSystems, kube: Cluster
) -> None:
    kube.autoscale(2, 6)
    plan, verdict = await carry_out(scale(wanted), systems, RecordedProgress())

    assert verdict.ok, verdict.text
    assert "The autoscaler order-service (2 to 6) is in charge" in plan.warnings[0]
    assert f'{{"spec":{{"{bound}":{wanted}}}}}' in plan.warnings[0]


async def test_autoscaler_of_other_deployment_is_ignored(
    systems: ChangingSystems, kube: Cluster
) -> None:
    kube.autoscale(1, 2, "payment-service")

    assert (await scale(5).plan(systems.for_planning())).warnings == ()


async def test_new_autoscaler_changes_next_plan(systems: ChangingSystems, kube: Cluster) -> None:
    """So the run, which plans again, finds another digest and stops."""
    plan = await scale(5).plan(systems.for_planning())
    kube.autoscale(2, 6)

    assert (await scale(5).plan(systems.for_planning())).digest != plan.digest


async def test_change_by_autoscaler_fails_check(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await scale(5).plan(systems.for_planning())
    await scale(5).execute(systems, plan, RecordedProgress().run)
    kube.autoscale(2, 4)
    await kube.wait_until(lambda: replicas(kube) == 4)
    verdict = await scale(5).verify(systems.for_reading(), plan, RecordedProgress().run)

    assert (verdict.ok, verdict.undone_outside) == (False, True)
    assert re.fullmatch(
        r"Done, then changed by an autoscaler (within a second|after about \d+ s): "
        r"order-service is scaled to 4.",
        verdict.text,
    )


async def test_forbidden_autoscalers_are_warned_of(systems: ChangingSystems, kube: Cluster) -> None:
    kube.forbid(USER, "list", "horizontalpodautoscalers")
    plan = await scale(5).plan(systems.for_planning())

    assert "may not list horizontalpodautoscalers" in plan.warnings[0]


async def test_a_cluster_without_autoscalers(systems: ChangingSystems, kube: Cluster) -> None:
    kube.fail("*/autoscaling/v2/*", 404)

    assert (await scale(5).plan(systems.for_planning())).warnings == ()


async def test_a_quota_without_room_refuses_it(systems: ChangingSystems, kube: Cluster) -> None:
    kube.limit_namespace(pods="9")
    with pytest.raises(
        UserError, match="shop-quota allows pods=9, 8 is used, and 2 more is needed"
    ):
        await scale(5).plan(systems.for_planning())

    assert (await scale(4).plan(systems.for_planning())).warnings == ()
    assert (await scale(2).plan(systems.for_planning())).warnings == ()
    assert kube.writes == []


async def test_nodes_without_room_are_warned_of(systems: ChangingSystems, kube: Cluster) -> None:
    # The three nodes hold eight pods, which request 250m each where they request anything.
    kube.limit_nodes(cpu="0.75")
    plan = await scale(8).plan(systems.for_planning())

    assert "room for 4 of the 5 new pods" in plan.warnings[0]
    assert (await scale(7).plan(systems.for_planning())).warnings == ()


async def test_pods_without_node_fail_check(systems: ChangingSystems, kube: Cluster) -> None:
    kube.limit_nodes(cpu="0.5")
    _, verdict = await carry_out(scale(6, deadline_seconds=1.5), systems, RecordedProgress())

    assert not verdict.ok
    assert "Pending" in verdict.text


async def test_forbidden_nodes_give_no_warning(systems: ChangingSystems, kube: Cluster) -> None:
    kube.limit_nodes(cpu="0.5")
    kube.forbid(USER, "list", "nodes")

    assert (await scale(9).plan(systems.for_planning())).warnings == ()


async def test_shipped_roles_are_enough(systems: ChangingSystems, kube: Cluster) -> None:
    kube.limit_nodes(cpu="0.5")
    kube.autoscale(2, 20)
    for document in yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text()):
        if document["kind"] in ("Role", "ClusterRole"):
            kube.restrict(USER, document["rules"], document["metadata"].get("namespace", ""))

    charge, room = (await scale(9).plan(systems.for_planning())).warnings
    assert "in charge" in charge
    assert "new pods" in room


@pytest.mark.parametrize(
    ("path", "unknown"),
    [
        ("list */horizontalpodautoscalers", "Whether an autoscaler would set this back"),
        ("list */resourcequotas", "Whether the quota has room"),
        ("list */nodes", "Whether the nodes have room"),
    ],
)
@pytest.mark.parametrize("mute", [True, False])
async def test_failed_lookup_only_warns(
    path: str, unknown: str, mute: bool, systems: ChangingSystems, kube: Cluster
) -> None:
    if mute:
        kube.hang(path)
    else:
        kube.fail(path, 500)
    plan = await scale(5).plan(systems.for_planning())

    assert [
        warning.startswith(f"{unknown} is not known. Kubernetes ") for warning in plan.warnings
    ] == [True]


async def test_a_mute_cluster(systems: ChangingSystems, kube: Cluster) -> None:
    kube.hang("get */deployments/*")
    with pytest.raises(door.TimedOut):
        await scale(5).plan(systems.for_planning())
