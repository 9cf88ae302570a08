"""The DaemonSet controller: one pod on each node."""

from sandbox.cluster.clock import Clock
from sandbox.cluster.deployments import template_hash
from sandbox.cluster.errors import Obj
from sandbox.cluster.events import EventLog
from sandbox.cluster.podstatus import is_finished, is_ready
from sandbox.cluster.replicasets import delete_pod, pod_of
from sandbox.cluster.resources import DAEMONSETS, NODES, PODS
from sandbox.cluster.statefulsets import HASH_LABEL, owned_pods
from sandbox.cluster.store import Store, random_suffix

SOURCE = {"component": "daemonset-controller"}


class DaemonSets:
    """Keeps a pod of each DaemonSet on each node."""

    def __init__(self, store: Store, clock: Clock, events: EventLog) -> None:
        self.store = store
        self.clock = clock
        self.events = events

    def sync(self, daemon_set: Obj) -> None:
        """Create the pods that are missing, replace one that is outdated, write the status."""
        if not daemon_set["metadata"].get("deletionTimestamp"):
            self._step(daemon_set)
        self._write_status(daemon_set)

    def _step(self, daemon_set: Obj) -> None:
        pods = owned_pods(self.store, daemon_set)
        for pod in filter(is_finished, pods):
            self.store.remove(PODS, pod)
        covered = {pod["spec"]["nodeName"] for pod in pods if not is_finished(pod)}
        for node in self._nodes():
            if node not in covered:
                self._create(daemon_set, node)
        digest = template_hash(daemon_set["spec"]["template"])
        outdated = [pod for pod in pods if pod["metadata"]["labels"].get(HASH_LABEL) != digest]
        if outdated and all(map(is_ready, pods)):
            delete_pod(self.store, self.clock, outdated[0])

    def _nodes(self) -> list[str]:
        return [str(node["metadata"]["name"]) for node in self.store.list(NODES)]

    def _create(self, daemon_set: Obj, node: str) -> None:
        name = f"{daemon_set['metadata']['name']}-{random_suffix(5)}"
        digest = template_hash(daemon_set["spec"]["template"])
        pod = pod_of(daemon_set, name, {HASH_LABEL: digest})
        pod["spec"]["nodeName"] = node
        self.store.create(PODS, pod)
        self.events.record(daemon_set, "SuccessfulCreate", f"Created pod: {name}", SOURCE)

    def _write_status(self, daemon_set: Obj) -> None:
        pods = owned_pods(self.store, daemon_set)
        digest = template_hash(daemon_set["spec"]["template"])
        status = {
            "observedGeneration": daemon_set["metadata"].get("generation", 1),
            "desiredNumberScheduled": len(self._nodes()),
            "currentNumberScheduled": len(pods),
            "numberReady": sum(map(is_ready, pods)),
            "numberAvailable": sum(map(is_ready, pods)),
            "updatedNumberScheduled": sum(
                pod["metadata"]["labels"].get(HASH_LABEL) == digest for pod in pods
            ),
            "numberMisscheduled": 0,
        }
        self.store.update(DAEMONSETS, daemon_set | {"status": status})
