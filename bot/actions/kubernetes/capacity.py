"""Whether a change fits into the namespace's quotas and limits, and onto the nodes."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bot.actions.kubernetes.limit_ranges import violations
from bot.model import UserError
from bot.systems.kubernetes import (
    Cluster,
    ClusterError,
    Deployment,
    Forbidden,
    LimitRange,
    Node,
    NotFound,
    Pod,
    Quota,
    format_amount,
    parse_quantity,
)

# Cores, bytes and pods, under the names that a ResourceQuota has for them.
Demand = dict[str, float]

QUOTA_RESOURCES = ("requests.cpu", "requests.memory", "limits.cpu", "limits.memory")


def demand(template: dict[str, object], count: int) -> Demand:
    """What `count` pods of a template need."""
    spec = template["spec"]
    assert isinstance(spec, dict)
    per_pod = {name: _pod_amount(spec, *name.split(".")) for name in QUOTA_RESOURCES}
    return {"pods": float(count)} | {name: count * amount for name, amount in per_pod.items()}


def _pod_amount(spec: dict[str, Any], kind: str, resource: str) -> float:
    """What a pod needs: at its start one init container at a time, beside its sidecars.

    `kind` is requests or limits.
    """
    sidecars = peak = 0.0
    for container in spec.get("initContainers") or []:
        amount = _amount(container, kind, resource)
        peak = max(peak, sidecars + amount)
        sidecars += amount if container.get("restartPolicy") == "Always" else 0
    serving = sum(_amount(container, kind, resource) for container in spec["containers"])
    overhead = (spec.get("overhead") or {}).get(resource, "0")
    return max(peak, sidecars + serving) + parse_quantity(str(overhead))


def _amount(container: dict[str, Any], kind: str, resource: str) -> float:
    resources = container.get("resources") or {}
    # Without a request, the API server takes the limit for it.
    amounts = (resources.get("limits") or {}) | (resources.get(kind) or {})
    return parse_quantity(str(amounts.get(resource, "0")))


ROLLOUT_STANDS_STILL = (
    ", and no pod is stopped before its successor is ready: the rollout would stand still. Raise "
    "the quota first."
)
ROLLOUT_WAITS = ": each new pod waits until an old one has stopped."
REPLACED_LATE = ": new ones start only when these have stopped."


async def check_quotas(
    cluster: Cluster, deployment: Deployment, extra: Demand, *, field: str
) -> tuple[str, ...]:
    """A warning when the quotas cannot be read. Raises UserError when one has no room.

    `field` is the parameter that asks for so much.
    """
    try:
        quotas = await cluster.quotas()
    except ClusterError as error:
        return (f"Whether the quota has room is not known. {error}",)
    problem = exceeding(quotas, extra)
    if problem:
        raise UserError(
            f"The quota in {cluster.place} has no room for this, so nothing was planned: "
            f"{problem}. Ask for less, or raise the quota first. {deployment.label} is as it was.",
            field=field,
        )
    return ()


class Limits(NamedTuple):
    """The quotas and LimitRanges of the namespace; none where they cannot be read."""

    quotas: Sequence[Quota] = ()
    limit_ranges: Sequence[LimitRange] = ()

    def let_in(self, template: dict[str, Any], extra: Demand) -> bool:
        """Whether pods of a template are let in, and so much more of a quota is left."""
        found = (problem for each in self.limit_ranges for problem in violations(each, template))
        return not exceeding(self.quotas, extra) and next(found, None) is None


async def read_limits(cluster: Cluster) -> Limits:
    """The limits of the namespace, as far as they can be read now."""
    quotas, ranges = await asyncio.gather(
        cluster.quotas(), cluster.limit_ranges(), return_exceptions=True
    )
    for answer in (quotas, ranges):
        if isinstance(answer, BaseException) and not isinstance(answer, ClusterError):
            raise answer
    return Limits(
        () if isinstance(quotas, BaseException) else quotas,
        () if isinstance(ranges, BaseException) else ranges,
    )


async def rollout_warnings(
    cluster: Cluster, deployment: Deployment, template: dict[str, object]
) -> tuple[str, ...]:
    """Warnings when new pods of a template would not be let in, and the rollout would stand still.

    A dry run of a Deployment makes no pods, so neither quotas nor LimitRanges refuse it.
    """
    if not deployment.replicas:
        return ()
    problem = await limit_range_problem(cluster, template)
    warnings = [f"New pods would not be let in: {problem}."] if problem else []
    consequence = ROLLOUT_WAITS if deployment.max_unavailable else ROLLOUT_STANDS_STILL
    warnings += await quota_warnings(cluster, demand(template, 1), consequence)
    warnings += await budget_warnings(cluster, [labels_of(template)], deployment.max_unavailable)
    return tuple(warnings)


async def quota_warnings(cluster: Cluster, extra: Demand, consequence: str) -> list[str]:
    """A warning when a quota has no room for these pods beside those that there are."""
    try:
        problem = exceeding(await cluster.quotas(), extra)
    except ClusterError as error:
        return [f"Whether the quota has room is not known. {error}"]
    if not problem:
        return []
    count = int(extra["pods"])
    more = "one more pod" if count == 1 else f"{count} more pods"
    return [f"The quota in {cluster.place} has no room for {more} ({problem}){consequence}"]


async def budget_warnings(
    cluster: Cluster, pods: Sequence[Mapping[str, str]], missing: int
) -> list[str]:
    """A warning when more pods go than a disruption budget allows: only evictions heed it.

    `pods` are the labels of each pod that may go, or of a pod like them; so many are `missing`.
    """
    if not missing:
        return []
    try:
        budgets = await cluster.disruption_budgets()
    except NotFound:  # the cluster has no such API
        return []
    except ClusterError as error:
        return [f"Whether a disruption budget lets these pods go is not known. {error}"]
    return [
        f"The disruption budget {budget.name} lets {budget.allowed or 'no'} "
        f"{'pod' if budget.allowed == 1 else 'pods'} go now, so that {budget.desired} stay ready. "
        f"This takes {missing} and does not heed it."
        for budget in budgets
        if budget.allowed < missing and any(map(budget.covers, pods))
    ]


def labels_of(template: Mapping[str, Any]) -> Mapping[str, str]:
    """The labels of the pods of a template."""
    labels: Mapping[str, str] = (template.get("metadata") or {}).get("labels") or {}
    return labels


async def limit_range_problem(cluster: Cluster, template: dict[str, object]) -> str:
    """What a LimitRange has against pods of a template, or empty; also when none may be read."""
    try:
        limit_ranges = await cluster.limit_ranges()
    except ClusterError:
        return ""
    problems = (
        problem for limit_range in limit_ranges for problem in violations(limit_range, template)
    )
    return next(problems, "")


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
