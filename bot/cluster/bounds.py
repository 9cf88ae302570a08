"""What limits a Deployment from outside: quotas, autoscalers and nodes."""

from typing import Any

from bot.cluster.conditions import has_condition
from bot.cluster.nouns import quantity
from bot.model import Noun

Obj = dict[str, Any]

# A quota may give one resource either of two names.
ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory", "count/pods": "pods"}


class Quota(Noun):
    """A ResourceQuota: bytes, cores or counts by resource, like `limits.memory`.

    `hard` has only what the quota's controller has counted already, and nothing when the quota has
    a scope: it may not apply to the pods that the caller asks about.
    """

    name: str
    hard: dict[str, float]
    used: dict[str, float]


class Autoscaler(Noun):
    """A HorizontalPodAutoscaler; `deployment` is empty when it scales something else."""

    name: str
    deployment: str
    lowest: int
    highest: int

    @property
    def words(self) -> str:
        """Like `order-service (2 to 6)`."""
        return f"{self.name} ({self.lowest} to {self.highest})"


class Node(Noun):
    """A node, and what its pods may use together, in cores, bytes and pods."""

    name: str
    takes_pods: bool
    room: dict[str, float]


def parse_quota(raw: Obj) -> Quota:
    """A ResourceQuota from the API's JSON."""
    spec, status = raw["spec"], raw.get("status") or {}
    used = _quantities(status.get("used") or {})
    is_scoped = spec.get("scopes") or spec.get("scopeSelector")
    hard = {} if is_scoped else _quantities(spec.get("hard") or {})
    counted = {resource: limit for resource, limit in hard.items() if resource in used}
    return Quota(name=raw["metadata"]["name"], hard=counted, used=used)


def _quantities(raw: Obj) -> dict[str, float]:
    return {ALIASES.get(name, name): quantity(str(text)) for name, text in raw.items()}


def parse_autoscaler(raw: Obj) -> Autoscaler:
    """A HorizontalPodAutoscaler from the API's JSON."""
    spec = raw["spec"]
    target = spec["scaleTargetRef"]
    return Autoscaler(
        name=raw["metadata"]["name"],
        deployment=target["name"] if target["kind"] == "Deployment" else "",
        lowest=spec.get("minReplicas", 1),
        highest=spec["maxReplicas"],
    )


def parse_node(raw: Obj) -> Node:
    """A Node from the API's JSON."""
    status = raw.get("status") or {}
    allocatable = status.get("allocatable") or {}
    return Node(
        name=raw["metadata"]["name"],
        takes_pods=has_condition(status, "Ready") and not raw["spec"].get("unschedulable"),
        room={
            resource: quantity(str(allocatable[resource]))
            for resource in ("cpu", "memory", "pods")
            if resource in allocatable
        },
    )
