"""Dependencies: whether what the service needs answers, asked from where the service runs."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field

from bot.actions import Read, Systems
from bot.cluster import ClusterError, NoProgram, Pod
from bot.model import Reading, Table
from bot.network import Reach
from commands.actions.pods import Selector

Check = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}):[0-9]{1,5}$")]
SPARE_SECONDS = 2.0


class Answer(NamedTuple):
    """How one dependency answered."""

    check: str
    open: bool
    words: str


class CheckDependencies(Read):
    """Try the ports a service needs from inside one of its pods; `timeout` in seconds each."""

    name: ClassVar = "dependencies"
    selector: Selector
    checks: tuple[Check, ...] = Field(min_length=1, max_length=20)
    timeout: float = Field(default=3, gt=0, le=30)

    async def read(self, systems: Systems) -> Reading:
        """All at once by `nc -zv`; from the bot, and labelled so, where a pod cannot ask."""
        pod = _asker(await systems.cluster.pods(self.selector))
        if pod is None:
            note = "No pod is running, so this was asked from the bot, not from the service."
            return _reading(await self._from_bot(systems), note)
        try:
            answers = await asyncio.gather(*(self._from_pod(systems, pod, c) for c in self.checks))
        except NoProgram:
            note = f"The image of {pod.name} has no nc, so this was asked from the bot instead."
            return _reading(await self._from_bot(systems), note)
        return _reading(answers, f"Asked from inside {pod.name} by nc -zv.")

    async def _from_pod(self, systems: Systems, pod: Pod, check: str) -> Answer:
        host, _, port = check.rpartition(":")
        container = next(one.name for one in pod.containers if one.running)
        command = ["nc", "-zv", "-w", str(max(1, round(self.timeout))), host, port]
        limit = self.timeout + SPARE_SECONDS
        try:
            ran = await systems.cluster.run(pod.name, container, command, timeout=limit)
        except NoProgram:
            raise
        except ClusterError as error:
            return Answer(check, False, str(error).split(". ")[0])
        said = (ran.err or ran.out).strip().splitlines()
        return Answer(check, ran.code == 0, "open" if ran.code == 0 else _told(said, ran.code))

    async def _from_bot(self, systems: Systems) -> list[Answer]:
        return list(await asyncio.gather(*(self._by_bot(systems, one) for one in self.checks)))

    async def _by_bot(self, systems: Systems, check: str) -> Answer:
        host, _, port = check.rpartition(":")
        reach = await systems.network.tcp(host, int(port), self.timeout)
        return Answer(check, reach is Reach.OPEN, reach.value)


def _asker(pods: Sequence[Pod]) -> Pod | None:
    """A ready pod, any running one otherwise."""
    running = [one for one in pods if any(c.running for c in one.containers) and not one.leaving]
    return next((one for one in running if one.ready), running[0] if running else None)


def _told(said: Sequence[str], code: int) -> str:
    """What nc said, without the host that stands beside it."""
    words = said[-1].rpartition(": ")[2] if said else f"nc ended with {code}"
    return words[:1].lower() + words[1:200]


def _reading(answers: Sequence[Answer], note: str) -> Reading:
    shut = [one for one in answers if not one.open]
    rows = tuple((one.check, "open" if one.open else "not open", one.words) for one in answers)
    text = f"All {len(answers)} answer"
    if shut:
        named = "; ".join(f"{one.check} {one.words}" for one in shut)
        text = f"{len(shut)} of {len(answers)} do not answer: {named}"
    return Reading(
        ok=not shut,
        text=text[:600],
        table=Table(columns=("Dependency", "Port", "Answer"), rows=rows),
        notes=(note,),
    )
