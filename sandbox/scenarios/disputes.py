"""High Dispute Rate: three users buy with stolen cards, and the owners dispute the charges."""

from typing import ClassVar

from sandbox.scenarios.scenario import OutsideAction, Scenario


class Disputes(Scenario):
    """Disputes come in, and the three keep buying while orders are accepted."""

    name: ClassVar = "high-dispute-rate"
    title: ClassVar = "Dispute spike"
    description: ClassVar = "Three users buy with stolen cards, and 36 disputes came in at once."
    next_command: ClassVar = "/incident declare sev2 Orders: disputes are piling up"

    @property
    def is_active(self) -> bool:
        return self.systems.checkout.fraud

    @property
    def outside_actions(self) -> tuple[OutsideAction, ...]:
        return (OutsideAction("block-users", "Block the three users", self.block),)

    async def block(self) -> None:
        """Stop the three users from buying; their orders stay."""
        self.systems.checkout.fraud = False
        self.systems.cluster.set_trouble(None)

    async def begin(self) -> None:
        await self.systems.run("disputes.sql")
        self.systems.checkout.fraud = True
        self.systems.cluster.set_trouble("disputes", minutes=40)

    async def end(self) -> None:
        cluster = self.systems.cluster
        await self.block()
        await self.systems.run("disputes-well.sql")
        cluster.resume_orders()
        await self.settle()
