"""What limits a Deployment from outside: quotas, LimitRanges, autoscalers, budgets and nodes."""

from collections.abc import Mapping
from typing import Any

from bot.model import Model
from bot.systems.kubernetes.conditions import has_condition
from bot.systems.kubernetes.resources import parse_quantity

Obj = dict[str, Any]

# A quota may give one resource either of two names.
NOTHING: Obj = {"key": "", "operator": "Exists"}

ALIASES = {"cpu": "requests.cpu", "memory": "requests.memory", "count/pods": "pods"}


class Quota(Model):
    """A ResourceQuota: bytes, cores or counts by resource, like `limits.memory`.

    `hard` has only what the quota's controller has counted already, and nothing when the quota has
    a scope: it may not apply to the caller's pods.
    """

    name: str
    hard: dict[str, float]
    used: dict[str, float]


class LimitRange(Model):
    """A LimitRange: the rules of a namespace for the resources of each container or pod.

    `rules` are the items of its spec as the API has them.
    """

    name: str
    rules: tuple[Obj, ...]


class Autoscaler(Model):
    """A HorizontalPodAutoscaler; `deployment` is empty when it scales something else.

    `scaled_object` is the ScaledObject that KEDA makes it from, or empty.
    """

    name: str
    deployment: str
    min_replicas: int
    max_replicas: int
    scaled_object: str = ""

    @property
    def label(self) -> str:
        """Like `order-service (2 to 6)`."""
        return f"{self.name} ({self.min_replicas} to {self.max_replicas})"


class DisruptionBudget(Model):
    """A PodDisruptionBudget: `desired` of its pods stay ready, `allowed` may be missing now.

    `selector` is that of its spec as the API has it. Evictions heed it; rollouts and deletions do
    not.
    """

    name: str
    desired: int
    allowed: int
    selector: Obj

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether pods with these labels belong to it."""
        wanted = (self.selector.get("matchLabels") or {}).items()
        expressions = self.selector.get("matchExpressions") or []
        return wanted <= labels.items() and all(_meets(each, labels) for each in expressions)


def _meets(expression: Obj, labels: Mapping[str, str]) -> bool:
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


class Node(Model):
    """A node, and what its pods may use together, in cores, bytes and pods."""

    name: str
    schedulable: bool
    allocatable: dict[str, float]


def parse_quota(raw: Obj) -> Quota:
    """A ResourceQuota from the API's JSON."""
    spec, status = raw["spec"], raw.get("status") or {}
    used = _quantities(status.get("used") or {})
    is_scoped = spec.get("scopes") or spec.get("scopeSelector")
    hard = {} if is_scoped else _quantities(spec.get("hard") or {})
    counted = {resource: limit for resource, limit in hard.items() if resource in used}
    return Quota(name=raw["metadata"]["name"], hard=counted, used=used)


def _quantities(raw: Obj) -> dict[str, float]:
    return {ALIASES.get(name, name): parse_quantity(str(text)) for name, text in raw.items()}


def parse_limit_range(raw: Obj) -> LimitRange:
    """A LimitRange from the API's JSON."""
    return LimitRange(name=raw["metadata"]["name"], rules=tuple(raw["spec"].get("limits") or []))


def parse_autoscaler(raw: Obj) -> Autoscaler:
    """A HorizontalPodAutoscaler from the API's JSON."""
    spec = raw["spec"]
    target = spec["scaleTargetRef"]
    return Autoscaler(
        name=raw["metadata"]["name"],
        deployment=target["name"] if target["kind"] == "Deployment" else "",
        min_replicas=spec.get("minReplicas", 1),
        max_replicas=spec["maxReplicas"],
        scaled_object=_scaled_object(raw["metadata"]),
    )


def parse_disruption_budget(raw: Obj) -> DisruptionBudget:
    """A PodDisruptionBudget from the API's JSON."""
    status = raw.get("status") or {}
    return DisruptionBudget(
        name=raw["metadata"]["name"],
        desired=status.get("desiredHealthy", 0),
        allowed=status.get("disruptionsAllowed", 0),
        # One without a selector covers no pods.
        selector=raw["spec"].get("selector") or {"matchExpressions": [NOTHING]},
    )


def _scaled_object(metadata: Obj) -> str:
    owners = metadata.get("ownerReferences") or []
    return next((str(owner["name"]) for owner in owners if owner["kind"] == "ScaledObject"), "")


def parse_node(raw: Obj) -> Node:
    """A Node from the API's JSON."""
    status = raw.get("status") or {}
    allocatable = status.get("allocatable") or {}
    return Node(
        name=raw["metadata"]["name"],
        schedulable=has_condition(status, "Ready") and not raw["spec"].get("unschedulable"),
        allocatable={
            resource: parse_quantity(str(allocatable[resource]))
            for resource in ("cpu", "memory", "pods")
            if resource in allocatable
        },
    )
