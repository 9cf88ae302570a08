"""Replace pods: one after another, or all at once."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, ClassVar

from pydantic import Field

from bot.actions.base import IN_CLUSTER, Change, Progress
from bot.actions.kubernetes import capacity, deletions, deployments, ownership, rollout
from bot.actions.kubernetes.deployments import ChangeFactory, DeploymentChange
from bot.actions.kubernetes.rollout import RolloutStatus, RolloutTimeouts
from bot.actions.params import Selector
from bot.actions.wording import plural
from bot.model import (
    Difference,
    Evidence,
    Execution,
    Plan,
    Risk,
    UserError,
    Verdict,
)
from bot.systems import Systems
from bot.systems.kubernetes import (
    Cluster,
    ClusterError,
    Conflict,
    Deployment,
    NotFound,
    ObjectNotFound,
    Pod,
    digest,
    patches,
)
from bot.systems.kubernetes.resources import DEPLOYMENT

MAX_PODS = 50
# The answers to a deletion, in the evidence.
DELETED = "deleted"
GONE = "gone"


def _restart(now: datetime) -> ChangeFactory:
    return lambda deployment: patches.restart(deployment, now.strftime("%Y-%m-%dT%H:%M:%SZ"))


class RollingRestart(DeploymentChange):
    """Replace all pods of a Deployment one after another, as `kubectl rollout restart` does."""

    name: ClassVar = "rolling-restart"
    risk: ClassVar = Risk.CHANGE
    place_keys: ClassVar = IN_CLUSTER
    noun: ClassVar = "restart"

    async def plan(self, systems: Systems) -> Plan:
        """Which pods are replaced; without an undo, because nothing else changes.

        Raises UserError when the Deployment is paused.
        """
        deployment = await systems.cluster.deployment(self.deployment)
        deployments.check_not_paused(deployment, "a restart would not begin")
        stored = await deployments.dry_run(
            systems.cluster, self.deployment, _restart(systems.now())
        )
        template = deployment.template
        warnings = await capacity.rollout_warnings(systems.cluster, deployment, template)
        plan = Plan(
            target=deployment.target,
            summary=f"Restart {deployment.name} pod by pod, with the same image "
            f"{deployment.image_tags}",
            blast_radius=deployments.blast_radius(deployment),
            check=self.success_criteria(deployment.replicas),
            diff=f"+{patches.RESTARTED_AT_ANNOTATION}: the time of the restart",
            dry_run=deployments.DRY_RUN_ACCEPTED,
            # Git and charts say nothing about the annotation of a restart, so it stays.
            warnings=(*ownership.warnings(deployment, only_operators=True), *warnings),
            fingerprint=deployments.fingerprint(deployment),
        )
        return deployments.checked(self, stored, plan)

    async def execute(self, systems: Systems, plan: Plan, progress: Progress) -> None:
        """Write the time of the restart into the pod template. Raises UserError."""
        restart = _restart(systems.now())
        await deployments.apply(systems, self.deployment, plan, progress, restart)

    def describe(self, deployment: Deployment) -> str:
        """When it was restarted last."""
        at = _restarted_at(deployment)
        when = f"was last restarted at {_readable(at)}" if at else "was not restarted"
        return f"{deployment.name} {when}"

    def remains(self, deployment: Deployment) -> str:
        """Nothing: new pods replace those that this restarted."""
        return ""

    def success(self, deployment: Deployment) -> str:
        """That it was restarted."""
        return f"{deployment.name} was restarted"

    def is_applied_to(self, deployment: Deployment, plan: Plan) -> bool:
        """Whether the template differs from the one before; the time in it is not in the plan."""
        return bool(deployment.spec_digest != plan.fingerprint["spec"])


def _restarted_at(deployment: Deployment) -> str:
    metadata = deployment.template.get("metadata") or {}
    return str((metadata.get("annotations") or {}).get(patches.RESTARTED_AT_ANNOTATION, ""))


def _readable(at: str) -> str:
    """The time of an annotation for people; as it is where it is none."""
    try:
        return f"{datetime.fromisoformat(at).astimezone(UTC):%H:%M:%S} UTC"
    except ValueError:
        return at


class DeletePods(Change):
    """Delete the pods that a label selector names, all at once; their controller makes new ones."""

    name: ClassVar = "delete-pods"
    risk: ClassVar = Risk.DESTRUCTIVE
    place_keys: ClassVar = IN_CLUSTER
    selector: Selector
    watch_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    deadline_seconds: Annotated[float, Field(gt=0, le=3600)] = 300

    async def plan(self, systems: Systems) -> Plan:
        """Which pods, and how much of the capacity they are. Raises UserError.

        Pods of Jobs, and others that have finished, stay.
        """
        cluster = systems.cluster
        pods = [pod for pod in await cluster.pods(self.selector) if _runs(pod)]
        self._check(cluster, pods)
        owner = await _owner(cluster, pods)
        await asyncio.gather(*(cluster.delete_pod(pod, dry_run=True) for pod in pods))
        expected = len(pods) if owner is None else max(owner.replicas, len(pods))
        return Plan(
            target=cluster.target(f"pods/{self.selector}") if owner is None else owner.target,
            summary=self._summary(pods),
            blast_radius=deletions.blast_radius(pods, expected),
            check=deployments.success_criteria(len(pods), self._timeouts),
            dry_run=deployments.DRY_RUN_ACCEPTED,
            warnings=tuple(await deletions.warnings(cluster, pods, owner)),
            table=deletions.table(pods, systems.now()),
            fingerprint={
                "pods": {pod.name: pod.uid for pod in pods},
                "of": expected,
                "workloads": sorted({pod.workload for pod in pods}),
            },
        )

    def _summary(self, pods: Sequence[Pod]) -> str:
        text = f"Delete {plural(len(pods), 'pod')} of {self.selector} at once"
        return (
            text
            if len(pods) > deletions.NAMED_PODS
            else f"{text}: {', '.join(pod.name for pod in pods)}"
        )

    def _check(self, cluster: Cluster, pods: Sequence[Pod]) -> None:
        """Raises UserError when there are no pods, too many, or some that would not come back."""
        if not pods:
            raise UserError(
                f"No pods match {self.selector} in {cluster.place}, so there is nothing to delete."
            )
        if len(pods) > MAX_PODS:
            raise UserError(
                f"{self.selector} names {len(pods)} pods in {cluster.place}, and no more than "
                f"{MAX_PODS} are deleted at once, so nothing was planned. Name fewer, or use a "
                "rolling restart."
            )
        unowned = [pod.name for pod in pods if not pod.owner_uid]
        if unowned:
            raise UserError(
                f"No controller owns {', '.join(unowned)} in {cluster.place}, so nothing would "
                "make it again, and nothing was planned. Delete it by hand if that is what you "
                "want."
            )

    @property
    def _timeouts(self) -> RolloutTimeouts:
        return RolloutTimeouts(steady=self.watch_seconds, deadline=self.deadline_seconds)

    async def execute(self, systems: Systems, plan: Plan, progress: Progress) -> None:
        """Delete the planned pods that are still there, each in the version that was read last.

        Raises UserError when some were not deleted; `unsure` if others were.
        """
        for _ in range(deployments.ATTEMPTS):
            pods = await self._undeleted(systems, plan, progress)
            if not pods:
                return
            versions = {pod.uid: pod.resource_version for pod in pods}
            await self._check_sendable(progress, versions, systems.now())
            results = await asyncio.gather(*(_delete(systems.cluster, pod) for pod in pods))
            answers = dict(zip(versions, results, strict=True))
            await progress.answered(
                {uid: answer for uid, answer in answers.items() if isinstance(answer, str)}
            )
            failed = [result for result in results if isinstance(result, ClusterError)]
            lasting = [error for error in failed if not isinstance(error, Conflict)]
            if lasting:
                raise self._failed(plan, progress, lasting)
        raise self._failed(plan, progress, failed)

    async def _undeleted(self, systems: Systems, plan: Plan, progress: Progress) -> list[Pod]:
        """The planned pods that nobody deletes yet."""
        planned = set(plan.fingerprint["pods"].values()) - progress.evidence.answers.keys()
        if not planned:
            return []
        pods = await systems.cluster.pods(self.selector)
        return [pod for pod in pods if pod.uid in planned and not pod.terminating]

    async def _check_sendable(
        self, progress: Progress, versions: dict[str, str], now: datetime
    ) -> None:
        try:
            await progress.sending(versions, now)
        except UserError as error:
            raise UserError(
                str(error), unsure=DELETED in progress.evidence.answers.values()
            ) from None

    def _failed(self, plan: Plan, progress: Progress, errors: Sequence[UserError]) -> UserError:
        done = list(progress.evidence.answers.values()).count(DELETED)
        unsure = done > 0 or any(error.unsure for error in errors)
        count = len(plan.fingerprint["pods"])
        return UserError(f"{done} of {count} pods were deleted. {errors[0]}", unsure=unsure)

    async def differences(
        self, systems: Systems, approved: Plan, executions: Sequence[Execution]
    ) -> tuple[Difference, ...]:
        """Which pods are gone or new since the plan was made, and what deleted or replaced them."""
        planned = {uid: name for name, uid in approved.fingerprint["pods"].items()}
        pods = {pod.uid: pod for pod in await systems.cluster.pods(self.selector) if _runs(pod)}
        gone = [uid for uid in planned if uid not in pods]
        new = [pod for uid, pod in pods.items() if uid not in planned]
        by = _replaced_by(gone, new, executions, await _revisions(systems.cluster, new))
        parts = (("gone", [planned[uid] for uid in gone]), ("new", [pod.name for pod in new]))
        facts = [f"{word}: {', '.join(sorted(names))}" for word, names in parts if names]
        return tuple(Difference(what=fact, by=by, outside=by is None) for fact in facts)

    async def settle(self, systems: Systems, plan: Plan, progress: Progress) -> Verdict | None:
        """Fence the pods that a deletion may still reach; count those that this deleted.

        A pod that is gone without an answer may have been deleted by this, so that counts too.
        """
        evidence = progress.evidence
        none = f"This deleted no pod of {self.selector}."
        if evidence.sent == {}:
            return Verdict(ok=False, was_applied=False, text=none)
        for _ in range(deployments.ATTEMPTS):
            if await self._fence(systems, plan, progress):
                break
        else:
            raise UserError(
                f"The pods of {self.selector} in {systems.cluster.place} change too often to find "
                "out whether they are deleted."
            )
        remaining = await self._undeleted(systems, plan, progress)
        maybe = _gone_without_answer(plan, evidence, remaining)
        if DELETED in evidence.answers.values() or maybe:
            return None
        return Verdict(ok=False, was_applied=False, text=none)

    async def _fence(self, systems: Systems, plan: Plan, progress: Progress) -> bool:
        """Whether no deletion can arrive any more: each was sent for one version of its pod."""
        sent = progress.evidence.sent
        pods = [
            pod
            for pod in await self._undeleted(systems, plan, progress)
            if sent is None or sent.get(pod.uid) == pod.resource_version
        ]
        results = await asyncio.gather(*(_fence_pod(systems.cluster, pod) for pod in pods))
        return all(results)

    async def verify(self, systems: Systems, plan: Plan, progress: Progress) -> Verdict:
        """Whether they are deleted, and as many new pods become ready and stay ready."""
        planned = set(plan.fingerprint["pods"].values())
        pods = await systems.cluster.pods(self.selector)
        remaining = [pod.name for pod in pods if pod.uid in planned and not pod.terminating]
        if remaining:
            text = f"Not all were deleted: {', '.join(remaining)} still run"
            return Verdict(ok=False, text=text)

        workloads = set(plan.fingerprint.get("workloads") or {pod.workload for pod in pods})

        async def probe() -> RolloutStatus:
            return _status(await systems.cluster.pods(self.selector), planned, workloads)

        success = _what_was_deleted(plan, progress.evidence)
        return await rollout.watch(probe, progress, self._timeouts, lambda: success)


async def _revisions(cluster: Cluster, pods: Sequence[Pod]) -> dict[str, str]:
    """The digest of the template that each of these pods was made from, by the pods' uids."""
    owner = await _owner(cluster, pods) if pods else None
    if owner is None:
        return {}
    revisions = {each.uid: digest(each.template) for each in await cluster.revisions(owner)}
    return {pod.uid: revisions[pod.owner_uid] for pod in pods if pod.owner_uid in revisions}


