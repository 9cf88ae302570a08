"""What a plan changes: one target for each thing, whatever people call its cluster."""

from pathlib import Path

import pytest

from bot.actions.kubernetes.restarts import DeletePods
from bot.actions.kubernetes.scale import ScaleDeployment
from bot.model import target
from sandbox.cluster import Cluster as SimulatedCluster
from tests.cluster_fixtures import SELECTOR, open_clusters, systems_of
from tests.several_clusters import copy_order_service, merged, written

SERVER = "10.0.0.1:6443"
SCALE = ScaleDeployment(deployment="order-service", replicas=4)


@pytest.mark.parametrize(
    ("whole", "cluster", "described"),
    [
        (
            target.in_cluster("deployment/orders", "shop", SERVER),
            "",
            "deployment/orders in namespace shop",
        ),
        (
            target.in_cluster("deployment/orders", "shop", SERVER),
            "eu",
            "deployment/orders in namespace shop of cluster eu",
        ),
        (
            target.in_cluster("pods/tier in (web, api)", "shop", f"{SERVER}/clusters/c-1"),
            "",
            "pods/tier in (web, api) in namespace shop",
        ),
        (target.on_server("database/orders", "db.example:5432"), "", "database/orders"),
        ("slack/C0123456789", "eu", "slack/C0123456789"),
        ("deployment/orders", "eu", "deployment/orders"),
    ],
)
def test_how_people_read_a_target(whole: str, cluster: str, described: str) -> None:
    assert target.describe(whole, cluster) == described


async def test_contexts_of_one_server_share_targets(kube: SimulatedCluster, tmp_path: Path) -> None:
    await copy_order_service(kube, "payments")
    config = merged(eu=kube.kubeconfig(), again=kube.kubeconfig())
    places = [("eu", "tickettoken"), ("again", "tickettoken"), ("eu", "payments")]
    async with open_clusters(written(tmp_path / "config", config)) as clusters:
        systems = [systems_of(clusters.cluster(*place)).for_planning() for place in places]
        plans = [await SCALE.plan(each) for each in systems]
        pods = [await DeletePods(selector=SELECTOR).plan(each) for each in systems]

    named = [plan.target for plan in plans]
    assert named[0] == named[1] != named[2]
    assert [plan.target for plan in pods] == named
    assert plans[0].digest == plans[1].digest != plans[2].digest
    assert [target.describe(name) for name in named] == [
        "deployment/order-service in namespace tickettoken",
        "deployment/order-service in namespace tickettoken",
        "deployment/order-service in namespace payments",
    ]


async def test_servers_have_targets_of_their_own(kube: SimulatedCluster, tmp_path: Path) -> None:
    async with SimulatedCluster(speed=kube.state.clock.speed) as other:
        await other.seed_order_service()
        config = merged(eu=kube.kubeconfig(), us=other.kubeconfig())
        async with open_clusters(written(tmp_path / "config", config)) as clusters:
            eu, us = [
                await SCALE.plan(systems_of(clusters.cluster(name, "tickettoken")).for_planning())
                for name in ("eu", "us")
            ]

    assert eu.target != us.target
    assert eu.digest != us.digest
