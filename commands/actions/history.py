"""The revisions of a Deployment, as `kubectl rollout history` shows them, and how each went."""

from datetime import datetime
from typing import ClassVar

from bot.actions import Read, Systems
from bot.cluster import Deployment, Revision
from bot.model import Reading, Table
from commands.actions import revisions
from commands.actions.fields import Name
from commands.actions.revisions import RevisionHistory

COLUMNS = ("revision", "image", "first run", "ready", "state", "change cause")
NONE = "–"


class RolloutHistory(Read):
    """List what a Deployment has run, newest first, and say where a rollback would go."""

    name: ClassVar = "rollout-history"
    deployment: Name

    async def read(self, systems: Systems) -> Reading:
        """A verdict about the current revision, and a row for each, newest first."""
        deployment = await systems.cluster.deployment(self.deployment)
        history, now = await revisions.read_history(systems.cluster, deployment), systems.now()
        if not history.all:
            text = f"{deployment.target} has no revisions yet: its controller has made none."
            return Reading(ok=False, text=text)
        rows = tuple(_row(history, revision, now) for revision in history.all)
        return Reading(
            ok=deployment.rolled_out,
            text=_verdict(deployment, history, now),
            table=Table(columns=COLUMNS, rows=rows),
        )


def _verdict(deployment: Deployment, history: RevisionHistory, now: datetime) -> str:
    running = f"Revision {deployment.revision} ({deployment.image}) runs"
    if history.current is not None:
        running += f", first rolled out {revisions.age(history.current, now)} ago"
    running += f": {deployment.available} of {deployment.replicas} available"
    rollback = "There is no revision to roll back to"
    if history.default is not None:
        target = f"revision {history.default.number} ({history.default.image})"
        rollback = f"A rollback would go to {target}"
    return f"{running}. {rollback}" + (f". {history.unknown}" if history.unknown else "")


def _row(history: RevisionHistory, revision: Revision, now: datetime) -> tuple[str, ...]:
    return (
        str(revision.number),
        revision.image,
        revisions.age(revision, now),
        f"{revision.ready}/{revision.replicas}" if revision.replicas else NONE,
        _state(history, revision),
        revision.said or NONE,
    )


def _state(history: RevisionHistory, revision: Revision) -> str:
    if history.current is not None and revision.uid == history.current.uid:
        return "runs now"
    return history.objection(revision) or NONE
