"""What it means to delete pods: what is lost, what stands in the way, and which they are."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from bot.actions.kubernetes import capacity, deployments
from bot.actions.kubernetes.pods import kubectl_age
from bot.actions.wording import percent, percent_at_most, plural
from bot.model import BlastRadius, Table
from bot.systems.kubernetes import Cluster, Deployment, Pod

# More than these are a table beside the sentence.
NAMED_PODS = 3


def blast_radius(pods: Sequence[Pod], of: int) -> BlastRadius:
    """What is lost while these of so many pods are replaced at once."""
    count = len(pods)
    return BlastRadius(text=_loss(pods, of), pods=count, capacity=percent_at_most(count, of))


def _loss(pods: Sequence[Pod], of: int) -> str:
    count, seconds = len(pods), _start_seconds(pods)
    if not any(pod.ready for pod in pods):
        these = "the pod is not ready" if count == 1 else f"none of these {count} pods is ready"
        return f"No capacity is lost: {these}."
    until = f"for some {_rounded(seconds)}" if seconds else "until new ones are ready"
    if count >= of:
        return f"{deployments.all_at_once(count)}: no capacity {until}."
    return f"{count} of {of} pods at once: {percent(count, of)} of the capacity is lost {until}."


def _start_seconds(pods: Sequence[Pod]) -> float:
    """How long such pods took from their creation until they were ready; 0 if not known.

    The shortest time of all: one that was unready for a while became ready late.
    """
    times = [
        (pod.ready_since - pod.created).total_seconds()
        for pod in pods
        if pod.ready_since is not None
    ]
    return max(min(times), 1) if times else 0


def _rounded(seconds: float) -> str:
    if seconds <= 90:
        return f"{max(5, round(seconds / 5) * 5)} s"
    return f"{round(seconds / 60)} min"


def table(pods: Sequence[Pod], now: datetime) -> Table | None:
    """What each pod is now, those that serve first; None for few of them."""
    if len(pods) <= NAMED_PODS:
        return None
    rows = tuple(
        (
            pod.name,
            "yes" if pod.ready else "no",
            pod.status,
            str(pod.restarts),
            kubectl_age((now - pod.created).total_seconds()),
            pod.image_tags,
        )
        for pod in sorted(pods, key=lambda pod: (not pod.ready, pod.name))
    )
    columns = ("pod", "serves now", "status", "restarts", "age", "version")
    return Table(columns=columns, rows=rows)


async def warnings(cluster: Cluster, pods: Sequence[Pod], owner: Deployment | None) -> list[str]:
    """Warnings of a quota without room for successors, and of a budget that lets fewer go."""
    count = len(pods)
    extra = {"pods": float(count)} if owner is None else capacity.demand(owner.template, count)
    ready = sum(pod.ready for pod in pods)
    return [
        *await capacity.quota_warnings(cluster, extra, capacity.REPLACED_LATE),
        *await capacity.budget_warnings(cluster, [pod.labels for pod in pods], ready),
        *_gentler(cluster.namespace, pods, owner),
    ]


def _gentler(namespace: str, pods: Sequence[Pod], owner: Deployment | None) -> Iterator[str]:
    """How the pods of each workload come back, and what replaces them more gently."""
    for workload in sorted({pod.workload for pod in pods}):
        kind, _, name = workload.partition("/")
        match kind:
            case "StatefulSet" | "DaemonSet":
                how = "one after another, with their names and volumes"
                how = how if kind == "StatefulSet" else "each on its node"
                yield (
                    f"{name} is a {kind}: its pods come back {how}. `kubectl rollout restart "
                    f"{kind.lower()}/{name} --namespace {namespace}` replaces them one by one."
                )
            case _ if owner is not None:
                yield from _restart(owner)


def _restart(owner: Deployment) -> Iterator[str]:
    """What a rolling restart of a Deployment would lose, where that is less."""
    missing = owner.max_unavailable
    if owner.paused or missing >= max(owner.replicas, 1):
        return
    lost = (
        f"with {plural(missing, 'pod')} missing at a time" if missing else "without losing capacity"
    )
    yield f"A rolling restart does the same {lost}."
