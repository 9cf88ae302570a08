"""Restart a service: one pod after the other, or all of them at once."""

import asyncio
from datetime import UTC, datetime
from typing import Any, ClassVar

from bot.actions import Run, Systems
from bot.cluster import Change, Cluster, ClusterError, Conflict, Deployment, NotFound, Pod, restart
from bot.model import Plan, Risk, UserError, Verdict
from commands.actions.pods import Selector
from commands.actions.rollouts import (
    Rollout,
    change_once,
    check_same,
    fingerprint,
    meanwhile,
    settled,
    verify_rollout,
)
from commands.actions.watching import Sight, Watch, Watched

MOST_PODS = 50
REHEARSED = "1970-01-01T00:00:00Z"  # a dry run keeps nothing, and a plan must stay equal


class RollingRestart(Rollout):
    """Replace a Deployment's pods one after the other; the service stays up meanwhile."""

    name: ClassVar = "rolling-restart"
    risk: ClassVar = Risk.CHANGE

    async def plan(self, systems: Systems) -> Plan:
        """Say how many pods are replaced, and how many are missing meanwhile."""
        now = await settled(systems.cluster, self.deployment)
        _check_restartable(now)
        await systems.cluster.rehearse(now, restart(now, REHEARSED))
        return Plan(
            target=now.target,
            summary=f"Restart the {now.replicas} pods of {now.name} one after the other "
            f"(revision {now.revision}, image {now.image})",
            blast_radius=meanwhile(now),
            check=self.check_words(now.replicas),
            dry_run="The API server accepts it",
            fingerprint=fingerprint(now),
        )

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> None:
        """Stamp the pod template, if all is still as it was approved."""
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

        async def prepare(now: Deployment) -> tuple[Change, dict[str, Any]]:
            return restart(now, stamp), fingerprint(now)

        await change_once(systems, plan, run, self.deployment, prepare)

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Watch the rollout, and then its pods for a while."""
        return await verify_rollout(systems, run, self)


def _check_restartable(now: Deployment) -> None:
    if now.paused or not now.replicas:
        why = "is paused" if now.paused else "runs no pods"
        raise UserError(f"{now.name} {why}, so there is nothing to restart. Nothing was changed.")


class DeletePods(Watched):
    """Delete every pod that a label selector names, all at once."""

    name: ClassVar = "delete-pods"
    risk: ClassVar = Risk.DESTRUCTIVE
    selector: Selector

    async def plan(self, systems: Systems) -> Plan:
        """Name the exact pods, and what is missing until others have taken their place."""
        pods = await _present(systems.cluster, self.selector)
        if not 0 < len(pods) <= MOST_PODS:
            found = f"{len(pods)} pods match" if pods else "No pods match"
            raise UserError(
                f"{found} {self.selector}. Nothing was changed. "
                f"Use a selector that names 1 to {MOST_PODS} pods."
            )
        async with asyncio.TaskGroup() as group:
            for pod in pods:
                group.create_task(systems.cluster.delete_pod(pod, rehearse=True))
        return self._plan(pods)

    def _plan(self, pods: tuple[Pod, ...]) -> Plan:
        orphans = [one.name for one in pods if not one.owner]
        return Plan(
            target=f"pods/{self.selector}",
            summary=f"Delete all {len(pods)} pods of {self.selector} at once: {_names(pods)}",
            blast_radius=f"{len(pods)} of {len(pods)} pods go at the same time: 100 % of what "
            f"{self.selector} serves is missing until new pods are ready",
            check=self.check_words(len(pods) - len(orphans)),
            dry_run=f"The API server accepts deleting all {len(pods)}",
            warnings=tuple(f"{one} has no owner: nothing brings it back" for one in orphans),
            fingerprint={"pods": _identities(pods)},
        )

    async def execute(self, systems: Systems, plan: Plan, run: Run) -> None:
        """Delete exactly the pods of the plan, if no others are there by now."""
        pods = await _present(systems.cluster, self.selector)
        check_same(plan, {"pods": _identities(pods)}, f"What {self.selector} selects")
        results = await asyncio.gather(
            *(_delete(systems.cluster, one) for one in pods), return_exceptions=True
        )
        failed = [one for one in results if isinstance(one, BaseException)]
        if failed and isinstance(failed[0], ClusterError) and len(failed) < len(pods):
            gone = len(pods) - len(failed)
            raise UserError(f"{gone} of {len(pods)} pods were deleted, then: {failed[0]}")
        if failed:
            raise failed[0]

    async def verify(self, systems: Systems, plan: Plan, run: Run) -> Verdict:
        """Wait until as many new pods are ready, and watch them for a while."""
        old = set(plan.fingerprint["pods"].values())
        left = [one for one in await _present(systems.cluster, self.selector) if one.uid in old]
        if left:
            told = "Not done" if len(left) == len(old) else "Done in part"
            return Verdict(ok=False, text=f"{told}: still there are {_names(tuple(left))}")
        wanted = len(old) - len(plan.warnings)

        async def look() -> Sight:
            pods = await _present(systems.cluster, self.selector)
            ready = sum(one.ready for one in pods)
            return Sight(pods, wanted, complete=ready >= wanted)

        return await Watch(self, look, run).verdict()


async def _present(cluster: Cluster, selector: str) -> tuple[Pod, ...]:
    """The pods that are not on their way out."""
    return tuple(one for one in await cluster.pods(selector) if not one.leaving)


async def _delete(cluster: Cluster, pod: Pod) -> None:
    """A pod that is gone already, by itself or replaced, is as good as deleted."""
    try:
        await cluster.delete_pod(pod)
    except (NotFound, Conflict):
        return


def _identities(pods: tuple[Pod, ...]) -> dict[str, str]:
    return {one.name: one.uid for one in pods}


def _names(pods: tuple[Pod, ...]) -> str:
    return ", ".join(one.name for one in pods)
