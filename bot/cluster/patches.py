"""What may be changed about a Deployment, as JSON patches that fail when somebody was first."""

from typing import Any

from bot.cluster.nouns import CAUSE, EXECUTION, LEFT, Deployment, Obj, Revision
from bot.model import Noun

RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


class Change(Noun):
    """The new pod template or count of a Deployment; None leaves what is there.

    `cause` replaces the reason that the rollout history shows, an empty one removes it; `left` is
    the number of the revision that is rolled back from.
    """

    template: Obj | None = None
    replicas: int | None = None
    cause: str | None = None
    left: int | None = None

    def patch(self, now: Deployment, execution: str = "") -> list[Obj]:
        """The JSON patch, guarded by the version of the Deployment it was made for."""
        ops: list[Obj] = [_op("test", "/metadata/resourceVersion", now.version)]
        if self.template is not None:
            ops.append(_op("replace", "/spec/template", self.template))
        if self.replicas is not None:
            ops.append(_op("replace", "/spec/replicas", self.replicas))
        notes = self._annotations(now, execution)
        if notes != now.annotations:
            ops.append(_op("add", "/metadata/annotations", notes))
        return ops

    def _annotations(self, now: Deployment, execution: str) -> dict[str, str]:
        notes = dict(now.annotations)
        if self.cause is not None:
            notes.pop(CAUSE, None)
        if self.cause:
            notes[CAUSE] = self.cause
        if self.left is not None:
            notes[LEFT] = str(self.left)
        if execution:
            notes[EXECUTION] = execution
        return notes


def _op(kind: str, path: str, value: Any) -> Obj:
    return {"op": kind, "path": path, "value": value}


def back_to(revision: Revision, now: Deployment) -> Change:
    """Put an earlier revision's template back, and note which one is left for it.

    The controller copies the note to the ReplicaSet, where it outlives the next change.
    """
    return Change(template=revision.template, cause=revision.cause, left=now.revision)


def restart(now: Deployment, stamp: str) -> Change:
    """Replace all pods one after the other, as `kubectl rollout restart` does."""
    meta = now.template.get("metadata") or {}
    notes = (meta.get("annotations") or {}) | {RESTARTED_AT: stamp}
    return Change(template=now.template | {"metadata": meta | {"annotations": notes}})


def memory_limit(now: Deployment, container: str, limit: str) -> Change:
    """Let one container use so much memory; what it requests stays."""
    spec = now.template["spec"]
    containers = [
        _limited(one, limit) if one["name"] == container else one for one in spec["containers"]
    ]
    template = now.template | {"spec": spec | {"containers": containers}}
    return Change(template=template, cause=f"memory limit of {container}: {limit}")


def _limited(container: Obj, limit: str) -> Obj:
    resources = container.get("resources") or {}
    limits = (resources.get("limits") or {}) | {"memory": limit}
    return container | {"resources": resources | {"limits": limits}}


def scale(replicas: int) -> Change:
    """Run so many pods."""
    return Change(replicas=replicas)
