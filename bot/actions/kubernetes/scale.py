"""Change the number of replicas of a Deployment."""

import asyncio
from typing import Annotated, ClassVar

from pydantic import Field

from bot.actions import bounds
from bot.actions.base import IN_CLUSTER, Progress
from bot.actions.kubernetes import applied, capacity, deployments, ownership
from bot.actions.kubernetes.deployments import DeploymentChange
from bot.actions.wording import percent, percent_at_most, plural
from bot.model import BlastRadius, Plan, Risk, Undo, UserError
from bot.model.choices import Options
from bot.systems import Systems
from bot.systems.kubernetes import (
    Autoscaler,
    Cluster,
    ClusterError,
    Deployment,
    NotFound,
    managed_fields,
    patches,
)

# More than this is a decision about capacity, not one for an incident.
MAX_REPLICAS = 50
AUTOSCALER_UNKNOWN = "not known"


class ScaleDeployment(DeploymentChange):
    """Set how many replicas one Deployment runs."""

    name: ClassVar = "scale-deployment"
    risk: ClassVar = Risk.DESTRUCTIVE
    place_keys: ClassVar = IN_CLUSTER
    replicas: Annotated[int, Field(ge=1, le=MAX_REPLICAS)]

    async def parameter_options(self, systems: Systems, field: str) -> Options | None:
        """How many there are now, and how many there may be."""
        if field != "replicas":
            return None
        cluster = systems.cluster
        deployment, limits, autoscaler = await asyncio.gather(
            cluster.deployment(self.deployment),
            capacity.read_limits(cluster),
            self._find_autoscaler(cluster),
        )
        least, most = _bounds(deployment, limits, autoscaler)
        why = f", as the autoscaler {_described(autoscaler)} is in charge" if autoscaler else ""
        hint = f"Now {deployment.replicas}. It may be set from {least} to {most}{why}."
        return Options(hint=hint, least=least, most=most)

    async def _find_autoscaler(self, cluster: Cluster) -> Autoscaler | None:
        """The autoscaler of the Deployment, if there is one and it can be read."""
        try:
            found = await cluster.autoscalers()
        except ClusterError:
            return None
        return next((each for each in found if each.deployment == self.deployment), None)

    async def plan(self, systems: Systems) -> Plan:
        """From how many to how many. Raises UserError when there is nothing to do or no room."""
        deployment = await systems.cluster.deployment(self.deployment)
        if deployment.replicas == self.replicas:
            raise UserError(
                f"{deployment.full_label} has {plural(deployment.replicas, 'replica')} already, so "
                "there is nothing to do.",
                field="replicas",
            )
        autoscaler, warnings = await self._check_autoscaler(systems.cluster, deployment)
        warnings += applied.warnings(deployment, [managed_fields.REPLICAS], "the replicas")
        warnings += await self._check_capacity(systems.cluster, deployment)
        change = patches.scale(self.replicas)
        stored = await deployments.dry_run(systems.cluster, self.deployment, lambda _: change)
        old, new = deployment.replicas, self.replicas
        plan = Plan(
            target=deployment.target,
            summary=f"Scale {deployment.name} from {old} to {new} replicas",
            blast_radius=self._blast_radius(deployment),
            check=self.success_criteria(new),
            diff=f"-replicas: {old}\n+replicas: {new}",
            dry_run=deployments.DRY_RUN_ACCEPTED,
            warnings=warnings + ownership.warnings(deployment),
            undo=self._undo(deployment),
            fingerprint=deployments.fingerprint(deployment)
            | {"replicas": old, "autoscaler": autoscaler},
        )
        return deployments.checked(self, stored, plan)

    async def _check_capacity(self, cluster: Cluster, deployment: Deployment) -> tuple[str, ...]:
        """Warnings about room for new pods, or about those that go.

        Raises UserError when a quota has no room.
        """
        added = self.replicas - deployment.replicas
        if added <= 0:
            labels = capacity.labels_of(deployment.template)
            return tuple(await capacity.budget_warnings(cluster, [labels], -added))
        demand = capacity.demand(deployment.template, added)
        warnings = await capacity.check_quotas(cluster, deployment, demand, field="replicas")
        if problem := await capacity.limit_range_problem(cluster, deployment.template):
            warnings += (f"New pods would not be let in: {problem}.",)
        return warnings + await capacity.node_warnings(cluster, deployment.template, added)

    async def _check_autoscaler(
        self, cluster: Cluster, deployment: Deployment
    ) -> tuple[str, tuple[str, ...]]:
        """The autoscaler, which is a part of what people approve, and the warnings about it.

        Raises UserError when it would set the number back at once.
        """
        try:
            autoscalers = await cluster.autoscalers()
        except NotFound:
            return "", ()
        except ClusterError as error:
            warning = f"Whether an autoscaler would set this back is not known. {error}"
            return AUTOSCALER_UNKNOWN, (warning,)
        for autoscaler in autoscalers:
            if autoscaler.deployment == deployment.name:
                return autoscaler.label, (self._autoscaler_warning(deployment, autoscaler),)
        return "", ()

    def _autoscaler_warning(self, deployment: Deployment, autoscaler: Autoscaler) -> str:
        """Raises UserError outside of the autoscaler's limits: it would set that back in seconds.

        Within its limits a change may help until the load changes.
        """
        if autoscaler.min_replicas <= self.replicas <= autoscaler.max_replicas:
            limit = "minReplicas" if self.replicas > deployment.replicas else "maxReplicas"
            return (
                f"The autoscaler {_described(autoscaler)} is in charge, and may set this back when "
                "it looks again. To make it last, change the autoscaler's own limit: "
                f"{_patch_command(deployment, autoscaler, limit, self.replicas)}"
            )
        is_above = self.replicas > autoscaler.max_replicas
        limit = "maxReplicas" if is_above else "minReplicas"
        bound = autoscaler.max_replicas if is_above else autoscaler.min_replicas
        raise UserError(
            f"The autoscaler {_described(autoscaler)} is in charge of {deployment.full_label} and "
            f"would set it back to {bound} within seconds, so nothing was planned. Change its "
            f"limits: {_patch_command(deployment, autoscaler, limit, self.replicas)}",
            field="replicas",
        )

    def _blast_radius(self, deployment: Deployment) -> BlastRadius:
        replicas, removed = deployment.replicas, deployment.replicas - self.replicas
        if removed < 0:
            added = "1 pod is" if removed == -1 else f"{-removed} pods are"
            text = f"Nothing is lost: {added} added, and those that run are left alone."
            return BlastRadius(text=text)
        share = percent(removed, replicas)
        verb = "is" if removed == 1 else "are"
        text = f"{share} of the capacity is lost: {removed} of {replicas} pods {verb} removed."
        return BlastRadius(text=text, pods=removed, capacity=percent_at_most(removed, replicas))

    def _undo(self, deployment: Deployment) -> Undo | None:
        """None when the number before is not one that this action may set."""
        if not 1 <= deployment.replicas <= MAX_REPLICAS:
            return None
        undo_action = self.model_copy(update={"replicas": deployment.replicas})
        return Undo(
            summary=f"Scale {deployment.name} back to {deployment.replicas} replicas",
            action=self.name,
            params=undo_action.model_dump(mode="json"),
        )

    async def execute(self, systems: Systems, plan: Plan, progress: Progress) -> None:
        """Patch the number of replicas. Raises UserError."""
        change = patches.scale(self.replicas)
        await deployments.apply(systems, self.deployment, plan, progress, lambda _: change)

    def describe(self, deployment: Deployment) -> str:
        """How many replicas it has."""
        return f"{deployment.name} is scaled to {deployment.replicas}"

    def is_applied_to(self, deployment: Deployment, plan: Plan) -> bool:
        """Whether it has the planned number of replicas."""
        return deployment.replicas == self.replicas

    def is_undone_in(self, deployment: Deployment, plan: Plan) -> bool:
        """Whether it has the number of before."""
        return bool(deployment.replicas == plan.fingerprint["replicas"])

    def fields(self, deployment: Deployment) -> tuple[managed_fields.Path, ...]:
        """The path of the number."""
        return (managed_fields.REPLICAS,)


