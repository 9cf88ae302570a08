"""CPU and memory as the metrics server reports them: a little late, and varying."""

import hashlib
import random

from sandbox.cluster.clock import stamp
from sandbox.cluster.errors import Obj
from sandbox.cluster.podstatus import container_statuses, is_ready
from sandbox.cluster.resources import NODES, POD_METRICS, PODS, Resource
from sandbox.cluster.state import State

# The metrics server needs two scrapes before it knows anything of a container.
FIRST_SCRAPE_SECONDS = 20.0
SCRAPE_SECONDS = 15
CPU_LIMIT = 1000


def metrics_of(state: State, resource: Resource, namespace: str) -> list[Obj]:
    """The metrics of all pods or nodes that have any yet."""
    if resource is POD_METRICS:
        entries = [_pod(state, pod) for pod in state.store.list(PODS, namespace)]
        return [entry for entry in entries if entry["containers"]]
    return [_node(state, node) for node in state.store.list(NODES)]


def _head(state: State, resource_kind: str, obj: Obj) -> Obj:
    now = stamp(state.clock.now())
    meta = {"name": obj["metadata"]["name"], "creationTimestamp": now}
    for field in ("namespace", "labels"):
        if obj["metadata"].get(field):
            meta[field] = obj["metadata"][field]
    head = {"kind": resource_kind, "apiVersion": "metrics.k8s.io/v1beta1", "metadata": meta}
    return head | {"timestamp": now, "window": "15s"}


def _pod(state: State, pod: Obj) -> Obj:
    containers = []
    for status in container_statuses(pod):
        started = state.logs.started(pod, status["name"])
        if (
            "running" in status["state"]
            and started
            and state.clock.age(started) >= FIRST_SCRAPE_SECONDS
        ):
            containers.append(
                {"name": status["name"], "usage": _container_usage(state, pod, status)}
            )
    return _head(state, "PodMetrics", pod) | {"containers": containers}


def _container_usage(state: State, pod: Obj, container: Obj) -> dict[str, str]:
    app = (pod["metadata"].get("labels") or {}).get("app", "")
    namespace = pod["metadata"]["namespace"]
    seed = pod["metadata"]["uid"] + container["name"]
    if (namespace, app) in state.loads:
        return _under_load(state, seed, namespace, app)
    return _usage(state, seed, container["image"])


def _under_load(state: State, seed: str, namespace: str, app: str) -> dict[str, str]:
    """The load is shared by the ready pods, and none uses more than its CPU limit."""
    load, rng = state.loads[namespace, app], _rng(state, seed)
    sharing = [
        pod
        for pod in state.store.list(PODS, namespace)
        if (pod["metadata"].get("labels") or {}).get("app") == app and is_ready(pod)
    ]
    share = round(load.cpu / max(1, len(sharing)) * rng.uniform(0.97, 1.03))
    memory = load.memory + rng.randrange(24)
    return {"cpu": f"{min(share, CPU_LIMIT)}m", "memory": f"{memory}Mi"}


def _usage(state: State, seed: str, image: str) -> dict[str, str]:
    rng = _rng(state, seed)
    base = 410 if image.endswith("-oom") else 180
    nanocores = rng.randrange(60, 140) * 1_000_000 + rng.randrange(1_000_000)
    return {"cpu": f"{nanocores}n", "memory": f"{(base + rng.randrange(40)) * 1024}Ki"}


def _node(state: State, node: Obj) -> Obj:
    rng = _rng(state, node["metadata"]["uid"])
    usage = {
        "cpu": f"{rng.randrange(700, 1400) * 1_000_000}n",
        "memory": f"{rng.randrange(3_000_000, 5_000_000)}Ki",
    }
    return _head(state, "NodeMetrics", node) | {"usage": usage}


def _rng(state: State, seed: str) -> random.Random:
    scrape = int(state.clock.now().timestamp()) // SCRAPE_SECONDS
    return random.Random(hashlib.sha256(f"{seed}/{scrape}".encode()).digest())
