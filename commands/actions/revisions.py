"""What a Deployment has been: which revision runs, which were given up, and which to go back to."""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from typing import Any

from bot.cluster import Cluster, ClusterError, Deployment, Revision, patches, temporary
from bot.model import Noun
from commands.actions import pods, watching

LEFT = "was rolled back from"
UNREADY = "has pods, and none of them is ready"
FAILED = "had pods that did not keep running"


class History(Noun):
    """The revisions that a Deployment can go back to, newest first, and the one that runs.

    `faults` says by uid what speaks against one of them; `unknown` what nobody could tell now.
    """

    current: Revision | None
    earlier: tuple[Revision, ...]
    faults: dict[str, str]
    unknown: str = ""

    def fault(self, revision: Revision) -> str:
        """What speaks against going back to it, as the end of a sentence; or empty."""
        return self.faults.get(revision.uid, "")

    @property
    def all(self) -> tuple[Revision, ...]:
        """Every revision, newest first."""
        every = (*self.earlier, *([self.current] if self.current else []))
        return tuple(sorted(every, key=lambda one: one.number, reverse=True))

    def find(self, number: int) -> Revision | None:
        """The earlier revision of that number, or None."""
        return next((one for one in self.earlier if one.number == number), None)

    @property
    def default(self) -> Revision | None:
        """Where `kubectl rollout undo` would go, but never to what was given up or is broken.

        Nor to what was meant for a while, because nothing would end it by itself any more; nor to
        what differs by a restart alone: that is the release that runs.
        """
        return next((one for one in self.earlier if self._may_help(one)), None)

    def _may_help(self, revision: Revision) -> bool:
        now, fault = self.current, self.fault(revision)
        if now is not None and _release(revision) == _release(now):
            return False
        # A good release fails too, when what it depends on does; not so one that fails again.
        if fault == FAILED:
            return now is None or revision.images != now.images
        return not fault


async def read(cluster: Cluster, now: Deployment) -> History:
    """What a Deployment has been. Raises ClusterError."""
    found = await cluster.revisions(now)
    try:
        return history(now, found, await cluster.failed_pods())
    except ClusterError as error:
        unknown = f"Which revisions failed before is not known. {error}"
        return history(now, found).model_copy(update={"unknown": unknown})


def history(
    now: Deployment, revisions: Sequence[Revision], failed: Set[str] = frozenset()
) -> History:
    """From what the cluster knows; the revisions newest first, `failed` as names of pods."""
    current = watching.current_revision(now, revisions)
    earlier = tuple(one for one in revisions if current is None or one.uid != current.uid)
    owners = {name.rpartition("-")[0] for name in failed}
    faults = {one.uid: FAILED for one in earlier if one.name in owners}
    faults |= {one.uid: UNREADY for one in earlier if one.replicas and not one.ready}
    well = current is not None and current.ready > 0 and current.name not in owners
    # An undo that brought a broken release back says nothing against what it left.
    left = frozenset(one.left for one in revisions if one.left and well)
    faults |= dict.fromkeys(given_up(revisions, left), LEFT)
    passing = {one.uid: ", ".join(temporary.states(one.template)) for one in earlier}
    faults |= {uid: f"was temporary: {state}" for uid, state in passing.items() if state}
    return History(current=current, earlier=earlier, faults=faults)


def given_up(revisions: Sequence[Revision], left: Set[int] = frozenset()) -> frozenset[str]:
    """The uids of those that were rolled back from, whoever did it.

    A ReplicaSet that runs again gets a new number and keeps the old ones, so the order of all
    numbers tells what followed what. Given up is the one that ran last before an older one came
    back, and with it what ran in between with the same images: a restart of it, say. Coming back to
    what was given up undoes that, and blames nothing: a release may be tried once more. Unless what
    it replaced is noted as `left`, by its number: then a rollback did it, to be rid of that one.
    """
    ran = {number: one for one in revisions for number in (*one.past, one.number)}
    last: dict[str, int] = {}
    groups: list[frozenset[str]] = []
    for number in sorted(ran):
        uid = ran[number].uid
        undone = [group for group in groups if uid in group]
        groups = [group for group in groups if uid not in group]
        if uid in last and (not undone or number - 1 in left):
            groups.append(_given_up(ran, last[uid], number))
        last[uid] = number
    return frozenset(uid for group in groups for uid in group)


def _given_up(ran: Mapping[int, Revision], back_to: int, number: int) -> frozenset[str]:
    """What a return to the revision of one number, under a new number, gives up."""
    before = ran.get(number - 1)
    if before is None:
        return frozenset()  # nobody is blamed in the stead of one that is forgotten
    between = [one for at, one in ran.items() if back_to < at < number]
    return frozenset(one.uid for one in between if one.images == before.images)


def age(revision: Revision, at: datetime) -> str:
    """How long ago its template was rolled out first."""
    return pods.words((at - revision.created).total_seconds())


def _release(revision: Revision) -> dict[str, Any]:
    """Its template without the time of a restart, and without what is noted about it."""
    meta = revision.template.get("metadata") or {}
    notes = dict(meta.get("annotations") or {})
    for name in (patches.RESTARTED_AT, temporary.NOTE):
        notes.pop(name, None)
    return revision.template | {"metadata": meta | {"annotations": notes}}
