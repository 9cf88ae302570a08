"""The scale subresource: one number of a bigger object."""

from sandbox.cluster.errors import Obj, Problem, invalid
from sandbox.cluster.selectors import selector_text
from sandbox.cluster.store import fresh


def scale_of(obj: Obj) -> Obj:
    """The Scale of a Deployment or a ReplicaSet."""
    meta = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in kept},
        "spec": {"replicas": obj["spec"]["replicas"]},
        "status": {
            "replicas": (obj.get("status") or {}).get("replicas", 0),
            "selector": selector_text(obj["spec"]["selector"]),
        },
    }


def scaled(before: Obj, scale: Obj) -> Obj:
    """The object with the count that a Scale asks for."""
    count = (scale.get("spec") or {}).get("replicas") or 0
    if count < 0:
        why = "must be greater than or equal to 0"
        wrong = Problem.value("spec.replicas", count, why)
        raise invalid("autoscaling", "Scale", before["metadata"]["name"], [wrong])
    made = fresh(before)
    made["spec"]["replicas"] = count
    made["metadata"]["resourceVersion"] = (scale.get("metadata") or {}).get("resourceVersion")
    return made
