"""Complete Service Outage: a release that becomes ready first, and crash-loops afterwards."""

from typing import ClassVar

from sandbox.cluster.cluster import IMAGES
from sandbox.scenarios.scenario import Scenario


class Outage(Scenario):
    """The pods of order-service crash, and nobody can buy."""

    name: ClassVar = "complete-service-outage"
    title: ClassVar = "Complete outage"
    description: ClassVar = "Release v2.4.0 becomes ready, then crash-loops: no order comes in."
    next_command: ClassVar = "/incident declare sev1 Orders are failing"

    @property
    def is_active(self) -> bool:
        return self.systems.cluster.image() != IMAGES["healthy"]

    async def begin(self) -> None:
        self.systems.cluster.deploy(IMAGES["crash-loop"])

    async def end(self) -> None:
        cluster = self.systems.cluster
        if self.is_active:
            cluster.deploy(IMAGES["healthy"])
        if not cluster.deployment()["spec"]["replicas"]:
            cluster.scale(3)
        await self.settle()
