"""New pods in the place of old ones: one after another, or all at once."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from bot.actions import Change, Run, Systems
from bot.cluster import Cluster, ClusterError, Deployment, NotFound, Pod, patches
from bot.model import Plan, Risk, UserError, Verdict
from commands.actions import deployments, watching
from commands.actions.deployments import DeploymentChange, Make
from commands.actions.fields import Selector
from commands.actions.watching import Limits, Sight

MOST_PODS = 50


def _restart(at: datetime) -> Make:
    return lambda now: patches.restart(now, at.strftime("%Y-%m-%dT%H:%M:%SZ"))


class RollingRestart(DeploymentChange):
    """Replace all pods of a Deployment one after another, as `kubectl rollout restart` does."""

    name: ClassVar = "rolling-restart"
    risk: ClassVar = Risk.CHANGE

    async def plan(self, systems: Systems) -> Plan:
        """Which pods are replaced; there is no undo, because nothing else changes."""
        now = await systems.cluster.deployment(self.deployment)
        if now.paused:
            raise UserError(
                f"{now.target} is paused, so a restart would not begin. Resume it with kubectl "
                f"rollout resume {now.target}, and ask again."
            )
        await deployments.rehearse(systems.cluster, self.deployment, _restart(systems.now()))
        return Plan(
            target=now.target,
            summary=f"Restart {now.name} pod by pod, with the same image {now.image}",
            blast_radius=deployments.replaced(now),
            check=self.check(now.replicas),
            diff=f"+{patches.RESTARTED_AT}: the time of the restart",
            dry_run=deployments.ACCEPTED,
            fingerprint=deployments.fingerprint(now),
        )

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> None:
        """Write the time of the restart into the template, guarded."""
        make = _restart(systems.now())
        await deployments.write(systems.cluster, self.deployment, plan, run, make)

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Whether the restart was begun, and the new pods are ready and stay so."""
        now = await systems.cluster.deployment(self.deployment)
        written = now.execution == str(run.execution_id)
        if not written or now.spec_digest == plan.fingerprint["spec"]:
            text = f"The restart was not done: {now.target} is as it was"
            return Verdict(ok=False, done=False, text=text)
        return await self.watch(systems, run, f"{now.name} was restarted")


class DeletePods(Change):
    """Delete the pods that a label selector names, all at once; their controller makes new ones."""

    name: ClassVar = "delete-pods"
    risk: ClassVar = Risk.DESTRUCTIVE
    selector: Selector
    watch_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    deadline_seconds: Annotated[float, Field(gt=0, le=3600)] = 300

    async def plan(self, systems: Systems) -> Plan:
        """Exactly which pods, and how much of the capacity they are."""
        cluster = systems.cluster
        pods = [pod for pod in await cluster.pods(self.selector) if not pod.leaving]
        self._check(pods)
        owner = await _owner(cluster, pods)
        await asyncio.gather(*(cluster.delete_pod(pod, rehearse=True) for pod in pods))
        wanted = len(pods) if owner is None else max(owner.replicas, len(pods))
        share = round(100 * len(pods) / wanted)
        count = _count(pods)
        return Plan(
            target=f"pods/{self.selector}" if owner is None else owner.target,
            summary=f"Delete {count} of {self.selector} at once: "
            f"{', '.join(pod.name for pod in pods)}",
            blast_radius=f"{len(pods)} of {wanted} pods: {share} % of the capacity is lost until "
            "the new pods are ready.",
            check=deployments.check(len(pods), self._limits),
            dry_run=deployments.ACCEPTED,
            warnings=("A rolling restart does the same without losing capacity.",),
            fingerprint={"pods": {pod.name: pod.uid for pod in pods}, "of": wanted},
        )

    def _check(self, pods: Sequence[Pod]) -> None:
        if not pods:
            raise UserError(f"No pods match {self.selector}, so there is nothing to delete.")
        if len(pods) > MOST_PODS:
            raise UserError(
                f"{self.selector} names {len(pods)} pods, and no more than {MOST_PODS} are deleted "
                "at once, so nothing was planned. Name fewer, or use a rolling restart."
            )
        alone = [pod.name for pod in pods if not pod.owner_uid]
        if alone:
            raise UserError(
                f"Nothing would make {', '.join(alone)} again, because no controller owns it, so "
                "nothing was planned. Delete it by hand if that is what you want."
            )

    @property
    def _limits(self) -> Limits:
        return Limits(steady=self.watch_seconds, deadline=self.deadline_seconds)

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> None:
        """Delete those pods and no others; each only if it is still the one that was planned."""
        cluster = systems.cluster
        planned = set(plan.fingerprint["pods"].values())
        pods = [pod for pod in await cluster.pods(self.selector) if pod.uid in planned]
        results = await asyncio.gather(*(_delete(cluster, pod) for pod in pods))
        failed = [result for result in results if result is not None]
        if failed:
            done = len(pods) - len(failed)
            unsure = done > 0 or any(error.unsure for error in failed)
            said = f"{done} of {len(pods)} pods were deleted. {failed[0]}"
            raise UserError(said, unsure=unsure)

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Whether they are gone, and as many new pods are ready and stay so."""
        old = set(plan.fingerprint["pods"].values())
        left = [pod for pod in await systems.cluster.pods(self.selector) if pod.uid in old]
        kept = [pod.name for pod in left if not pod.leaving]
        if kept:
            return Verdict(ok=False, text=f"Not all were deleted: {', '.join(kept)} still run")

        async def look() -> Sight:
            return _sight(await systems.cluster.pods(self.selector), old)

        return await watching.watch(look, run, self._limits, f"{len(old)} pods were replaced")


async def _delete(cluster: Cluster, pod: Pod) -> ClusterError | None:
    try:
        await cluster.delete_pod(pod)
    except NotFound:
        return None  # it is gone, which is what was wanted
    except ClusterError as error:
        return error
    return None


def _sight(pods: Sequence[Pod], old: set[str]) -> Sight:
    new = tuple(pod for pod in pods if pod.uid not in old and not pod.leaving)
    # A pod may be added meanwhile for other reasons; it must be ready like the others.
    wanted = max(len(old), len(new))
    gone = all(pod.uid not in old for pod in pods)
    return Sight(pods=new, wanted=wanted, replaced=gone, failure=watching.stuck(new))


async def _owner(cluster: Cluster, pods: Sequence[Pod]) -> Deployment | None:
    """The one Deployment that all these pods belong to, or None."""
    names = {pod.owner.rpartition("-")[0] for pod in pods}
    if len(names) != 1 or not (name := names.pop()):
        return None
    try:
        found = await cluster.deployment(name)
    except NotFound:
        return None
    owned = {one.uid for one in await cluster.revisions(found)}
    return found if all(pod.owner_uid in owned for pod in pods) else None


def _count(pods: Sequence[Pod]) -> str:
    return "1 pod" if len(pods) == 1 else f"{len(pods)} pods"
