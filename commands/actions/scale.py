"""Set how many pods a Deployment runs."""

from typing import Any, ClassVar

from pydantic import Field

from bot.actions import Run, Systems
from bot.cluster import Change, Deployment, scale
from bot.model import Plan, Risk, Undo, UserError, Verdict
from commands.actions.rollouts import Rollout, change_once, fingerprint, settled, verify_rollout


class ScaleDeployment(Rollout):
    """Scale one Deployment up or down."""

    name: ClassVar = "scale-deployment"
    risk: ClassVar = Risk.DESTRUCTIVE
    replicas: int = Field(ge=0, le=50)

    async def plan(self, systems: Systems) -> Plan:
        """Say from how many pods to how many."""
        now = await settled(systems.cluster, self.deployment)
        if now.replicas == self.replicas:
            raise UserError(
                f"{now.name} already runs {self.replicas} replicas. Nothing was changed. "
                "Choose another number."
            )
        await systems.cluster.rehearse(now, scale(self.replicas))
        return Plan(
            target=now.target,
            summary=f"Scale {now.name} from {now.replicas} to {self.replicas} replicas",
            blast_radius=_lost(now, self.replicas),
            check=self.check_words(self.replicas) if self.replicas else "No pod is left",
            dry_run=f"The API server accepts {self.replicas} replicas",
            warnings=() if self.replicas else (f"This takes {now.name} down altogether",),
            undo=self._undo(now),
            fingerprint=fingerprint(now),
        )

    def _undo(self, now: Deployment) -> Undo:
        params = self.model_dump() | {"replicas": now.replicas}
        return Undo(
            summary=f"Scale {now.name} back to {now.replicas} replicas",
            action=self.name,
            params=params,
        )

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> None:
        """Set the number, if all is still as it was approved."""

        async def prepare(now: Deployment) -> tuple[Change, dict[str, Any]]:
            return scale(self.replicas), fingerprint(now)

        await change_once(systems, plan, run, self.deployment, prepare)

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Wait until so many are ready, and watch them for a while."""
        return await verify_rollout(systems, run, self)


def _lost(now: Deployment, replicas: int) -> str:
    gone = now.replicas - replicas
    if gone < 0:
        return f"No pod is taken away, {-gone} are added"
    share = round(100 * gone / now.replicas)
    return f"{gone} of {now.replicas} pods are taken away: {share} % of the capacity"
