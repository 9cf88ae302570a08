"""What a missing permission says: cluster, namespace, verb and object, for each rule of the bot."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.systems.kubernetes import Cluster, Forbidden, patches
from sandbox.cluster import Cluster as SimulatedCluster
from tests.cluster_fixtures import SELECTOR, SHOP, USER, open_cluster

ROLES = Path(__file__).parent.parent / "deploy" / "rbac.yaml"
ORDERS = "order-service"
Permission = tuple[str, str]


def permissions() -> Iterator[Permission]:
    """Each verb and resource of the roles, as the bot's sentences name them."""
    for document in yaml.safe_load_all(ROLES.read_text(encoding="utf-8")):
        for rule in document.get("rules", ()):
            [group], [resource], verbs = rule["apiGroups"], rule["resources"], rule["verbs"]
            for verb in verbs:
                yield verb, resource if group in ("", "apps") else f"{resource}.{group}"


async def read_log(cluster: Cluster) -> None:
    async def ignore(_: bytes) -> None:
        """Nobody reads it."""

    [pod, *_] = await cluster.pods(SELECTOR)
    await cluster.log(pod.name, ORDERS, ignore, tail=1)


async def execute(cluster: Cluster) -> None:
    [pod, *_] = await cluster.pods(SELECTOR)
    await cluster.exec(pod.name, ORDERS, ["nc"], timeout=2.0)


async def patch(cluster: Cluster) -> None:
    await cluster.patch(await cluster.deployment(ORDERS), patches.scale(4), 7)


async def delete(cluster: Cluster) -> None:
    await cluster.delete_pod((await cluster.pods(SELECTOR))[0])


async def fence(cluster: Cluster) -> None:
    await cluster.fence((await cluster.pods(SELECTOR))[0])


async def list_revisions(cluster: Cluster) -> None:
    await cluster.revisions(await cluster.deployment(ORDERS))


CALLS: dict[Permission, Callable[[Cluster], Awaitable[Any]]] = {
    ("list", "pods"): lambda cluster: cluster.pods(SELECTOR),
    ("get", "pods/log"): read_log,
    ("get", "pods/exec"): execute,
    ("create", "pods/exec"): execute,
    ("get", "deployments"): lambda cluster: cluster.deployment(ORDERS),
    ("list", "replicasets"): list_revisions,
    ("list", "events"): lambda cluster: cluster.backoff_pods(),
    ("list", "resourcequotas"): lambda cluster: cluster.quotas(),
    ("list", "limitranges"): lambda cluster: cluster.limit_ranges(),
    ("list", "horizontalpodautoscalers.autoscaling"): lambda cluster: cluster.autoscalers(),
    ("list", "poddisruptionbudgets.policy"): lambda cluster: cluster.disruption_budgets(),
    ("list", "pods.metrics.k8s.io"): lambda cluster: cluster.usage(SELECTOR),
    ("patch", "deployments"): patch,
    ("delete", "pods"): delete,
    ("patch", "pods"): fence,
    ("list", "nodes"): lambda cluster: cluster.nodes(),
}


@pytest.mark.parametrize("permission", list(permissions()), ids=" ".join)
async def test_missing_permission_says_where(
    permission: Permission, kube: SimulatedCluster, tmp_path: Path
) -> None:
    verb, resource = permission
    kube.forbid(USER, verb, resource)
    async with open_cluster(kube.write_kubeconfig(tmp_path / "config", USER)) as cluster:
        with pytest.raises(Forbidden) as forbidden:
            await CALLS[permission](cluster)

    described = f"deployments {ORDERS}" if resource == "deployments" else resource
    place = "in cluster sandbox" if resource == "nodes" else SHOP
    done = "changed" if verb in ("patch", "delete") else "read"
    assert str(forbidden.value) == (
        f"The bot may not {verb} {described} {place}. Nothing was {done}. Grant it: "
        "deploy/rbac.yaml has every rule that the bot needs."
    )


def test_every_rule_is_used() -> None:
    assert set(permissions()) == set(CALLS)
