"""What scenarios change, and what a scenario is."""

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
from sandbox.payments import PaymentService
from sandbox.shop import Shop, run_file

HERE = Path(__file__).parent
SETTLE_WITHIN = 20.0


@dataclass(frozen=True)
class ShopSystems:
    """The shop, from its pods to its customers."""

    cluster: Cluster
    shop: Shop
    checkout: Checkout
    payment_service: PaymentService

    async def run(self, name: str) -> None:
        """Run an SQL file beside this one as order-service, in one transaction."""
        async with await AsyncConnection.connect(self.shop.service_dsn) as conn:
            await run_file(conn, HERE / name)


class OutsideAction(NamedTuple):
    """What somebody does outside of Slack: a name, a few words, and the doing."""

    name: str
    title: str
    do: Callable[[], Awaitable[None]]


class Scenario(ABC):
    """One kind of incident; `name` is its id in the playbook, `then` what to type next."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    next_command: ClassVar[str]

    def __init__(self, systems: ShopSystems) -> None:
        self.systems = systems
        self.tasks: list[asyncio.Task[None]] = []

    @property
    @abstractmethod
    def is_active(self) -> bool:
        """Whether it is true at this moment."""

    @property
    def outside_actions(self) -> tuple[OutsideAction, ...]:
        """What the playbook leaves to people outside of Slack."""
        return ()

    @abstractmethod
    async def begin(self) -> None:
        """Make it true, in a shop where all is well."""

    @abstractmethod
    async def end(self) -> None:
        """Make all well again; where all is well, change nothing."""

    async def settle(self) -> None:
        """Wait for the rollout under way, whoever began it, unless it never ends."""
        with suppress(TimeoutError):
            await self.systems.cluster.wait_for_rollout(timeout=SETTLE_WITHIN)

    async def close(self) -> None:
        """End what runs in the background."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()
