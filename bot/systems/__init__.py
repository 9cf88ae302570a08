"""The systems that an action may use."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bot.slack.customer_channel import CustomerChannel
from bot.systems.database import Database
from bot.systems.http import HttpClient
from bot.systems.kubernetes import Access, Cluster
from bot.systems.sessions import SessionTerminator
from bot.systems.stripe import Stripe
from bot.systems.tcp import TcpProber


@dataclass(frozen=True)
class Systems:
    """The clients of everything outside that an action may use, and the clock.

    `probe_pods` selects the pods of the namespace that ports may be tried from where no pod of the
    service can; empty for none. The subclass says how much these clients let through.
    """

    cluster: Cluster
    database: Database
    tcp: TcpProber
    customers: CustomerChannel
    now: Callable[[], datetime]
    http: HttpClient = field(default_factory=HttpClient)
    sessions: SessionTerminator = field(default_factory=lambda: SessionTerminator(None))
    stripe: Stripe = field(default_factory=Stripe)
    probe_pods: str = ""


class ReadingSystems(Systems):
    """Clients that only read: a call that would change something raises before it is sent."""


class PlanningSystems(Systems):
    """Clients that read and make dry runs: every other call raises before it is sent."""


class ChangingSystems(Systems):
    """Clients without a limit: only for the execution of an approved plan."""

    def patient(self, report: Callable[[str], Awaitable[None]]) -> "ChangingSystems":
        """The same systems; a cluster that does not answer for a while is waited for.

        `report` tells people of the wait.
        """
        return replace(self, cluster=self.cluster.patient(report))

    def for_reading(self) -> ReadingSystems:
        """The same systems, limited to reads."""
        return ReadingSystems(**self._limited(Access.READ))

    def for_planning(self) -> PlanningSystems:
        """The same systems, limited to reads and dry runs."""
        return PlanningSystems(**self._limited(Access.PLAN))

    def _limited(self, access: Access) -> dict[str, Any]:
        """The fields, with each client that can change something limited.

        The database client, HTTP and Stripe can only read anyway.
        """
        return vars(self) | {
            "cluster": self.cluster.restricted(access),
            "customers": self.customers.read_only(),
            "sessions": self.sessions.read_only(),
        }
