"""High Dispute Rate: three users buy with stolen cards, and the cards' owners object."""

from typing import ClassVar

from sandbox.scenarios.scene import Elsewhere, Scenario


class Disputes(Scenario):
    """Chargebacks come in, and the three go on buying for as long as orders are taken."""

    name: ClassVar = "high-dispute-rate"
    title: ClassVar = "Dispute spike"
    tells: ClassVar = "Three users buy with stolen cards, and 36 disputes came in at once."
    then: ClassVar = "/incident declare sev2 Disputes are piling up"

    @property
    def holds(self) -> bool:
        return self.scene.trade.fraud

    @property
    def elsewhere(self) -> tuple[Elsewhere, ...]:
        return (Elsewhere("block-users", "Block the three users", self.block),)

    async def block(self) -> None:
        """Let nobody of the three buy any more; what they bought stays."""
        self.scene.trade.fraud = False
        self.scene.cluster.trouble(None)

    async def begin(self) -> None:
        await self.scene.run("disputes.sql")
        self.scene.trade.fraud = True
        self.scene.cluster.trouble("disputes", minutes=40)

    async def end(self) -> None:
        cluster = self.scene.cluster
        await self.block()
        await self.scene.run("disputes-well.sql")
        cluster.resume_orders()
        await self.settle()
