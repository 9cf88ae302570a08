"""Changes of a Deployment, as JSON patches that fail when it was changed in the meantime."""

from typing import Any

from bot.model import Model
from bot.systems.kubernetes.resources import (
    CHANGE_CAUSE_ANNOTATION,
    EXECUTION_ANNOTATION,
    FENCE_ANNOTATION,
    ROLLED_BACK_FROM_ANNOTATION,
    Deployment,
    Obj,
    Pod,
    Revision,
)

RESTARTED_AT_ANNOTATION = "kubectl.kubernetes.io/restartedAt"


class DeploymentPatch(Model):
    """The new pod template or replicas of a Deployment; None leaves what is there.

    `cause` becomes the change cause in the rollout history; an empty one removes it.
    `rolled_back_from` is the number of the revision that is rolled back from.
    """

    template: Obj | None = None
    replicas: int | None = None
    cause: str | None = None
    rolled_back_from: int | None = None

    def json_patch(self, deployment: Deployment, execution_id: str = "") -> list[Obj]:
        """The operations, which fail for any other version of the Deployment than this."""
        operations = [_operation("test", "/metadata/resourceVersion", deployment.resource_version)]
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
            annotations.pop(CHANGE_CAUSE_ANNOTATION, None)
        if self.cause:
            annotations[CHANGE_CAUSE_ANNOTATION] = self.cause
        if self.rolled_back_from is not None:
            annotations[ROLLED_BACK_FROM_ANNOTATION] = str(self.rolled_back_from)
        if execution_id:
            annotations[EXECUTION_ANNOTATION] = execution_id
        return annotations


def _operation(kind: str, path: str, value: Any) -> Obj:
    return {"op": kind, "path": path, "value": value}


def fence(obj: Deployment | Pod) -> list[Obj]:
    """Give an object another version, and change nothing else; fails if it has one by now."""
    annotations = obj.annotations | {FENCE_ANNOTATION: obj.resource_version}
    return [
        _operation("test", "/metadata/resourceVersion", obj.resource_version),
        _operation("add", "/metadata/annotations", annotations),
    ]


def restore_revision(revision: Revision, deployment: Deployment) -> DeploymentPatch:
    """Restore an earlier revision's template, and note which revision it replaces.

    The controller copies the note to the ReplicaSet, where it outlives the next change.
    """
    return DeploymentPatch(
        template=revision.template,
        cause=revision.change_cause,
        rolled_back_from=deployment.revision,
    )


def restart(deployment: Deployment, timestamp: str) -> DeploymentPatch:
    """Replace all pods one after the other, as `kubectl rollout restart` does."""
    metadata = deployment.template.get("metadata") or {}
    annotations = (metadata.get("annotations") or {}) | {RESTARTED_AT_ANNOTATION: timestamp}
    template = deployment.template | {"metadata": metadata | {"annotations": annotations}}
    return DeploymentPatch(template=template)


def memory_limit(deployment: Deployment, container: str, limit: str) -> DeploymentPatch:
    """Set the memory limit of one container; its request stays."""
    spec = deployment.template["spec"]
    containers = [
        _with_memory_limit(old, limit) if old["name"] == container else old
        for old in spec["containers"]
    ]
    template = deployment.template | {"spec": spec | {"containers": containers}}
    return DeploymentPatch(template=template, cause=f"memory limit of {container}: {limit}")


def _with_memory_limit(container: Obj, limit: str) -> Obj:
    resources = container.get("resources") or {}
    limits = (resources.get("limits") or {}) | {"memory": limit}
    return container | {"resources": resources | {"limits": limits}}


def scale(replicas: int) -> DeploymentPatch:
    """Set the number of replicas."""
    return DeploymentPatch(replicas=replicas)
