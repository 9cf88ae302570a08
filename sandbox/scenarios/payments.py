"""Payment/Refund Failures: payment-service is ill, so what Stripe tells is never processed."""

from typing import ClassVar

from sandbox.payments import Health
from sandbox.scenarios.scene import Elsewhere, Scenario, Scene

BEGAN = 45


class PaymentFailures(Scenario):
    """Customers pay, and their orders stay PENDING until payment-service is well and told again."""

    name: ClassVar = "payment-refund-failures"
    title: ClassVar = "Payments failing"
    tells: ClassVar = "payment-service answers 503: webhooks fail, and paid orders stay PENDING."
    then: ClassVar = "/incident declare sev2 Payments are failing"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._waiting = False

    @property
    def holds(self) -> bool:
        return self._waiting

    @property
    def elsewhere(self) -> tuple[Elsewhere, ...]:
        replay = Elsewhere("replay-webhooks", "Replay the webhooks in Stripe", self.replay)
        if self.scene.trade.paid:
            return (replay,)
        return Elsewhere("mend-payment-service", "Mend payment-service", self.mend), replay

    async def begin(self) -> None:
        self._waiting = True
        self.scene.trade.paid = False
        await self.scene.payment_service.turn(Health.DEGRADED)
        self.scene.cluster.trouble("payments", minutes=BEGAN)
        await self.scene.run("payments.sql")

    async def mend(self) -> None:
        """Let its team mend payment-service; what has failed before stays as it is."""
        self.scene.trade.paid = True
        await self.scene.payment_service.turn(Health.HEALTHY)
        self.scene.cluster.trouble(None)

    async def replay(self) -> None:
        """Send all failed webhooks again; they fail again while payment-service is ill."""
        if self.scene.trade.paid:
            await self.scene.run("payments-well.sql")
            self._waiting = False
        else:
            await self.scene.run("payments-again.sql")

    async def end(self) -> None:
        await self.mend()
        await self.replay()
