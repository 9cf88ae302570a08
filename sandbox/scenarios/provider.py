"""The card provider is slow: payment-service has too few workers to wait for it."""

import asyncio
from typing import ClassVar

from psycopg import AsyncConnection

from sandbox.cluster import Load
from sandbox.cluster.cluster import PAYMENT_SERVICE
from sandbox.payments import Health
from sandbox.scenarios.scenario import OutsideAction, PaymentScenario, ShopSystems

LOAD = Load(cpu=1890, memory=455)
PODS = 2
WAITING, SECONDS_APART = 30, 20.0


class SlowProvider(PaymentScenario):
    """Payments stay PENDING; more pods help, and the provider is well again some day."""

    name: ClassVar = "provider-slow"
    title: ClassVar = "Card provider slow"
    description: ClassVar = (
        "The provider answers us-east after 5 seconds, the workers of payment-service wait, and "
        "payments stay PENDING. More pods help."
    )
    next_command: ClassVar = "/incident declare sev2 Payments: the provider is slow"

    def __init__(self, systems: ShopSystems) -> None:
        super().__init__(systems)
        self._begun = False

    @property
    def is_active(self) -> bool:
        return self._begun

    @property
    def outside_actions(self) -> tuple[OutsideAction, ...]:
        return (OutsideAction("mend-provider", "Let the provider be fast again", self.mend),)

    async def begin(self) -> None:
        self._begun = True
        self.payments.set_slow(True)
        self.payments.cluster.set_load(LOAD, PAYMENT_SERVICE)
        await self.payments.service.set_health(Health.DEGRADED)
        self.tasks = [asyncio.create_task(self._watch_pods())]
        database = self.payments.database
        async with await AsyncConnection.connect(database.service_dsn) as conn:
            for number in range(WAITING):
                await self.payments.traffic.pay(conn, ago=number * SECONDS_APART)

    async def _watch_pods(self) -> None:
        """Let the pods log it for as long as they are too few."""
        payments, shown = self.payments, True
        with payments.cluster.state.store.change_signal() as changed:
            while True:
                await changed.wait()
                changed.clear()
                if shown is not payments.traffic.is_stuck:
                    shown = payments.traffic.is_stuck
                    payments.set_log("provider" if shown else None)

    async def mend(self) -> None:
        """Make the provider fast; what waited is authorised."""
        self._begun = False
        await self.close()
        self.payments.set_slow(False)
        self.payments.cluster.set_load(None, PAYMENT_SERVICE)
        await self.payments.service.set_health(Health.HEALTHY)

    async def end(self) -> None:
        if self.is_active:
            await self.mend()
        for cluster in (self.payments.cluster, self.payments.abroad):
            if cluster.deployment(PAYMENT_SERVICE)["spec"]["replicas"] != PODS:
                cluster.scale(PODS, PAYMENT_SERVICE)
        await self.settle()
