"""The shop's cluster: order-service with a rollout history, and the services beside it."""

import uuid
from datetime import datetime
from typing import Any

from sandbox.cluster.clock import stamp_before
from sandbox.cluster.defaults import apply_defaults
from sandbox.cluster.deployments import replicaset_of, template_hash
from sandbox.cluster.deploymentstatus import COMPLETE
from sandbox.cluster.errors import Obj
from sandbox.cluster.managed_fields import Writer
from sandbox.cluster.network import service_ip
from sandbox.cluster.podstatus import host_ip, settled_status
from sandbox.cluster.replicasets import new_pod
from sandbox.cluster.resources import (
    DAEMONSETS,
    DEPLOYMENTS,
    NODES,
    PODS,
    REPLICASETS,
    SERVICES,
    STATEFULSETS,
)
from sandbox.cluster.state import State
from sandbox.cluster.statefulsets import stateful_pod
from sandbox.cluster.store import editable_copy

NAMESPACE = "tickettoken"
REGISTRY = "ghcr.io/tickettoken"
PIPELINE = Writer("pipeline")
NODE_NAMES = ("shop-worker-1", "shop-worker-2", "shop-worker-3")
# Revision, tag and age in days of what was rolled out before.
ORDER_HISTORY = ((3, "v2.1.4", 64), (4, "v2.2.0", 41), (5, "v2.3.0", 17), (6, "v2.3.1", 6))
PAYMENT_HISTORY = ((11, "v1.8.2", 33), (12, "v1.9.0", 12))


def add_nodes(state: State) -> None:
    """Add the three nodes."""
    for name in NODE_NAMES:
        state.store.create(NODES, _node(name, host_ip(name), state.clock.now()))


def _node(name: str, address: str, now: datetime) -> Obj:
    size = {"cpu": "8", "memory": "32863628Ki", "pods": "110"}
    heartbeat = {
        "lastHeartbeatTime": stamp_before(now, seconds=20),
        "lastTransitionTime": stamp_before(now, days=91),
    }
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    meta = {"name": name, "creationTimestamp": stamp_before(now, days=91)}
    return {
        "metadata": meta | {"labels": {"kubernetes.io/hostname": name}},
        "spec": {"podCIDR": "10.244.0.0/24"},
        "status": {
            "addresses": [{"type": "InternalIP", "address": address}],
            "capacity": size,
            "allocatable": size,
            "conditions": [ready | heartbeat | {"message": "kubelet is posting ready status"}],
            "nodeInfo": {
                "kubeletVersion": "v1.32.4",
                "osImage": "Debian GNU/Linux 12 (bookworm)",
                "kernelVersion": "6.1.0-31-amd64",
                "containerRuntimeVersion": "containerd://1.7.27",
                "architecture": "amd64",
                "operatingSystem": "linux",
            },
        },
    }


def add_shop(state: State, replicas: int) -> None:
    """Add everything in the shop's namespace, healthy and running for days."""
    order = _deployment("order-service", 3005, replicas, _order_env(), surge="100%")
    payment = _deployment("payment-service", 3006, 2, _payment_env(), surge="25%")
    _add_deployment(state, order, ORDER_HISTORY)
    _add_deployment(state, payment, PAYMENT_HISTORY)
    for name, image, port in (
        ("tickettoken-postgres", "postgres:18.1", 5432),
        ("tickettoken-redis", "valkey/valkey:9.1", 6379),
        ("tickettoken-rabbitmq", "rabbitmq:4.1-management", 5672),
    ):
        _add_stateful_set(state, name, image, port)
    for name, port in (("order-service", 3005), ("payment-service", 3006)):
        _add_service(state, name, port)


def _order_env() -> list[Obj]:
    return [
        {"name": "NODE_ENV", "value": "production"},
        {"name": "PORT", "value": "3005"},
        {"name": "DATABASE_HOST", "value": "tickettoken-postgres"},
        {"name": "REDIS_URL", "value": "redis://tickettoken-redis:6379"},
        {"name": "RABBITMQ_URL", "value": "amqp://tickettoken-rabbitmq:5672"},
        {"name": "ORDERS_PAUSED", "value": "false"},
        _secret("STRIPE_SECRET_KEY", "stripe", "secret-key"),
    ]


def _payment_env() -> list[Obj]:
    port = {"name": "PORT", "value": "3006"}
    return [port, _secret("STRIPE_SECRET_KEY", "stripe", "secret-key")]


def _secret(variable: str, name: str, key: str) -> Obj:
    return {"name": variable, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}


def _container(name: str, port: int, env: list[Obj]) -> Obj:
    check = {"httpGet": {"path": "/health", "port": port}, "initialDelaySeconds": 2}
    return {
        "name": name,
        "image": f"{REGISTRY}/{name}:latest",
        "ports": [{"name": "http", "containerPort": port}],
        "env": env,
        "resources": {
            "requests": {"cpu": "250m", "memory": "256Mi"},
            "limits": {"cpu": "1", "memory": "512Mi"},
        },
        "readinessProbe": check | {"periodSeconds": 5},
        "livenessProbe": check | {"periodSeconds": 10},
    }


