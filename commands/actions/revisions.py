"""What a Deployment has been: which revision runs, which were given up, and which to go back to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.cluster import Deployment, Revision, patches
from bot.model import Noun
from commands.actions import pods, watching

LEFT = "was rolled back from"
UNREADY = "has pods, and none of them is ready"


class History(Noun):
    """The revisions that a Deployment can go back to, newest first, and the one that runs.

    `faults` says by uid what speaks against one of them.
    """

    current: Revision | None
    earlier: tuple[Revision, ...]
    faults: dict[str, str]

    def fault(self, revision: Revision) -> str:
        """What speaks against going back to it, as the end of a sentence; or empty."""
        return self.faults.get(revision.uid, "")

    def find(self, number: int) -> Revision | None:
        """The earlier revision of that number, or None."""
        return next((one for one in self.earlier if one.number == number), None)

    @property
    def default(self) -> Revision | None:
        """Where `kubectl rollout undo` would go, but never to what was given up or is broken.

        Nor to what differs by a restart alone: that is the release that runs.
        """
        return next((one for one in self.earlier if self._may_help(one)), None)

    def _may_help(self, revision: Revision) -> bool:
        same = self.current is not None and _release(revision) == _release(self.current)
        return not same and not self.fault(revision)


def history(now: Deployment, revisions: Sequence[Revision]) -> History:
    """From what the cluster knows; the revisions newest first."""
    current = watching.current_revision(now, revisions)
    earlier = tuple(one for one in revisions if current is None or one.uid != current.uid)
    faults = {one.uid: UNREADY for one in earlier if one.replicas and not one.ready}
    return History(
        current=current,
        earlier=earlier,
        faults=faults | dict.fromkeys(given_up(revisions), LEFT),
    )


def given_up(revisions: Sequence[Revision]) -> frozenset[str]:
    """The uids of those that were rolled back from when they ran last, whoever did it.

    A ReplicaSet that runs again gets a new number and keeps the old ones, so the order of all
    numbers tells what followed what. Going back to what had been given up undoes a rollback, and
    blames nothing.
    """
    ran = {number: one.uid for one in revisions for number in (*one.past, one.number)}
    seen: set[str] = set()
    blamed: set[str] = set()
    for number in sorted(ran):
        uid, before = ran[number], ran.get(number - 1)
        if uid in blamed:
            blamed.discard(uid)
        elif uid in seen and before not in (None, uid):
            blamed.add(str(before))
        seen.add(uid)
    return frozenset(blamed)


def age(revision: Revision, at: datetime) -> str:
    """How long ago its template was rolled out first."""
    return pods.words((at - revision.created).total_seconds())


def _release(revision: Revision) -> dict[str, Any]:
    """Its template without the time of a restart."""
    meta = revision.template.get("metadata") or {}
    notes = dict(meta.get("annotations") or {})
    notes.pop(patches.RESTARTED_AT, None)
    return revision.template | {"metadata": meta | {"annotations": notes}}
