"""The status of a Deployment: counts, and the conditions Available and Progressing."""

from sandbox.cluster.clock import Clock, stamp
from sandbox.cluster.errors import Obj

COMPLETE = "NewReplicaSetAvailable"
COUNT_FIELDS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def deployment_status(
    deployment: Obj,
    sets: list[Obj],
    new: Obj | None,
    unavailable_allowed: int,
    clock: Clock,
    *,
    created: bool,
) -> Obj:
    """Compute the status from the ReplicaSets."""
    old = deployment.get("status") or {}
    counts = {name: _sum(sets, name) for name in COUNT_FIELDS}
    counts["updatedReplicas"] = _sum([new] if new else [], "replicas")
    wanted = deployment["spec"]["replicas"]
    counts["unavailableReplicas"] = max(0, _desired_replicas(sets) - counts["availableReplicas"])
    conditions = Conditions(old.get("conditions") or [], stamp(clock.now()))
    _available(conditions, counts["availableReplicas"] >= wanted - unavailable_allowed)
    if deployment["spec"].get("paused"):
        conditions.set("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused")
    elif new:
        _progress(conditions, deployment, counts, new, clock, created=created)
    _replica_failure(conditions, sets, new)
    status: Obj = {"observedGeneration": deployment["metadata"].get("generation", 1)}
    status |= {name: count for name, count in counts.items() if count}
    return status | {"conditions": conditions.items}


def _desired_replicas(sets: list[Obj]) -> int:
    return sum(replicaset["spec"]["replicas"] for replicaset in sets)


def _sum(sets: list[Obj], name: str) -> int:
    return sum((replicaset.get("status") or {}).get(name, 0) for replicaset in sets)


class Conditions:
    """The conditions of an object; an unchanged condition keeps its timestamps."""

    def __init__(self, known: list[Obj], now: str) -> None:
        self.items = [dict(condition) for condition in known]
        self.now = now

    def get(self, condition_type: str) -> Obj | None:
        """The condition of a type, if there is one."""
        return next(
            (condition for condition in self.items if condition["type"] == condition_type), None
        )

    def set(
        self, condition_type: str, status: str, reason: str, message: str, *, renew: bool = False
    ) -> None:
        """Set a condition; `renew` updates lastUpdateTime even when nothing else changes."""
        known = self.get(condition_type)
        if known and (known["status"], known["reason"]) == (status, reason) and not renew:
            return
        since = known["lastTransitionTime"] if known and known["status"] == status else self.now
        updated = {"type": condition_type, "status": status, "lastUpdateTime": self.now}
        updated |= {"lastTransitionTime": since, "reason": reason, "message": message}
        self.items = [
            condition for condition in self.items if condition["type"] != condition_type
        ] + [updated]

    def remove(self, condition_type: str) -> None:
        """Remove the condition of a type, if there is one."""
        self.items = [condition for condition in self.items if condition["type"] != condition_type]


def _available(conditions: Conditions, enough: bool) -> None:
    if enough:
        message = "Deployment has minimum availability."
        conditions.set("Available", "True", "MinimumReplicasAvailable", message)
    else:
        message = "Deployment does not have minimum availability."
        conditions.set("Available", "False", "MinimumReplicasUnavailable", message)


def _progress(
    conditions: Conditions, deployment: Obj, counts: Obj, new: Obj, clock: Clock, *, created: bool
) -> None:
    name = new["metadata"]["name"]
    if created:
        message = f'Created new replica set "{name}"'
        conditions.set("Progressing", "True", "NewReplicaSetCreated", message, renew=True)
    condition = conditions.get("Progressing")
    # Once a rollout is complete, pods that fail later no longer make it a failed rollout.
    if (
        condition
        and condition["reason"] == COMPLETE
        and counts["replicas"] == counts["updatedReplicas"]
    ):
        return
    wanted = deployment["spec"]["replicas"]
    if all(
        counts[field] == wanted for field in ("replicas", "updatedReplicas", "availableReplicas")
    ):
        message = f'ReplicaSet "{name}" has successfully progressed.'
        conditions.set("Progressing", "True", COMPLETE, message)
    elif _has_progressed(deployment.get("status") or {}, counts):
        message = f'ReplicaSet "{name}" is progressing.'
        conditions.set("Progressing", "True", "ReplicaSetUpdated", message, renew=True)
    elif (
        condition
        and condition["reason"] != COMPLETE
        and _is_past_deadline(condition, deployment, clock)
    ):
        message = f'ReplicaSet "{name}" has timed out progressing.'
        conditions.set("Progressing", "False", "ProgressDeadlineExceeded", message)


def _replica_failure(conditions: Conditions, sets: list[Obj], new: Obj | None) -> None:
    """Copy the failure to create pods from a ReplicaSet, from the new one if it has any."""
    first = [new] if new else []
    others = [replicaset for replicaset in sets if replicaset is not new]
    for replicaset in (*first, *others):
        for failure in (replicaset.get("status") or {}).get("conditions") or []:
            conditions.set(failure["type"], "True", failure["reason"], failure["message"])
            return
    conditions.remove("ReplicaFailure")


def _has_progressed(old: Obj, counts: Obj) -> bool:
    def before(name: str) -> int:
        return int(old.get(name, 0))

    old_pods_before = before("replicas") - before("updatedReplicas")
    old_pods_now = counts["replicas"] - counts["updatedReplicas"]
    more = any(counts[field] > before(field) for field in COUNT_FIELDS if field != "replicas")
    return more or old_pods_now < old_pods_before


def _is_past_deadline(condition: Obj, deployment: Obj, clock: Clock) -> bool:
    waited = clock.age_of(condition["lastUpdateTime"])
    return waited > int(deployment["spec"]["progressDeadlineSeconds"])
