"""What lets an object in, or does not: LimitRanges, quotas, and policies of the team's own."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from sandbox.cluster.errors import ApiError, Obj, forbidden, qualified_name, status_details
from sandbox.cluster.quantities import amount, quantity
from sandbox.cluster.quotas import check_quota
from sandbox.cluster.resources import LIMIT_RANGES, Resource
from sandbox.cluster.store import Store

RESOURCES = ("cpu", "memory")


@dataclass(frozen=True)
class Policy:
    """A ValidatingAdmissionPolicy that denies every write of a resource."""

    name: str
    resource: str
    message: str

    def check(self, resource: Resource, name: str) -> None:
        """Raise ApiError (422) for that resource, as a real server does, also for a dry run."""
        if resource.plural != self.resource:
            return
        subject = f'{qualified_name(resource.group, resource.plural)} "{name}"'
        denied = (
            f"ValidatingAdmissionPolicy '{self.name}' with binding '{self.name}' denied request: "
            f"{self.message}"
        )
        details = status_details(resource.group, resource.plural, name)
        raise ApiError(422, "Invalid", f"{subject} is forbidden: {denied}", details)


def admit_pod(store: Store, pod: Obj) -> None:
    """Set the defaults of LimitRanges on a new pod; raises ApiError (403) if it may not come in."""
    for limit_range in store.list(LIMIT_RANGES, pod["metadata"]["namespace"]):
        rules = limit_range["spec"]["limits"]
        for rule in rules:
            if rule["type"] == "Container":
                _set_defaults(rule, pod["spec"])
        problems = [problem for rule in rules for problem in _problems(rule, pod["spec"])]
        if problems:
            message = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
            raise forbidden("", "pods", pod["metadata"]["name"], message)
    check_quota(store, pod)


def _containers(spec: Obj) -> list[Obj]:
    return [*(spec.get("initContainers") or []), *spec["containers"]]


def _set_defaults(rule: Obj, spec: Obj) -> None:
    for container in _containers(spec):
        resources = container.setdefault("resources", {})
        own = resources.get("limits") or {}
        limits = (rule.get("default") or {}) | own
        requests = (rule.get("defaultRequest") or {}) | own | (resources.get("requests") or {})
        resources |= {"limits": limits, "requests": requests} if limits or requests else {}


def _problems(rule: Obj, spec: Obj) -> Iterator[str]:
    if rule["type"] == "Container":
        measured = [container["resources"] for container in _containers(spec)]
    elif rule["type"] == "Pod":
        measured = [_sum(spec["containers"])]
    else:
        measured = []
    for resources in measured:
        for resource in RESOURCES:
            yield from _broken(rule, resource, resources)


def _sum(containers: list[Obj]) -> Obj:
    total: Obj = {}
    for part in ("limits", "requests"):
        for resource in RESOURCES:
            texts = [(each["resources"].get(part) or {}).get(resource) for each in containers]
            if all(texts):
                size = sum((amount(text) for text in texts if text), Decimal(0))
                total.setdefault(part, {})[resource] = quantity(f"{part}.{resource}", size)
    return total


def _broken(rule: Obj, resource: str, resources: Obj) -> Iterator[str]:
    limit = (resources.get("limits") or {}).get(resource)
    request = (resources.get("requests") or {}).get(resource)
    kind = rule["type"]
    if least := (rule.get("min") or {}).get(resource):
        start = f"minimum {resource} usage per {kind} is {least}"
        if request is None:
            yield f"{start}.  No request is specified"
        elif amount(request) < amount(least):
            yield f"{start}, but request is {request}"
    if most := (rule.get("max") or {}).get(resource):
        start = f"maximum {resource} usage per {kind} is {most}"
        if limit is None:
            yield f"{start}.  No limit is specified"
        elif amount(limit) > amount(most):
            yield f"{start}, but limit is {limit}"
    ratio = (rule.get("maxLimitRequestRatio") or {}).get(resource)
    if ratio and limit and request and amount(limit) / amount(request) > amount(ratio):
        provided = float(amount(limit) / amount(request))
        yield (
            f"{resource} max limit to request ratio per {kind} is {ratio}, but provided ratio is "
            f"{provided:f}"
        )