def _deployment(name: str, port: int, replicas: int, env: list[Obj], *, surge: str) -> Obj:
    labels = {"app": name}
    rolling = {"maxSurge": surge, "maxUnavailable": 0}
    deployment: Obj = {
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels | {"team": "checkout"}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
            "template": {
                "metadata": {"labels": dict(labels)},
                "spec": {"containers": [_container(name, port, env)]},
            },
        },
        "status": {},
    }
    apply_defaults("Deployment", deployment)
    return deployment


def _add_deployment(
    state: State, deployment: Obj, history: tuple[tuple[int, str, int], ...]
) -> None:
    now, name = state.clock.now(), deployment["metadata"]["name"]
    newest = history[-1]
    meta = deployment["metadata"]
    meta |= {"creationTimestamp": stamp_before(now, days=88), "generation": newest[0] + 1}
    set_image(deployment, f"{REGISTRY}/{name}:{newest[1]}")
    deployment["status"] = {"conditions": _past_conditions(now, newest[2])}
    created = state.store.create(DEPLOYMENTS, deployment, PIPELINE)
    for revision, tag, days in history:
        previous = editable_copy(created)
        set_image(previous, f"{REGISTRY}/{name}:{tag}")
        replicaset = replicaset_of(previous, revision)
        replicaset["metadata"]["creationTimestamp"] = stamp_before(now, days=days)
        if revision == newest[0]:
            replicaset["spec"]["replicas"] = deployment["spec"]["replicas"]
        stored = state.store.create(REPLICASETS, replicaset)
        for index in range(stored["spec"]["replicas"]):
            _add_running(state, new_pod(stored), index, days * 24)


def _past_conditions(now: datetime, days: int) -> list[Obj]:
    since = {
        "lastUpdateTime": stamp_before(now, days=days),
        "lastTransitionTime": stamp_before(now, days=days),
    }
    available = {
        "type": "Available",
        "status": "True",
        "reason": "MinimumReplicasAvailable",
        "message": "Deployment has minimum availability.",
    }
    done = "ReplicaSet has successfully progressed."
    progressing = {"type": "Progressing", "status": "True", "reason": COMPLETE, "message": done}
    return [available | since, progressing | since]


def set_image(deployment: Obj, image: str) -> None:
    """Change the image of the first container, in place."""
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = image


def _add_running(state: State, pod: Obj, index: int, hours: int) -> None:
    created = stamp_before(state.clock.now(), hours=hours, minutes=3 * index)
    pod["metadata"]["creationTimestamp"] = created
    pod["spec"]["nodeName"] = NODE_NAMES[index % len(NODE_NAMES)]
    pod["metadata"]["uid"] = str(uuid.uuid4())
    pod["status"] = settled_status(pod, created)
    state.store.create(PODS, pod)


def _add_stateful_set(state: State, name: str, image: str, port: int) -> None:
    labels = {"app": name}
    container: dict[str, Any] = {"name": name.removeprefix("tickettoken-"), "image": image}
    container["ports"] = [{"containerPort": port}]
    meta = {"name": name, "namespace": NAMESPACE, "labels": labels, "generation": 1}
    meta["creationTimestamp"] = stamp_before(state.clock.now(), days=91)
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec: Obj = {"selector": {"matchLabels": labels}, "serviceName": name, "template": template}
    stateful_set: Obj = {"metadata": meta, "spec": spec, "status": {}}
    apply_defaults(STATEFULSETS.kind, stateful_set)
    created = state.store.create(STATEFULSETS, stateful_set)
    digest = template_hash(created["spec"]["template"])
    _add_running(state, stateful_pod(created, f"{name}-0", digest), 0, 91 * 24)
    _add_service(state, name, port)


def daemon_set(name: str, image: str) -> Obj:
    """A DaemonSet of the shop's namespace, not created yet."""
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": name, "image": image}]},
    }
    added: Obj = {
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels, "generation": 1},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
        "status": {},
    }
    apply_defaults(DAEMONSETS.kind, added)
    return added


def _add_service(state: State, name: str, port: int) -> None:
    now = state.clock.now()
    ports = [{"port": port, "targetPort": port, "protocol": "TCP"}]
    address = service_ip(name)
    meta = {"name": name, "namespace": NAMESPACE, "creationTimestamp": stamp_before(now, days=88)}
    spec: Obj = {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address]}
    spec |= {"ports": ports, "selector": {"app": name}, "sessionAffinity": "None"}
    state.store.create(SERVICES, {"metadata": meta, "spec": spec, "status": {"loadBalancer": {}}})
