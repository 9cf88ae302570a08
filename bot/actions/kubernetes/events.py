"""What the cluster warns of about a Deployment, as `kubectl events` shows it."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from bot.actions.base import IN_CLUSTER, Read
from bot.actions.kubernetes.pods import kubectl_age
from bot.actions.params import Name
from bot.model import Cell, ReadResult, Table
from bot.systems import Systems
from bot.systems.kubernetes import Deployment, Event, Revision

COLUMNS = ("last", "reason", "times", "message", "object")
MAX_ROWS = 99
MAX_REASONS = 3


class ListEvents(Read):
    """List what the cluster warns of about a Deployment, its ReplicaSets and its pods.

    Most clusters forget an event after an hour.
    """

    name: ClassVar = "events"
    place_keys: ClassVar = IN_CLUSTER
    deployment: Name

    async def read(self, systems: Systems) -> ReadResult:
        """A verdict, and a row for each warning, the newest first; deleted pods' count too."""
        deployment = await systems.cluster.deployment(self.deployment)
        revisions = await systems.cluster.revisions(deployment)
        warnings = [
            event
            for event in await systems.cluster.warnings()
            if _is_about(event, deployment, revisions)
        ]
        if not warnings:
            return ReadResult(ok=True, text=f"The cluster warns of nothing about {self.deployment}")
        now = systems.now()
        rows = tuple(_row(event, now) for event in warnings[:MAX_ROWS])
        return ReadResult(
            ok=False,
            text=_verdict(warnings, now),
            table=Table(columns=COLUMNS, rows=rows, total=len(warnings)),
        )


def _is_about(event: Event, deployment: Deployment, revisions: Sequence[Revision]) -> bool:
    """Whether it is about the Deployment, or a ReplicaSet of it, or a pod of one of these."""
    names = [revision.name for revision in revisions]
    match event.kind:
        case "Deployment":
            return event.name == deployment.name
        case "ReplicaSet":
            return event.name in names
        case "Pod":
            return event.name.rpartition("-")[0] in names
    return False


def _verdict(warnings: Sequence[Event], now: datetime) -> str:
    """Like `BackOff 12 times, FailedScheduling once; the last 2m ago`, and its message."""
    reasons = Counter[str]()
    for event in warnings:
        reasons[event.reason] += event.count
    told = [
        f"{reason} {'once' if count == 1 else f'{count} times'}"
        for reason, count in reasons.most_common(MAX_REASONS)
    ]
    return f"{', '.join(told)}; the last {_age(warnings[0], now)} ago\n{warnings[0].message}"


def _age(event: Event, now: datetime) -> str:
    return kubectl_age((now - event.last).total_seconds())


def _row(event: Event, now: datetime) -> tuple[Cell | str, ...]:
    return (
        Cell(text=_age(event, now), number=(now - event.last).total_seconds()),
        event.reason,
        Cell(text=str(event.count), number=event.count),
        event.message,
        f"{event.kind}/{event.name}",
    )
