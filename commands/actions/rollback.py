"""Roll a Deployment back, as `kubectl rollout undo` does, and look whether it helped."""

import difflib
from typing import Any, ClassVar

import yaml
from pydantic import Field

from bot.actions import Run, Systems
from bot.cluster import Change, Deployment, Revision, back_to, digest
from bot.masking import mask
from bot.model import Plan, Risk, Undo, UserError, Verdict
from commands.actions.rollouts import (
    Rollout,
    change_once,
    fingerprint,
    meanwhile,
    settled,
    verify_rollout,
)


class RollBack(Rollout):
    """Put an earlier revision's pod template back: the one before, or the one named."""

    name: ClassVar = "rollback"
    risk: ClassVar = Risk.DESTRUCTIVE
    to_revision: int | None = Field(default=None, ge=1)

    async def plan(self, systems: Systems) -> Plan:
        """Say from which revision to which, with the diff and a dry run of it."""
        now = await settled(systems.cluster, self.deployment)
        target = _choose(now, await systems.cluster.revisions(now), self.to_revision)
        rehearsed = await systems.cluster.rehearse(now, back_to(target))
        return Plan(
            target=now.target,
            summary=f"Roll {now.name} back from {_told(now.revision, now.image)} "
            f"to {_told(target.number, target.image)}",
            blast_radius=meanwhile(now),
            check=self.check_words(now.replicas),
            diff=_diff(now, target),
            dry_run=f"The API server accepts it: {now.name} would run image {rehearsed.image}",
            warnings=_warnings(now, target),
            undo=self._undo(now),
            fingerprint=_fingerprint(now, target),
        )

    def _undo(self, now: Deployment) -> Undo:
        params = self.model_dump(exclude={"to_revision"}) | {"to_revision": now.revision}
        told = f"Roll {now.name} forward again to {_told(now.revision, now.image)}"
        return Undo(summary=told, action=self.name, params=params)

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> None:
        """Patch the pod template, if all is still as it was approved."""

        async def prepare(now: Deployment) -> tuple[Change, dict[str, Any]]:
            target = _choose(now, await systems.cluster.revisions(now), _plan_revision(plan))
            return back_to(target), _fingerprint(now, target)

        await change_once(systems, plan, run, self.deployment, prepare)

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Watch the rollout, and then its pods for a while."""
        return await verify_rollout(systems, run, self, plan.fingerprint["to_template"])


def _plan_revision(plan: Plan) -> int:
    """The revision that a plan goes to."""
    return int(plan.fingerprint["to_revision"])


def _fingerprint(now: Deployment, target: Revision) -> dict[str, Any]:
    to = {"to_revision": target.number, "to_template": digest(target.template)}
    return fingerprint(now) | to


def _told(number: int, image: str) -> str:
    return f"revision {number} (image {image})"


def _choose(now: Deployment, revisions: tuple[Revision, ...], wanted: int | None) -> Revision:
    """The revision to go to; raises UserError when there is none or it is no change."""
    if now.paused:
        raise UserError(
            f"{now.name} is paused, so a rollback would not roll out. Nothing was changed. "
            f"Run kubectl rollout resume deployment/{now.name}, then ask again."
        )
    earlier = [one for one in revisions if one.number < now.revision]
    found = [one for one in revisions if one.number == wanted] if wanted else earlier[:1]
    kept = ", ".join(f"{one.number} ({one.image})" for one in revisions) or "none"
    if not found:
        missing = f"no revision {wanted}" if wanted else "no earlier revision"
        raise UserError(
            f"{now.name} has {missing} to go back to. Nothing was changed. Kept are: {kept}."
        )
    if found[0].template == now.template:
        raise UserError(
            f"{now.name} already runs what revision {found[0].number} is. Nothing was changed. "
            f"Choose another one; kept are: {kept}."
        )
    return found[0]


def _warnings(now: Deployment, target: Revision) -> tuple[str, ...]:
    found = []
    if now.replicas == 0:
        found.append(f"{now.name} is scaled to 0: nothing will run after the rollback either")
    if now.revision - target.number > 1:
        found.append(f"This goes back over {now.revision - target.number} revisions")
    return tuple(found)


def _diff(now: Deployment, target: Revision) -> str:
    """The pod templates as YAML, one against the other, without what is secret."""
    names = (f"revision {now.revision}", f"revision {target.number}")
    before, after = (
        mask(yaml.safe_dump(one, sort_keys=True, width=100)).splitlines()
        for one in (now.template, target.template)
    )
    return "\n".join(difflib.unified_diff(before, after, *names, lineterm=""))
