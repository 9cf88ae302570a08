"""The scale subresource: the replica count of an object."""

from sandbox.cluster.errors import FieldError, Obj, invalid
from sandbox.cluster.selectors import selector_text
from sandbox.cluster.store import editable_copy


def scale_of(obj: Obj) -> Obj:
    """The Scale of a Deployment or a ReplicaSet."""
    meta = obj["metadata"]
    meta_fields = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: meta[key] for key in meta_fields},
        "spec": {"replicas": obj["spec"]["replicas"]},
        "status": {
            "replicas": (obj.get("status") or {}).get("replicas", 0),
            "selector": selector_text(obj["spec"]["selector"]),
        },
    }


def with_scale(before: Obj, scale: Obj) -> Obj:
    """The object with the replica count of a Scale; raises ApiError (422) when it is negative."""
    count = (scale.get("spec") or {}).get("replicas") or 0
    if count < 0:
        message = "must be greater than or equal to 0"
        problem = FieldError.invalid("spec.replicas", count, message)
        raise invalid("autoscaling", "Scale", before["metadata"]["name"], [problem])
    rescaled = editable_copy(before)
    rescaled["spec"]["replicas"] = count
    rescaled["metadata"]["resourceVersion"] = (scale.get("metadata") or {}).get("resourceVersion")
    return rescaled
