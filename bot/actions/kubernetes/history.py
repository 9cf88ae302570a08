"""The revisions of a Deployment, as `kubectl rollout history` shows them, and how each went."""

from datetime import datetime
from typing import ClassVar

from bot.actions.base import IN_CLUSTER, Read
from bot.actions.kubernetes import revisions
from bot.actions.kubernetes.revisions import RevisionHistory
from bot.actions.params import Name
from bot.model import ReadResult, Table
from bot.systems import Systems
from bot.systems.kubernetes import Deployment, Revision

COLUMNS = ("state", "image", "ready", "first run", "change cause", "revision")
NONE = "–"


class RolloutHistory(Read):
    """List what a Deployment has run, newest first, and say where a rollback would go."""

    name: ClassVar = "rollout-history"
    place_keys: ClassVar = IN_CLUSTER
    deployment: Name

    async def read(self, systems: Systems) -> ReadResult:
        """A verdict about the current revision, and a row for each, newest first."""
        deployment = await systems.cluster.deployment(self.deployment)
        history, now = await revisions.read_history(systems.cluster, deployment), systems.now()
        if not history.all:
            text = f"{deployment.full_label} has no revisions yet: its controller has made none."
            return ReadResult(ok=False, text=text)
        rows = tuple(_row(history, revision, now) for revision in history.all)
        return ReadResult(
            ok=deployment.rolled_out,
            text=_verdict(deployment, history, now),
            table=Table(columns=COLUMNS, rows=rows),
        )


def _verdict(deployment: Deployment, history: RevisionHistory, now: datetime) -> str:
    running = f"Revision {deployment.revision} ({deployment.image_tags}) "
    running += "was rolled out last" if _is_replacing(history) else "runs"
    if history.current is not None:
        running += f", first rolled out {revisions.age(history.current, now)} ago"
    running += f": {_available(deployment, history)}"
    rollback = "There is no revision to roll back to"
    if history.default is not None:
        target = f"revision {history.default.number} ({history.default.image_tags})"
        rollback = f"A rollback would go to {target}"
    return f"{running}. {rollback}" + (f". {history.unknown}" if history.unknown else "")


def _available(deployment: Deployment, history: RevisionHistory) -> str:
    """How many pods are available; of the current revision alone, while older ones serve too."""
    serving = [revision for revision in history.earlier if revision.ready]
    if history.current is None or not serving:
        return f"{deployment.available_replicas} of {deployment.replicas} available"
    old = sum(revision.ready for revision in serving)
    numbers = ", ".join(f"{revision.number} ({revision.image_tags})" for revision in serving)
    pods = "1 pod" if old == 1 else f"{old} pods"
    verb = "serves" if old == 1 else "serve"
    of = "revision" if len(serving) == 1 else "revisions"
    ready = f"{history.current.ready} of {deployment.replicas} ready"
    return f"{ready}, and {pods} of {of} {numbers} still {verb}"


def _row(history: RevisionHistory, revision: Revision, now: datetime) -> tuple[str, ...]:
    return (
        _state(history, revision),
        revision.image_tags,
        f"{revision.ready}/{revision.replicas}" if revision.replicas else NONE,
        revisions.age(revision, now),
        revision.redacted_cause or NONE,
        str(revision.number),
    )


def _state(history: RevisionHistory, revision: Revision) -> str:
    if history.current is not None and revision.uid == history.current.uid:
        return "rolled out last" if _is_replacing(history) else "runs now"
    if revision.ready:
        return "still serves"
    return history.objection(revision) or NONE


def _is_replacing(history: RevisionHistory) -> bool:
    """Whether pods of older revisions still serve, and none of the current one does."""
    is_unready = history.current is None or not history.current.ready
    return is_unready and any(revision.ready for revision in history.earlier)
