"""More memory for one container, or less: its limit, and nothing else."""

from typing import Any, ClassVar

from pydantic import Field

from bot.actions import Run, Systems
from bot.choices import Choices
from bot.cluster import Deployment, Forbidden, NotFound, patches, quantity
from bot.model import Noun, Plan, Risk, Undo, UserError, Verdict
from commands.actions import deployments, diffs, room
from commands.actions.deployments import DeploymentChange
from commands.actions.fields import MEMORY, Memory, Name

# A step further than this is a decision about capacity, and not one of an incident.
MOST_TIMES = 4
UNMEASURED = (
    "Nobody measures here what it uses now, so whether the lower limit would end it is not known."
)


class Limited(Noun):
    """A container whose memory is limited, as a template says it; the quantities as written."""

    name: str
    limit: str
    request: str | None

    @property
    def size(self) -> float:
        """The limit in bytes."""
        return quantity(self.limit)

    @property
    def bounds(self) -> tuple[float, float]:
        """In bytes, between what it may be set in one step."""
        return self.size / MOST_TIMES, self.size * MOST_TIMES

    @property
    def written(self) -> str:
        """The limit as this action takes it: of the rarer ways to write it, the bytes."""
        return self.limit if MEMORY.fullmatch(self.limit) else f"{self.size:.0f}"


