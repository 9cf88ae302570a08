"""The check after a change: pods become ready, and then stay ready without a restart."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from pydantic import Field

from bot.actions import Change, Run
from bot.cluster import Pod, TimedOut, Unreachable
from bot.model import Verdict

SAY_SECONDS = 2.0
HOPELESS = ("ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")


class Watched(Change):
    """A change whose pods are watched afterwards; both times are in seconds.

    `deadline_seconds` bounds how long they take to get ready, `watch_seconds` follow after that.
    """

    watch_seconds: float = Field(default=30, ge=0, le=900)
    deadline_seconds: float = Field(default=300, gt=0, le=3600)

    @property
    def poll_seconds(self) -> float:
        """How often to look: more often in a short window."""
        return max(0.05, min(1.0, self.watch_seconds / 10))

    def check_words(self, pods: int) -> str:
        """What the check looks for."""
        counted = "The pod becomes" if pods == 1 else f"All {pods} pods become"
        return (
            f"{counted} ready within {self.deadline_seconds:g} s, "
            f"then stay ready for {self.watch_seconds:g} s without a restart"
        )


class Sight(NamedTuple):
    """What one look saw: the pods that count, how many there should be, and whether all is done.

    `spoilt` says why looking on makes no sense.
    """

    pods: tuple[Pod, ...]
    wanted: int
    complete: bool
    spoilt: str = ""
    hindrance: str = ""

    @property
    def ready(self) -> int:
        """How many take traffic."""
        return sum(one.ready for one in self.pods)

    @property
    def tally(self) -> str:
        """Such as: 2 of 3 ready."""
        return f"{min(self.ready, self.wanted)} of {self.wanted} ready"

    @property
    def words(self) -> str:
        """The count, and what ails the others."""
        ails = self.hindrance or troubles(self.pods)
        return f"{self.tally}: {ails}" if ails else self.tally


Look = Callable[[], Awaitable[Sight]]


def troubles(pods: Iterable[Pod]) -> str:
    """What ails the pods that are not ready, the commonest first."""
    found = Counter(one.trouble for one in pods if not one.ready)
    return "; ".join(trouble for trouble, _ in found.most_common(3))


class Progress:
    """Tells people how far a run is: only what is new, and at most every 2 s."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._said = ""
        self._next = 0.0

    async def say(self, text: str) -> None:
        """Say it, unless it was said or something was said a moment ago."""
        now = asyncio.get_running_loop().time()
        if text != self._said and now >= self._next:
            self._said, self._next = text, now + SAY_SECONDS
            await self._run.say(text)


class Watch:
    """One check under way."""

    def __init__(self, action: Watched, look: Look, run: Run) -> None:
        self._action = action
        self._look = look
        self._progress = Progress(run)
        self._started = _now()

    async def verdict(self) -> Verdict:
        """Wait until the pods are ready, then watch them; raises ClusterError when it cannot."""
        seen = await self._patiently()
        while not seen.complete:
            if seen.spoilt or _hopeless(seen.pods):
                return Verdict(ok=False, text=f"{seen.spoilt or seen.words}")
            if _now() - self._started > self._action.deadline_seconds:
                limit = f"after {self._action.deadline_seconds:g} s"
                return Verdict(ok=False, text=f"Gave up {limit}: {seen.words}")
            await self._progress.say(f"Rollout: {seen.tally}")
            await asyncio.sleep(self._action.poll_seconds)
            seen = await self._patiently()
        return await self._stay(seen)

    async def _stay(self, seen: Sight) -> Verdict:
        since, before = _now(), {one.uid: one.restarts for one in seen.pods}
        total = self._action.watch_seconds
        while not (broken := _broken(seen, before)):
            passed = _now() - since
            if passed >= total:
                return Verdict(ok=True, text=f"{seen.tally}, no restart in {total:g} s")
            shown = f"Watching: {passed:.0f} of {total:g} s, {seen.tally}, no restarts"
            await self._progress.say(shown)
            await asyncio.sleep(min(self._action.poll_seconds, total - passed))
            seen = await self._patiently()
        return Verdict(ok=False, text=f"Ready at first, then not: {broken}")

    async def _patiently(self) -> Sight:
        """Look, and over gaps in the connection until the time for all of it is over."""
        limit = self._action.deadline_seconds + self._action.watch_seconds
        while True:
            try:
                return await self._look()
            except (Unreachable, TimedOut):
                if _now() - self._started > limit:
                    raise
            await asyncio.sleep(self._action.poll_seconds)


def _now() -> float:
    return asyncio.get_running_loop().time()


def _hopeless(pods: tuple[Pod, ...]) -> bool:
    """Whether waiting helps nobody: an image that is not there, or crash after crash."""
    crashing = any(one.status == "CrashLoopBackOff" and one.restarts > 1 for one in pods)
    return crashing or any(one.status in HOPELESS for one in pods)


def _broken(seen: Sight, before: dict[str, int]) -> str:
    """What happened to pods that were all ready, or an empty text."""
    if seen.spoilt:
        return seen.spoilt
    again = [one for one in seen.pods if one.restarts > before.get(one.uid, 0)]
    if seen.ready < seen.wanted:
        return seen.words
    if again:
        ended = {one.exit_code for one in again} - {None}
        codes = "".join(f", exit {code}" for code in sorted(ended, key=str))
        return f"{len(again)} of {seen.wanted} restarted{codes}"
    return ""