def _bounds(
    deployment: Deployment, limits: capacity.Limits, autoscaler: Autoscaler | None
) -> tuple[int, int]:
    """The fewest and the most replicas that may be asked for now."""
    least = max(1, autoscaler.min_replicas) if autoscaler else 1
    most = min(MAX_REPLICAS, autoscaler.max_replicas) if autoscaler else MAX_REPLICAS

    def fits(count: int) -> bool:
        added = max(count - deployment.replicas, 0)
        return not added or limits.let_in(
            deployment.template, capacity.demand(deployment.template, added)
        )

    return least, bounds.furthest(least, most, fits)


def _described(autoscaler: Autoscaler) -> str:
    by_keda = f", made by KEDA from {autoscaler.scaled_object}" if autoscaler.scaled_object else ""
    return f"{autoscaler.label}{by_keda}"


def _patch_command(deployment: Deployment, autoscaler: Autoscaler, limit: str, value: int) -> str:
    """The kubectl command that changes a limit of an autoscaler, or of what KEDA makes it from."""
    resource, name = "hpa", autoscaler.name
    if autoscaler.scaled_object:
        resource, name = "scaledobject --type merge", autoscaler.scaled_object
        limit = limit.replace("Replicas", "ReplicaCount")
    patch = f'{{"spec":{{"{limit}":{value}}}}}'
    command = f"kubectl patch {resource} {name} --namespace {deployment.namespace}"
    return f"`{command} --patch '{patch}'`"
