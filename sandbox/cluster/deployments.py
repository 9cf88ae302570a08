"""The Deployment controller: a ReplicaSet per template, with revisions, and rolling updates."""

import hashlib
import json
import math
from typing import Any

from sandbox.cluster.clock import Clock
from sandbox.cluster.deploymentstatus import deployment_status
from sandbox.cluster.errors import Obj
from sandbox.cluster.events import EventLog
from sandbox.cluster.replicasets import controller_reference, controller_uid
from sandbox.cluster.resources import DEPLOYMENTS, REPLICASETS
from sandbox.cluster.store import ALPHABET, Store, editable_copy

SOURCE = {"component": "deployment-controller"}
REVISION = "deployment.kubernetes.io/revision"
HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"
HASH_LABEL = "pod-template-hash"
NOT_COPIED = (
    REVISION,
    HISTORY,
    DESIRED,
    MAXIMUM,
    "kubectl.kubernetes.io/last-applied-configuration",
)


class Deployments:
    """Moves each Deployment one step towards its template and replica count."""

    def __init__(self, store: Store, clock: Clock, events: EventLog) -> None:
        self.store = store
        self.clock = clock
        self.events = events

    def sync(self, deployment: Obj) -> None:
        """Reconcile a Deployment by one step and write its status."""
        if deployment["metadata"].get("deletionTimestamp"):
            return
        owned = owned_replicasets(self.store, deployment)
        new = find_new_replicaset(deployment, owned)
        created = new is None
        if not deployment["spec"].get("paused"):
            new = self._adopt_template(deployment, owned, new)
            self._roll_out(deployment, new)
            self._prune_history(deployment)
        self._write_status(deployment, created=created)

    def _adopt_template(self, deployment: Obj, owned: list[Obj], new: Obj | None) -> Obj:
        newest = max(
            (revision(replicaset) for replicaset in owned if replicaset is not new), default=0
        )
        if new is None:
            return self._create(deployment, newest + 1)
        return self._annotate(deployment, new, max(newest + 1, revision(new)))

    def _create(self, deployment: Obj, number: int) -> Obj:
        return self.store.create(REPLICASETS, replicaset_of(deployment, number))

    def _annotate(self, deployment: Obj, new: Obj, number: int) -> Obj:
        annotations = dict(new["metadata"].get("annotations") or {})
        if annotations.get(REVISION) != str(number):
            earlier = [
                revisions
                for revisions in (annotations.get(HISTORY), annotations.get(REVISION))
                if revisions
            ]
            annotations |= {HISTORY: ",".join(earlier), REVISION: str(number)}
        annotations |= _copied_annotations(deployment) | _size_annotations(deployment)
        meta = new["metadata"] | {"annotations": annotations}
        return self.store.update(REPLICASETS, new | {"metadata": meta})

    def _roll_out(self, deployment: Obj, new: Obj) -> None:
        olds = [
            replicaset
            for replicaset in self._replicasets(deployment)
            if replicaset["metadata"]["uid"] != _uid(new)
        ]
        if deployment["spec"]["strategy"]["type"] == "Recreate":
            self._recreate(deployment, new, olds)
            return
        self._scale_up_new(deployment, new, olds)
        self._scale_down_old(deployment)

    def _replicasets(self, deployment: Obj) -> list[Obj]:
        return owned_replicasets(self.store, deployment)

    def _recreate(self, deployment: Obj, new: Obj, olds: list[Obj]) -> None:
        for old in olds:
            self._scale(deployment, old, 0)
        if not any((old.get("status") or {}).get("replicas") for old in olds):
            self._scale(deployment, new, deployment["spec"]["replicas"])

    def _scale_up_new(self, deployment: Obj, new: Obj, olds: list[Obj]) -> None:
        wanted, has = deployment["spec"]["replicas"], new["spec"]["replicas"]
        if has > wanted:
            self._scale(deployment, new, wanted)
            return
        room = wanted + max_surge(deployment) - has - sum(old["spec"]["replicas"] for old in olds)
        self._scale(deployment, new, has + max(0, min(room, wanted - has)))

    def _scale_down_old(self, deployment: Obj) -> None:
        sets = self._replicasets(deployment)
        new = find_new_replicaset(deployment, sets)
        if new is None:
            return
        olds = [
            replicaset
            for replicaset in sets
            if replicaset is not new and replicaset["spec"]["replicas"]
        ]
        least = deployment["spec"]["replicas"] - max_unavailable(deployment)
        pending = new["spec"]["replicas"] - available_replicas(new)
        budget = sum(replicaset["spec"]["replicas"] for replicaset in sets) - least - pending
        if not olds or budget <= 0:
            return
        for old in olds:
            # Broken old pods go first: they serve nobody, so taking them away costs nothing.
            broken = max(0, min(budget, old["spec"]["replicas"] - available_replicas(old)))
            budget -= broken
            self._scale(deployment, old, old["spec"]["replicas"] - broken)
        self._scale_down_healthy(deployment, sets, olds, least)

    def _scale_down_healthy(
        self, deployment: Obj, sets: list[Obj], olds: list[Obj], least: int
    ) -> None:
        spare = sum(map(available_replicas, sets)) - least
        for old in olds:
            current = self.store.get(REPLICASETS, _namespace(old), old["metadata"]["name"])
            if spare <= 0:
                return
            step = min(spare, current["spec"]["replicas"])
            spare -= step
            self._scale(deployment, current, current["spec"]["replicas"] - step)

    def _scale(self, deployment: Obj, replicaset: Obj, count: int) -> None:
        current = self.store.get(
            REPLICASETS, _namespace(replicaset), replicaset["metadata"]["name"]
        )
        before = current["spec"]["replicas"]
        if before == count:
            return
        updated = editable_copy(current)
        updated["spec"]["replicas"] = count
        updated["metadata"]["generation"] = updated["metadata"].get("generation", 1) + 1
        self.store.update(REPLICASETS, updated)
        direction, name = ("up" if count > before else "down"), current["metadata"]["name"]
        message = f"Scaled {direction} replica set {name} from {before} to {count}"
        self.events.record(deployment, "ScalingReplicaSet", message, SOURCE)

    def _prune_history(self, deployment: Obj) -> None:
        sets = self._replicasets(deployment)
        idle = [
            replicaset
            for replicaset in sets
            if not replicaset["spec"]["replicas"]
            and not (replicaset.get("status") or {}).get("replicas")
            and replicaset is not find_new_replicaset(deployment, sets)
        ]
        surplus = len(idle) - deployment["spec"]["revisionHistoryLimit"]
        for replicaset in sorted(idle, key=revision)[: max(0, surplus)]:
            self.store.remove(REPLICASETS, replicaset)

    def _write_status(self, deployment: Obj, *, created: bool) -> None:
        sets = self._replicasets(deployment)
        new = find_new_replicaset(deployment, sets)
        annotations = dict(deployment["metadata"].get("annotations") or {})
        if new:
            annotations[REVISION] = str(revision(new))
        status = deployment_status(
            deployment, sets, new, max_unavailable(deployment), self.clock, created=created
        )
        meta = deployment["metadata"] | ({"annotations": annotations} if annotations else {})
        self.store.update(DEPLOYMENTS, deployment | {"metadata": meta, "status": status})


