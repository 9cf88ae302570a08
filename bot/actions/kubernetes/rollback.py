"""Roll a Deployment back to an earlier revision, as `kubectl rollout undo` does."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from bot.actions.base import IN_CLUSTER, Progress
from bot.actions.kubernetes import (
    applied,
    capacity,
    deployments,
    diffs,
    ownership,
    revisions,
    rollout,
)
from bot.actions.kubernetes.deployments import DeploymentChange
from bot.actions.kubernetes.revisions import RevisionHistory
from bot.model import BlastRadius, Plan, Risk, Undo, UserError
from bot.model.choices import Option, Options
from bot.systems import Systems
from bot.systems.kubernetes import Deployment, Revision, digest, managed_fields, patches, temporary

TEMPORARY_WARNING = (
    "What was temporary then would last until somebody ends it, unless the incident's card shows "
    "afterwards when it ends."
)


class RollBack(DeploymentChange):
    """Restore the pod template of an earlier revision; without a number, of the newest good one."""

    name: ClassVar = "rollback"
    risk: ClassVar = Risk.DESTRUCTIVE
    place_keys: ClassVar = IN_CLUSTER
    noun: ClassVar = "rollback"
    to_revision: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Left empty, it is the newest one before it that was not rolled back from.",
    )
    # The undo of a rollback goes to what was rolled back from, and needs no warning about that.
    undoes: SkipJsonSchema[bool] = False

    async def parameter_options(self, systems: Systems, field: str) -> Options | None:
        """The earlier revisions, and the one that a rollback without a number goes to."""
        if field != "to_revision":
            return None
        deployment = await systems.cluster.deployment(self.deployment)
        history = await revisions.read_history(systems.cluster, deployment)
        if not history.earlier:
            return None
        now, running = systems.now(), f"Revision {deployment.revision} ({deployment.image_tags})"
        return Options(
            options=tuple(_choice(history, revision, now) for revision in history.earlier),
            default=None if history.default is None else str(history.default.number),
            hint=f"{running} runs now. {history.unknown}".rstrip(),
        )

    async def plan(self, systems: Systems) -> Plan:
        """From which revision to which, and what differs. Raises UserError when there is none."""
        cluster = systems.cluster
        deployment = await cluster.deployment(self.deployment)
        history = await revisions.read_history(cluster, deployment)
        target = self._target(deployment, history)
        change = patches.restore_revision(target, deployment)
        stored = await deployments.dry_run(cluster, self.deployment, lambda _: change)
        warnings = [*self._warnings(deployment, target, history)]
        paths = managed_fields.changed_paths(deployment.template, target.template)
        warnings += applied.warnings(deployment, paths, "what it changes")
        if target.ready < deployment.replicas:
            warnings += await capacity.rollout_warnings(cluster, deployment, target.template)
        plan = deployments.checked(self, stored, self._plan(deployment, target, warnings))
        failing = await rollout.failing(cluster, deployment)
        alarms = tuple(self._alarms(target, history))
        return plan.model_copy(update={"failing_before": failing, "alarms": alarms})

    def _target(self, deployment: Deployment, history: RevisionHistory) -> Revision:
        """The revision to go to. Raises UserError when there is none, or when it runs already."""
        deployments.check_not_paused(deployment, "it cannot be rolled back")
        number = self.to_revision
        target = history.default if number is None else history.find(number)
        if target is None:
            raise self._no_target(deployment, history)
        return target

    def _no_target(self, deployment: Deployment, history: RevisionHistory) -> UserError:
        others = "; ".join(_described(history, revision) for revision in history.earlier) or "none"
        if history.current is not None and history.current.number == self.to_revision:
            return UserError(
                f"{deployment.full_label} runs revision {self.to_revision} already, so there is "
                f"nothing to do. Other revisions: {others}.",
                field="to_revision",
            )
        wanted = "other revision that would help"
        if self.to_revision is not None:
            wanted = f"revision {self.to_revision}"
        return UserError(
            f"{deployment.full_label} has no {wanted}, so nothing was planned. Other revisions: "
            f"{others}. Name one of them, or roll out a release that works.",
            field="to_revision",
        )

    def _plan(self, deployment: Deployment, target: Revision, warnings: Sequence[str]) -> Plan:
        old, new = f"revision {deployment.revision}", f"revision {target.number}"
        return Plan(
            target=deployment.target,
            summary=f"Roll {deployment.name} back from {old} (image {deployment.image_tags}) to "
            f"{new} (image {target.image_tags})",
            blast_radius=_blast_radius(deployment, target),
            check=self.success_criteria(deployment.replicas),
            diff=diffs.templates(deployment, target.template, old, new),
            dry_run=deployments.DRY_RUN_ACCEPTED,
            warnings=tuple(warnings),
            undo=self._undo(deployment),
            fingerprint=deployments.fingerprint(deployment)
            | {"to_revision": target.number, "to_template": digest(target.template)},
        )

    def _warnings(
        self, deployment: Deployment, target: Revision, history: RevisionHistory
    ) -> Iterator[str]:
        objection = history.objection(target)
        is_alarm = target.uid in history.failures or objection == revisions.ROLLED_BACK
        if objection and not (self.undoes and is_alarm):
            yield f"Revision {target.number} ({target.image_tags}) {objection}."
        if temporary.descriptions(target.template):
            yield TEMPORARY_WARNING
        if history.unknown:
            yield history.unknown
        yield from ownership.warnings(deployment)

    def _alarms(self, target: Revision, history: RevisionHistory) -> Iterator[str]:
        """That an undo leads back to what failed; that it was rolled back from is no news."""
        if self.undoes and (failure := history.failures.get(target.uid)):
            label = f"revision {target.number} ({target.image_tags})"
            yield f"This leads back to {label}, which {failure}."

    def _undo(self, deployment: Deployment) -> Undo:
        undo_action = self.model_copy(update={"to_revision": deployment.revision, "undoes": True})
        return Undo(
            summary=f"Roll {deployment.name} back to revision {deployment.revision} (image "
            f"{deployment.image_tags})",
            action=self.name,
            params=undo_action.model_dump(mode="json"),
        )

    async def execute(self, systems: Systems, plan: Plan, progress: Progress) -> None:
        """Patch the pod template; its ReplicaSet then becomes the newest revision.

        Raises UserError when the revision is gone, or the Deployment has changed.
        """
        cluster = systems.cluster
        deployment = await cluster.deployment(self.deployment)
        for revision in await cluster.revisions(deployment):
            if digest(revision.template) == plan.fingerprint["to_template"]:
                break
        else:
            raise UserError(
                f"{deployment.full_label} no longer has revision "
                f"{plan.fingerprint['to_revision']}, so nothing was done. Request another one."
            )
        change = patches.restore_revision(revision, deployment)
        await deployments.apply(systems, self.deployment, plan, progress, lambda _: change)

    def describe(self, deployment: Deployment) -> str:
        """Which image it runs."""
        return f"{deployment.name} runs image {deployment.image_tags}"

    def is_applied_to(self, deployment: Deployment, plan: Plan) -> bool:
        """Whether it has the template of the earlier revision."""
        return bool(digest(deployment.template) == plan.fingerprint["to_template"])


def _blast_radius(deployment: Deployment, target: Revision) -> BlastRadius:
    """How many pods are replaced; those that run the target still, none of them.

    They do while a newer revision does not get ready, such as one whose image cannot be pulled.
    The numbers are at most, and so those of the strategy, whatever runs now.
    """
    most, staying = deployments.blast_radius(deployment), min(target.ready, deployment.replicas)
    return most.model_copy(update={"text": _staying(deployment, target)}) if staying else most


def _staying(deployment: Deployment, target: Revision) -> str:
    staying = min(target.ready, deployment.replicas)
    count, missing = deployment.replicas, deployment.replicas - staying
    text = f"No capacity is lost: {staying} of {count} pods run revision {target.number} still"
    text = f"{text}, and stay"
    added = "1 is added" if missing == 1 else f"{missing} are added"
    return f"{text}; {added}." if missing else f"{text}. The others are removed."


def _choice(history: RevisionHistory, revision: Revision, now: datetime) -> Option:
    parts = [f"{revision.number}", revision.image_tags, f"{revisions.age(revision, now)} ago"]
    objection = history.objection(revision)
    parts += [f":warning: {objection}"] if objection else []
    parts += [revision.redacted_cause] if revision.change_cause else []
    return Option(value=str(revision.number), text=" · ".join(parts))


def _described(history: RevisionHistory, revision: Revision) -> str:
    """Like `5 (v2.3.0, which was rolled back from)`."""
    objection = history.objection(revision)
    return f"{revision.number} ({revision.image_tags}{', which ' + objection if objection else ''})"
