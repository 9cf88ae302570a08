"""Payment/Refund Failures: payment-service fails, so Stripe's webhooks are not processed."""

from typing import ClassVar

from sandbox.payments import Health
from sandbox.scenarios.scenario import OutsideAction, Scenario, ShopSystems

BEGAN_MINUTES_AGO = 45


class PaymentFailures(Scenario):
    """Paid orders stay PENDING until payment-service works and the webhooks are sent again."""

    name: ClassVar = "payment-refund-failures"
    title: ClassVar = "Payments failing"
    description: ClassVar = (
        "payment-service answers 503: webhooks fail, and paid orders stay PENDING."
    )
    next_command: ClassVar = "/incident declare sev2 Orders: payments are failing"

    def __init__(self, systems: ShopSystems) -> None:
        super().__init__(systems)
        self._waiting = False

    @property
    def is_active(self) -> bool:
        return self._waiting

    @property
    def outside_actions(self) -> tuple[OutsideAction, ...]:
        replay = OutsideAction("replay-webhooks", "Replay the webhooks in Stripe", self.replay)
        if self.systems.checkout.paid:
            return (replay,)
        return OutsideAction("mend-payment-service", "Mend payment-service", self.mend), replay

    async def begin(self) -> None:
        self._waiting = True
        self.systems.checkout.paid = False
        await self.systems.payment_service.set_health(Health.DEGRADED)
        self.systems.cluster.set_trouble("payments", minutes=BEGAN_MINUTES_AGO)
        if self.systems.payments is not None:
            self.systems.payments.set_slow(True)
        await self.systems.run("payments.sql")

    async def mend(self) -> None:
        """Repair payment-service; webhooks that failed before stay failed."""
        self.systems.checkout.paid = True
        await self.systems.payment_service.set_health(Health.HEALTHY)
        self.systems.cluster.set_trouble(None)
        if self.systems.payments is not None:
            self.systems.payments.set_slow(False)

    async def replay(self) -> None:
        """Send all failed webhooks again; they fail again while payment-service is degraded."""
        if self.systems.checkout.paid:
            await self.systems.run("payments-well.sql")
            self._waiting = False
        else:
            await self.systems.run("payments-again.sql")

    async def end(self) -> None:
        await self.mend()
        await self.replay()