class MemoryLimit(DeploymentChange):
    """Set the memory limit of one container of a Deployment; its request stays as it is.

    Between a quarter of the present limit and four times it, so that the undo is in bounds too.
    """

    name: ClassVar = "memory-limit"
    risk: ClassVar = Risk.DESTRUCTIVE
    limit: Memory = Field(
        description="Such as 1Gi or 768Mi: at most 4 times what it is now, at least a quarter."
    )
    container: Name | None = None

    async def choices(self, systems: Systems, field: str) -> Choices | None:
        """Nothing to choose from, but what the limit is now and how far it may go."""
        if field != "limit":
            return None
        old = self._container(await systems.cluster.deployment(self.deployment))
        low, high = old.bounds
        sizes = (max(low, quantity(old.request or "0")), high, 2 * old.size)
        least, most, example = (room.amount("memory", size) for size in sizes)
        return Choices(
            hint=f"Now {old.limit}. It may be set from {least} to {most}, such as {example}."
        )

    async def plan(self, systems: Systems) -> Plan:
        """From which limit to which, whether that fits, and what the rollout costs."""
        now = await systems.cluster.deployment(self.deployment)
        old = self._container(now)
        self._check(now, old)
        warnings = await self._warnings(systems, now, old)
        made = patches.memory_limit(now, old.name, self.limit).template
        assert made is not None
        warnings += await room.in_quotas(systems.cluster, now, _demand(now, made))
        await deployments.rehearse(systems.cluster, self.deployment, self._change)
        return Plan(
            target=now.target,
            summary=f"Set the memory limit of {_named(now, old)} from {old.limit} to {self.limit}",
            blast_radius=deployments.replaced(now),
            check=self.check(now.replicas),
            diff=diffs.templates(now.template, made, "now", "then"),
            dry_run=deployments.ACCEPTED,
            warnings=warnings,
            undo=self._undo(now, old),
            fingerprint=deployments.fingerprint(now),
        )

    def _change(self, now: Deployment) -> patches.Change:
        return patches.memory_limit(now, self._container(now).name, self.limit)

    def _container(self, now: Deployment) -> Limited:
        """The container that is meant; raises UserError when that is not clear, or has no limit."""
        found = {one["name"]: one for one in now.template["spec"]["containers"]}
        names = ", ".join(found)
        if self.container is None and len(found) > 1:
            raise UserError(
                f"{now.target} has several containers ({names}), so nothing was planned. The "
                "playbook has to say which one is meant: params, container."
            )
        raw = found.get(self.container or names)
        if raw is None:
            raise UserError(
                f"{now.target} has no container {self.container}, so nothing was planned. It has: "
                f"{names}."
            )
        return _limited(now, raw)

    def _check(self, now: Deployment, old: Limited) -> None:
        """Refuse what is out of bounds; raises UserError."""
        size = quantity(self.limit)
        if now.paused:
            raise UserError(
                f"{now.target} is paused, so a new limit would not reach its pods. Resume it with "
                f"kubectl rollout resume {now.target}, and ask again."
            )
        if size == old.size:
            raise UserError(
                f"The memory limit of {old.name} in {now.target} is {old.limit} already, so there "
                "is nothing to do."
            )
        if old.request is not None and size < quantity(old.request):
            raise UserError(
                f"{old.name} in {now.target} requests {old.request} of memory, and a limit may not "
                f"be below that, so nothing was planned. Ask for {old.request} or more."
            )
        low, high = old.bounds
        if not low <= size <= high:
            least, most = (room.amount("memory", size) for size in (low, high))
            raise UserError(
                f"The memory limit of {old.name} in {now.target} is {old.limit}, and one step goes "
                f"from {least} to {most}, so nothing was planned. Ask for something between."
            )

    async def _warnings(self, systems: Systems, now: Deployment, old: Limited) -> tuple[str, ...]:
        if quantity(self.limit) < old.size:
            return await self._check_usage(systems, now, old)
        if old.request is not None and quantity(old.request) == old.size:
            # Guaranteed pods are the last to be evicted; a higher limit alone ends that.
            return (
                f"It goes on requesting {old.request}: its pods are Burstable from then on, no "
                "longer Guaranteed, and are evicted earlier when a node runs out of memory.",
            )
        return ()

    async def _check_usage(
        self, systems: Systems, now: Deployment, old: Limited
    ) -> tuple[str, ...]:
        """Raises UserError when the lower limit would end a pod at once."""
        try:
            used = await systems.cluster.usage(now.selector)
        except (NotFound, Forbidden):
            return (UNMEASURED,)
        sizes = [one[old.name].memory or 0 for one in used.values() if old.name in one]
        most = max(sizes, default=0)
        if most >= quantity(self.limit):
            raise UserError(
                f"{old.name} in {now.target} uses {room.amount('memory', most)} of memory now, so "
                f"a limit of {self.limit} would end it at once, and nothing was planned. Ask for "
                "more than it uses."
            )
        return ()

    def _undo(self, now: Deployment, old: Limited) -> Undo:
        back = self.model_copy(update={"limit": old.written, "container": old.name})
        return Undo(
            summary=f"Set the memory limit of {_named(now, old)} back to {old.limit}",
            action=self.name,
            params=back.model_dump(mode="json"),
        )

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> None:
        """Write the limit into the template, guarded."""
        await deployments.write(systems.cluster, self.deployment, plan, run, self._change)

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Whether the limit is there, its pods become ready, and stay so."""
        now = await systems.cluster.deployment(self.deployment)
        there = self._container(now)
        if there.size == quantity(self.limit):
            done = f"{there.name} in {now.name} may use {there.limit} of memory"
            return await self.watch(systems, run, done)
        text = f"The memory limit of {there.name} in {now.target} is {there.limit}"
        if now.execution == str(run.execution_id):
            return Verdict(ok=False, text=f"Somebody changed it afterwards: {text}")
        return Verdict(ok=False, done=False, text=f"The change was not done: {text}")


def _limited(now: Deployment, raw: dict[str, Any]) -> Limited:
    resources = raw.get("resources") or {}
    limit = (resources.get("limits") or {}).get("memory")
    if limit is None:
        raise UserError(
            f"{raw['name']} in {now.target} has no memory limit, so there is none to change and "
            "nothing was planned. If it was ended for lack of memory, its node ran out of it."
        )
    request = (resources.get("requests") or {}).get("memory")
    return Limited(name=raw["name"], limit=limit, request=request)


def _demand(now: Deployment, template: dict[str, Any]) -> room.Demand:
    """What the quota must have room for: all pods in the end, and the first one meanwhile."""
    before, after = (room.of_pods(one, now.replicas) for one in (now.template, template))
    rise = {name: after[name] - before[name] for name in after}
    if now.unavailable or not now.replicas:
        return rise
    first = room.of_pods(template, 1)
    return {name: max(rise[name], first[name]) for name in rise}


def _named(now: Deployment, container: Limited) -> str:
    """The container, and of which Deployment unless both have one name."""
    return now.name if container.name == now.name else f"{container.name} in {now.name}"
