"""What all changes of a Deployment share: the fingerprint, the dry run and the guarded write."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field

from bot.actions.base import Change, Progress
from bot.actions.kubernetes import differences, rollout
from bot.actions.kubernetes.rollout import RolloutStatus, RolloutTimeouts
from bot.actions.params import Name
from bot.actions.wording import percent
from bot.model import (
    BlastRadius,
    Difference,
    Evidence,
    Execution,
    Plan,
    Sighting,
    UserError,
    Verdict,
)
from bot.systems import Systems, kubernetes
from bot.systems.kubernetes import (
    Cluster,
    Conflict,
    Deployment,
    ObjectNotFound,
    digest,
    managed_fields,
)

ATTEMPTS = 5
TEMPLATE = differences.TEMPLATE
DRY_RUN_ACCEPTED = "The API server accepts it (dry run, nothing was written)."
AFTER_DELETION = "If it is not there again by now, deploy it; then look at its pods."
ChangeFactory = Callable[[Deployment], kubernetes.DeploymentPatch]


class DeploymentChange(Change):
    """A change of one Deployment, after which its pods must become ready and stay ready.

    `deadline_seconds` is how long they may take to become ready, `watch_seconds` how long they must
    stay ready then.
    """

    deployment: Name
    watch_seconds: Annotated[float, Field(gt=0, le=600)] = 30
    deadline_seconds: Annotated[float, Field(gt=0, le=3600)] = 300
    noun: ClassVar = "change"

    @abstractmethod
    def describe(self, deployment: Deployment) -> str:
        """What the Deployment is now, as far as this changes it; a sentence without its end."""

    @abstractmethod
    def is_applied_to(self, deployment: Deployment, plan: Plan) -> bool:
        """Whether the Deployment is as the plan has it, as far as this changes it."""

    def is_undone_in(self, deployment: Deployment, plan: Plan) -> bool:
        """Whether the Deployment is as it was before the plan, as far as this changes it."""
        return bool(deployment.spec_digest == plan.fingerprint["spec"])

    def fields(self, deployment: Deployment) -> tuple[managed_fields.Path, ...]:
        """The paths of what this changes, where they are not the whole pod template."""
        return ()

    def success(self, deployment: Deployment) -> str:
        """The beginning of the good verdict."""
        return self.describe(deployment)

    def remains(self, deployment: Deployment) -> str:
        """What of this change is still there after somebody else changed the Deployment."""
        return self.describe(deployment)

    async def differences(
        self, systems: Systems, approved: Plan, executions: Sequence[Execution]
    ) -> tuple[Difference, ...]:
        """What of the Deployment changed since the plan was made, and who changed it."""
        deployment = await systems.cluster.deployment(self.deployment)
        return await differences.since(systems.cluster, deployment, approved, executions)

    def as_left(self, plan: Plan, evidence: Evidence) -> Plan | None:
        """The plan with the template that the patch was answered with."""
        if TEMPLATE not in evidence.answers:
            return None
        left = {"uid": plan.fingerprint["uid"], TEMPLATE: evidence.answers[TEMPLATE]}
        return plan.model_copy(update={"fingerprint": left})

    async def settle(self, systems: Systems, plan: Plan, progress: Progress) -> Verdict | None:
        """Look for this execution's id on the Deployment, and fence it where it is not there."""
        if TEMPLATE in progress.evidence.answers:
            return None
        try:
            deployment = await find_applied(systems.cluster, self.deployment, plan, progress)
            if deployment is None:
                text = f"The {self.noun} was not done: {await self._live_fact(systems.cluster)}."
                return Verdict(ok=False, was_applied=False, text=text)
        except ObjectNotFound:
            text = (
                f"deployment/{self.deployment} was deleted. Whether the {self.noun} was done "
                f"before is not known. {AFTER_DELETION}"
            )
            return Verdict(ok=False, undone_outside=True, gone=True, text=text)
        await progress.answered(await _found(systems.cluster, deployment, progress))
        return None

    async def _live_fact(self, cluster: Cluster) -> str:
        try:
            return self.describe(await cluster.deployment(self.deployment))
        except UserError:  # that it was not done is known all the same
            return "what it is now cannot be read"

    async def verify(self, systems: Systems, plan: Plan, progress: Progress) -> Verdict:
        """Whether it stays as planned, and its pods become ready and stay ready.

        Raises ClusterError when the cluster does not answer until the deadline.
        """
        success, is_undone = "", False

        async def probe() -> RolloutStatus:
            nonlocal success, is_undone
            deployment = await systems.cluster.deployment(self.deployment)
            success, is_undone = self.success(deployment), self.is_undone_in(deployment, plan)
            undone = await self._undone_outside(systems.cluster, deployment, plan, progress)
            return await rollout.rollout_status(systems.cluster, deployment, undone)

        try:
            verdict = await rollout.watch(probe, progress, self.timeouts, lambda: success)
        except ObjectNotFound:
            text = f"Done, then deployment/{self.deployment} was deleted. {AFTER_DELETION}"
            return Verdict(ok=False, undone_outside=True, gone=True, text=text)
        return verdict.model_copy(update={"gone": verdict.undone_outside and is_undone})

    async def _undone_outside(
        self, cluster: Cluster, deployment: Deployment, plan: Plan, progress: Progress
    ) -> str:
        """What somebody else made of it since, and who; empty while it is as this left it."""
        template = progress.evidence.answers.get(TEMPLATE)
        is_applied = self.is_applied_to(deployment, plan)
        if is_applied and template in (None, digest(deployment.template)):
            return ""
        paths = () if is_applied else self.fields(deployment)
        for revision in await cluster.revisions(deployment):
            if digest(revision.template) == template:
                paths += managed_fields.changed_paths(revision.template, deployment.template)
        who, fact = _who_wrote(deployment, paths, progress), self.describe(deployment)
        if is_applied:
            still = self.remains(deployment)
            return (
                f"Done, then {deployment.name} was changed {who}: it runs image "
                f"{deployment.image_tags} now{', and ' + still if still else ''}."
            )
        if self.is_undone_in(deployment, plan):
            return f"Done, then put back {who}: {fact} again."
        return f"Done, then changed {who}: {fact}."

    @property
    def timeouts(self) -> RolloutTimeouts:
        """The times of the check."""
        return RolloutTimeouts(steady=self.watch_seconds, deadline=self.deadline_seconds)

    def success_criteria(self, replicas: int) -> str:
        """What `verify` waits for, as a sentence."""
        return success_criteria(replicas, self.timeouts)


