"""Changes of a Deployment, as JSON patches that fail when it was changed in the meantime."""

from typing import Any

from bot.cluster.nouns import (
    CAUSE,
    EXECUTION_ANNOTATION,
    ROLLED_BACK_FROM_ANNOTATION,
    Deployment,
    Obj,
    Revision,
)
from bot.model import Noun

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


class Change(Noun):
    """The new pod template or replicas of a Deployment; None leaves what is there.

    `cause` becomes the change cause in the rollout history; an empty one removes it. `left` is the
    number of the revision that is rolled back from.
    """

    template: Obj | None = None
    replicas: int | None = None
    cause: str | None = None
    left: int | None = None

    def json_patch(self, deployment: Deployment, execution_id: str = "") -> list[Obj]:
        """The operations, which fail for any other version of the Deployment than this."""
        operations = [_operation("test", "/metadata/resourceVersion", deployment.version)]
        if self.template is not None:
            operations.append(_operation("replace", "/spec/template", self.template))
        if self.replicas is not None:
            operations.append(_operation("replace", "/spec/replicas", self.replicas))
        annotations = self._annotations(deployment, execution_id)
        if annotations != deployment.annotations:
            operations.append(_operation("add", "/metadata/annotations", annotations))
        return operations

    def _annotations(self, deployment: Deployment, execution_id: str) -> dict[str, str]:
        annotations = dict(deployment.annotations)
        if self.cause is not None:
            annotations.pop(CAUSE, None)
        if self.cause:
            annotations[CAUSE] = self.cause
        if self.left is not None:
            annotations[ROLLED_BACK_FROM_ANNOTATION] = str(self.left)
        if execution_id:
            annotations[EXECUTION_ANNOTATION] = execution_id
        return annotations


def _operation(kind: str, path: str, value: Any) -> Obj:
    return {"op": kind, "path": path, "value": value}


def back_to(revision: Revision, now: Deployment) -> Change:
    """Restore an earlier revision's template, and note which revision it replaces.

    The controller copies the note to the ReplicaSet, where it outlives the next change.
    """
    return Change(template=revision.template, cause=revision.cause, left=now.revision)


def restart(now: Deployment, stamp: str) -> Change:
    """Replace all pods one after the other, as `kubectl rollout restart` does."""
    metadata = now.template.get("metadata") or {}
    annotations = (metadata.get("annotations") or {}) | {RESTARTED_AT: stamp}
    template = now.template | {"metadata": metadata | {"annotations": annotations}}
    return Change(template=template)


def memory_limit(now: Deployment, container: str, limit: str) -> Change:
    """Set the memory limit of one container; its request stays."""
    spec = now.template["spec"]
    containers = [
        _with_memory_limit(old, limit) if old["name"] == container else old
        for old in spec["containers"]
    ]
    template = now.template | {"spec": spec | {"containers": containers}}
    return Change(template=template, cause=f"memory limit of {container}: {limit}")


def _with_memory_limit(container: Obj, limit: str) -> Obj:
    resources = container.get("resources") or {}
    limits = (resources.get("limits") or {}) | {"memory": limit}
    return container | {"resources": resources | {"limits": limits}}


def scale(replicas: int) -> Change:
    """Set the number of replicas."""
    return Change(replicas=replicas)
