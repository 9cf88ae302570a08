"""Whether new pods become ready, and stay so: a rollout that is done proves little."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from bot.actions import Run
from bot.cluster import Cluster, Deployment, Pod, Revision, TimedOut, Unreachable, digest
from bot.model import Noun, Verdict
from commands.actions import pods

# What waiting alone does not mend.
STUCK = {
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


class Limits(Noun):
    """Seconds: how long pods must stay ready, and when to give up waiting for them."""

    steady: float
    deadline: float

    @property
    def pause(self) -> float:
        """Between two looks."""
        return min(1.0, max(self.steady / 15, 0.02))

    @property
    def pace(self) -> float:
        """Between two words to people."""
        return min(2.0, self.steady / 5)

    @property
    def grace(self) -> float:
        """How long something may look stuck: a registry that is slow once is forgiven."""
        return min(self.steady, self.deadline / 4)


class Sight(Noun):
    """One look: the new pods, how many there should be, and whether the old ones are gone.

    `serving` is how many old ones are ready still, and so take traffic.
    """

    pods: tuple[Pod, ...]
    wanted: int
    replaced: bool
    serving: int = 0
    failure: str = ""

    @property
    def ready(self) -> int:
        """The pods that take traffic."""
        return sum(pod.ready and not pod.leaving for pod in self.pods)

    @property
    def done(self) -> bool:
        """Only new pods, all of them ready."""
        return self.replaced and self.ready == self.wanted

    @property
    def words(self) -> str:
        """Like `1 of 3 ready: CrashLoopBackOff, exit 2`."""
        reasons = dict.fromkeys(pod.trouble for pod in self.pods if not pod.ready)
        text = f"{self.ready} of {self.wanted} ready"
        text += f": {'; '.join(list(reasons)[: pods.REASONS])}" if reasons else ""
        return f"{text}; {self._old}" if self.serving else text

    @property
    def progress(self) -> str:
        """How far it is, and what serves meanwhile: few new pods alone are no outage."""
        if self.serving:
            return f"{self.ready} of {self.wanted} new pods ready, {self._old}"
        nothing = ", no pod serves yet" if self.wanted and not self.ready else ""
        return f"{self.ready} of {self.wanted} ready{nothing}"

    @property
    def _old(self) -> str:
        several = f"{self.serving} old ones still serve"
        return "1 old one still serves" if self.serving == 1 else several


Look = Callable[[], Awaitable[Sight]]


class Teller:
    """Tells people how far it is: when that changed, and not too often."""

    def __init__(self, run: Run, pace: float) -> None:
        self._run = run
        self._pace = pace
        self._said = ""
        self._next = 0.0

    async def say(self, text: str) -> None:
        """Say it, unless it was just said or something else was a moment ago."""
        now = asyncio.get_running_loop().time()
        if text != self._said and now >= self._next:
            self._said, self._next = text, now + self._pace
            await self._run.say(text)


async def watch(look: Look, run: Run, limits: Limits, done: str) -> Verdict:
    """Wait until the new pods are ready, then see them stay so; `done` begins the good verdict.

    Raises ClusterError when the cluster cannot be asked until the time is over.
    """
    teller = Teller(run, limits.pace)
    end = asyncio.get_running_loop().time() + limits.deadline
    sight, problem = await _settle(look, teller, limits, end)
    if problem:
        return Verdict(ok=False, text=problem)
    problem = await _stay(look, teller, limits, sight)
    if problem:
        return Verdict(ok=False, text=problem)
    if not sight.wanted:
        return Verdict(ok=True, text=f"{done}: no pods are left")
    steady = f"no restarts for {limits.steady:g} s"
    return Verdict(ok=True, text=f"{done}: {sight.wanted} of {sight.wanted} ready, {steady}")


async def _settle(look: Look, teller: Teller, limits: Limits, end: float) -> tuple[Sight, str]:
    """Look until it is done; the reason is empty when it is."""
    loop, stuck_since = asyncio.get_running_loop(), None
    while True:
        sight = await _patiently(look, limits, end)
        if sight.done:
            return sight, ""
        now = loop.time()
        stuck_since = None if not sight.failure else stuck_since or now
        if stuck_since is not None and now - stuck_since >= limits.grace:
            return sight, f"It does not get ready: {sight.failure}; {sight.words}"
        if now >= end:
            return sight, f"Not done after {limits.deadline:g} s: {sight.words}"
        await teller.say(f"Rollout: {sight.progress}")
        await asyncio.sleep(limits.pause)


async def _stay(look: Look, teller: Teller, limits: Limits, first: Sight) -> str:
    """Look for the whole window; what went wrong meanwhile, or empty."""
    if not first.wanted:
        return ""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    restarts = {pod.uid: pod.restarts for pod in first.pods}
    while True:
        sight = await _patiently(look, limits, begun + limits.steady + limits.deadline)
        if problem := _broken(sight, restarts):
            return problem
        gone = loop.time() - begun
        if gone >= limits.steady:
            return ""
        counts = f"{sight.ready} of {sight.wanted} ready, no restarts"
        await teller.say(f"Watching: {gone:.0f} of {limits.steady:g} s, {counts}")
        await asyncio.sleep(min(limits.pause, limits.steady - gone))


def _broken(sight: Sight, restarts: dict[str, int]) -> str:
    again = [pod for pod in sight.pods if pod.restarts > restarts.get(pod.uid, 0)]
    if again:
        pod = again[0]
        why = f"exit {pod.exit_code}" if pod.exit_code is not None else "for no reason given"
        why = pod.trouble or why
        return f"{pod.name} was ready and then restarted ({why}); {sight.words}"
    if not sight.done:
        return f"The pods were ready and did not stay so: {sight.words}"
    return ""


async def _patiently(look: Look, limits: Limits, end: float) -> Sight:
    """One look, again and again while the cluster does not answer."""
    while True:
        try:
            return await look()
        except (Unreachable, TimedOut):
            if asyncio.get_running_loop().time() >= end:
                raise
            await asyncio.sleep(limits.pause)


async def sight_of(cluster: Cluster, name: str) -> Sight:
    """A Deployment's rollout as it is now."""
    now = await cluster.deployment(name)
    revisions = await cluster.revisions(now)
    current = current_revision(now, revisions)
    uid = current.uid if current else ""
    found = await cluster.pods(now.selector)
    mine = tuple(one for one in found if one.owner_uid == uid)
    others = {one.uid for one in revisions} - {uid}
    serving = sum(one.ready and not one.leaving and one.owner_uid in others for one in found)
    # Until the controller has seen the change, what there is belongs to the time before.
    failure = (now.stuck or stuck(mine)) if now.settled else ""
    done = now.rolled_out
    return Sight(pods=mine, wanted=now.replicas, replaced=done, serving=serving, failure=failure)


def current_revision(now: Deployment, revisions: Sequence[Revision]) -> Revision | None:
    """The revision with the template that the Deployment asks for, as its controller sees it."""
    wanted = digest(now.template)
    return next((one for one in revisions if digest(one.template) == wanted), None)


def stuck(found: Sequence[Pod]) -> str:
    """The first pod that will not run until something changes, and why; or empty."""
    for pod in found:
        crashed = pod.restarts > 0 and pod.exit_code is not None
        if not pod.ready and (pod.status.removeprefix("Init:") in STUCK or crashed):
            return f"{pod.name} is {pod.trouble}"
    return ""
