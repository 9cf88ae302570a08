"""What a Deployment has been, as `kubectl rollout history` shows it, with what became of it."""

from datetime import datetime
from typing import ClassVar

from bot.actions import Read, Systems
from bot.cluster import Deployment, Revision
from bot.model import Reading, Table
from commands.actions import revisions
from commands.actions.fields import Name
from commands.actions.revisions import History

COLUMNS = ("revision", "image", "first run", "ready", "state", "change cause")
NONE = "–"


class RolloutHistory(Read):
    """List what a Deployment has run, newest first, and say where a rollback would go."""

    name: ClassVar = "rollout-history"
    deployment: Name

    async def read(self, systems: Systems) -> Reading:
        """A verdict about the revision that runs, and a row for each."""
        now = await systems.cluster.deployment(self.deployment)
        past, at = await revisions.read(systems.cluster, now), systems.now()
        if not past.all:
            text = f"{now.target} has no revisions yet: its controller has made none."
            return Reading(ok=False, text=text)
        return Reading(
            ok=now.rolled_out,
            text=_verdict(now, past, at),
            table=Table(columns=COLUMNS, rows=tuple(_row(past, one, at) for one in past.all)),
        )


def _verdict(now: Deployment, past: History, at: datetime) -> str:
    runs = f"Revision {now.revision} ({now.image}) runs"
    if past.current is not None:
        runs += f", first rolled out {revisions.age(past.current, at)} ago"
    runs += f": {now.available} of {now.replicas} available"
    back = "There is nothing to go back to"
    if past.default is not None:
        back = f"Back would be revision {past.default.number} ({past.default.image})"
    return f"{runs}. {back}" + (f". {past.unknown}" if past.unknown else "")


def _row(past: History, one: Revision, at: datetime) -> tuple[str, ...]:
    ready = f"{one.ready}/{one.replicas}" if one.replicas else NONE
    return (
        str(one.number),
        one.image,
        revisions.age(one, at),
        ready,
        _state(past, one),
        one.said or NONE,
    )


def _state(past: History, one: Revision) -> str:
    if past.current is not None and one.uid == past.current.uid:
        return "runs now"
    return past.fault(one) or NONE
