"""What the payments team has: payment-service in two clusters, its database, and who pays."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from sandbox.cluster import Cluster
from sandbox.cluster.cluster import PAYMENT_SERVICE
from sandbox.cluster.loglines import Trouble
from sandbox.payments.database import PaymentDatabase
from sandbox.payments.health import PaymentService
from sandbox.payments.traffic import DECLINED_TAG, PACE, PaymentTraffic

GOOD_TAG = "v1.18.0"


@dataclass(frozen=True)
class PaymentSystems:
    """`cluster` is the first one, seen from the team's namespace; `abroad` is the second."""

    cluster: Cluster
    abroad: Cluster
    database: PaymentDatabase
    traffic: PaymentTraffic
    service: PaymentService

    @property
    def declines(self) -> bool:
        """Whether the release that makes the provider decline is rolled out, or goes out."""
        return self.cluster.image(PAYMENT_SERVICE).endswith(DECLINED_TAG)

    def set_slow(self, slow: bool) -> None:
        """Let the card provider take long to answer the first cluster, or no longer."""
        self.traffic.slow = slow
        self.set_log("provider" if slow else None, minutes=20)

    def set_log(self, trouble: Trouble | None, *, minutes: float = 0) -> None:
        """Let payment-service log a trouble in the first cluster, since so many minutes ago."""
        self.cluster.set_trouble(trouble, minutes=minutes, service=PAYMENT_SERVICE)


@asynccontextmanager
async def start_payments(
    database: PaymentDatabase,
    first: Cluster,
    second: Cluster,
    service: PaymentService,
    *,
    pace: float = PACE,
) -> AsyncIterator[PaymentSystems]:
    """Fill the database and both clusters, and let people pay."""
    await database.build()
    cluster = await first.seed_payment_service()
    abroad = await second.seed_payment_service(2, "eu-worker-1", "eu-worker-2")
    async with AsyncExitStack() as stack:
        traffic = await stack.enter_async_context(
            PaymentTraffic(database, (cluster, abroad), pace=pace)
        )
        yield PaymentSystems(cluster, abroad, database, traffic, service)
