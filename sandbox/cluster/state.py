"""The state that all parts of the API server share."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiohttp import web

from sandbox.cluster.access import Access
from sandbox.cluster.admission import Policy
from sandbox.cluster.clock import Clock
from sandbox.cluster.controllers import Controllers
from sandbox.cluster.events import EventLog
from sandbox.cluster.faults import Faults
from sandbox.cluster.kubelet import Kubelet
from sandbox.cluster.logs import LogBook
from sandbox.cluster.network import Network
from sandbox.cluster.requests import Request
from sandbox.cluster.store import Store


class Load(NamedTuple):
    """The load of a service: CPU in millicores for all pods together, memory in MiB for each."""

    cpu: int
    memory: int


@dataclass
class State:
    """One cluster, without its HTTP server."""

    clock: Clock
    store: Store
    events: EventLog
    logs: LogBook
    kubelet: Kubelet
    controllers: Controllers
    access: Access
    faults: Faults = field(default_factory=Faults)
    network: Network = field(default_factory=Network)
    policies: list[Policy] = field(default_factory=list)
    taken_back: set[str] = field(default_factory=set)
    loads: dict[tuple[str, str], Load] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    unanswered: set[asyncio.Future[web.StreamResponse]] = field(default_factory=set)

    def keep(
        self, answering: Coroutine[Any, Any, web.StreamResponse]
    ) -> asyncio.Future[web.StreamResponse]:
        """Go on with a request, whether its client waits for the answer or not."""
        task = asyncio.ensure_future(answering)
        self.unanswered.add(task)
        task.add_done_callback(self.unanswered.discard)
        return task


def new_state(speed: float, name: str) -> State:
    """Create an empty cluster."""
    clock = Clock(speed)
    store = Store(clock)
    events = EventLog(store, clock)
    logs = LogBook(clock)
    kubelet = Kubelet(store, clock, events, logs)
    controllers = Controllers(store, clock, events)
    return State(clock, store, events, logs, kubelet, controllers, Access(name))
