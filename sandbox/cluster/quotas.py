"""Capacity for pods: ResourceQuotas of namespaces and allocatable resources of nodes."""

from collections.abc import Callable
from decimal import Decimal

from sandbox.cluster.errors import Obj, forbidden
from sandbox.cluster.podstatus import is_finished, serving_containers
from sandbox.cluster.quantities import amount, quantity
from sandbox.cluster.resources import PODS, QUOTAS
from sandbox.cluster.store import Store


def check_quota(store: Store, pod: Obj) -> None:
    """Raise ApiError (403) when a pod would exceed a quota of its namespace."""
    meta = pod["metadata"]
    pods = store.list(PODS, meta["namespace"])
    for quota in store.list(QUOTAS, meta["namespace"]):
        for name, text in quota["spec"]["hard"].items():
            measure = MEASURES.get(name)
            if measure is None:
                continue
            used, requested = sum(map(measure, pods), Decimal(0)), measure(pod)
            if used + requested > amount(text):
                message = (
                    f"exceeded quota: {quota['metadata']['name']}, "
                    f"requested: {name}={quantity(name, requested)}, "
                    f"used: {name}={quantity(name, used)}, limited: {name}={text}"
                )
                raise forbidden("", "pods", meta["name"], message)


def count_quotas(store: Store) -> None:
    """The quota controller: write the usage of every ResourceQuota."""
    for quota in store.list(QUOTAS):
        pods, hard = store.list(PODS, quota["metadata"]["namespace"]), quota["spec"]["hard"]
        used = {
            name: quantity(name, sum(map(MEASURES[name], pods), Decimal(0)))
            for name in hard
            if name in MEASURES
        }
        store.update(QUOTAS, quota | {"status": {"hard": hard, "used": used}})


def nodes_with_room(nodes: list[Obj], pods: list[Obj], pod: Obj) -> list[str]:
    """The names of the nodes that have room for what a pod requests."""
    return [node["metadata"]["name"] for node in nodes if _fits(node, pods, pod)]


def _fits(node: Obj, pods: list[Obj], pod: Obj) -> bool:
    placed = [other for other in pods if other["spec"].get("nodeName") == node["metadata"]["name"]]
    for name, text in node["status"]["allocatable"].items():
        measure = MEASURES[name if name == "pods" else f"requests.{name}"]
        if sum(map(measure, placed), Decimal(0)) + measure(pod) > amount(text):
            return False
    return True


def _count(pod: Obj) -> Decimal:
    return Decimal(not is_finished(pod))


def _count_objects(pod: Obj) -> Decimal:
    return Decimal(1)


def _sum(part: str, name: str) -> Callable[[Obj], Decimal]:
    def measure(pod: Obj) -> Decimal:
        if is_finished(pod):
            return Decimal(0)
        quantities = [
            ((container.get("resources") or {}).get(part) or {}).get(name)
            for container in serving_containers(pod["spec"])
        ]
        return sum((amount(text) for text in quantities if text), Decimal(0))

    return measure


MEASURES: dict[str, Callable[[Obj], Decimal]] = {
    "pods": _count,
    "count/pods": _count_objects,
    **{
        f"{part}.{name}": _sum(part, name)
        for part in ("limits", "requests")
        for name in ("cpu", "memory")
    },
}
