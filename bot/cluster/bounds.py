"""What bounds a Deployment from outside, small and frozen: quotas, autoscalers and nodes."""

from typing import Any

from bot.cluster.nouns import quantity
from bot.model import Noun

Obj = dict[str, Any]

# A quota may name one thing in two ways.
SAME = {"cpu": "requests.cpu", "memory": "requests.memory", "count/pods": "pods"}


class Quota(Noun):
    """A ResourceQuota: bytes, cores or pods by name, like `limits.memory`.

    `hard` holds only what its controller has counted already; a quota for some pods only (a scope)
    holds nothing, because it may not be about these.
    """

    name: str
    hard: dict[str, float]
    used: dict[str, float]


class Autoscaler(Noun):
    """A HorizontalPodAutoscaler and the Deployment that it scales; empty for anything else."""

    name: str
    deployment: str
    lowest: int
    highest: int

    @property
    def words(self) -> str:
        """Like `order-service (2 to 6)`."""
        return f"{self.name} ({self.lowest} to {self.highest})"


class Node(Noun):
    """A machine: what pods may take of it, in cores, bytes and pods."""

    name: str
    takes_pods: bool
    room: dict[str, float]


def quota(raw: Obj) -> Quota:
    """From the API's JSON."""
    spec, status = raw["spec"], raw.get("status") or {}
    used = _amounts(status.get("used") or {})
    scoped = spec.get("scopes") or spec.get("scopeSelector")
    hard = {} if scoped else _amounts(spec.get("hard") or {})
    counted = {name: amount for name, amount in hard.items() if name in used}
    return Quota(name=raw["metadata"]["name"], hard=counted, used=used)


def _amounts(raw: Obj) -> dict[str, float]:
    return {SAME.get(name, name): quantity(str(text)) for name, text in raw.items()}


def autoscaler(raw: Obj) -> Autoscaler:
    """From the API's JSON."""
    spec = raw["spec"]
    target = spec["scaleTargetRef"]
    return Autoscaler(
        name=raw["metadata"]["name"],
        deployment=target["name"] if target["kind"] == "Deployment" else "",
        lowest=spec.get("minReplicas", 1),
        highest=spec["maxReplicas"],
    )


def node(raw: Obj) -> Node:
    """From the API's JSON."""
    status = raw.get("status") or {}
    ready = any(
        one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or []
    )
    allocatable = status.get("allocatable") or {}
    return Node(
        name=raw["metadata"]["name"],
        takes_pods=ready and not raw["spec"].get("unschedulable"),
        room={
            name: quantity(str(allocatable[name]))
            for name in ("cpu", "memory", "pods")
            if name in allocatable
        },
    )
