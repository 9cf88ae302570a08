"""The CPU and memory that pods use, as `kubectl top pods` shows it, against their limits."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from bot.actions.base import IN_CLUSTER, Read
from bot.actions.kubernetes import pods
from bot.actions.params import Selector
from bot.actions.wording import percent
from bot.model import Cell, Chart, Model, ReadResult, Series, Table, UserError
from bot.systems import Systems
from bot.systems.kubernetes import Cluster, NotFound, Pod, ResourceAmounts, Unavailable

COLUMNS = (
    *("CPU", "CPU limit", "memory", "memory limit"),
    *("name", "CPU request", "memory request"),
)
# Above this share of a limit, a container is about to be throttled or killed.
NEAR_LIMIT = 0.9
MIB = 1024 * 1024
NONE = "–"
METRICS_DELAY = "The first figures come within a minute of a start."


class LimitUsage(Model):
    """How much of one limit a container uses; `resource` is CPU or memory, in cores or bytes."""

    container: str
    resource: str
    used: float
    limit: float

    @property
    def share(self) -> float:
        """1.0 is all of it."""
        return self.used / self.limit

    @property
    def text(self) -> str:
        """Like `memory 480Mi of 512Mi (94 %)`."""
        used, limit = (_amount(self.resource, value) for value in (self.used, self.limit))
        return f"{self.resource} {used} of {limit} ({percent(self.share)})"


class PodLoad(Model):
    """A pod, and what its containers use by their names; empty when it has no figures yet."""

    pod: Pod
    used: dict[str, ResourceAmounts]

    @property
    def worst(self) -> LimitUsage | None:
        """The limit of any of its containers that is nearest; None when there are no limits."""
        usages = [
            LimitUsage(container=container.name, resource=resource, used=used, limit=limit)
            for container in self.pod.serving_containers
            for resource, used, limit in _used_and_limit(
                self.used.get(container.name, ResourceAmounts()), container.limits
            )
        ]
        return max(usages, key=lambda usage: usage.share, default=None)

    @property
    def worst_share(self) -> float:
        """The share of the nearest limit; -1 when there are no limits."""
        return self.worst.share if self.worst else -1.0

    def total_used(self, field: str) -> float:
        """The sum over the containers; `field` is cpu or memory."""
        return sum(getattr(amounts, field) or 0.0 for amounts in self.used.values())

    def total_bound(self, kind: str, field: str) -> float | None:
        """The sum of the requests or limits; None for limits when one container has no limit."""
        amounts = [getattr(getattr(each, kind), field) for each in self.pod.serving_containers]
        known = [amount for amount in amounts if amount is not None]
        if not known or (kind == "limits" and len(known) < len(amounts)):
            return None
        return float(sum(known))


class PodUsage(Read):
    """Compare what the pods of a label selector use with their requests and limits."""

    name: ClassVar = "usage"
    place_keys: ClassVar = IN_CLUSTER
    selector: Selector

    async def read(self, systems: Systems) -> ReadResult:
        """A row for each pod, those nearest to a limit first; a young pod has no figures yet.

        Raises UserError when the cluster has no metrics, or cannot be read.
        """
        pods = await systems.cluster.pods(self.selector)
        if not pods:
            return ReadResult(
                ok=False, text=f"No pods match {self.selector} in {systems.cluster.place}."
            )
        pods = tuple(pod for pod in pods if not pod.finished)
        if not pods:
            return ReadResult(
                ok=False,
                text=f"All pods of {self.selector} in {systems.cluster.place} have finished.",
            )
        usage = await _usage(systems.cluster, self.selector)
        loads = [PodLoad(pod=pod, used=usage.get(pod.name, {})) for pod in pods]
        loads.sort(key=lambda load: load.worst_share, reverse=True)
        return _result(loads, systems.now())


async def _usage(cluster: Cluster, selector: str) -> dict[str, dict[str, ResourceAmounts]]:
    """By pod and container. Raises UserError when the cluster has no metrics, or none yet."""
    try:
        return await cluster.usage(selector)
    except Unavailable as error:
        raise UserError(
            f"The metrics server of cluster {cluster.name} does not answer yet: it may be "
            "starting. Nothing was read. Try again in a minute, or look at your dashboards."
        ) from error
    except NotFound as error:
        raise UserError(
            f"Cluster {cluster.name} measures no pods: it has no metrics.k8s.io. Nothing was read. "
            "Install the metrics server, or look at your dashboards."
        ) from error


def _result(loads: Sequence[PodLoad], now: datetime) -> ReadResult:
    table = Table(columns=COLUMNS, rows=tuple(_row(load) for load in loads))
    notes = tuple(_no_figures(load.pod, now) for load in loads if not load.used)
    measured = [load for load in loads if load.used]
    if not measured:
        return ReadResult(
            ok=None, text=f"No figures yet. {METRICS_DELAY}", table=table, notes=notes
        )
    near_limit = [load for load in measured if load.worst_share >= NEAR_LIMIT]
    has_limits = any(load.worst for load in measured)
    return ReadResult(
        ok=not near_limit if has_limits else None,
        is_unjudged=not has_limits,
        text=_verdict(measured, near_limit),
        table=table,
        charts=_charts(measured),
        notes=notes,
    )


def _verdict(measured: Sequence[PodLoad], near_limit: Sequence[PodLoad]) -> str:
    cpu = _amount("CPU", sum(load.total_used("cpu") for load in measured))
    memory = _amount("memory", sum(load.total_used("memory") for load in measured))
    pods_use = "1 pod uses" if len(measured) == 1 else f"{len(measured)} pods use"
    text = f"{pods_use} {cpu} CPU and {memory} memory"
    if not any(load.worst for load in measured):
        return f"{text}, and no container has a limit"
    if not near_limit:
        return f"{text}, none near a limit"
    return f"{text}; {len(near_limit)} at 90 % of a limit or above\n{_worst(near_limit[0])}"


def _worst(load: PodLoad) -> str:
    """Like `order-service-1: memory 480Mi of 512Mi (94 %)`."""
    assert load.worst is not None
    container = f" ({load.worst.container})" if len(load.pod.serving_containers) > 1 else ""
    return f"{load.pod.name}{container}: {load.worst.text}"


def _charts(loads: Sequence[PodLoad]) -> tuple[Chart, ...]:
    """What each pod uses, with its requests and limits; one chart for CPU and one for memory."""
    names = tuple(load.pod.name.rpartition("-")[2] for load in loads)
    return tuple(
        Chart(title=title, kind="bar", categories=names, series=_series(loads, field, unit))
        for title, field, unit in (("CPU (m)", "cpu", 0.001), ("Memory (Mi)", "memory", MIB))
    )


def _series(loads: Sequence[PodLoad], field: str, unit: float) -> tuple[Series, ...]:
    """A request or limit is in the chart only if every pod has it: else it would appear as 0."""
    amounts = [("used", [load.total_used(field) for load in loads])]
    for kind in ("requests", "limits"):
        bounds = [bound for load in loads if (bound := load.total_bound(kind, field)) is not None]
        if len(bounds) == len(loads):
            amounts.append((kind.removesuffix("s"), bounds))
    return tuple(
        Series(name=name, values=tuple(round(value / unit) for value in values))
        for name, values in amounts
    )


def _no_figures(pod: Pod, now: datetime) -> str:
    age = pods.kubectl_age((now - pod.created).total_seconds())
    return f"No figures of {pod.name} yet: {pod.status}, {age} old."


def _row(load: PodLoad) -> tuple[Cell | str, ...]:
    cpu, cpu_limit, cpu_request = _cells(load, "CPU", "cpu")
    memory, memory_limit, memory_request = _cells(load, "memory", "memory")
    return (cpu, cpu_limit, memory, memory_limit, load.pod.name, cpu_request, memory_request)


def _cells(load: PodLoad, resource: str, field: str) -> list[Cell | str]:
    """What is used, the limit and the request."""
    used = load.total_used(field)
    amount = Cell(text=_amount(resource, used), number=used) if load.used else NONE
    bounds = [load.total_bound(kind, field) for kind in ("limits", "requests")]
    used_or_none = used if load.used else None
    return [amount, *(_bound_cell(resource, bound, used_or_none) for bound in bounds)]


def _bound_cell(resource: str, bound: float | None, used: float | None) -> Cell | str:
    """A request or limit, with the share of it that is used where that is known."""
    if bound is None:
        return NONE
    text = _amount(resource, bound)
    if used is not None and bound:
        text += f" ({percent(used / bound)})"
    return Cell(text=text, number=bound)


def _used_and_limit(
    used: ResourceAmounts, limits: ResourceAmounts
) -> list[tuple[str, float, float]]:
    """CPU and memory with use and limit, each only where both are known."""
    pairs = (("CPU", used.cpu, limits.cpu), ("memory", used.memory, limits.memory))
    return [(name, amount, limit) for name, amount, limit in pairs if amount is not None and limit]


def _amount(resource: str, amount: float) -> str:
    """As kubectl writes it: 120m, 410Mi."""
    return f"{round(amount * 1000)}m" if resource == "CPU" else f"{round(amount / MIB)}Mi"
