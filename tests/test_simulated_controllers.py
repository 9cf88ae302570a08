"""The simulated cluster's controllers keep the promises that real ones make."""

import pytest
from kubernetes.aio import client

from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from tests.clients import Api, api, apps, core, kube

__all__ = ["api", "apps", "core", "kube"]

NS = DEFAULT_NAMESPACE
ORDERS = "order-service"
PAYMENT = "payment-service"


async def test_rolling_update_keeps_its_limits(kube: Cluster) -> None:
    seen: list[tuple[int, int]] = []

    def count(_: object) -> None:
        alive = [pod for pod in kube.pods(PAYMENT) if not pod["metadata"].get("deletionTimestamp")]
        seen.append((len(kube.ready_pods(PAYMENT)), len(alive)))

    kube.state.store.add_listener(count)
    kube.deploy("v1.10.0", PAYMENT)
    await kube.wait_for_rollout(PAYMENT)

    assert min(ready for ready, _ in seen) == 2
    assert max(alive for _, alive in seen) == 3


async def test_recreate_stops_everything_first(kube: Cluster, apps: Api) -> None:
    strategy = {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}
    await apps.patch_namespaced_deployment(ORDERS, NS, strategy)
    kube.deploy("v2.3.2")

    await kube.wait_until(lambda: not kube.ready_pods())
    await kube.wait_for_rollout()

    assert kube.image().endswith(":v2.3.2")
    assert len(kube.ready_pods()) == 3


async def test_pods_count_after_ready_time(kube: Cluster, apps: Api) -> None:
    await apps.patch_namespaced_deployment(ORDERS, NS, {"spec": {"minReadySeconds": 5}})
    kube.deploy("v2.3.2")

    await kube.wait_until(lambda: kube.deployment()["status"].get("readyReplicas") == 6)
    assert kube.deployment()["status"]["availableReplicas"] == 3
    await kube.wait_for_rollout()


async def test_a_paused_deployment_does_not_roll(kube: Cluster, apps: Api) -> None:
    await apps.patch_namespaced_deployment(ORDERS, NS, {"spec": {"paused": True}})
    kube.deploy("v2.3.2")
    before = len(kube.replicasets())
    await kube.wait_until(lambda: "DeploymentPaused" in str(kube.deployment()["status"]))
    assert len(kube.replicasets()) == before

    await apps.patch_namespaced_deployment(ORDERS, NS, {"spec": {"paused": None}})
    await kube.wait_for_rollout()
    assert len(kube.replicasets()) == before + 1


async def test_old_revisions_are_forgotten(kube: Cluster, apps: Api) -> None:
    limit = {"spec": {"revisionHistoryLimit": 1}}
    await apps.patch_namespaced_deployment(ORDERS, NS, limit)

    await kube.wait_until(lambda: len(kube.replicasets()) == 2)
    numbers = {
        replicaset["metadata"]["annotations"]["deployment.kubernetes.io/revision"]
        for replicaset in kube.replicasets()
    }
    assert numbers == {"5", "6"}


async def test_deletion_takes_owned_objects_along(kube: Cluster, apps: Api) -> None:
    await apps.delete_namespaced_deployment(PAYMENT, NS)

    await kube.wait_until(lambda: not kube.pods(PAYMENT) and not kube.replicasets(PAYMENT))


async def test_foreground_deletion_waits_for_pods(kube: Cluster, apps: Api) -> None:
    await apps.delete_namespaced_deployment(PAYMENT, NS, propagation_policy="Foreground")

    await kube.wait_until(
        lambda: [deployment["metadata"]["name"] for deployment in kube.deployments()] == [ORDERS]
    )
    gone = [change.obj for change in kube.state.store.changes if change.type == "DELETED"]
    kinds = [change["kind"] for change in gone if change["metadata"]["name"].startswith(PAYMENT)]
    assert kinds.count("Pod") == 2
    assert kinds[-2:] == ["ReplicaSet", "Deployment"]


async def test_orphans_live_on(kube: Cluster, apps: Api) -> None:
    before = kube.pod_names(PAYMENT)

    await apps.delete_namespaced_deployment(PAYMENT, NS, propagation_policy="Orphan")
    await kube.scenario("no-pods")

    assert kube.pod_names(PAYMENT) == before


async def test_logs_need_a_container_name(kube: Cluster, core: Api) -> None:
    containers = [
        {"name": "web", "image": "ghcr.io/tickettoken/web:v1"},
        {"name": "proxy", "image": "ghcr.io/tickettoken/proxy:v1-crash"},
    ]
    pod = {"metadata": {"name": "pair", "labels": {"app": "pair"}}}
    await core.create_namespaced_pod(NS, pod | {"spec": {"containers": containers}})
    await kube.wait_for_status("CrashLoopBackOff", 1, app="pair")

    with pytest.raises(client.ApiException, match=r"choose one of: \[web proxy\]"):
        await core.read_namespaced_pod_log("pair", NS)
    ended = await core.read_namespaced_pod_log("pair", NS, container="proxy", previous=True)
    runs = await core.read_namespaced_pod_log("pair", NS, container="web")

    assert "ConfigError" in ended
    assert "listening" in runs
    statuses = (await core.read_namespaced_pod("pair", NS)).status.container_statuses
    assert [status.ready for status in statuses] == [True, False]


async def test_forgotten_watch_version_is_refused(kube: Cluster, core: Api) -> None:
    kube.compact()
    kube.change_template()
    await kube.wait_for_rollout()

    answer = await core.list_namespaced_pod_without_preload_content(
        NS, watch=True, resource_version="5", timeout_seconds=5
    )

    line = await answer.content.readline()
    assert b'"type":"ERROR"' in line
    assert b'"reason":"Expired"' in line
