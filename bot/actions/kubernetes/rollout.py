"""Wait for a rollout, then watch its pods for a while: being ready once proves little."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from bot.actions.base import Progress
from bot.actions.kubernetes import pods
from bot.model import Model, Verdict
from bot.systems.kubernetes import (
    Cluster,
    ClusterError,
    Deployment,
    Pod,
    Revision,
    TimedOut,
    Unreachable,
    digest,
)

# States of a container that do not end by waiting.
STUCK_STATUSES = {
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "OOMKilled",
    "RunContainerError",
}


class RolloutTimeouts(Model):
    """In seconds: how long pods must stay ready, and how long they may take to become ready."""

    steady: float
    deadline: float

    @property
    def poll_interval(self) -> float:
        """Between two probes."""
        return min(1.0, max(self.steady / 15, 0.02))

    @property
    def report_interval(self) -> float:
        """Between two progress texts."""
        return min(2.0, self.steady / 5)

    @property
    def stuck_grace(self) -> float:
        """How long pods may seem stuck: a registry may be slow once."""
        return min(self.steady, self.deadline / 4)


class RolloutStatus(Model):
    """What one probe has seen.

    `pods` are the new ones, `expected` is how many there should be; `replaced` says whether all old
    ones are gone, and `serving` how many old ones are still ready. `failure` says why the rollout
    is stuck, or is empty. `undone` says what somebody else made of the change since, or is empty.
    """

    pods: tuple[Pod, ...]
    expected: int
    replaced: bool
    serving: int = 0
    failure: str = ""
    undone: str = ""

    @property
    def ready(self) -> int:
        """How many new pods take traffic."""
        return sum(pod.ready and not pod.terminating for pod in self.pods)

    @property
    def is_complete(self) -> bool:
        """Whether there are only new pods, all of them ready."""
        return self.replaced and self.ready == self.expected

    @property
    def summary(self) -> str:
        """Like `1 of 3 ready: CrashLoopBackOff, exit 2`."""
        reasons = dict.fromkeys(pod.unready_reason for pod in self.pods if not pod.ready)
        text = f"{self.ready} of {self.expected} ready"
        text += f": {'; '.join(list(reasons)[: pods.MAX_REASONS])}" if reasons else ""
        return f"{text}; {self._old_pods}" if self.serving else text

    @property
    def progress_text(self) -> str:
        """How far it is, and whether old pods still serve: then few new pods are no outage."""
        if self.serving:
            return f"{self.ready} of {self.expected} new pods ready, {self._old_pods}"
        outage = ", no pod serves yet" if self.expected and not self.ready else ""
        return f"{self.ready} of {self.expected} ready{outage}"

    @property
    def _old_pods(self) -> str:
        if self.serving == 1:
            return "1 old one still serves"
        return f"{self.serving} old ones still serve"


Probe = Callable[[], Awaitable[RolloutStatus]]


class ThrottledProgress:
    """Reports progress texts, but none twice in a row, and none too soon after another."""

    def __init__(self, progress: Progress, interval: float) -> None:
        self._progress = progress
        self._interval = interval
        self._last_text = ""
        self._next_at = 0.0

    async def report(self, text: str) -> None:
        """Report a text, or drop it."""
        now = asyncio.get_running_loop().time()
        if text != self._last_text and now >= self._next_at:
            self._last_text, self._next_at = text, now + self._interval
            await self._progress.report(text)


class UndoneOutsideError(Exception):
    """Somebody else has undone the change, or changed it; the text says what and who."""


async def watch(
    probe: Probe, progress: Progress, timeouts: RolloutTimeouts, success: Callable[[], str]
) -> Verdict:
    """Wait until the new pods are ready, then watch them stay ready.

    `success` gives the beginning of the good verdict. Raises ClusterError when the cluster does not
    answer until the deadline.
    """
    throttled = ThrottledProgress(progress, timeouts.report_interval)
    try:
        status, problem = await _wait_until_ready(probe, throttled, timeouts)
        problem = problem or await _watch_ready_pods(probe, throttled, timeouts, status)
    except UndoneOutsideError as error:
        return Verdict(ok=False, text=str(error), undone_outside=True)
    if problem:
        return Verdict(ok=False, text=problem)
    if not status.expected:
        return Verdict(ok=True, text=f"{success()}: no pods are left")
    ready = f"{status.expected} of {status.expected} ready"
    return Verdict(ok=True, text=f"{success()}: {ready}, no restarts for {timeouts.steady:g} s")


async def _wait_until_ready(
    probe: Probe, progress: ThrottledProgress, timeouts: RolloutTimeouts
) -> tuple[RolloutStatus, str]:
    """The last status, and why the pods did not become ready; empty when they did."""
    loop = asyncio.get_running_loop()
    deadline, stuck_since = loop.time() + timeouts.deadline, None
    while True:
        status = await _probe_with_retry(probe, timeouts, deadline)
        if status.is_complete:
            return status, ""
        now = loop.time()
        stuck_since = (stuck_since or now) if status.failure else None
        if stuck_since is not None and now - stuck_since >= timeouts.stuck_grace:
            return status, f"It does not get ready: {status.failure}; {status.summary}"
        if now >= deadline:
            return status, f"Not done after {timeouts.deadline:g} s: {status.summary}"
        await progress.report(f"Rollout: {status.progress_text}")
        await asyncio.sleep(timeouts.poll_interval)


async def _watch_ready_pods(
    probe: Probe, progress: ThrottledProgress, timeouts: RolloutTimeouts, first: RolloutStatus
) -> str:
    """What went wrong while the pods had to stay ready, or empty; `first` is when they were."""
    if not first.expected:
        return ""
    loop = asyncio.get_running_loop()
    start = loop.time()
    restarts = {pod.uid: pod.restarts for pod in first.pods}
    while True:
        status = await _probe_with_retry(
            probe, timeouts, start + timeouts.steady + timeouts.deadline
        )
        if problem := _regression(status, restarts):
            return problem
        elapsed = loop.time() - start
        if elapsed >= timeouts.steady:
            return ""
        counts = f"{status.ready} of {status.expected} ready, no restarts"
        await progress.report(f"Watching: {elapsed:.0f} of {timeouts.steady:g} s, {counts}")
        await asyncio.sleep(min(timeouts.poll_interval, timeouts.steady - elapsed))


def _regression(status: RolloutStatus, restarts: dict[str, int]) -> str:
    """What is worse than when the pods were ready, or empty; `restarts` are those of then."""
    for pod in status.pods:
        if pod.restarts > restarts.get(pod.uid, 0):
            reason = pod.unready_reason or _exit_reason(pod)
            return f"{pod.name} was ready and then restarted ({reason}); {status.summary}"
    if not status.is_complete:
        return f"The pods were ready, but did not stay ready: {status.summary}"
    return ""


def _exit_reason(pod: Pod) -> str:
    return "for no reason given" if pod.exit_code is None else f"exit {pod.exit_code}"


async def _probe_with_retry(
    probe: Probe, timeouts: RolloutTimeouts, deadline: float
) -> RolloutStatus:
    """One probe, tried again while the cluster does not answer.

    Raises UndoneOutsideError; Unreachable or TimedOut when there is no answer until the deadline.
    """
    while True:
        try:
            status = await probe()
        except (Unreachable, TimedOut):
            if asyncio.get_running_loop().time() >= deadline:
                raise
            await asyncio.sleep(timeouts.poll_interval)
            continue
        if status.undone:
            raise UndoneOutsideError(status.undone)
        return status


async def rollout_status(cluster: Cluster, deployment: Deployment, undone: str) -> RolloutStatus:
    """The rollout of a Deployment, with what somebody else made of it. Raises ClusterError."""
    revisions = await cluster.revisions(deployment)
    current = current_revision(deployment, revisions)
    uid = current.uid if current else ""
    old_uids = {revision.uid for revision in revisions} - {uid}
    all_pods = await cluster.pods(deployment.selector)
    new_pods = tuple(pod for pod in all_pods if pod.owner_uid == uid and not pod.finished)
    # Until the controller has seen the change, a failure is one of the rollout before.
    failure = (
        (deployment.stuck_reason or stuck_reason(new_pods)) if deployment.spec_observed else ""
    )
    return RolloutStatus(
        pods=new_pods,
        expected=deployment.replicas,
        replaced=deployment.rolled_out,
        serving=sum(_serves(pod) and pod.owner_uid in old_uids for pod in all_pods),
        failure=failure,
        undone=undone,
    )


async def failing(cluster: Cluster, deployment: Deployment) -> str:
    """How a Deployment fails now, such as `0 of 3 ready: CrashLoopBackOff, exit 2`; or empty.

    An undo leads back to it. Where it cannot be read, nothing is said.
    """
    try:
        status = await rollout_status(cluster, deployment, "")
    except ClusterError:
        return ""
    fails = bool(status.failure) or status.ready == 0
    return status.summary if fails and status.expected else ""


def _serves(pod: Pod) -> bool:
    return pod.ready and not pod.terminating


def current_revision(deployment: Deployment, revisions: Sequence[Revision]) -> Revision | None:
    """The revision that has the template of the Deployment; None until the controller made it."""
    expected = digest(deployment.template)
    return next((revision for revision in revisions if digest(revision.template) == expected), None)


def stuck_reason(pods: Sequence[Pod]) -> str:
    """The first pod that will not run until something changes, and why; or empty."""
    for pod in pods:
        crashed = pod.restarts > 0 and pod.exit_code is not None
        if not pod.ready and (pod.status.removeprefix("Init:") in STUCK_STATUSES or crashed):
            return f"{pod.name} is {pod.unready_reason}"
    return ""
