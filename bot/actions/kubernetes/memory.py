"""Raise or lower the memory limit of one container."""

import asyncio
import math
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from bot.actions import bounds
from bot.actions.base import IN_CLUSTER, Progress
from bot.actions.kubernetes import applied, capacity, deployments, diffs, ownership, rollout
from bot.actions.kubernetes.deployments import DeploymentChange
from bot.actions.params import MEMORY, Memory, Name
from bot.model import Model, Plan, Risk, Undo, UserError
from bot.model.choices import Options
from bot.systems import Systems
from bot.systems.kubernetes import (
    ClusterError,
    Deployment,
    Forbidden,
    NotFound,
    ResourceAmounts,
    Unavailable,
    format_amount,
    managed_fields,
    parse_quantity,
    patches,
)

# More than this in one step is a decision about capacity, not one for an incident.
MAX_FACTOR = 4
MI = 1024**2
USAGE_UNKNOWN = (
    "The bot cannot read how much memory it uses now, so the lower limit may end it at once."
)

METRICS_STARTING = (
    "The metrics server does not answer now; if it is only starting, request this again in a "
    "minute, and the plan checks it."
)


class LimitedContainer(Model):
    """A container with a memory limit; the quantities as the pod template has them."""

    name: str
    limit: str
    request: str | None

    @property
    def limit_bytes(self) -> float:
        """The limit in bytes."""
        return parse_quantity(self.limit)

    @property
    def allowed_bytes(self) -> tuple[float, float]:
        """The lowest and the highest limit that one step may set."""
        return self.limit_bytes / MAX_FACTOR, self.limit_bytes * MAX_FACTOR

    @property
    def as_parameter(self) -> str:
        """The limit as MemoryLimit accepts it: in bytes where it is written in a rare form."""
        return self.limit if MEMORY.fullmatch(self.limit) else f"{self.limit_bytes:.0f}"


