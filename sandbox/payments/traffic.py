"""People who pay: each payment goes to the card provider through a pod of payment-service."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from sandbox.cluster import Cluster
from sandbox.cluster.cluster import PAYMENT_SERVICE
from sandbox.databases import Conn, run_forever, statements
from sandbox.payments.database import PaymentDatabase
from sandbox.shop import OPEN_TIMEOUT

SQL = Path(__file__).parent / "traffic.sql"
PACE = 2.0
# This release sends amounts without their currency.
DECLINED_TAG = "v1.19.0"
DECLINES = ("insufficient_funds", "expired_card", "do_not_honor")
TIMEOUT_MS = 5000
# While the provider is slow, so many pods have workers enough to wait for it.
ENOUGH_PODS = 4


class Call(NamedTuple):
    """What the provider answered to one payment."""

    outcome: str
    took: int
    currency: str = "USD"
    code: str = ""


class PaymentTraffic:
    """Payments through the ready pods of all clusters inside `async with`; none without pods.

    `slow` is whether the provider takes long to answer what comes from the first cluster.
    """

    def __init__(
        self, database: PaymentDatabase, clusters: Sequence[Cluster], *, pace: float = PACE
    ) -> None:
        self.database = database
        self.clusters = clusters
        self.pace = pace
        self.slow = False
        self._task: asyncio.Task[None] | None = None
        self._pay, self._authorise = statements(SQL)

    async def __aenter__(self) -> Self:
        opened = asyncio.Event()
        work = run_forever(self.database.service_dsn, self._pay_once, opened)
        self._task = asyncio.create_task(work)
        await asyncio.wait_for(opened.wait(), OPEN_TIMEOUT)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _pay_once(self, conn: Conn) -> None:
        await self.pay(conn)
        if not self.is_stuck:
            await conn.execute(self._authorise)
        await asyncio.sleep(self.pace)

    @property
    def is_stuck(self) -> bool:
        """Whether the provider is slow, and too few pods have workers to wait for it."""
        return self.slow and len(_ready(self.clusters[0])) < ENOUGH_PODS

    async def pay(self, conn: Conn, *, ago: float = 0) -> None:
        """Pay once through any ready pod, so many seconds ago."""
        pods = [(cluster, pod) for cluster in self.clusters for pod in _ready(cluster)]
        if not pods:
            return
        cluster, pod = random.choice(pods)
        version = str(pod["spec"]["containers"][0]["image"]).rpartition(":")[2]
        call = self._ask_provider(version, far=cluster is not self.clusters[0])
        where = {"cluster": cluster.name, "version": version, "ago": ago}
        await conn.execute(self._pay, call._asdict() | where)

    def _ask_provider(self, version: str, *, far: bool) -> Call:
        if version == DECLINED_TAG:
            return Call("declined", random.randrange(90, 160), "", "currency_not_supported")
        if self.is_stuck and not far and random.random() < 0.7:
            return Call("timeout", TIMEOUT_MS + random.randrange(40))
        if self.slow and not far:
            return Call("ok", random.randrange(2600, 4900))
        if random.random() < 0.03:
            return Call("declined", random.randrange(140, 620), code=random.choice(DECLINES))
        return Call("ok", random.randrange(140, 620))


def _ready(cluster: Cluster) -> list[dict[str, Any]]:
    return cluster.ready_pods(PAYMENT_SERVICE)
