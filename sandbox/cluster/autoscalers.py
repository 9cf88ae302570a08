"""The autoscaler controller: it keeps replicas between minimum and maximum and ignores load."""

from datetime import datetime

from sandbox.cluster.clock import Clock, stamp
from sandbox.cluster.errors import Obj
from sandbox.cluster.events import EventLog
from sandbox.cluster.managed_fields import Writer
from sandbox.cluster.resources import AUTOSCALERS, DEPLOYMENTS
from sandbox.cluster.store import Store, editable_copy

SOURCE = {"component": "horizontal-pod-autoscaler"}
SCALER = Writer("kube-controller-manager", "scale")
# How often the real one looks, by default.
PERIOD = 15.0


class Autoscalers:
    """Reconciles each HorizontalPodAutoscaler every PERIOD seconds."""

    def __init__(self, store: Store, clock: Clock, events: EventLog) -> None:
        self.store = store
        self.clock = clock
        self.events = events
        self._last_sync: dict[str, datetime] = {}

    def sync(self, autoscaler: Obj) -> None:
        """Reconcile an autoscaler if PERIOD seconds have passed since the last time."""
        uid = autoscaler["metadata"]["uid"]
        last = self._last_sync.get(uid)
        if last is None or self.clock.age(last) >= PERIOD:
            self._last_sync[uid] = self.clock.now()
            self._reconcile(autoscaler)

    def _reconcile(self, autoscaler: Obj) -> None:
        target = autoscaler["spec"]["scaleTargetRef"]
        namespace = autoscaler["metadata"]["namespace"]
        known = target["kind"] == "Deployment"
        deployment = self.store.find(DEPLOYMENTS, namespace, target["name"]) if known else None
        if deployment is None:
            message = (
                f'the HPA controller was unable to get the target: "{target["name"]}" not found'
            )
            self._write_status(autoscaler, ("AbleToScale", "False", "FailedGetScale", message))
            return
        current = deployment["spec"]["replicas"]
        if not current:
            message = "scaling is disabled since the replica count of the target is zero"
            self._write_status(autoscaler, ("ScalingActive", "False", "ScalingDisabled", message))
            return
        desired = self._rescale(autoscaler, deployment, current)
        message = "recommended size matches current size"
        ready = ("AbleToScale", "True", "ReadyForNewScale", message)
        self._write_status(autoscaler, ready, current, desired)

    def _rescale(self, autoscaler: Obj, deployment: Obj, current: int) -> int:
        lowest, highest = (autoscaler["spec"][name] for name in ("minReplicas", "maxReplicas"))
        desired: int = min(max(current, lowest), highest)
        if desired == current:
            return desired
        bound = "below Spec.MinReplicas" if current < lowest else "above Spec.MaxReplicas"
        reason = f"New size: {desired}; reason: Current number of replicas {bound}"
        self.events.record(autoscaler, "SuccessfulRescale", reason, SOURCE)
        changed = editable_copy(deployment)
        changed["spec"]["replicas"] = desired
        changed["metadata"]["generation"] = changed["metadata"].get("generation", 1) + 1
        self.store.update(DEPLOYMENTS, changed, SCALER)
        return desired

    def _write_status(
        self,
        autoscaler: Obj,
        condition: tuple[str, str, str, str],
        current: int = 0,
        desired: int = 0,
    ) -> None:
        fields = ("type", "status", "reason", "message")
        written = dict(zip(fields, condition, strict=True))
        known = (autoscaler.get("status") or {}).get("conditions") or [{}]
        unchanged = all(known[0].get(name) == words for name, words in written.items())
        since = known[0]["lastTransitionTime"] if unchanged else stamp(self.clock.now())
        conditions = [written | {"lastTransitionTime": since}]
        status: Obj = {
            "currentReplicas": current,
            "desiredReplicas": desired,
            "conditions": conditions,
        }
        self.store.update(AUTOSCALERS, autoscaler | {"status": status})
