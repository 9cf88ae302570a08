"""Kubeconfigs of several clusters, and namespaces that have the same Deployment."""

from pathlib import Path
from typing import Any

import yaml

from sandbox.cluster import Cluster
from sandbox.cluster.resources import DEPLOYMENTS, NAMESPACES, PODS
from sandbox.cluster.store import editable_copy

Obj = dict[str, Any]


def merged(**clusters: Obj) -> Obj:
    """One kubeconfig whose contexts have these names; the first is the current one."""
    parts: Obj = {"clusters": [], "users": [], "contexts": []}
    for name, config in clusters.items():
        for key, part in (("clusters", "cluster"), ("users", "user")):
            parts[key].append({"name": name, part: config[key][0][part]})
        parts["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
    return parts | {"current-context": next(iter(clusters))}


def written(path: Path, config: Obj) -> Path:
    """The path of a file with a kubeconfig."""
    path.write_text(yaml.safe_dump(config))
    return path


async def copy_order_service(kube: Cluster, namespace: str) -> None:
    """Make a second order-service in another namespace, and wait until it runs."""
    copied = editable_copy(kube.deployment())
    copied["metadata"] = {"name": "order-service", "namespace": namespace}
    kube.state.store.create(NAMESPACES, {"metadata": {"name": namespace}})
    kube.state.store.create(DEPLOYMENTS, copied)
    await kube.wait_until(lambda: len(kube.state.store.list(PODS, namespace)) == 3)
