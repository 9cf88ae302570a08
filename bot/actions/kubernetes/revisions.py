"""The revisions of a Deployment: which one runs, how others went, and where a rollback would go."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from pydantic import Field

from bot.actions.kubernetes import pods, rollout
from bot.model import Model
from bot.systems.kubernetes import Cluster, ClusterError, Deployment, Revision, patches, temporary

ROLLED_BACK = "was rolled back from"
UNREADY = "has pods, and none of them is ready"
FAILED = "had pods that did not keep running"


class RevisionHistory(Model):
    """The revision that runs, and the earlier ones, newest first.

    `objections` say by uid why not to roll back to a revision, `failures` how it failed. `unknown`
    is a sentence about what could not be read, or empty.
    """

    current: Revision | None
    earlier: tuple[Revision, ...]
    objections: dict[str, str]
    failures: dict[str, str] = Field(default_factory=dict)
    unknown: str = ""

    def objection(self, revision: Revision) -> str:
        """Why not to roll back to it, as the end of a sentence; or empty."""
        return self.objections.get(revision.uid, "")

    @property
    def all(self) -> tuple[Revision, ...]:
        """Every revision, newest first."""
        every = (*self.earlier, *([self.current] if self.current else []))
        return tuple(sorted(every, key=lambda revision: revision.number, reverse=True))

    def find(self, number: int) -> Revision | None:
        """The earlier revision of that number, or None."""
        return next((revision for revision in self.earlier if revision.number == number), None)

    @property
    def default(self) -> Revision | None:
        """Where a rollback without a number goes: the newest earlier revision that may help.

        Unlike `kubectl rollout undo`, it skips what was rolled back from, is broken or was
        temporary, and what differs from the current revision by a restart alone.
        """
        return next((revision for revision in self.earlier if self._may_help(revision)), None)

    def _may_help(self, revision: Revision) -> bool:
        if self.current is not None and _release(revision) == _release(self.current):
            return False
        objection = self.objection(revision)
        # A good release fails too when a dependency does; but not with the images that fail now.
        if objection == FAILED:
            return self.current is None or revision.images != self.current.images
        return not objection


async def read_history(cluster: Cluster, deployment: Deployment) -> RevisionHistory:
    """The revisions of a Deployment. Raises ClusterError when they cannot be read."""
    revisions = await cluster.revisions(deployment)
    try:
        return history(deployment, revisions, await cluster.backoff_pods())
    except ClusterError as error:
        unknown = f"Which revisions failed before is not known. {error}"
        return history(deployment, revisions).model_copy(update={"unknown": unknown})


def history(
    deployment: Deployment, revisions: Sequence[Revision], failed_pods: Set[str] = frozenset()
) -> RevisionHistory:
    """The history from what the cluster has; `failed_pods` are names of pods that failed."""
    current = rollout.current_revision(deployment, revisions)
    earlier = tuple(revision for revision in revisions if revision != current)
    failed = {name.rpartition("-")[0] for name in failed_pods}
    works = current is not None and current.ready > 0 and current.name not in failed
    # An undo that brings a broken release back is no objection to what it rolled back from.
    noted = frozenset(
        revision.rolled_back_from for revision in revisions if revision.rolled_back_from and works
    )
    failures = {revision.uid: FAILED for revision in earlier if revision.name in failed} | {
        revision.uid: UNREADY for revision in earlier if _is_unready(revision)
    }
    objections = (
        failures
        | dict.fromkeys(rolled_back_from(revisions, noted), ROLLED_BACK)
        | _temporary(earlier)
    )
    return RevisionHistory(
        current=current, earlier=earlier, objections=objections, failures=failures
    )


def _is_unready(revision: Revision) -> bool:
    return revision.replicas > 0 and revision.ready == 0


def _temporary(revisions: Sequence[Revision]) -> dict[str, str]:
    """The objections to revisions with a temporary change, which nothing would revert again."""
    states = {revision.uid: temporary.descriptions(revision.template) for revision in revisions}
    return {uid: f"was temporary: {', '.join(names)}" for uid, names in states.items() if names}


def rolled_back_from(
    revisions: Sequence[Revision], noted: Set[int] = frozenset()
) -> frozenset[str]:
    """The uids of the revisions that somebody rolled back from.

    A ReplicaSet that runs again gets a new number and keeps its old ones, so all numbers in order
    are the rollouts in order. A rollout of a template that ran before is a rollback, and marks what
    `_replaced_by_rollback` returns. A rollout of a template that is marked is a second try of that
    release: it removes the mark, and marks nothing. It is a rollback all the same if the number
    before it is in `noted`, the numbers that the bot's own rollbacks wrote down as left.
    """
    rollouts = {
        number: revision
        for revision in revisions
        for number in (*revision.previous_numbers, revision.number)
    }
    last_number: dict[str, int] = {}
    marked: list[frozenset[str]] = []
    for number, revision in sorted(rollouts.items(), key=lambda item: item[0]):
        uid = revision.uid
        still_marked = [uids for uids in marked if uid not in uids]
        is_second_try = len(still_marked) < len(marked)
        marked = still_marked
        if uid in last_number and (not is_second_try or number - 1 in noted):
            marked.append(_replaced_by_rollback(rollouts, last_number[uid], number))
        last_number[uid] = number
    return frozenset[str]().union(*marked)


def _replaced_by_rollback(
    rollouts: Mapping[int, Revision], earlier_number: int, number: int
) -> frozenset[str]:
    """The uids that a rollback leaves; its template ran before under `earlier_number`.

    That is the rollout just before it, and what ran since `earlier_number` with the same images,
    such as a restart. Empty when the rollout just before it is no longer known.
    """
    before = rollouts.get(number - 1)
    if before is None:
        return frozenset()
    between = [revision for at, revision in rollouts.items() if earlier_number < at < number]
    return frozenset(revision.uid for revision in between if revision.images == before.images)


def age(revision: Revision, now: datetime) -> str:
    """How long ago it was rolled out first."""
    return pods.kubectl_age((now - revision.created).total_seconds())


def _release(revision: Revision) -> dict[str, Any]:
    """Its template without the annotations of restarts and of temporary changes."""
    metadata = revision.template.get("metadata") or {}
    annotations = dict(metadata.get("annotations") or {})
    for name in (patches.RESTARTED_AT_ANNOTATION, temporary.ANNOTATION):
        annotations.pop(name, None)
    return revision.template | {"metadata": metadata | {"annotations": annotations}}
