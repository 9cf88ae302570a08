"""The base class of scenarios, and the systems that they change."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

from psycopg import AsyncConnection

from sandbox.checkout import Checkout
from sandbox.cluster import Cluster
from sandbox.cluster.cluster import PAYMENT_SERVICE
from sandbox.databases import run_file
from sandbox.payments import PaymentService, PaymentSystems
from sandbox.shop import Shop

HERE = Path(__file__).parent
SETTLE_TIMEOUT = 20.0


@dataclass(frozen=True)
class ShopSystems:
    """The shop's systems: cluster, database, customers and payment service.

    `payments` is what the payments team has, where payment-service is not the shop's own.
    """

    cluster: Cluster
    shop: Shop
    checkout: Checkout
    payment_service: PaymentService
    payments: PaymentSystems | None = None

    async def run(self, name: str) -> None:
        """Run an SQL file beside this one as order-service, in one transaction."""
        async with await AsyncConnection.connect(self.shop.service_dsn) as conn:
            await run_file(conn, HERE / name)


class OutsideAction(NamedTuple):
    """What somebody does outside of Slack: a name, a title, and the function that does it."""

    name: str
    title: str
    do: Callable[[], Awaitable[None]]


class Scenario(ABC):
    """One kind of incident; `name` is its id in the playbook, `next_command` what to type.

    `service` is the title of the service whose playbook it is of.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    service: ClassVar[str] = "Orders"
    description: ClassVar[str]
    next_command: ClassVar[str]

    def __init__(self, systems: ShopSystems) -> None:
        self.systems = systems
        self.tasks: list[asyncio.Task[None]] = []

    @property
    @abstractmethod
    def is_active(self) -> bool:
        """Whether the scenario is active now."""

    @property
    def outside_actions(self) -> tuple[OutsideAction, ...]:
        """What people do about it outside of Slack."""
        return ()

    @abstractmethod
    async def begin(self) -> None:
        """Break the shop."""

    @abstractmethod
    async def end(self) -> None:
        """Repair the shop; does nothing when all is well."""

    async def settle(self) -> None:
        """Wait for a running rollout, for at most SETTLE_TIMEOUT seconds."""
        with suppress(TimeoutError):
            await self.systems.cluster.wait_for_rollout(timeout=SETTLE_TIMEOUT)

    async def close(self) -> None:
        """Cancel the background tasks."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()


class PaymentScenario(Scenario):
    """One of payment-service, where another team has that."""

    service: ClassVar = "Payments"

    @property
    def payments(self) -> PaymentSystems:
        """What the payments team has."""
        assert self.systems.payments is not None
        return self.systems.payments

    async def settle(self) -> None:
        """Wait for running rollouts of payment-service, for at most SETTLE_TIMEOUT seconds."""
        for cluster in (self.payments.cluster, self.payments.abroad):
            with suppress(TimeoutError):
                await cluster.wait_for_rollout(PAYMENT_SERVICE, timeout=SETTLE_TIMEOUT)
