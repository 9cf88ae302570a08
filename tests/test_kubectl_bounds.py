"""A stock kubectl sees the simulated cluster's autoscalers, quotas and full nodes."""

import re
from pathlib import Path

from sandbox.cluster import Cluster
from sandbox.cluster.resources import AUTOSCALERS
from tests.test_kubectl import SERVICE, Kubectl, kube, kubectl, pytestmark

__all__ = ["kube", "kubectl", "pytestmark"]

AUTOSCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: orders
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: order-service}
  minReplicas: %d
  maxReplicas: %d
"""


async def create(kubectl: Kubectl, path: Path, lowest: int, highest: int) -> int:
    file = path / "hpa.yaml"
    file.write_text(AUTOSCALER % (lowest, highest))
    return (await kubectl("create", "-f", str(file))).code


def replicas(kube: Cluster) -> int:
    return int(kube.deployment()["spec"]["replicas"])


async def test_autoscaler_is_made_and_acts(kube: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    assert await create(kubectl, tmp_path, 2, 6) == 0
    await kubectl.ok("scale", SERVICE, "--replicas=9")
    await kube.wait_until(lambda: replicas(kube) == 6)

    shown = await kubectl.ok("get", "hpa", "orders")
    assert shown.out.splitlines()[0].split()[:3] == ["NAME", "REFERENCE", "TARGETS"]
    pattern = r"orders +Deployment/order-service +cpu: <unknown>/80% +2 +6 +\d+ +\d+s"
    assert re.search(pattern, shown.out)
    told = await kubectl.ok("describe", "hpa", "orders")
    assert "Current number of replicas above Spec.MaxReplicas" in told.out


async def test_its_bounds_are_patched(kube: Cluster, kubectl: Kubectl, tmp_path: Path) -> None:
    await create(kubectl, tmp_path, 2, 6)
    await kubectl.ok("patch", "hpa", "orders", "--patch", '{"spec":{"minReplicas":5}}')

    await kube.wait_until(lambda: replicas(kube) == 5)


async def test_bounds_that_cannot_be(kubectl: Kubectl, tmp_path: Path) -> None:
    assert await create(kubectl, tmp_path, 6, 2) == 1


async def test_autoscaler_leaves_zero_replicas_alone(
    kube: Cluster, kubectl: Kubectl, tmp_path: Path
) -> None:
    await kubectl.ok("scale", SERVICE, "--replicas=0")
    await create(kubectl, tmp_path, 2, 6)
    await kube.wait_until(lambda: "ScalingDisabled" in str(kube.state.store.list(AUTOSCALERS)))

    assert replicas(kube) == 0


async def test_a_quota_shows_what_is_used(kube: Cluster, kubectl: Kubectl) -> None:
    kube.limit_namespace(pods="9", limits_memory="4Gi")
    ran = await kubectl.ok("get", "quota")

    assert "pods: 8/9" in ran.out
    assert "limits.memory: 2560Mi/4Gi" in ran.out


async def test_pod_without_node_waits(kube: Cluster, kubectl: Kubectl) -> None:
    kube.limit_nodes(cpu="0.5")
    await kubectl.ok("scale", SERVICE, "--replicas=6")
    await kube.wait_for_status("Pending", 2)
    told = await kubectl.ok("get", "events")
    assert "FailedScheduling" in told.out

    kube.limit_nodes(cpu="8")
    await kube.wait_for_ready_pods(6)
