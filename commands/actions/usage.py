"""What pods use of CPU and memory, as `kubectl top pods` shows it, against what they may use."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from bot.actions import Read, Systems
from bot.cluster import Amounts, Cluster, NotFound, Pod
from bot.model import Cell, Chart, Noun, Reading, Series, Table, UserError
from commands.actions import pods
from commands.actions.fields import Selector

COLUMNS = (
    *("name", "CPU", "CPU request", "CPU limit"),
    *("memory", "memory request", "memory limit"),
)
# From here on a container is about to be throttled, or killed.
NEAR = 0.9
MIB = 1024 * 1024
NONE = "–"
LATE = "The first figures come within a minute of a start."


class Share(Noun):
    """How much of one limit a container uses."""

    container: str
    what: str
    used: float
    limit: float

    @property
    def part(self) -> float:
        """1.0 is all of it."""
        return self.used / self.limit

    @property
    def words(self) -> str:
        """Like `memory 480Mi of 512Mi (94 %)`."""
        return f"{self.what} {_amount(self.what, self.used)} of {_of(self.what, self)}"


class Load(Noun):
    """A pod and what its containers use."""

    pod: Pod
    used: dict[str, Amounts]

    @property
    def worst(self) -> Share | None:
        """The limit that is nearest, of all its containers: each of them has its own."""
        shares = [
            Share(container=one.name, what=what, used=used, limit=limit)
            for one in self.pod.containers
            for what, used, limit in _pairs(self.used.get(one.name, Amounts()), one.limits)
        ]
        return max(shares, key=lambda share: share.part, default=None)


class PodUsage(Read):
    """Compare what the pods of a label selector use with their requests and limits."""

    name: ClassVar = "usage"
    selector: Selector

    async def read(self, systems: Systems) -> Reading:
        """A row for each pod, those nearest to a limit first; a young pod has no figures yet."""
        found = await systems.cluster.pods(self.selector)
        if not found:
            return Reading(ok=False, text=f"No pods match {self.selector}.")
        used = await _measured(systems.cluster, self.selector)
        loads = [Load(pod=pod, used=used.get(pod.name, {})) for pod in found]
        loads.sort(key=lambda one: one.worst.part if one.worst else -1.0, reverse=True)
        rows = tuple(_row(load) for load in loads)
        return _reading(loads, Table(columns=COLUMNS, rows=rows), systems.now())


async def _measured(cluster: Cluster, selector: str) -> dict[str, dict[str, Amounts]]:
    try:
        return await cluster.usage(selector)
    except NotFound as error:
        raise UserError(
            "The cluster measures no pods: it has no metrics.k8s.io. Nothing was read. "
            "Install the metrics server, or look at your dashboards."
        ) from error


def _reading(loads: Sequence[Load], table: Table, now: datetime) -> Reading:
    measured = [load for load in loads if load.used]
    notes = tuple(_late(load.pod, now) for load in loads if not load.used)
    if not measured:
        return Reading(ok=None, text=f"No figures yet. {LATE}", table=table, notes=notes)
    tight = [load for load in measured if load.worst and load.worst.part >= NEAR]
    cpu = _amount("CPU", sum(_total(load, "cpu") for load in measured))
    memory = _amount("memory", sum(_total(load, "memory") for load in measured))
    count = "1 pod uses" if len(measured) == 1 else f"{len(measured)} pods use"
    text = f"{count} {cpu} CPU and {memory} memory"
    text += f"; {len(tight)} at 90 % of a limit or above" if tight else ", none near a limit"
    if tight:
        text += f"\n{_told(tight[0])}"
    return Reading(ok=not tight, text=text, table=table, charts=_charts(measured), notes=notes)


def _charts(loads: Sequence[Load]) -> tuple[Chart, ...]:
    """What each pod uses beside what it asked for and what it may use."""
    names = tuple(load.pod.name.rpartition("-")[2] for load in loads)
    return tuple(
        Chart(title=title, kind="bar", categories=names, series=_series(loads, field, unit))
        for title, field, unit in (("CPU (m)", "cpu", 0.001), ("Memory (Mi)", "memory", MIB))
    )


def _series(loads: Sequence[Load], field: str, unit: float) -> tuple[Series, ...]:
    """A bound is drawn when every pod has it: nothing would look like a bound of 0."""
    drawn = [("used", [_total(load, field) for load in loads])]
    for name in ("requests", "limits"):
        bounds = [bound for load in loads if (bound := _whole(load, field, name)) is not None]
        if len(bounds) == len(loads):
            drawn.append((name.removesuffix("s"), bounds))
    return tuple(
        Series(name=name, values=tuple(round(one / unit) for one in amounts))
        for name, amounts in drawn
    )


def _told(load: Load) -> str:
    assert load.worst is not None
    container = f" ({load.worst.container})" if len(load.pod.containers) > 1 else ""
    return f"{load.pod.name}{container}: {load.worst.words}"


def _late(pod: Pod, now: datetime) -> str:
    age = pods.words((now - pod.created).total_seconds())
    return f"No figures of {pod.name} yet: {pod.status}, {age} old."


def _row(load: Load) -> tuple[Cell | str, ...]:
    cells: list[Cell | str] = [load.pod.name]
    for what, field in (("CPU", "cpu"), ("memory", "memory")):
        used = _total(load, field)
        cells.append(Cell(text=_amount(what, used), number=used) if load.used else NONE)
        for name in ("requests", "limits"):
            cells.append(_bound(load, what, _whole(load, field, name), used))
    return tuple(cells)


def _whole(load: Load, field: str, name: str) -> float | None:
    """The sum over the containers; where one has no limit, the pod has none."""
    each = [getattr(getattr(one, name), field) for one in load.pod.containers]
    known = [amount for amount in each if amount is not None]
    if not known or (name == "limits" and len(known) < len(each)):
        return None
    return float(sum(known))


def _bound(load: Load, what: str, whole: float | None, used: float) -> Cell | str:
    if whole is None:
        return NONE
    text = _amount(what, whole)
    if load.used and whole:
        text += f" ({_percent(used / whole)})"
    return Cell(text=text, number=whole)


def _of(what: str, share: Share) -> str:
    return f"{_amount(what, share.limit)} ({_percent(share.part)})"


def _total(load: Load, field: str) -> float:
    return sum(getattr(one, field) or 0.0 for one in load.used.values())


def _pairs(used: Amounts, limits: Amounts) -> list[tuple[str, float, float]]:
    pairs = (("CPU", used.cpu, limits.cpu), ("memory", used.memory, limits.memory))
    return [(what, have, limit) for what, have, limit in pairs if have is not None and limit]


def _amount(what: str, amount: float) -> str:
    """As kubectl writes it: 120m, 410Mi."""
    return f"{round(amount * 1000)}m" if what == "CPU" else f"{round(amount / MIB)}Mi"


def _percent(part: float) -> str:
    return f"{round(100 * part)} %"
