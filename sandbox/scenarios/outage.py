"""Complete Service Outage: a release that becomes ready first, and crash-loops afterwards."""

from typing import ClassVar

from sandbox.cluster.cluster import IMAGES
from sandbox.scenarios.scene import Scenario


class Outage(Scenario):
    """The pods of order-service crash, and nobody can buy."""

    name: ClassVar = "complete-service-outage"
    title: ClassVar = "Complete outage"
    tells: ClassVar = "Release v2.4.0 becomes ready, then crash-loops: no order comes in."
    then: ClassVar = "/incident declare sev1 Orders are failing"

    @property
    def holds(self) -> bool:
        return self.scene.cluster.image() != IMAGES["healthy"]

    async def begin(self) -> None:
        self.scene.cluster.deploy(IMAGES["crash-loop"])

    async def end(self) -> None:
        cluster = self.scene.cluster
        if self.holds:
            cluster.deploy(IMAGES["healthy"])
        if not cluster.deployment()["spec"]["replicas"]:
            cluster.resize(3)
        await self.settle()
