"""More pods, or fewer."""

from typing import Annotated, ClassVar

from pydantic import Field

from bot.actions import Run, Systems
from bot.cluster import Autoscaler, Cluster, ClusterError, Deployment, NotFound, patches
from bot.model import Plan, Risk, Undo, UserError, Verdict
from commands.actions import deployments, room
from commands.actions.deployments import DeploymentChange

# Nothing at all is no answer to an incident, and more than this is a decision about capacity.
MOST = 50
UNKNOWN = "not known"


class ScaleDeployment(DeploymentChange):
    """Set how many replicas one Deployment runs."""

    name: ClassVar = "scale-deployment"
    risk: ClassVar = Risk.DESTRUCTIVE
    replicas: Annotated[int, Field(ge=1, le=MOST)]

    async def plan(self, systems: Systems) -> Plan:
        """From how many to how many, what that takes away, and whether there is room."""
        now = await systems.cluster.deployment(self.deployment)
        if now.replicas == self.replicas:
            raise UserError(
                f"{now.target} is scaled to {now.replicas} already, so there is nothing to do."
            )
        charge, warnings = await self._autoscaled(systems.cluster, now)
        warnings += await self._crowded(systems.cluster, now)
        change = patches.scale(self.replicas)
        await deployments.rehearse(systems.cluster, self.deployment, lambda _: change)
        return Plan(
            target=now.target,
            summary=f"Scale {now.name} from {now.replicas} to {self.replicas} replicas",
            blast_radius=self._blast_radius(now),
            check=self.check(self.replicas),
            diff=f"-replicas: {now.replicas}\n+replicas: {self.replicas}",
            dry_run=deployments.ACCEPTED,
            warnings=warnings,
            undo=self._undo(now),
            fingerprint=deployments.fingerprint(now)
            | {"replicas": now.replicas, "autoscaler": charge},
        )

    async def _crowded(self, cluster: Cluster, now: Deployment) -> tuple[str, ...]:
        """Whether so many more would wait for room; raises UserError where a quota refuses them."""
        more = self.replicas - now.replicas
        if more <= 0:
            return ()
        quotas = await room.in_quotas(cluster, now, room.of_pods(now.template, more))
        return quotas + await room.on_nodes(cluster, now.template, more)

    async def _autoscaled(self, cluster: Cluster, now: Deployment) -> tuple[str, tuple[str, ...]]:
        """Who is in charge, which is a part of what people approve, and what to say about it."""
        try:
            found = await cluster.autoscalers()
        except NotFound:
            return "", ()
        except ClusterError as error:
            return UNKNOWN, (f"Whether an autoscaler would set this back is not known. {error}",)
        scaling = next((one for one in found if one.deployment == now.name), None)
        return ("", ()) if scaling is None else (scaling.words, (self._in_charge(now, scaling),))

    def _in_charge(self, now: Deployment, scaling: Autoscaler) -> str:
        """The warning; raises UserError out of the autoscaler's bounds.

        There two people would approve what is undone before the check has ended. Within its bounds
        it may be what helps, until load says otherwise.
        """
        up = self.replicas > now.replicas
        bound = "minReplicas" if up else "maxReplicas"
        if scaling.lowest <= self.replicas <= scaling.highest:
            return (
                f"The autoscaler {scaling.words} is in charge, and may set this back when it looks "
                f"again. What lasts is its own bound: {_patch(scaling, bound, self.replicas)}"
            )
        bound = "maxReplicas" if self.replicas > scaling.highest else "minReplicas"
        back = min(max(self.replicas, scaling.lowest), scaling.highest)
        raise UserError(
            f"The autoscaler {scaling.words} is in charge of {now.target} and would set it back to "
            f"{back} within seconds, so nothing was planned. Change its bounds instead: "
            f"{_patch(scaling, bound, self.replicas)}"
        )

    def _blast_radius(self, now: Deployment) -> str:
        fewer = now.replicas - self.replicas
        if fewer < 0:
            added = "1 pod is" if fewer == -1 else f"{-fewer} pods are"
            return f"{added} added; those that run are left alone."
        share = round(100 * fewer / now.replicas)
        return f"{fewer} of {now.replicas} pods are removed: {share} % of the capacity."

    def _undo(self, now: Deployment) -> Undo | None:
        if not 1 <= now.replicas <= MOST:
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


def _patch(scaling: Autoscaler, bound: str, to: int) -> str:
    """The command that changes a bound of an autoscaler."""
    return f'`kubectl patch hpa {scaling.name} --patch \'{{"spec":{{"{bound}":{to}}}}}\'`'
