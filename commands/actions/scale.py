"""More pods, or fewer."""

from typing import Annotated, ClassVar

from pydantic import Field

from bot.actions import Run, Systems
from bot.cluster import Deployment, patches
from bot.model import Plan, Risk, Undo, UserError, Verdict
from commands.actions import deployments
from commands.actions.deployments import DeploymentChange


class ScaleDeployment(DeploymentChange):
    """Set how many replicas one Deployment runs."""

    name: ClassVar = "scale-deployment"
    risk: ClassVar = Risk.DESTRUCTIVE
    replicas: Annotated[int, Field(ge=0, le=50)]

    async def plan(self, systems: Systems) -> Plan:
        """From how many to how many, and what that takes away."""
        now = await systems.cluster.deployment(self.deployment)
        if now.replicas == self.replicas:
            raise UserError(
                f"{now.target} is scaled to {now.replicas} already, so there is nothing to do."
            )
        change = patches.scale(self.replicas)
        await deployments.rehearse(systems.cluster, self.deployment, lambda _: change)
        return Plan(
            target=now.target,
            summary=f"Scale {now.name} from {now.replicas} to {self.replicas} replicas",
            blast_radius=self._blast_radius(now),
            check=self.check(self.replicas),
            diff=f"-replicas: {now.replicas}\n+replicas: {self.replicas}",
            dry_run=deployments.ACCEPTED,
            warnings=() if self.replicas else (f"Nothing of {now.name} will run.",),
            undo=self._undo(now),
            fingerprint=deployments.fingerprint(now),
        )

    def _blast_radius(self, now: Deployment) -> str:
        fewer = now.replicas - self.replicas
        if fewer < 0:
            return f"{-fewer} pods are added; those that run are left alone."
        if not self.replicas:
            return f"All {now.replicas} pods are removed: {now.name} serves nobody."
        share = round(100 * fewer / now.replicas)
        return f"{fewer} of {now.replicas} pods are removed: {share} % of the capacity."

    def _undo(self, now: Deployment) -> Undo | None:
        if now.replicas > 50:
            return None
        back = self.model_copy(update={"replicas": now.replicas})
        return Undo(
            summary=f"Scale {now.name} back to {now.replicas} replicas",
            action=self.name,
            params=back.model_dump(mode="json"),
        )

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> None:
        """Write the number, guarded."""
        change = patches.scale(self.replicas)
        await deployments.write(systems.cluster, self.deployment, plan, run, lambda _: change)

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Whether the number is there, and so many pods are ready and stay so."""
        now = await systems.cluster.deployment(self.deployment)
        if now.replicas != self.replicas:
            text = f"{now.target} is scaled to {now.replicas}, not to {self.replicas}"
            done = now.execution == str(run.execution_id)
            return Verdict(ok=False, done=done, text=text)
        return await self.watch(systems, run, f"{now.name} is scaled to {self.replicas}")
