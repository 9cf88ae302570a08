"""Whether a service's dependencies answer, asked from inside one of its pods."""

import asyncio
import math
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from bot.actions import Read, Systems
from bot.cluster import Cluster, ClusterError, Forbidden, NoProgram, Pod, Ran, TimedOut
from bot.model import Noun, Reading, Table
from bot.network import Network, Reach
from commands.actions.fields import HostPort, Name, Selector

COLUMNS = ("dependency", "result", "checked from")
# On top of the limit of nc itself: opening the exec, and the way there and back.
GRACE = 3.0
NOT_CHECKED = "not checked"
NOWHERE = "–"
ELSEWHERE = "The bot's network and its names are not those of a pod."
SAID = (
    ("refused", Reach.REFUSED),
    ("timed out", Reach.TIMED_OUT),
    ("no route", Reach.NO_ROUTE),
    ("unreachable", Reach.NO_ROUTE),
    ("bad address", Reach.UNKNOWN_HOST),
    ("not known", Reach.UNKNOWN_HOST),
    ("not resolve", Reach.UNKNOWN_HOST),
    ("name resolution", Reach.UNKNOWN_HOST),
    ("getaddrinfo", Reach.UNKNOWN_HOST),
)


class Place(Noun):
    """The container that is asked from."""

    pod: str
    container: str


class CheckDependencies(Read):
    """Try the ports that a service needs; `timeout` is in seconds, for each of them."""

    name: ClassVar = "dependencies"
    selector: Selector
    container: Name | None = None
    checks: tuple[HostPort, ...] = Field(min_length=1, max_length=20)
    timeout: Annotated[float, Field(ge=0.1, le=30)] = 3.0

    async def read(self, systems: Systems) -> Reading:
        """All at once from a pod; from the bot, and said so, where no pod can ask."""
        place = self._place(await systems.cluster.pods(self.selector))
        if place is None:
            return await self._from_bot(systems.network, f"no pod of {self.selector} runs")
        try:
            return await self._from_pod(systems.cluster, place)
        except Forbidden:
            raise
        except NoProgram:
            return await self._from_bot(systems.network, f"the image of {place.pod} has no nc")
        except ClusterError as error:
            why = f"{place.pod} could not be asked ({str(error).rstrip('.')})"
            return await self._from_bot(systems.network, why)

    def _place(self, pods: Sequence[Pod]) -> Place | None:
        staying = [pod for pod in pods if not pod.leaving]
        for pod in sorted(staying, key=lambda one: not one.ready):
            for container in pod.containers:
                if container.running and self.container in (None, container.name):
                    return Place(pod=pod.name, container=container.name)
        return None

    async def _from_pod(self, cluster: Cluster, place: Place) -> Reading:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._ask(cluster, place, one)) for one in self.checks]
        answers = [task.result() for task in asked]
        for answer in answers:
            if isinstance(answer, ClusterError):
                raise answer
        results = [answer for answer in answers if isinstance(answer, Reach | str)]
        return self._reading(results, f"from {place.pod}", place.pod, ())

    async def _ask(self, cluster: Cluster, place: Place, check: str) -> Reach | str | ClusterError:
        host, _, port = check.rpartition(":")
        command = ["nc", "-zv", "-w", str(math.ceil(self.timeout)), host, port]
        limit = self.timeout + GRACE
        try:
            ran = await cluster.run(place.pod, place.container, command, timeout=limit)
        except TimedOut:
            return Reach.TIMED_OUT
        except ClusterError as error:
            return error
        return _result(ran)

    async def _from_bot(self, network: Network, why: str) -> Reading:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._try(network, check)) for check in self.checks]
        results = [task.result() for task in asked]
        if Reach.UNKNOWN_HOST in results:
            return self._unchecked(results, why)
        note = f"{why[0].upper()}{why[1:]}, so the bot tried by itself. {ELSEWHERE}"
        found = self._reading(results, "from the bot, not from a pod", "the bot", (note,))
        # What the bot cannot reach says nothing of the pods.
        return found if found.ok else found.model_copy(update={"ok": None})

    def _unchecked(self, results: Sequence[Reach], why: str) -> Reading:
        """A name that the bot does not know may be one of the cluster's own: nothing is amiss."""
        answers = list(zip(self.checks, results, strict=True))
        hidden = [check for check, result in answers if result is Reach.UNKNOWN_HOST]
        text = (
            f"{', '.join(hidden)} could not be checked: {why}, and the bot's own network does not "
            f"know {'this name' if len(hidden) == 1 else 'these names'}"
        )
        tried = [f"{check} {result}" for check, result in answers if check not in hidden]
        if tried:
            text += f"\nAsked from the bot, not from a pod: {'; '.join(tried)}"
        rows = tuple(
            (check, NOT_CHECKED, NOWHERE) if check in hidden else (check, str(result), "the bot")
            for check, result in answers
        )
        table = Table(columns=COLUMNS, rows=rows)
        return Reading(ok=None, text=text, table=table, notes=(ELSEWHERE,))

    async def _try(self, network: Network, check: str) -> Reach:
        host, _, port = check.rpartition(":")
        return await network.tcp(host, int(port), self.timeout)

    def _reading(
        self, results: Sequence[str], whence: str, label: str, notes: tuple[str, ...]
    ) -> Reading:
        answers = list(zip(self.checks, results, strict=True))
        bad = [f"{check} {result}" for check, result in answers if result != Reach.OPEN]
        text = f"{len(answers) - len(bad)} of {len(answers)} answer, asked {whence}"
        rows = tuple((check, str(result), label) for check, result in answers)
        return Reading(
            ok=not bad,
            text=text + (f"\n{'; '.join(bad)}" if bad else ""),
            table=Table(columns=COLUMNS, rows=rows),
            notes=notes,
        )


def _result(ran: Ran) -> Reach | str:
    if ran.code == 0:
        return Reach.OPEN
    said = f"{ran.err}\n{ran.out}".lower()
    known = next((reach for words, reach in SAID if words in said), None)
    return known or f"exit {ran.code}: {said.strip()[:100]}"
