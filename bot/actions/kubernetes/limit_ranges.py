"""Whether a LimitRange lets pods of a template in, as its admission plug-in decides it."""

from collections.abc import Iterator
from typing import Any

from bot.model import Model
from bot.systems.kubernetes import LimitRange, format_amount, parse_quantity

Obj = dict[str, Any]
RESOURCES = ("cpu", "memory")


class Bounds(Model):
    """The request and the limit of one resource, in cores or bytes; None where it is not set."""

    request: float | None
    limit: float | None


def violations(limit_range: LimitRange, template: Obj) -> Iterator[str]:
    """What it has against pods of the template, each as the middle of a sentence."""
    spec = template["spec"]
    containers = [*(spec.get("initContainers") or []), *spec["containers"]]
    rules = limit_range.rules
    defaults: Obj = next((rule for rule in rules if rule["type"] == "Container"), {})
    for resource in RESOURCES:
        bounds = {
            container["name"]: _bounds(container, resource, defaults) for container in containers
        }
        for rule in rules:
            if rule["type"] == "Pod":
                serving = [bounds[container["name"]] for container in spec["containers"]]
                measured = {"the pod": _sum(serving)}
            else:
                measured = bounds if rule["type"] == "Container" else {}
            for name, bound in measured.items():
                for problem in _problems(rule, resource, bound):
                    yield f"the LimitRange {limit_range.name} {problem}, which {name} breaks"


def _bounds(container: Obj, resource: str, defaults: Obj) -> Bounds:
    """As the pod will have them: what is not set, the LimitRange sets."""
    resources = container.get("resources") or {}
    own_limit = (resources.get("limits") or {}).get(resource)
    request = (resources.get("requests") or {}).get(resource) or own_limit
    limit = own_limit or (defaults.get("default") or {}).get(resource)
    request = request or (defaults.get("defaultRequest") or {}).get(resource)
    return Bounds(request=_number(request), limit=_number(limit))


def _number(quantity: str | None) -> float | None:
    return None if quantity is None else parse_quantity(str(quantity))


def _sum(bounds: list[Bounds]) -> Bounds:
    requests = [bound.request for bound in bounds if bound.request is not None]
    limits = [bound.limit for bound in bounds if bound.limit is not None]
    return Bounds(
        request=sum(requests) if len(requests) == len(bounds) else None,
        limit=sum(limits) if len(limits) == len(bounds) else None,
    )


def _problems(rule: Obj, resource: str, bounds: Bounds) -> Iterator[str]:
    most = _number((rule.get("max") or {}).get(resource))
    if most is not None and (bounds.limit is None or max(bounds.limit, bounds.request or 0) > most):
        yield f"allows {format_amount(resource, most)} of {resource} at most"
    least = _number((rule.get("min") or {}).get(resource))
    if least is not None and (bounds.request is None or bounds.request < least):
        yield f"demands {format_amount(resource, least)} of {resource} at least"
    ratio = _number((rule.get("maxLimitRequestRatio") or {}).get(resource))
    if ratio is not None and not _is_within(bounds, ratio):
        yield f"allows a limit of {resource} up to {ratio:g} times its request"


def _is_within(bounds: Bounds, ratio: float) -> bool:
    if not bounds.request or bounds.limit is None:
        return False
    return bounds.limit / bounds.request <= ratio