def _replaced_by(
    gone: Sequence[str],
    new: Sequence[Pod],
    executions: Sequence[Execution],
    templates: Mapping[str, str],
) -> Execution | None:
    """The execution that deleted one of them, or rolled out the template of the new ones."""
    for execution in reversed(executions):
        answers = execution.evidence.answers
        if any(answers.get(uid) == DELETED for uid in gone):
            return execution
        if not gone and "replicas" not in execution.params:
            continue  # it added no pods
        if deployments.TEMPLATE in answers and any(
            templates.get(pod.uid) == answers[deployments.TEMPLATE] for pod in new
        ):
            return execution
    return None


def _gone_without_answer(plan: Plan, evidence: Evidence, remaining: Sequence[Pod]) -> set[str]:
    """The uids of pods that this may have deleted: they are gone, and nothing was answered."""
    is_unrecorded = evidence.sent is None
    uids = set(plan.fingerprint["pods"].values() if is_unrecorded else evidence.unanswered)
    return uids - {pod.uid for pod in remaining}


def _what_was_deleted(plan: Plan, evidence: Evidence) -> str:
    """How many pods were replaced, and which of them not certainly by this."""
    names = {uid: name for name, uid in plan.fingerprint["pods"].items()}
    deleted = list(evidence.answers.values()).count(DELETED)
    if deleted == len(names):
        return f"{plural(deleted, 'pod')} {'was' if deleted == 1 else 'were'} replaced"
    unknown = sorted(names[uid] for uid in evidence.unanswered if uid in names)
    others = sorted(
        name
        for uid, name in names.items()
        if evidence.answers.get(uid) != DELETED and uid not in evidence.unanswered
    )
    parts = [f"{deleted} of {len(names)} pods were deleted by this"]
    parts += [f"{', '.join(others)} had gone before"] if others else []
    parts += (
        [f"whether {', '.join(unknown)} were, is not known, and they are gone"] if unknown else []
    )
    return "; ".join(parts)


