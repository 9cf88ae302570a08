"""Pods, as `kubectl get pods` shows them."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from bot.actions import Read, Systems
from bot.cluster import Pod
from bot.model import Reading, Table
from commands.actions.fields import Selector

COLUMNS = ("name", "ready", "status", "restarts", "age", "image", "node")
REASONS = 2


class ListPods(Read):
    """List the pods that a label selector names."""

    name: ClassVar = "pods"
    selector: Selector

    async def read(self, systems: Systems) -> Reading:
        """A verdict, and a row for each pod."""
        pods = await systems.cluster.pods(self.selector)
        if not pods:
            return Reading(ok=False, text=f"No pods match {self.selector}.")
        now = systems.now()
        rows = tuple(_row(pod, now) for pod in pods)
        return Reading(
            ok=all(pod.ready and not pod.leaving for pod in pods),
            text=verdict(pods),
            table=Table(columns=COLUMNS, rows=rows),
        )


def verdict(pods: Sequence[Pod]) -> str:
    """How many are ready, and why the others are not, the commonest reason first."""
    staying = [pod for pod in pods if not pod.leaving]
    ready = [pod for pod in staying if pod.ready]
    text = f"{len(ready)} of {len(staying)} ready"
    reasons = Counter(pod.trouble for pod in staying if not pod.ready)
    if reasons:
        text += f": {'; '.join(reason for reason, _ in reasons.most_common(REASONS))}"
    leaving = len(pods) - len(staying)
    return f"{text} ({leaving} terminating)" if leaving else text


def _row(pod: Pod, now: datetime) -> tuple[str, ...]:
    age = words((now - pod.created).total_seconds())
    return (pod.name, pod.fraction, pod.status, str(pod.restarts), age, pod.images, pod.node)


def words(seconds: float) -> str:
    """An age in the largest unit that tells it, as kubectl does: 45s, 12m, 3h, 9d."""
    whole = max(int(seconds), 0)
    if whole < 120:
        return f"{whole}s"
    if whole < 2 * 3600:
        return f"{whole // 60}m"
    return f"{whole // 3600}h" if whole < 2 * 86_400 else f"{whole // 86_400}d"
