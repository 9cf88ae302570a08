"""The loop that runs the cluster's controllers."""

import asyncio
from contextlib import suppress

from sandbox.cluster.autoscalers import Autoscalers
from sandbox.cluster.clock import Clock, stamp
from sandbox.cluster.daemonsets import DaemonSets
from sandbox.cluster.deployments import Deployments
from sandbox.cluster.errors import Obj
from sandbox.cluster.events import EventLog
from sandbox.cluster.quotas import count_quotas
from sandbox.cluster.replicasets import ReplicaSets, delete_pod
from sandbox.cluster.resources import (
    AUTOSCALERS,
    DAEMONSETS,
    DEPLOYMENTS,
    PODS,
    REPLICASETS,
    STATEFULSETS,
    Resource,
)
from sandbox.cluster.statefulsets import StatefulSets
from sandbox.cluster.store import Store, editable_copy

FOREGROUND = "foregroundDeletion"
FINALIZERS = {"Foreground": FOREGROUND, "Orphan": "orphan"}
SYNC_SECONDS = 0.2
OWNERS = (DEPLOYMENTS, REPLICASETS, STATEFULSETS, DAEMONSETS)
OWNER_KINDS = {resource.kind for resource in OWNERS}


class Controllers:
    """Runs every controller after each change; the cluster is small enough for that."""

    def __init__(self, store: Store, clock: Clock, events: EventLog) -> None:
        self.store = store
        self.clock = clock
        self.deployments = Deployments(store, clock, events)
        self.replicasets = ReplicaSets(store, clock, events)
        self.stateful_sets = StatefulSets(store, clock, events)
        self.daemon_sets = DaemonSets(store, clock, events)
        self.autoscalers = Autoscalers(store, clock, events)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the loop."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop the loop; raises the error of a controller that failed."""
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        with self.store.change_signal() as bell:
            while True:
                bell.clear()
                self.sync()
                # Deadlines pass without any change, so there is a look now and then as well.
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(SYNC_SECONDS, 1 / self.clock.speed)):
                        await bell.wait()
                await self.clock.sleep(0.05)

    def sync(self) -> None:
        """Run every controller once. ReplicaSets go first: Deployments need their counts."""
        for autoscaler in self.store.list(AUTOSCALERS):
            self.autoscalers.sync(autoscaler)
        self._sync_replicasets()
        for deployment in self.store.list(DEPLOYMENTS):
            self.deployments.sync(deployment)
        self._sync_replicasets()
        for stateful_set in self.store.list(STATEFULSETS):
            self.stateful_sets.sync(stateful_set)
        for daemon_set in self.store.list(DAEMONSETS):
            self.daemon_sets.sync(daemon_set)
        self._collect_garbage()
        count_quotas(self.store)

    def _sync_replicasets(self) -> None:
        for replicaset in self.store.list(REPLICASETS):
            self.replicasets.sync(replicaset)

    def _collect_garbage(self) -> None:
        owners = [owner for resource in OWNERS for owner in self.store.list(resource)]
        alive = {owner["metadata"]["uid"] for owner in owners}
        leaving = {owner["metadata"]["uid"] for owner in owners if _is_in_foreground(owner)}
        for replicaset in self.store.list(REPLICASETS):
            if _is_orphaned(replicaset, alive):
                self.store.remove(REPLICASETS, replicaset)
            elif _is_owned_by(replicaset, leaving):
                deleted = delete_in_foreground(self.store, self.clock, REPLICASETS, replicaset)
                leaving.add(deleted["metadata"]["uid"])
        for pod in self.store.list(PODS):
            leaves = pod["metadata"].get("deletionTimestamp")
            if not leaves and (_is_orphaned(pod, alive) or _is_owned_by(pod, leaving)):
                delete_pod(self.store, self.clock, pod)
        self._finish_foreground()

    def _finish_foreground(self) -> None:
        for resource, dependents in (
            (REPLICASETS, PODS),
            (DEPLOYMENTS, REPLICASETS),
            (STATEFULSETS, PODS),
            (DAEMONSETS, PODS),
        ):
            for owner in filter(_is_in_foreground, self.store.list(resource)):
                meta = owner["metadata"]
                candidates = self.store.list(dependents, meta["namespace"])
                if not any(_is_owned_by(dependent, {meta["uid"]}) for dependent in candidates):
                    self.store.remove(resource, owner)


def _is_in_foreground(owner: Obj) -> bool:
    """Whether it was deleted, and goes after its dependents."""
    return FOREGROUND in (owner["metadata"].get("finalizers") or ())


def _is_owned_by(obj: Obj, uids: set[str]) -> bool:
    references = obj["metadata"].get("ownerReferences") or ()
    return any(reference["uid"] in uids for reference in references)


def _is_orphaned(obj: Obj, alive: set[str]) -> bool:
    references = obj["metadata"].get("ownerReferences") or ()
    owners = [reference for reference in references if reference["kind"] in OWNER_KINDS]
    return bool(owners) and not any(reference["uid"] in alive for reference in owners)


def delete_in_foreground(store: Store, clock: Clock, resource: Resource, obj: Obj) -> Obj:
    """Begin a foreground deletion: the object goes after its dependents."""
    return store.update(resource, with_finalizer(obj, clock, FOREGROUND))


def with_finalizer(obj: Obj, clock: Clock, finalizer: str) -> Obj:
    """The object with its deletion time and a finalizer, as it is during garbage collection."""
    meta = {"deletionTimestamp": stamp(clock.now())} | obj["metadata"]
    meta |= {"deletionGracePeriodSeconds": 0, "finalizers": [finalizer]}
    return obj | {"metadata": meta}


def orphan_dependents(store: Store, obj: Obj) -> None:
    """Remove the ownerReferences to an object that is deleted with policy Orphan."""
    uid = obj["metadata"]["uid"]
    for resource in (REPLICASETS, PODS):
        for dependent in store.list(resource, obj["metadata"]["namespace"]):
            references = dependent["metadata"].get("ownerReferences") or []
            remaining = [reference for reference in references if reference["uid"] != uid]
            if remaining != references:
                freed = editable_copy(dependent)
                freed["metadata"]["ownerReferences"] = remaining
                store.update(resource, freed)
