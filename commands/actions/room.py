"""Whether there is room for what a change asks for: in the namespace's quotas, and on the nodes."""

from collections.abc import Mapping, Sequence

from bot.cluster import Cluster, ClusterError, Deployment, Forbidden, Node, Pod, Quota, quantity
from bot.model import UserError

Demand = dict[str, float]

MEASURED = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
UNITS = (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024))


def of_pods(template: dict[str, object], count: int) -> Demand:
    """What so many pods of a template ask for, under the names that quotas use."""
    each = {name: _sum(template, *name.split(".")) for name in MEASURED}
    return {"pods": float(count)} | {name: count * amount for name, amount in each.items()}


def _sum(template: dict[str, object], part: str, name: str) -> float:
    spec = template["spec"]
    assert isinstance(spec, dict)
    resources = [one.get("resources") or {} for one in spec["containers"]]
    # A request that is left out is filled from the limit when the pod is made.
    filled = [(one.get("limits") or {}) | (one.get(part) or {}) for one in resources]
    return sum(quantity(str(one[name])) for one in filled if name in one)


async def in_quotas(cluster: Cluster, now: Deployment, demand: Demand) -> tuple[str, ...]:
    """Raises UserError when a quota has no room for so much more; warns when nobody can say."""
    try:
        quotas = await cluster.quotas()
    except ClusterError as error:
        return (f"Whether the quota has room is not known. {error}",)
    problem = beyond(quotas, demand)
    if problem:
        raise UserError(
            f"The quota of {cluster.namespace} has no room for this, so nothing was planned: "
            f"{problem}. Ask for less, or raise the quota first. {now.target} is as it was."
        )
    return ()


def beyond(quotas: Sequence[Quota], demand: Mapping[str, float]) -> str:
    """Like `shop-quota allows 4 pods, 3 are used, and 2 more are needed`; empty when it fits."""
    for quota in quotas:
        for name, hard in quota.hard.items():
            used, more = quota.used[name], demand.get(name, 0)
            if more > 0 and used + more > hard:
                allowed, has, needed = (amount(name, one) for one in (hard, used, more))
                return (
                    f"{quota.name} allows {name}={allowed}, {has} is used, and {needed} more is "
                    "needed"
                )
    return ""


async def on_nodes(cluster: Cluster, template: dict[str, object], more: int) -> tuple[str, ...]:
    """Warns when the nodes surely have no room for so many more pods; a dry run schedules none.

    Whoever may not list nodes is told nothing: it is a right beyond the namespace.
    """
    try:
        nodes, pods = await cluster.nodes(), await cluster.pods("")
    except Forbidden:
        return ()
    except ClusterError as error:
        return (f"Whether the nodes have room is not known. {error}",)
    fits = fitting(nodes, pods, of_pods(template, 1))
    if fits >= more:
        return ()
    return (
        f"The nodes have room for {fits or 'none'} of the {more} new pods, and pods of other "
        "namespaces are not even counted; the others would wait as Pending.",
    )


def fitting(nodes: Sequence[Node], pods: Sequence[Pod], each: Demand) -> int:
    """How many more pods fit on the nodes at most, beside those that are seen there."""
    return sum(_fitting(node, pods, each) for node in nodes if node.takes_pods)


def _fitting(node: Node, pods: Sequence[Pod], each: Demand) -> int:
    requests = [one.requests for pod in pods if pod.node == node.name for one in pod.containers]
    used = {
        "cpu": sum(one.cpu or 0 for one in requests),
        "memory": sum(one.memory or 0 for one in requests),
        "pods": sum(pod.node == node.name for pod in pods),
    }
    asked = {"cpu": each["requests.cpu"], "memory": each["requests.memory"], "pods": each["pods"]}
    fits = [(room - used[name]) // asked[name] for name, room in node.room.items() if asked[name]]
    return max(int(min(fits, default=0)), 0)


def amount(name: str, value: float) -> str:
    """As people write it: 1.5Gi, 750m, 4."""
    if name.endswith("memory"):
        for unit, size in UNITS:
            if value >= size:
                return f"{round(value / size, 2):g}{unit}"
    whole = value == int(value)
    return f"{value:.0f}" if whole else f"{round(value * 1000)}m"
