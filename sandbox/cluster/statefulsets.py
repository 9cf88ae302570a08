"""The StatefulSet controller: numbered pods that keep their names, one after another."""

from sandbox.cluster.clock import Clock
from sandbox.cluster.deployments import template_hash
from sandbox.cluster.errors import Obj
from sandbox.cluster.events import EventLog
from sandbox.cluster.podstatus import is_finished, is_ready
from sandbox.cluster.replicasets import controller_uid, delete_pod, pod_of
from sandbox.cluster.resources import PODS, STATEFULSETS
from sandbox.cluster.store import Store

SOURCE = {"component": "statefulset-controller"}
HASH_LABEL = "controller-revision-hash"


class StatefulSets:
    """Keeps the pods of each StatefulSet, in their order."""

    def __init__(self, store: Store, clock: Clock, events: EventLog) -> None:
        self.store = store
        self.clock = clock
        self.events = events

    def sync(self, stateful_set: Obj) -> None:
        """Make the one change that is next, and write the status."""
        digest = template_hash(stateful_set["spec"]["template"])
        if not stateful_set["metadata"].get("deletionTimestamp"):
            self._step(stateful_set, digest)
        self._write_status(stateful_set, digest)

    def _step(self, stateful_set: Obj, digest: str) -> None:
        pods = {pod["metadata"]["name"]: pod for pod in owned_pods(self.store, stateful_set)}
        names = _pod_names(stateful_set)
        for name in names:
            if name not in pods:
                pod = stateful_pod(stateful_set, name, digest)
                if self.store.find(PODS, pod["metadata"]["namespace"], name) is None:
                    self._create(stateful_set, pod)
                return
            if is_finished(pods[name]):
                self.store.remove(PODS, pods[name])
                return
            if not is_ready(pods[name]) or pods[name]["metadata"].get("deletionTimestamp"):
                return
        surplus = sorted(set(pods) - set(names))
        outdated = [name for name in names if not _is_updated(pods[name], digest)]
        for name in (*surplus[-1:], *outdated[-1:])[:1]:
            self._delete(stateful_set, pods[name])

    def _create(self, stateful_set: Obj, pod: Obj) -> None:
        self.store.create(PODS, pod)
        name = pod["metadata"]["name"]
        message = f"create Pod {name} in StatefulSet {stateful_set['metadata']['name']} successful"
        self.events.record(stateful_set, "SuccessfulCreate", message, SOURCE)

    def _delete(self, stateful_set: Obj, pod: Obj) -> None:
        delete_pod(self.store, self.clock, pod)
        name = pod["metadata"]["name"]
        message = f"delete Pod {name} in StatefulSet {stateful_set['metadata']['name']} successful"
        self.events.record(stateful_set, "SuccessfulDelete", message, SOURCE)

    def _write_status(self, stateful_set: Obj, digest: str) -> None:
        pods, meta = owned_pods(self.store, stateful_set), stateful_set["metadata"]
        updated = sum(_is_updated(pod, digest) for pod in pods)
        revision = f"{meta['name']}-{digest}"
        status = {
            "observedGeneration": meta.get("generation", 1),
            "replicas": len(pods),
            "readyReplicas": sum(map(is_ready, pods)),
            "availableReplicas": sum(map(is_ready, pods)),
            "currentReplicas": updated,
            "updatedReplicas": updated,
            "currentRevision": revision,
            "updateRevision": revision,
        }
        self.store.update(STATEFULSETS, stateful_set | {"status": status})


def owned_pods(store: Store, owner: Obj) -> list[Obj]:
    """All pods of a controller, by name."""
    pods = store.list(PODS, owner["metadata"]["namespace"])
    return [pod for pod in pods if controller_uid(pod) == owner["metadata"]["uid"]]


def _pod_names(stateful_set: Obj) -> list[str]:
    name = stateful_set["metadata"]["name"]
    return [f"{name}-{number}" for number in range(stateful_set["spec"]["replicas"])]


def stateful_pod(stateful_set: Obj, name: str, digest: str) -> Obj:
    """The pod of that name, such as `db-0`, from the template with this hash."""
    labels = {
        HASH_LABEL: f"{stateful_set['metadata']['name']}-{digest}",
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": name.rpartition("-")[2],
    }
    return pod_of(stateful_set, name, labels)


def _is_updated(pod: Obj, digest: str) -> bool:
    return str(pod["metadata"]["labels"].get(HASH_LABEL, "")).endswith(digest)
