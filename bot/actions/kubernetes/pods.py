"""The pods of a label selector, as `kubectl get pods` shows them."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from bot.actions.base import IN_CLUSTER, Read
from bot.actions.params import Selector
from bot.model import ReadResult, Table
from bot.systems import Systems
from bot.systems.kubernetes import Pod

# What matters first; names are as long as ids. kubectl begins with the name.
COLUMNS = ("status", "ready", "restarts", "age", "name", "image", "node")
MAX_REASONS = 2


class ListPods(Read):
    """List the pods that a label selector names."""

    name: ClassVar = "pods"
    place_keys: ClassVar = IN_CLUSTER
    selector: Selector

    async def read(self, systems: Systems) -> ReadResult:
        """A verdict, and a row for each pod; Jobs' and finished ones count neither way.

        They may carry the same labels, and those that have finished stay for days. Raises
        ClusterError.
        """
        pods = await systems.cluster.pods(self.selector)
        if not pods:
            return ReadResult(
                ok=False, text=f"No pods match {self.selector} in {systems.cluster.place}."
            )
        now = systems.now()
        rows = tuple(_row(pod, now) for pod in sorted(pods, key=_by_need))
        counted = _counted(pods)
        return ReadResult(
            ok=bool(counted) and all(pod.ready and not pod.terminating for pod in counted),
            text=verdict(pods),
            table=Table(columns=COLUMNS, rows=rows),
        )


def verdict(pods: Sequence[Pod]) -> str:
    """How many are ready, and the two most common reasons why others are not."""
    finished = Counter(pod.status for pod in pods if pod.finished)
    counted = _counted(pods)
    staying = [pod for pod in counted if not pod.terminating]
    ready = [pod for pod in staying if pod.ready]
    text = f"{len(ready)} of {len(staying)} ready"
    reasons = Counter(pod.unready_reason for pod in staying if not pod.ready)
    if reasons:
        text += f": {'; '.join(reason for reason, _ in reasons.most_common(MAX_REASONS))}"
    leaving, working = len(counted) - len(staying), len(pods) - len(counted) - finished.total()
    others = [f"{leaving} terminating"] if leaving else []
    others += [f"{working} of Jobs"] if working else []
    others += [f"{count} {status}" for status, count in finished.most_common()]
    return f"{text} ({', '.join(others)})" if others else text


def _counted(pods: Sequence[Pod]) -> list[Pod]:
    """The pods that have not finished; without those of Jobs, unless there are no others."""
    unfinished = [pod for pod in pods if not pod.finished]
    return [pod for pod in unfinished if not pod.is_of_job] or unfinished


def _by_need(pod: Pod) -> tuple[bool, bool]:
    """Those that are not ready first, those that have finished last."""
    return pod.finished, pod.ready


def _row(pod: Pod, now: datetime) -> tuple[str, ...]:
    age = kubectl_age((now - pod.created).total_seconds())
    return (
        pod.status,
        pod.ready_containers,
        str(pod.restarts),
        age,
        pod.name,
        pod.image_tags,
        pod.node,
    )


def kubectl_age(seconds: float) -> str:
    """An age in seconds as kubectl writes it: 45s, 12m, 3h, 9d."""
    seconds = max(int(seconds), 0)
    if seconds < 120:
        return f"{seconds}s"
    if seconds < 2 * 3600:
        return f"{seconds // 60}m"
    return f"{seconds // 3600}h" if seconds < 2 * 86_400 else f"{seconds // 86_400}d"
