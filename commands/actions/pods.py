"""Pods: how many are ready, and what ails the others."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from bot.actions import Read, Systems
from bot.cluster import Pod
from bot.model import Reading, Table
from commands.actions.watching import troubles

Selector = Annotated[str, Field(pattern=r"^\S.*$", max_length=500)]
COLUMNS = ("Pod", "Ready", "Status", "Restarts", "Age", "Image", "Node", "Last exit")
THROUGH = ("Completed", "Succeeded")


class ListPods(Read):
    """List the pods that a label selector names."""

    name: ClassVar = "pods"
    selector: Selector

    async def read(self, systems: Systems) -> Reading:
        """One line for each pod; all is well when every one is ready."""
        pods = await systems.cluster.pods(self.selector)
        counted = tuple(one for one in pods if not one.leaving and one.status not in THROUGH)
        rows = tuple(_row(one, datetime.now(UTC)) for one in pods)
        ready = sum(one.ready for one in counted)
        return Reading(
            ok=bool(counted) and ready == len(counted),
            text=summary(counted) if counted else f"No pods match {self.selector}",
            table=Table(columns=COLUMNS, rows=rows) if rows else None,
        )


def summary(pods: tuple[Pod, ...]) -> str:
    """Such as: 0 of 3 ready: CrashLoopBackOff, exit 2."""
    count = f"{sum(one.ready for one in pods)} of {len(pods)} ready"
    ails, restarts = troubles(pods), sum(one.restarts for one in pods)
    if ails:
        return f"{count}: {ails}"
    plural = "restart" if restarts == 1 else "restarts"
    return f"{count}, {restarts} {plural} so far" if restarts else count


def _row(pod: Pod, now: datetime) -> tuple[str, ...]:
    ended = "" if pod.exit_code is None else str(pod.exit_code)
    known = (pod.name, pod.fraction, pod.status, str(pod.restarts), age(now - pod.created))
    return (*known, pod.images, pod.node or "none", ended or "–")


def age(span: timedelta) -> str:
    """As kubectl writes it: 45s, 12m, 5h, 3d."""
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
