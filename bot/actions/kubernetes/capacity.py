"""Whether a change fits into the namespace's quotas and onto the nodes."""

from collections.abc import Mapping, Sequence

from bot.model import UserError
from bot.systems.kubernetes import (
    Cluster,
    ClusterError,
    Deployment,
    Forbidden,
    Node,
    Pod,
    Quota,
    parse_quantity,
)

# Cores, bytes and pods, under the names that a ResourceQuota has for them.
Demand = dict[str, float]

QUOTA_RESOURCES = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")
UNITS = (("Gi", 1024**3), ("Mi", 1024**2), ("Ki", 1024))


def demand(template: dict[str, object], count: int) -> Demand:
    """What `count` pods of a template need."""
    per_pod = {name: _sum(template, *name.split(".")) for name in QUOTA_RESOURCES}
    return {"pods": float(count)} | {name: count * amount for name, amount in per_pod.items()}


def _sum(template: dict[str, object], kind: str, resource: str) -> float:
    """The sum over the containers; `kind` is requests or limits."""
    spec = template["spec"]
    assert isinstance(spec, dict)
    resources = [container.get("resources") or {} for container in spec["containers"]]
    # Without a request, the API server takes the limit for it.
    amounts = [(each.get("limits") or {}) | (each.get(kind) or {}) for each in resources]
    return sum(parse_quantity(str(amount[resource])) for amount in amounts if resource in amount)


async def check_quotas(cluster: Cluster, deployment: Deployment, extra: Demand) -> tuple[str, ...]:
    """A warning when the quotas cannot be read. Raises UserError when one has no room."""
    try:
        quotas = await cluster.quotas()
    except ClusterError as error:
        return (f"Whether the quota has room is not known. {error}",)
    problem = exceeding(quotas, extra)
    if problem:
        raise UserError(
            f"The quota of {cluster.namespace} has no room for this, so nothing was planned: "
            f"{problem}. Ask for less, or raise the quota first. {deployment.label} is as it was."
        )
    return ()


def exceeding(quotas: Sequence[Quota], extra: Mapping[str, float]) -> str:
    """Like `shop-quota allows pods=4, 3 is used, and 2 more is needed`; empty when it fits."""
    for quota in quotas:
        for name, hard in quota.hard.items():
            used, needed = quota.used[name], extra.get(name, 0)
            if needed > 0 and used + needed > hard:
                return (
                    f"{quota.name} allows {name}={format_amount(name, hard)}, "
                    f"{format_amount(name, used)} is used, and {format_amount(name, needed)} more "
                    "is needed"
                )
    return ""


async def node_warnings(
    cluster: Cluster, template: dict[str, object], count: int
) -> tuple[str, ...]:
    """A warning when the nodes certainly have no room for `count` more pods.

    A dry run does not schedule pods, so the bot counts. No warning when it may not list nodes: that
    needs a permission beyond the namespace.
    """
    try:
        nodes, pods = await cluster.nodes(), await cluster.pods("")
    except Forbidden:
        return ()
    except ClusterError as error:
        return (f"Whether the nodes have room is not known. {error}",)
    fitting = fitting_pods(nodes, pods, demand(template, 1))
    if fitting >= count:
        return ()
    return (
        f"The nodes have room for {fitting or 'none'} of the {count} new pods, and pods of other "
        "namespaces are not even counted; the others would wait as Pending.",
    )


def fitting_pods(nodes: Sequence[Node], pods: Sequence[Pod], per_pod: Demand) -> int:
    """How many more pods fit onto the nodes at most; `pods` are those that run there."""
    return sum(_fitting_on(node, pods, per_pod) for node in nodes if node.schedulable)


def _fitting_on(node: Node, pods: Sequence[Pod], per_pod: Demand) -> int:
    node_pods = [pod for pod in pods if pod.node == node.name and not pod.finished]
    requests = [container.requests for pod in node_pods for container in pod.serving_containers]
    used = {
        "cpu": sum(amounts.cpu or 0 for amounts in requests),
        "memory": sum(amounts.memory or 0 for amounts in requests),
        "pods": len(node_pods),
    }
    needed = {
        "cpu": per_pod["requests.cpu"],
        "memory": per_pod["requests.memory"],
        "pods": per_pod["pods"],
    }
    counts = [
        (capacity - used[name]) // needed[name]
        for name, capacity in node.allocatable.items()
        if needed[name]
    ]
    return max(int(min(counts, default=0)), 0)


def format_amount(name: str, value: float) -> str:
    """Memory, CPU or a count as people write it: 1.5Gi, 750m, 4."""
    if name.endswith("memory"):
        for unit, size in UNITS:
            if value >= size:
                return f"{round(value / size, 2):g}{unit}"
    return f"{value:.0f}" if value == int(value) else f"{round(value * 1000)}m"
