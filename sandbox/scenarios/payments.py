"""Payment/Refund Failures: payment-service is ill, so what Stripe tells is never processed."""

from typing import ClassVar

from sandbox.scenarios.scene import Scenario

BEGAN = 45


class Payments(Scenario):
    """Customers pay, and their orders stay PENDING."""

    name: ClassVar = "payment-refund-failures"
    title: ClassVar = "Payments failing"
    tells: ClassVar = "payment-service answers 503: webhooks fail, and paid orders stay PENDING."
    then: ClassVar = "/incident declare sev2 Payments are failing"

    @property
    def holds(self) -> bool:
        return not self.scene.trade.paid

    async def begin(self) -> None:
        self.scene.trade.paid = False
        self.scene.cluster.trouble("payments", minutes=BEGAN)
        await self.scene.run("payments.sql")

    async def end(self) -> None:
        self.scene.trade.paid = True
        self.scene.cluster.trouble(None)
        await self.scene.run("payments-well.sql")