def owned_replicasets(store: Store, deployment: Obj) -> list[Obj]:
    """The ReplicaSets of a Deployment, oldest first."""
    replicasets = store.list(REPLICASETS, _namespace(deployment))
    owned = [
        replicaset for replicaset in replicasets if controller_uid(replicaset) == _uid(deployment)
    ]
    return sorted(owned, key=_age_and_revision)


def _age_and_revision(replicaset: Obj) -> tuple[str, int]:
    return replicaset["metadata"]["creationTimestamp"], revision(replicaset)


def find_new_replicaset(deployment: Obj, owned: list[Obj]) -> Obj | None:
    """The ReplicaSet with the Deployment's current template, if there is one."""
    wanted = comparable_template(deployment["spec"]["template"])
    matching = (
        replicaset
        for replicaset in owned
        if comparable_template(replicaset["spec"]["template"]) == wanted
    )
    return next(matching, None)


def revision(replicaset: Obj) -> int:
    """The number of the rollout that a ReplicaSet stands for."""
    return int((replicaset["metadata"].get("annotations") or {}).get(REVISION, "0"))


def available_replicas(replicaset: Obj) -> int:
    """How many of a ReplicaSet's pods are available."""
    return int((replicaset.get("status") or {}).get("availableReplicas", 0))