def _who_wrote(
    deployment: Deployment, paths: tuple[managed_fields.Path, ...], progress: Progress
) -> str:
    """Like `by argocd-controller after about 12 s`, as the server noted it.

    Else `outside Runbolt`, where no other execution has written since.
    """
    notes = deployment.managed_fields
    ours = managed_fields.written_at(notes, managed_fields.OUR_MANAGER)
    for path in paths:
        writer = managed_fields.written_after_us(notes, path)
        if writer is not None and writer.at is not None and ours is not None:
            seconds = (writer.at - ours).total_seconds()
            # The server notes whole seconds.
            span = f"after about {seconds:.0f} s" if seconds >= 1 else "within a second"
            return f"by {writer.label} {span}"
    if deployment.last_execution and not is_changed_by(deployment, progress):
        return "by another execution, or outside Runbolt"
    return "outside Runbolt"


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
            f"{deployment.full_label} has several containers ({names}), so nothing was planned. "
            "Name one in the playbook, as `container` under `params`."
        )
    for container in containers:
        if name in (None, container["name"]):
            return container
    raise UserError(
        f"{deployment.full_label} has no container {name}, so nothing was planned. It has: {names}."
    )


def checked(change: DeploymentChange, stored: Deployment, plan: Plan) -> Plan:
    """The plan; with a warning where the API server itself would not keep the change.

    `stored` is what it answered to the dry run: an admission webhook may have the last word.
    """
    if change.is_applied_to(stored, plan):
        return plan
    warning = (
        f"The API server takes this back at once: in its dry run {stored.name} stays as it is. "
        "An admission webhook does that; find out whose it is before you approve."
    )
    return plan.model_copy(update={"warnings": (warning, *plan.warnings)})