class MemoryLimit(DeploymentChange):
    """Set the memory limit of one container of a Deployment; its request stays as it is.

    From a quarter of the current limit to four times it, so that the undo is possible too.
    """

    name: ClassVar = "memory-limit"
    risk: ClassVar = Risk.DESTRUCTIVE
    place_keys: ClassVar = IN_CLUSTER
    limit: Memory = Field(
        description=f"Such as 1Gi or 768Mi: at most {MAX_FACTOR} times what it is now, at least "
        f"1/{MAX_FACTOR} of it."
    )
    container: Name | None = None

    async def parameter_options(self, systems: Systems, field: str) -> Options | None:
        """A hint for the form: what the limit is now, and the range of a new one."""
        if field != "limit":
            return None
        deployment = await systems.cluster.deployment(self.deployment)
        container = self._container(deployment)
        used, limits = await asyncio.gather(
            self._used(systems, deployment, container), capacity.read_limits(systems.cluster)
        )
        lowest, highest = _range(deployment, container, used, limits)
        example = min(round(2 * container.limit_bytes) // MI, highest)
        hint = (
            f"Now {container.limit}. It may be set from {_mebibytes(lowest)} to "
            f"{_mebibytes(highest)}, such as {_mebibytes(example)}."
        )
        return Options(hint=hint)

    async def _used(
        self, systems: Systems, deployment: Deployment, container: LimitedContainer
    ) -> float:
        """How many bytes the pod that uses most of it uses; 0 where that is not known."""
        try:
            return _most_used(await systems.cluster.usage(deployment.selector), container.name)
        except ClusterError:
            return 0

    async def plan(self, systems: Systems) -> Plan:
        """From which limit to which. Raises UserError when it is not allowed or does not fit."""
        deployment = await systems.cluster.deployment(self.deployment)
        container = self._container(deployment)
        self._check(deployment, container)
        warnings = await self._warnings(systems, deployment, container)
        template = patches.memory_limit(deployment, container.name, self.limit).template
        assert template is not None
        demand = _demand(deployment, template)
        warnings += await capacity.check_quotas(systems.cluster, deployment, demand, field="limit")
        await self._check_limit_ranges(systems, template)
        warnings += tuple(
            await capacity.budget_warnings(
                systems.cluster, [capacity.labels_of(template)], deployment.max_unavailable
            )
        )
        path = managed_fields.memory_limit(container.name)
        warnings += applied.warnings(deployment, [path], "this limit")
        stored = await deployments.dry_run(systems.cluster, self.deployment, self._change)
        label = _label(deployment, container)
        plan = Plan(
            target=deployment.target,
            summary=f"Set the memory limit of {label} from {container.limit} to {self.limit}",
            blast_radius=deployments.blast_radius(deployment),
            check=self.success_criteria(deployment.replicas),
            diff=diffs.templates(deployment, template, "now", "then"),
            dry_run=deployments.DRY_RUN_ACCEPTED,
            warnings=warnings + ownership.warnings(deployment),
            failing_before=await rollout.failing(systems.cluster, deployment),
            undo=self._undo(deployment, container),
            fingerprint=deployments.fingerprint(deployment),
        )
        return deployments.checked(self, stored, plan)

    def _change(self, deployment: Deployment) -> patches.DeploymentPatch:
        return patches.memory_limit(deployment, self._container(deployment).name, self.limit)

    def _container(self, deployment: Deployment) -> LimitedContainer:
        return _limited(deployment, deployments.container(deployment, self.container))

    def _check(self, deployment: Deployment, container: LimitedContainer) -> None:
        """Raises UserError when the new limit is not allowed, or would change nothing."""
        deployments.check_not_paused(deployment, "a new limit would not reach its pods")
        size = parse_quantity(self.limit)
        label = f"{container.name} in {deployment.full_label}"
        if size == container.limit_bytes:
            raise UserError(
                f"The memory limit of {label} is {container.limit} already, so there is nothing "
                "to do.",
                field="limit",
            )
        if container.request is not None and size < parse_quantity(container.request):
            raise UserError(
                f"{label} requests {container.request} of memory, and a limit may not be below "
                "that, so nothing was planned.",
                field="limit",
            )
        lowest, highest = container.allowed_bytes
        if not lowest <= size <= highest:
            raise UserError(
                f"The memory limit of {label} is {container.limit}, and one step changes it by at "
                f"most {MAX_FACTOR} times, so nothing was planned.",
                field="limit",
            )

    async def _check_limit_ranges(self, systems: Systems, template: dict[str, Any]) -> None:
        """Raises UserError when a LimitRange would let no pod with the new limit in."""
        problem = await capacity.limit_range_problem(systems.cluster, template)
        if problem:
            raise UserError(
                f"No pod with a limit of {self.limit} would be let into {systems.cluster.place}: "
                f"{problem}. Nothing was planned. Ask for another limit, or change the LimitRange "
                "first.",
                field="limit",
            )

    async def _warnings(
        self, systems: Systems, deployment: Deployment, container: LimitedContainer
    ) -> tuple[str, ...]:
        """Raises UserError when the new limit would end a pod at once."""
        if parse_quantity(self.limit) < container.limit_bytes:
            return await self._check_usage(systems, deployment, container)
        request = container.request
        if request is not None and parse_quantity(request) == container.limit_bytes:
            # With a limit above its request a pod leaves the QoS class Guaranteed.
            return (
                f"It still requests {request}: its pods become Burstable instead of Guaranteed, "
                "and are evicted earlier when a node runs out of memory.",
            )
        return ()

    async def _check_usage(
        self, systems: Systems, deployment: Deployment, container: LimitedContainer
    ) -> tuple[str, ...]:
        """Raises UserError when a pod uses more than the new limit now."""
        try:
            pods = await systems.cluster.usage(deployment.selector)
        except (NotFound, Forbidden):
            return (USAGE_UNKNOWN,)
        except Unavailable:
            return (f"{USAGE_UNKNOWN} {METRICS_STARTING}",)
        except ClusterError as error:
            return (f"{USAGE_UNKNOWN} {error}",)
        name = container.name
        used = _most_used(pods, name)
        if used >= parse_quantity(self.limit):
            raise UserError(
                f"{name} in {deployment.full_label} uses {format_amount('memory', used)} of "
                f"memory now, so a limit of {self.limit} would end it at once, and nothing was "
                "planned. Ask for more than it uses.",
                field="limit",
            )
        return ()

    def _undo(self, deployment: Deployment, container: LimitedContainer) -> Undo:
        undo_action = self.model_copy(
            update={"limit": container.as_parameter, "container": container.name}
        )
        label = _label(deployment, container)
        return Undo(
            summary=f"Set the memory limit of {label} back to {container.limit}",
            action=self.name,
            params=undo_action.model_dump(mode="json"),
        )

    async def execute(self, systems: Systems, plan: Plan, progress: Progress) -> None:
        """Patch the limit in the pod template. Raises UserError."""
        await deployments.apply(systems, self.deployment, plan, progress, self._change)

    def describe(self, deployment: Deployment) -> str:
        """Which memory limit the container has."""
        container = self._chosen(deployment)
        if container is None:
            return f"{deployment.name} has other containers than before"
        limit = _memory_limit(container) or "any amount"
        return f"{container['name']} in {deployment.name} may use {limit} of memory"

    def is_applied_to(self, deployment: Deployment, plan: Plan) -> bool:
        """Whether the container has the planned limit."""
        return self._has_limit(deployment, self.limit)

    def is_undone_in(self, deployment: Deployment, plan: Plan) -> bool:
        """Whether the container has the limit of before."""
        return plan.undo is not None and self._has_limit(deployment, plan.undo.params["limit"])

    def _has_limit(self, deployment: Deployment, expected: str) -> bool:
        container = self._chosen(deployment)
        limit = None if container is None else _memory_limit(container)
        return limit is not None and parse_quantity(limit) == parse_quantity(expected)

    def fields(self, deployment: Deployment) -> tuple[managed_fields.Path, ...]:
        """The path of the limit."""
        container = self._chosen(deployment)
        return () if container is None else (managed_fields.memory_limit(container["name"]),)

    def _chosen(self, deployment: Deployment) -> dict[str, Any] | None:
        """The container; None once it is gone, or another has come beside the only one."""
        try:
            return deployments.container(deployment, self.container)
        except UserError:
            return None


def _most_used(pods: Mapping[str, Mapping[str, ResourceAmounts]], name: str) -> float:
    """The bytes that the container uses in the pod where it uses most."""
    return max((pod[name].memory or 0 for pod in pods.values() if name in pod), default=0)


def _range(
    deployment: Deployment, container: LimitedContainer, used: float, limits: capacity.Limits
) -> tuple[int, int]:
    """The lowest and the highest limit that may be asked for now, in whole MiB."""
    lowest, highest = container.allowed_bytes
    lowest = max(lowest, parse_quantity(container.request or "0"))
    least = max(math.ceil(lowest / MI), math.floor(used / MI) + 1)

    def fits(size: int) -> bool:
        template = patches.memory_limit(deployment, container.name, f"{size}Mi").template
        assert template is not None
        return limits.let_in(template, _demand(deployment, template))

    near = max(round(container.limit_bytes) // MI, 1)
    return (
        min(bounds.furthest(near, least, fits), near),
        bounds.furthest(near, math.floor(highest / MI), fits),
    )


def _mebibytes(size: int) -> str:
    """Memory exactly, as people write it: 1Gi or 768Mi."""
    return f"{size}Mi" if size % 1024 else f"{size // 1024}Gi"


def _memory_limit(container: dict[str, Any]) -> str | None:
    limits: dict[str, str] = (container.get("resources") or {}).get("limits") or {}
    return limits.get("memory")


def _limited(deployment: Deployment, container: dict[str, Any]) -> LimitedContainer:
    """Raises UserError when the container has no memory limit."""
    limit = _memory_limit(container)
    if limit is None:
        raise UserError(
            f"{container['name']} in {deployment.full_label} has no memory limit, so there is none "
            "to change and nothing was planned. If it was ended for lack of memory, its node ran "
            "out of it."
        )
    request = ((container.get("resources") or {}).get("requests") or {}).get("memory")
    return LimitedContainer(name=container["name"], limit=limit, request=request)


def _demand(deployment: Deployment, template: dict[str, Any]) -> capacity.Demand:
    """What the change needs of a quota: more for all pods at its end, or one more pod meanwhile."""
    before = capacity.demand(deployment.template, deployment.replicas)
    after = capacity.demand(template, deployment.replicas)
    rise = {name: after[name] - before[name] for name in after}
    if deployment.max_unavailable or not deployment.replicas:
        return rise
    first_pod = capacity.demand(template, 1)
    return {name: max(rise[name], first_pod[name]) for name in rise}


def _label(deployment: Deployment, container: LimitedContainer) -> str:
    """The container, and its Deployment unless both have the same name."""
    if container.name == deployment.name:
        return deployment.name
    return f"{container.name} in {deployment.name}"