def comparable_template(template: Obj) -> tuple[Obj, Obj, Obj]:
    """The parts of a pod template to compare, without the hash label that the controller adds."""
    meta = template.get("metadata") or {}
    labels = {key: value for key, value in (meta.get("labels") or {}).items() if key != HASH_LABEL}
    return labels, meta.get("annotations") or {}, template["spec"]


def template_hash(template: Obj) -> str:
    """The ten-letter hash of a template that a ReplicaSet's name ends with."""
    text = json.dumps(comparable_template(template), sort_keys=True)
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    letters = ""
    for _ in range(10):
        number, index = divmod(number, len(ALPHABET))
        letters += ALPHABET[index]
    return letters


def replicaset_of(deployment: Obj, number: int) -> Obj:
    """A ReplicaSet for the Deployment's template, with no pods yet."""
    spec, meta = deployment["spec"], deployment["metadata"]
    template = editable_copy(spec["template"])
    hash_value = template_hash(template)
    labels = template.setdefault("metadata", {}).setdefault("labels", {})
    labels[HASH_LABEL] = hash_value
    selector = editable_copy(spec["selector"])
    selector.setdefault("matchLabels", {})[HASH_LABEL] = hash_value
    annotations = (
        _copied_annotations(deployment) | _size_annotations(deployment) | {REVISION: str(number)}
    )
    replicaset: Obj = {
        "metadata": {
            "name": f"{meta['name']}-{hash_value}",
            "namespace": meta["namespace"],
            "generation": 1,
            "labels": dict(labels),
            "annotations": annotations,
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": {"replicas": 0, "selector": selector, "template": template},
        "status": {"replicas": 0},
    }
    if spec.get("minReadySeconds"):
        replicaset["spec"]["minReadySeconds"] = spec["minReadySeconds"]
    return replicaset


def max_surge(deployment: Obj) -> int:
    """How many pods more than `replicas` may exist during a rollout."""
    rolling = deployment["spec"]["strategy"].get("rollingUpdate") or {}
    return _resolve_percent(rolling.get("maxSurge", 0), deployment["spec"]["replicas"], math.ceil)


def max_unavailable(deployment: Obj) -> int:
    """How many of `replicas` may be unavailable during a rollout."""
    strategy = deployment["spec"]["strategy"]
    if strategy["type"] == "Recreate":
        return 0
    wanted = deployment["spec"]["replicas"]
    share = _resolve_percent(strategy["rollingUpdate"]["maxUnavailable"], wanted, math.floor)
    # With both rounded to nothing no rollout could ever move.
    return 1 if share == 0 and max_surge(deployment) == 0 else min(share, wanted)


def _resolve_percent(value: Any, wanted: int, rounding: Any) -> int:
    if isinstance(value, str):
        return int(rounding(int(value.rstrip("%")) * wanted / 100))
    return int(value)


def _copied_annotations(deployment: Obj) -> dict[str, str]:
    annotations = deployment["metadata"].get("annotations") or {}
    return {key: value for key, value in annotations.items() if key not in NOT_COPIED}


def _size_annotations(deployment: Obj) -> dict[str, str]:
    wanted = deployment["spec"]["replicas"]
    return {DESIRED: str(wanted), MAXIMUM: str(wanted + max_surge(deployment))}


def _uid(obj: Obj) -> str:
    return str(obj["metadata"]["uid"])


def _namespace(obj: Obj) -> str:
    return str(obj["metadata"]["namespace"])
