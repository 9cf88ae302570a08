"""The autoscaler controller: it keeps what it scales within its bounds, and knows no load."""

from datetime import datetime

from sandbox.cluster.clock import Clock, stamp
from sandbox.cluster.errors import Obj
from sandbox.cluster.events import EventLog
from sandbox.cluster.resources import AUTOSCALERS, DEPLOYMENTS
from sandbox.cluster.store import Store, fresh

SOURCE = {"component": "horizontal-pod-autoscaler"}
# How often the real one looks, by default.
PERIOD = 15.0


class Autoscalers:
    """Looks at every autoscaler's Deployment now and then."""

    def __init__(self, store: Store, clock: Clock, events: EventLog) -> None:
        self.store = store
        self.clock = clock
        self.events = events
        self._looked: dict[str, datetime] = {}

    def sync(self, autoscaler: Obj) -> None:
        """Look, when it is time again."""
        uid = autoscaler["metadata"]["uid"]
        last = self._looked.get(uid)
        if last is None or self.clock.age(last) >= PERIOD:
            self._looked[uid] = self.clock.now()
            self._look(autoscaler)

    def _look(self, autoscaler: Obj) -> None:
        target = autoscaler["spec"]["scaleTargetRef"]
        place = autoscaler["metadata"]["namespace"]
        known = target["kind"] == "Deployment"
        found = self.store.find(DEPLOYMENTS, place, target["name"]) if known else None
        if found is None:
            why = f'the HPA controller was unable to get the target: "{target["name"]}" not found'
            self._write(autoscaler, ("AbleToScale", "False", "FailedGetScale", why))
            return
        has = found["spec"]["replicas"]
        if not has:
            why = "scaling is disabled since the replica count of the target is zero"
            self._write(autoscaler, ("ScalingActive", "False", "ScalingDisabled", why))
            return
        wanted = self._rescale(autoscaler, found, has)
        why = "recommended size matches current size"
        ready = ("AbleToScale", "True", "ReadyForNewScale", why)
        self._write(autoscaler, ready, has, wanted)

    def _rescale(self, autoscaler: Obj, deployment: Obj, has: int) -> int:
        lowest, highest = (autoscaler["spec"][name] for name in ("minReplicas", "maxReplicas"))
        wanted: int = min(max(has, lowest), highest)
        if wanted == has:
            return wanted
        bound = "below Spec.MinReplicas" if has < lowest else "above Spec.MaxReplicas"
        reason = f"New size: {wanted}; reason: Current number of replicas {bound}"
        self.events.record(autoscaler, "SuccessfulRescale", reason, SOURCE)
        changed = fresh(deployment)
        changed["spec"]["replicas"] = wanted
        changed["metadata"]["generation"] = changed["metadata"].get("generation", 1) + 1
        self.store.update(DEPLOYMENTS, changed)
        return wanted

    def _write(
        self, autoscaler: Obj, condition: tuple[str, str, str, str], has: int = 0, wanted: int = 0
    ) -> None:
        fields = ("type", "status", "reason", "message")
        told = dict(zip(fields, condition, strict=True))
        known = (autoscaler.get("status") or {}).get("conditions") or [{}]
        same = all(known[0].get(name) == words for name, words in told.items())
        since = known[0]["lastTransitionTime"] if same else stamp(self.clock.now())
        conditions = [told | {"lastTransitionTime": since}]
        status: Obj = {"currentReplicas": has, "desiredReplicas": wanted, "conditions": conditions}
        self.store.update(AUTOSCALERS, autoscaler | {"status": status})
