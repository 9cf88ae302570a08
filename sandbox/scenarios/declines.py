"""Cards are declined: a release of payment-service sends amounts without their currency."""

import asyncio
from typing import ClassVar

from psycopg import AsyncConnection

from sandbox.cluster.cluster import PAYMENT_SERVICE
from sandbox.cluster.loglines import Trouble
from sandbox.payments.systems import GOOD_TAG
from sandbox.payments.traffic import DECLINED_TAG
from sandbox.scenarios.scenario import PaymentScenario

BEGAN_MINUTES_AGO = 3
# Payments that were made since it began, and how far apart.
DECLINED, SECONDS_APART = 40, 2.0


class Declines(PaymentScenario):
    """The provider declines what new pods send, until the release is rolled back."""

    name: ClassVar = "payments-declined"
    title: ClassVar = "Cards declined"
    description: ClassVar = (
        "Release v1.19.0 of payment-service sends no currency: what its pods send is declined. "
        "eu-west still runs v1.18.0."
    )
    next_command: ClassVar = "/incident declare sev2 Payments: cards are declined"

    @property
    def is_active(self) -> bool:
        return self.payments.declines

    async def begin(self) -> None:
        self.payments.cluster.deploy(DECLINED_TAG, PAYMENT_SERVICE)
        await self.settle()
        self._set_trouble("declined")
        self.systems.checkout.declined = True
        await self._pay_before()
        self.tasks = [asyncio.create_task(self._until_rolled_back())]

    async def _pay_before(self) -> None:
        """Let people have paid for a minute or two."""
        database = self.payments.database
        async with await AsyncConnection.connect(database.service_dsn) as conn:
            for number in range(DECLINED):
                await self.payments.traffic.pay(conn, ago=number * SECONDS_APART)

    async def _until_rolled_back(self) -> None:
        with self.payments.cluster.state.store.change_signal() as changed:
            while self.is_active:
                await changed.wait()
                changed.clear()
        self._recover()

    def _recover(self) -> None:
        self.systems.checkout.declined = False
        self._set_trouble(None)

    def _set_trouble(self, trouble: Trouble | None) -> None:
        """Let both services log it."""
        self.systems.cluster.set_trouble(trouble, minutes=BEGAN_MINUTES_AGO)
        self.payments.set_log(trouble, minutes=BEGAN_MINUTES_AGO)

    async def end(self) -> None:
        if self.is_active:
            self.payments.cluster.deploy(GOOD_TAG, PAYMENT_SERVICE)
        if self.tasks:
            await self.close()
            self._recover()
        await self.settle()