async def _delete(cluster: Cluster, pod: Pod) -> str | ClusterError:
    """Delete one pod; returns the answer or the error."""
    try:
        await cluster.delete_pod(pod)
    except ObjectNotFound:
        return GONE
    except ClusterError as error:
        return error
    return DELETED


async def _fence_pod(cluster: Cluster, pod: Pod) -> bool:
    """Give a pod another version; False where it has one by now. Raises ClusterError."""
    try:
        await cluster.fence(pod)
    except (Conflict, ObjectNotFound):
        return False
    return True


def _runs(pod: Pod) -> bool:
    return not (pod.terminating or pod.finished or pod.is_of_job)


def _status(pods: Sequence[Pod], deleted: set[str], workloads: set[str]) -> RolloutStatus:
    """The pods that replace those with the uids in `deleted`: of the same workloads, and no others.

    Pods of a Job may carry the same labels.
    """
    new = tuple(
        pod for pod in pods if pod.uid not in deleted and _runs(pod) and pod.workload in workloads
    )
    return RolloutStatus(
        pods=new,
        # A pod may be added meanwhile for other reasons; it has to become ready too.
        expected=max(len(deleted), len(new)),
        replaced=all(pod.uid not in deleted for pod in pods),
        failure=rollout.stuck_reason(new),
    )


async def _owner(cluster: Cluster, pods: Sequence[Pod]) -> Deployment | None:
    """The Deployment that owns all these pods, or None."""
    workloads = {pod.workload for pod in pods}
    kind, _, name = workloads.pop().partition("/")
    if workloads or kind != DEPLOYMENT:
        return None
    try:
        deployment = await cluster.deployment(name)
    except NotFound:
        return None
    revision_uids = {revision.uid for revision in await cluster.revisions(deployment)}
    return deployment if all(pod.owner_uid in revision_uids for pod in pods) else None
