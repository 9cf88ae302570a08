"""Whether a service's dependencies accept connections, tried from inside one of its pods."""

import asyncio
import math
import re
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from bot.actions.base import IN_CLUSTER, Read
from bot.actions.params import HostPort, Name, Selector
from bot.model import Model, ReadResult, Table
from bot.systems import Systems
from bot.systems.kubernetes import (
    Cluster,
    ClusterError,
    CommandNotFound,
    ExecResult,
    Forbidden,
    Pod,
    TimedOut,
)
from bot.systems.tcp import PortStatus

COLUMNS = ("dependency", "result", "checked from")
# Seconds on top of the timeout of nc itself, for opening the exec and the way there and back.
EXEC_OVERHEAD = 3.0
NOT_CHECKED = "not checked"
NOT_APPLICABLE = "–"
NETWORK_NOTE = "The bot may not be in the pods' network."
# What the variants of nc print, in lower case.
NC_ERRORS = (
    ("refused", PortStatus.REFUSED),
    ("timed out", PortStatus.TIMED_OUT),
    ("no route", PortStatus.NO_ROUTE),
    ("unreachable", PortStatus.NO_ROUTE),
    ("bad address", PortStatus.UNKNOWN_HOST),
    ("not known", PortStatus.UNKNOWN_HOST),
    ("not resolve", PortStatus.UNKNOWN_HOST),
    ("name resolution", PortStatus.UNKNOWN_HOST),
    ("getaddrinfo", PortStatus.UNKNOWN_HOST),
)
# How the variants of nc begin when they do not know an option.
USAGE = re.compile(r"(invalid|unrecognized|unknown|illegal) option|^usage:", re.I | re.M)


class ScanNotSupported(ClusterError):
    """This nc cannot try a port without sending something, as that of Debian's BusyBox."""


class ExecTarget(Model):
    """The container that the ports are tried from."""

    pod: str
    container: str