def check_not_paused(deployment: Deployment, consequence: str) -> None:
    """Raises UserError when the Deployment is paused; `consequence` says what would not work."""
    if deployment.paused:
        raise UserError(
            f"{deployment.full_label} is paused, so {consequence}. Resume it with `kubectl rollout "
            f"resume {deployment.label} --namespace {deployment.namespace}`, and request it again."
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


def blast_radius(deployment: Deployment, effect: str = "") -> BlastRadius:
    """How many pods a rollout replaces, and how many may be missing at the same time.

    `effect` is what else people notice. The numbers are those of the strategy, so that an
    autoscaler does not change them.
    """
    return BlastRadius(
        text=_replaced(deployment),
        effect=effect,
        pods=deployment.max_unavailable_pods,
        capacity=deployment.max_unavailable_percent,
    )


def _replaced(deployment: Deployment) -> str:
    if not deployment.replicas:
        return "Nothing is lost: it is scaled to 0, so no pod runs."
    count, missing = deployment.replicas, deployment.max_unavailable
    if not missing:
        pods = "1 pod is" if count == 1 else f"{count} pods are"
        return f"No capacity is lost: {pods} replaced; none stops before its successor is ready."
    if missing >= count:
        return f"{all_at_once(count)}: no capacity until new ones are ready."
    share = percent(missing, count)
    return f"Up to {missing} of {count} pods ({share}) missing at a time, until all are replaced."


def all_at_once(count: int) -> str:
    """The beginning of a sentence about all pods."""
    return "The only pod" if count == 1 else f"All {count} pods at once"


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
    systems: Systems, name: str, plan: Plan, progress: Progress, make_change: ChangeFactory
) -> None:
    """Patch the Deployment once, if it is still as it was when the plan was made.

    A change of the status alone also moves the resourceVersion, so after a Conflict the Deployment
    is read and compared again. Raises UserError, with nothing changed, when it has drifted; and
    ClusterError when the server refuses, or when it is not known whether the patch was applied.
    """
    cluster = systems.cluster
    for attempt in range(ATTEMPTS):
        deployment = await cluster.deployment(name)
        if attempt and is_changed_by(deployment, progress):
            # A proxy sent it twice: the second one was in conflict with the first.
            await progress.answered(_stored(deployment))
            return
        _check_no_drift(plan, deployment)
        await progress.sending({deployment.target: deployment.resource_version}, systems.now())
        try:
            stored = await cluster.patch(deployment, make_change(deployment), progress.execution_id)
        except Conflict:
            continue
        await progress.answered(_stored(stored))
        return
    raise Conflict(
        f"deployment/{name} in {cluster.place} was changed by somebody else {ATTEMPTS} times in a "
        "row, so nothing was changed. Find out who else works on it, and request it again."
    )


async def _found(cluster: Cluster, deployment: Deployment, progress: Progress) -> dict[str, str]:
    """The evidence of a patch whose answer is not known.

    Others may have changed the Deployment since, and its annotation stays: what the patch stored is
    the oldest revision that bears the execution's id.
    """
    execution = str(progress.execution_id)
    revisions = await cluster.revisions(deployment)
    ours = [revision for revision in revisions if revision.execution == execution]
    found = {deployment.target: deployment.resource_version}
    if ours:
        found[TEMPLATE] = digest(min(ours, key=lambda revision: revision.number).template)
    return found


def _stored(deployment: Deployment) -> dict[str, str]:
    """The evidence of what a patch has stored."""
    return {
        deployment.target: deployment.resource_version,
        TEMPLATE: digest(deployment.template),
    }


def _check_no_drift(plan: Plan, deployment: Deployment) -> None:
    live = fingerprint(deployment) | {"replicas": deployment.replicas}
    changed = [key for key, value in live.items() if plan.fingerprint.get(key, value) != value]
    if changed:
        raise UserError(
            f"{deployment.full_label} changed since the plan was made ({', '.join(changed)}), so "
            f"nothing was done. It now runs revision {deployment.revision} (image "
            f"{deployment.image_tags}) with {deployment.replicas} replicas. Request it again."
        )


async def find_applied(
    cluster: Cluster, name: str, plan: Plan, progress: Progress
) -> Deployment | None:
    """The Deployment if this execution changed it; None if it did not and no longer can.

    Where the version that a patch was sent for is still the newest, the Deployment is given another
    one, so that the patch fails if it arrives late. Raises ClusterError while that is not known,
    and ObjectNotFound where the Deployment of the plan is gone, also when another has its name.
    """
    sent = progress.evidence.sent
    if sent == {}:
        return None
    for _ in range(ATTEMPTS):
        deployment = await cluster.deployment(name)
        if deployment.uid != plan.fingerprint.get("uid", deployment.uid):
            raise ObjectNotFound(f"deployment/{name} in {cluster.place} was deleted and made anew.")
        if await _bears_execution(cluster, deployment, progress):
            return deployment
        if sent is not None and sent.get(deployment.target) != deployment.resource_version:
            return None
        try:
            await cluster.fence(deployment)
        except Conflict:
            continue
        return None
    raise Conflict(
        f"deployment/{name} in {cluster.place} was changed by somebody else {ATTEMPTS} times in a "
        "row, so it is not known yet whether this was done."
    )


async def _bears_execution(cluster: Cluster, deployment: Deployment, progress: Progress) -> bool:
    """Whether the execution's id is on it, or on a revision: these keep what it had."""
    if is_changed_by(deployment, progress):
        return True
    execution = str(progress.execution_id)
    revisions = await cluster.revisions(deployment)
    return any(revision.execution == execution for revision in revisions)


def is_changed_by(deployment: Deployment, progress: Progress) -> bool:
    """Whether this execution was the last one to change the Deployment."""
    return deployment.last_execution == str(progress.execution_id)
