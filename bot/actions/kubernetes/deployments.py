"""What all changes of a Deployment share: the fingerprint, the dry run and the guarded write."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from bot.actions.base import Change, Progress
from bot.actions.kubernetes import rollout
from bot.actions.kubernetes.rollout import RolloutStatus, RolloutTimeouts
from bot.actions.params import Name
from bot.actions.wording import percent
from bot.model import Plan, Sighting, UserError, Verdict
from bot.systems import Systems, kubernetes
from bot.systems.kubernetes import Cluster, Conflict, Deployment, TimedOut, Unreachable

ATTEMPTS = 5
DRY_RUN_ACCEPTED = "The API server accepts it (dry run, nothing was written)."
ChangeFactory = Callable[[Deployment], kubernetes.DeploymentPatch]


class DeploymentChange(Change):
    """A change of one Deployment, after which its pods must become ready and stay ready.

    `deadline_seconds` is how long they may take to become ready, `watch_seconds` how long they must
    stay ready then.
    """

    deployment: Name
    watch_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    deadline_seconds: Annotated[float, Field(gt=0, le=3600)] = 300

    async def watch(self, systems: Systems, progress: Progress, success: str) -> Verdict:
        """Wait for the rollout, then watch its pods; `success` begins the good verdict.

        Raises ClusterError when the cluster does not answer until the deadline.
        """

        async def probe() -> RolloutStatus:
            return await rollout.rollout_status(systems.cluster, self.deployment)

        return await rollout.watch(probe, progress, self.timeouts, success)

    @property
    def timeouts(self) -> RolloutTimeouts:
        """The times of the check."""
        return RolloutTimeouts(steady=self.watch_seconds, deadline=self.deadline_seconds)

    def success_criteria(self, replicas: int) -> str:
        """What `verify` waits for, as a sentence."""
        return success_criteria(replicas, self.timeouts)


def success_criteria(replicas: int, timeouts: RolloutTimeouts) -> str:
    """What is checked after a rollout of so many replicas, as a sentence."""
    if not replicas:
        return f"Within {timeouts.deadline:g} s no pod is left."
    pods, stay = ("The pod is", "stays") if replicas == 1 else (f"All {replicas} pods are", "stay")
    return (
        f"{pods} ready within {timeouts.deadline:g} s, and then {stay} ready "
        f"for {timeouts.steady:g} s without a restart."
    )


def container(deployment: Deployment, name: str | None) -> dict[str, Any]:
    """The container of that name, or the only one; as the pod template has it.

    Raises UserError when there is no such container, or several and no name.
    """
    containers: list[dict[str, Any]] = deployment.template["spec"]["containers"]
    names = ", ".join(container["name"] for container in containers)
    if name is None and len(containers) > 1:
        raise UserError(
            f"{deployment.label} has several containers ({names}), so nothing was planned. Name "
            "one in the playbook, as `container` under `params`."
        )
    for container in containers:
        if name in (None, container["name"]):
            return container
    raise UserError(
        f"{deployment.label} has no container {name}, so nothing was planned. It has: {names}."
    )


def check_not_paused(deployment: Deployment, consequence: str) -> None:
    """Raises UserError when the Deployment is paused; `consequence` says what would not work."""
    if deployment.paused:
        raise UserError(
            f"{deployment.label} is paused, so {consequence}. Resume it with `kubectl rollout "
            f"resume {deployment.label}`, and request it again."
        )


def fingerprint(deployment: Deployment) -> dict[str, Any]:
    """What must not change between plan and execution.

    Without the number of replicas, which an autoscaler may change at any time.
    """
    return {
        "uid": deployment.uid,
        "spec": deployment.spec_digest,
        "revision": deployment.revision,
    }


def sighting(deployment: Deployment) -> Sighting:
    """What tells one state of a Deployment from the next, and which execution wrote it."""
    return Sighting(fingerprint=fingerprint(deployment), execution=deployment.last_execution)


def blast_radius(deployment: Deployment) -> str:
    """How many pods a rollout replaces, and how many may be missing at the same time."""
    if not deployment.replicas:
        return "No pods: it is scaled to 0."
    count, missing = deployment.replicas, deployment.max_unavailable
    if not missing:
        return f"{count} pods are replaced; none stops before its successor is ready."
    share = percent(missing, count)
    return f"{count} pods are replaced; up to {missing} of {count} ({share}) missing meanwhile."


async def dry_run(cluster: Cluster, name: str, make_change: ChangeFactory) -> Deployment:
    """Let the server validate a change without storing it; returns what would be stored.

    Raises ClusterError when the server refuses it. A change of the status meanwhile causes a
    Conflict, so a few attempts are made.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return await _dry_run_once(cluster, name, make_change)
        except Conflict:
            continue
    return await _dry_run_once(cluster, name, make_change)


async def _dry_run_once(cluster: Cluster, name: str, make_change: ChangeFactory) -> Deployment:
    deployment = await cluster.deployment(name)
    return await cluster.dry_run(deployment, make_change(deployment))


async def apply(
    cluster: Cluster, name: str, plan: Plan, progress: Progress, make_change: ChangeFactory
) -> None:
    """Patch the Deployment once, if it is still as it was when the plan was made.

    A change of the status alone also moves the resourceVersion, so after a Conflict the Deployment
    is read and compared again. Raises UserError, with nothing changed, when it has drifted; and
    ClusterError when the server refuses, or when it is not known whether the patch was applied.
    """
    for _ in range(ATTEMPTS):
        deployment = await cluster.deployment(name)
        _check_no_drift(plan, deployment)
        try:
            await cluster.patch(deployment, make_change(deployment), progress.execution_id)
        except Conflict:
            continue
        except (TimedOut, Unreachable):
            if not await _was_applied(cluster, deployment, progress):
                raise
        return
    raise Conflict(
        f"deployment/{name} was changed by somebody else {ATTEMPTS} times in a row, so nothing was "
        "changed. Find out who else works on it, and request it again."
    )


def _check_no_drift(plan: Plan, deployment: Deployment) -> None:
    live = fingerprint(deployment) | {"replicas": deployment.replicas}
    changed = [key for key, value in live.items() if plan.fingerprint.get(key, value) != value]
    if changed:
        raise UserError(
            f"{deployment.label} changed since the plan was made ({', '.join(changed)}), so "
            f"nothing was done. It now runs revision {deployment.revision} (image "
            f"{deployment.image_tags}) with {deployment.replicas} replicas. Request it again."
        )


async def _was_applied(cluster: Cluster, before: Deployment, progress: Progress) -> bool:
    """Whether a patch without an answer was applied: the Deployment then has the execution's id."""
    try:
        deployment = await cluster.deployment(before.name)
    except (TimedOut, Unreachable):
        return False
    return (
        is_changed_by(deployment, progress)
        and deployment.resource_version != before.resource_version
    )


def not_as_planned(
    deployment: Deployment, progress: Progress, fact: str, noun: str = "change"
) -> Verdict:
    """The verdict when the live state, described by `fact`, is not the one to be made."""
    if is_changed_by(deployment, progress):
        return Verdict(ok=False, text=f"Somebody changed it afterwards: {fact}")
    return Verdict(ok=False, was_applied=False, text=f"The {noun} was not done: {fact}")


def is_changed_by(deployment: Deployment, progress: Progress) -> bool:
    """Whether this execution was the last one to change the Deployment."""
    return deployment.last_execution == str(progress.execution_id)
