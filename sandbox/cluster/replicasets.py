"""The ReplicaSet controller: it creates and deletes pods and writes the status."""

from sandbox.cluster.admission import admit_pod
from sandbox.cluster.clock import Clock, parse_stamp, stamp
from sandbox.cluster.defaults import apply_pod_defaults
from sandbox.cluster.errors import ApiError, Obj
from sandbox.cluster.events import EventLog
from sandbox.cluster.podstatus import is_finished, is_ready, ready_since
from sandbox.cluster.resources import PODS, REPLICASETS
from sandbox.cluster.store import Store, editable_copy, random_suffix

SOURCE = {"component": "replicaset-controller"}


class ReplicaSets:
    """Keeps each ReplicaSet's number of pods."""

    def __init__(self, store: Store, clock: Clock, events: EventLog) -> None:
        self.store = store
        self.clock = clock
        self.events = events

    def sync(self, replicaset: Obj) -> None:
        """Create or delete what differs from the count, then write the status."""
        pods = active_pods(self.store, replicaset)
        failure = ""
        if not replicaset["metadata"].get("deletionTimestamp"):
            missing = replicaset["spec"]["replicas"] - len(pods)
            if missing > 0:
                failure = self._create(replicaset, missing)
            elif missing < 0:
                self._delete(replicaset, pods, -missing)
            if missing:
                pods = active_pods(self.store, replicaset)
        self._write_status(replicaset, pods, failure)

    def _create(self, replicaset: Obj, missing: int) -> str:
        for _ in range(missing):
            pod = new_pod(replicaset)
            try:
                admit_pod(self.store, pod)
            except ApiError as refusal:
                message = f"Error creating: {refusal.message}"
                if not _is_failing(replicaset):
                    self.events.record(replicaset, "FailedCreate", message, SOURCE, warning=True)
                return refusal.message
            made = self.store.create(PODS, pod)
            message = f"Created pod: {made['metadata']['name']}"
            self.events.record(replicaset, "SuccessfulCreate", message, SOURCE)
        return ""

    def _delete(self, replicaset: Obj, pods: list[Obj], surplus: int) -> None:
        for pod in sorted(pods, key=_deletion_order)[:surplus]:
            delete_pod(self.store, self.clock, pod)
            message = f"Deleted pod: {pod['metadata']['name']}"
            self.events.record(replicaset, "SuccessfulDelete", message, SOURCE)

    def _write_status(self, replicaset: Obj, pods: list[Obj], failure: str) -> None:
        meta = replicaset["metadata"]
        least = replicaset["spec"].get("minReadySeconds", 0)
        status: Obj = {
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": sum(map(is_ready, pods)),
            "availableReplicas": sum(is_available(pod, least, self.clock) for pod in pods),
            "observedGeneration": meta.get("generation", 1),
        }
        if failure:
            status["conditions"] = _failure_conditions(replicaset, failure, stamp(self.clock.now()))
        nonzero = {key: value for key, value in status.items() if value or key == "replicas"}
        self.store.update(REPLICASETS, replicaset | {"status": nonzero})


def _is_failing(replicaset: Obj) -> bool:
    return bool((replicaset.get("status") or {}).get("conditions"))


def _failure_conditions(replicaset: Obj, message: str, now: str) -> list[Obj]:
    known = (replicaset.get("status") or {}).get("conditions")
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}
    since = known[0]["lastTransitionTime"] if known else now
    return [condition | {"lastTransitionTime": since, "message": message}]


def _deletion_order(pod: Obj) -> tuple[bool, bool, int, float]:
    """Sort key for deletion: unscheduled, unready, often restarted and young pods go first."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    restarts = sum(status["restartCount"] for status in statuses)
    created = parse_stamp(pod["metadata"]["creationTimestamp"]).timestamp()
    return bool(pod["spec"].get("nodeName")), is_ready(pod), -restarts, -created


def is_available(pod: Obj, least: int, clock: Clock) -> bool:
    """Whether a pod has been ready for `least` seconds."""
    since = ready_since(pod)
    if since is None:
        return False
    return least == 0 or clock.age_of(since) >= least


def controller_uid(obj: Obj) -> str:
    """The uid of the controller that owns an object; empty when there is none."""
    for owner_reference in obj["metadata"].get("ownerReferences") or ():
        if owner_reference.get("controller"):
            return str(owner_reference["uid"])
    return ""


def active_pods(store: Store, replicaset: Obj) -> list[Obj]:
    """The pods of a ReplicaSet that are neither terminating nor finished."""
    meta = replicaset["metadata"]
    return [
        pod
        for pod in store.list(PODS, meta["namespace"])
        if controller_uid(pod) == meta["uid"]
        and not pod["metadata"].get("deletionTimestamp")
        and not is_finished(pod)
    ]


def new_pod(replicaset: Obj) -> Obj:
    """A new pod from a ReplicaSet's template."""
    return pod_of(replicaset, f"{replicaset['metadata']['name']}-{random_suffix(5)}", {})


def pod_of(owner: Obj, name: str, labels: dict[str, str]) -> Obj:
    """A new pod from a controller's template, with more labels."""
    meta, template = owner["metadata"], editable_copy(owner["spec"]["template"])
    template_meta = template.get("metadata") or {}
    pod_meta: Obj = {
        "name": name,
        "generateName": f"{meta['name']}-",
        "namespace": meta["namespace"],
        "labels": (template_meta.get("labels") or {}) | labels,
        "ownerReferences": [controller_reference(owner)],
    }
    if template_meta.get("annotations"):
        pod_meta["annotations"] = template_meta["annotations"]
    apply_pod_defaults(template["spec"])
    template["spec"].setdefault("serviceAccountName", "default")
    return {"metadata": pod_meta, "spec": template["spec"], "status": {"phase": "Pending"}}


def controller_reference(owner: Obj) -> Obj:
    """The ownerReference that says who controls an object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def delete_pod(store: Store, clock: Clock, pod: Obj, grace: int | None = None) -> Obj:
    """Delete a pod: its node stops it within the grace period, or it is removed at once."""
    terminated = terminating(pod, clock, grace)
    if terminated["metadata"]["deletionGracePeriodSeconds"]:
        return store.update(PODS, terminated)
    store.remove(PODS, pod)
    return terminated


def terminating(pod: Obj, clock: Clock, grace: int | None = None) -> Obj:
    """The pod with its deletion time and grace period in seconds."""
    terminated = editable_copy(pod)
    meta, spec = terminated["metadata"], terminated["spec"]
    if grace is None:
        grace = spec.get("terminationGracePeriodSeconds", 30)
    ended = (terminated.get("status") or {}).get("phase") in ("Failed", "Succeeded")
    if ended or not spec.get("nodeName"):
        # Nothing runs that could stop.
        grace = 0
    grace = 1 if grace < 0 else grace
    meta.setdefault("deletionTimestamp", stamp(clock.now()))
    # A pod that is leaving already may be hurried, never given more time.
    meta["deletionGracePeriodSeconds"] = min(grace, meta.get("deletionGracePeriodSeconds", grace))
    return terminated
