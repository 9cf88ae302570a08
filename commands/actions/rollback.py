"""Back to an earlier revision, as `kubectl rollout undo` goes, but planned, guarded and checked."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from bot.actions import Run, Systems
from bot.choices import Choice, Choices
from bot.cluster import Deployment, Revision, digest, patches, temporary
from bot.model import Plan, Risk, Undo, UserError, Verdict
from commands.actions import deployments, diffs, revisions
from commands.actions.deployments import DeploymentChange
from commands.actions.revisions import History

LASTING = (
    "What was temporary then would last until somebody ends it, unless the incident's card shows "
    "afterwards when it ends."
)


class RollBack(DeploymentChange):
    """Put the pod template of an earlier revision back; of the one before, if none is named.

    One that `undoes` another needs no warning that its revision was left a moment ago.
    """

    name: ClassVar = "rollback"
    risk: ClassVar = Risk.DESTRUCTIVE
    to_revision: Annotated[int, Field(ge=1)] | None = Field(
        default=None,
        description="Left empty, it is the newest one before it that was not rolled back from.",
    )
    undoes: SkipJsonSchema[bool] = False

    async def choices(self, systems: Systems, field: str) -> Choices | None:
        """The earlier revisions, and which of them a rollback without a number goes to."""
        if field != "to_revision":
            return None
        now = await systems.cluster.deployment(self.deployment)
        past = await revisions.read(systems.cluster, now)
        if not past.earlier:
            return None
        return Choices(
            options=tuple(_choice(past, one, systems.now()) for one in past.earlier),
            default=None if past.default is None else str(past.default.number),
            hint=f"Revision {now.revision} ({now.image}) runs now. {past.unknown}".rstrip(),
        )

    async def plan(self, systems: Systems) -> Plan:
        """From which revision to which, what differs, and whether the server would take it."""
        cluster = systems.cluster
        now = await cluster.deployment(self.deployment)
        past = await revisions.read(cluster, now)
        target = self._target(now, past)
        await deployments.rehearse(cluster, self.deployment, lambda _: patches.back_to(target, now))
        return self._plan(now, target, past)

    def _target(self, now: Deployment, past: History) -> Revision:
        """The revision to go to; raises UserError when there is none, or it is there already."""
        if now.paused:
            raise UserError(
                f"{now.target} is paused, so it cannot be rolled back. Resume it with kubectl "
                f"rollout resume {now.target}, and ask again."
            )
        found = past.default if self.to_revision is None else past.find(self.to_revision)
        if found is not None:
            return found
        known = "; ".join(_named(past, one) for one in past.earlier) or "none"
        if past.current is not None and past.current.number == self.to_revision:
            raise UserError(
                f"{now.target} runs revision {past.current.number} already, so there is nothing to "
                f"do. Other revisions: {known}."
            )
        wanted = "other revision that would help"
        if self.to_revision is not None:
            wanted = f"revision {self.to_revision}"
        raise UserError(
            f"{now.target} has no {wanted}, so nothing was planned. Other revisions: {known}. "
            "Name one of them, or roll out a release that works."
        )

    def _plan(self, now: Deployment, target: Revision, past: History) -> Plan:
        old, new = f"revision {now.revision}", f"revision {target.number}"
        hidden, fault = diffs.hidden(now.template, target.template), self._fault(past, target)
        return Plan(
            target=now.target,
            summary=f"Roll {now.name} back from {old} (image {now.image}) to {new} "
            f"(image {target.image})",
            blast_radius=deployments.replaced(now),
            check=self.check(now.replicas),
            diff=diffs.templates(now.template, target.template, old, new),
            dry_run=deployments.ACCEPTED,
            warnings=(
                *([f"Revision {target.number} ({target.image}) {fault}."] if fault else []),
                *([LASTING] if temporary.states(target.template) else []),
                *([past.unknown] if past.unknown else []),
                *(f"The value of {name} differs too; it is secret." for name in hidden),
            ),
            undo=self._undo(now),
            fingerprint=deployments.fingerprint(now)
            | {"to_revision": target.number, "to_template": digest(target.template)},
        )

    def _fault(self, past: History, target: Revision) -> str:
        fault = past.fault(target)
        return "" if self.undoes and fault == revisions.LEFT else fault

    def _undo(self, now: Deployment) -> Undo:
        back = self.model_copy(update={"to_revision": now.revision, "undoes": True})
        return Undo(
            summary=f"Roll {now.name} back to revision {now.revision} (image {now.image})",
            action=self.name,
            params=back.model_dump(mode="json"),
        )

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> None:
        """Write the template, guarded; the ReplicaSet it belongs to becomes the newest one."""
        cluster = systems.cluster
        now = await cluster.deployment(self.deployment)
        wanted = plan.fingerprint["to_template"]
        found = [one for one in await cluster.revisions(now) if digest(one.template) == wanted]
        if not found:
            raise UserError(
                f"{now.target} no longer has revision {plan.fingerprint['to_revision']}, so "
                "nothing was done. Ask again, for another one."
            )
        change = patches.back_to(found[0], now)
        await deployments.write(cluster, self.deployment, plan, run, lambda _: change)

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Whether the template is there, its pods become ready, and stay so."""
        now = await systems.cluster.deployment(self.deployment)
        if digest(now.template) == plan.fingerprint["to_template"]:
            return await self.watch(systems, run, f"{now.name} runs image {now.image}")
        there = f"{now.target} runs revision {now.revision} (image {now.image})"
        if now.execution == str(run.execution_id):
            return Verdict(ok=False, text=f"Somebody changed it after the rollback: {there}")
        return Verdict(ok=False, done=False, text=f"The rollback was not done: {there}")


def _choice(past: History, one: Revision, now: datetime) -> Choice:
    said = [f"{one.number}", one.image, f"{revisions.age(one, now)} ago"]
    fault = past.fault(one)
    said += [f":warning: {fault}"] if fault else []
    said += [one.said] if one.cause else []
    return Choice(value=str(one.number), text=" · ".join(said))


def _named(past: History, one: Revision) -> str:
    fault = past.fault(one)
    return f"{one.number} ({one.image}{', which ' + fault if fault else ''})"