class CheckDependencies(Read):
    """Try the ports that a service needs; `timeout` is in seconds, for each of them."""

    name: ClassVar = "dependencies"
    place_keys: ClassVar = IN_CLUSTER
    selector: Selector
    container: Name | None = None
    checks: tuple[HostPort, ...] = Field(min_length=1, max_length=20)
    timeout: Annotated[float, Field(ge=0.1, le=30)] = 3.0

    async def read(self, systems: Systems) -> ReadResult:
        """Try all ports at once from a pod of the service; where none can, from elsewhere.

        That is the bot, and a pod of the same namespace that the policy names. The text says which.
        Raises Forbidden when the bot may not exec into pods.
        """
        pods = await systems.cluster.pods(self.selector)
        target = _target(pods, self.container)
        if target is None:
            return await self._from_elsewhere(systems, f"no pod of {self.selector} runs")
        try:
            return await self._from_pod(systems.cluster, target)
        except Forbidden:
            raise
        except ClusterError as error:
            return await self._from_elsewhere(systems, _reason(target, error))

    async def _from_elsewhere(self, systems: Systems, reason: str) -> ReadResult:
        """From the bot, and from a pod that the policy names; that one tells more."""
        by_bot, by_pod = await asyncio.gather(
            self._from_bot(systems, reason), self._from_named_pod(systems)
        )
        if by_pod is None:
            return by_bot
        if isinstance(by_pod, str):
            return by_bot.model_copy(update={"notes": (*by_bot.notes, by_pod)})
        assert by_pod.table is not None
        assert by_bot.table is not None
        rows = (*by_pod.table.rows, *by_bot.table.rows)
        note = f"{_capitalized(reason)}. Network policies may treat other pods differently."
        return ReadResult(
            ok=by_pod.ok,
            text=f"{by_pod.text}\n{by_bot.text}",
            table=Table(columns=COLUMNS, rows=rows),
            notes=(note, *by_bot.notes[-1:]),
        )

    async def _from_named_pod(self, systems: Systems) -> ReadResult | str | None:
        """From a pod that the policy names; why not, or None where it names none."""
        if not systems.probe_pods:
            return None
        try:
            target = _target(await systems.cluster.pods(systems.probe_pods), None)
            if target is None:
                return f"No pod of {systems.probe_pods} runs either."
            return await self._from_pod(systems.cluster, target, other=f", not of {self.selector}")
        except ClusterError as error:
            return f"Nor from a pod of {systems.probe_pods}: {error}"

    async def _from_pod(self, cluster: Cluster, target: ExecTarget, other: str = "") -> ReadResult:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._exec(cluster, target, check)) for check in self.checks]
        outcomes = [task.result() for task in tasks]
        for outcome in outcomes:
            if isinstance(outcome, ClusterError):
                raise outcome
        results = [outcome for outcome in outcomes if isinstance(outcome, PortStatus | str)]
        return self._result(results, f"from {target.pod}{other}", target.pod, ())

    async def _exec(
        self, cluster: Cluster, target: ExecTarget, check: str
    ) -> PortStatus | str | ClusterError:
        """Try one port with nc; an error is returned, so that the other tasks are not cancelled."""
        host, _, port = check.rpartition(":")
        command = ["nc", "-zv", "-w", str(math.ceil(self.timeout)), host, port]
        seconds = self.timeout + EXEC_OVERHEAD
        try:
            result = await cluster.exec(target.pod, target.container, command, timeout=seconds)
        except TimedOut:
            return PortStatus.TIMED_OUT
        except ClusterError as error:
            return error
        if _is_usage(result):
            return ScanNotSupported(f"The nc of {target.pod} knows no -z. Nothing was tried.")
        return _port_status(result)

    async def _from_bot(self, systems: Systems, reason: str) -> ReadResult:
        """Try the ports from the bot itself; `reason` says why no pod could."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._connect(systems, check)) for check in self.checks]
        results = [task.result() for task in tasks]
        if PortStatus.UNKNOWN_HOST in results:
            return self._unknown_hosts(results, reason)
        note = f"{_capitalized(reason)}, so the bot tried by itself. {NETWORK_NOTE}"
        result = self._result(results, "from the bot, not from a pod", "the bot", (note,))
        # A pod may reach what the bot cannot.
        return result if result.ok else result.model_copy(update={"ok": None})

    def _unknown_hosts(self, results: Sequence[PortStatus], reason: str) -> ReadResult:
        """Neither good nor bad: a name that the bot does not know may be known in the cluster."""
        statuses = list(zip(self.checks, results, strict=True))
        unknown = [check for check, status in statuses if status is PortStatus.UNKNOWN_HOST]
        text = (
            f"{_capitalized(reason)}, and the bot cannot find "
            f"{'this name' if len(unknown) == 1 else 'these names'} itself. "
            f"Not checked: {', '.join(unknown)}"
        )
        tried = [f"{check} {status}" for check, status in statuses if check not in unknown]
        if tried:
            text += f"\nTried from the bot, not from a pod: {'; '.join(tried)}"
        rows = tuple(
            (check, NOT_CHECKED, NOT_APPLICABLE)
            if check in unknown
            else (check, str(status), "the bot")
            for check, status in statuses
        )
        table = Table(columns=COLUMNS, rows=rows)
        return ReadResult(ok=None, text=text, table=table, notes=(NETWORK_NOTE,))

    async def _connect(self, systems: Systems, check: str) -> PortStatus:
        """Try one port, by each name that the bot may know it by until one is found."""
        host, _, port = check.rpartition(":")
        for name in systems.cluster.names_outside(host):
            status = await systems.tcp.probe(name, int(port), self.timeout)
            if status is not PortStatus.UNKNOWN_HOST:
                return status
        return PortStatus.UNKNOWN_HOST

    def _result(
        self, results: Sequence[str], origin: str, label: str, notes: tuple[str, ...]
    ) -> ReadResult:
        """`origin` says in the text where the ports were tried from, `label` in the table."""
        statuses = list(zip(self.checks, results, strict=True))
        failed = [f"{check} {status}" for check, status in statuses if status != PortStatus.OPEN]
        text = f"{len(statuses) - len(failed)} of {len(statuses)} answer, tried {origin}"
        rows = tuple((check, str(status), label) for check, status in statuses)
        return ReadResult(
            ok=not failed,
            text=text + (f"\n{'; '.join(failed)}" if failed else ""),
            table=Table(columns=COLUMNS, rows=rows),
            notes=notes,
        )


def _target(pods: Sequence[Pod], name: str | None) -> ExecTarget | None:
    """A running container, in a ready pod if there is one; None when there is none."""
    staying = [pod for pod in pods if not pod.terminating]
    for pod in sorted(staying, key=lambda pod: not pod.ready):
        for container in pod.containers:
            if container.running and name in (None, container.name):
                return ExecTarget(pod=pod.name, container=container.name)
    return None


def _reason(target: ExecTarget, error: ClusterError) -> str:
    """Why a pod of the service could not try, as a part of a sentence."""
    match error:
        case ScanNotSupported():
            return f"the nc in the image of {target.pod} cannot test ports (it knows no -z)"
        case CommandNotFound():
            return f"the image of {target.pod} has no nc"
    return f"{target.pod} could not be asked ({str(error).rstrip('.')})"


def _capitalized(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}"


def _is_usage(result: ExecResult) -> bool:
    """Whether nc did not understand its options: then it has tried nothing."""
    return result.exit_code != 0 and USAGE.search(result.stderr + result.stdout) is not None


def _port_status(result: ExecResult) -> PortStatus | str:
    """What nc found, from its exit code and its output; in its own words where those are new."""
    if result.exit_code == 0:
        return PortStatus.OPEN
    output = f"{result.stderr}\n{result.stdout}".lower()
    status = next((reach for message, reach in NC_ERRORS if message in output), None)
    return status or f"exit {result.exit_code}: {output.strip()[:100]}"
