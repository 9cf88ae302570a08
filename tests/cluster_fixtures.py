"""What the tests of actions share: the doors to the outside, and a run that takes notes."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.__main__ import utc_now
from bot.actions import Change, ChangingSystems, Run
from bot.cluster import Cluster
from bot.customers import Customers
from bot.database import Database
from bot.model import ExecutionId, Plan, Verdict
from bot.network import Network
from sandbox.cluster import DEFAULT_NAMESPACE
from sandbox.cluster import Cluster as SimulatedCluster

SELECTOR = "app=order-service"
USER = "runbolt"
CALL_SECONDS = 2.0


@pytest.fixture
async def systems(kube: SimulatedCluster, tmp_path: Path) -> AsyncIterator[ChangingSystems]:
    """The doors, the cluster's open; no database."""
    path = kube.write_kubeconfig(tmp_path / "actions-kubeconfig", USER)
    async with Cluster.open(path, DEFAULT_NAMESPACE, timeout=CALL_SECONDS) as cluster:
        yield ChangingSystems(
            cluster=cluster,
            database=Database(None),
            network=Network(),
            customers=Customers(AsyncWebClient(), None),
            now=utc_now,
        )


class Told:
    """A run whose words are kept."""

    def __init__(self, number: int = 7) -> None:
        self.words: list[str] = []
        self.run = Run(execution_id=ExecutionId(number), say=self._say)

    async def _say(self, text: str) -> None:
        self.words.append(text)

    def said(self, start: str) -> Sequence[str]:
        """What was said that begins so."""
        return [word for word in self.words if word.startswith(start)]


async def carry_out(action: Change, systems: ChangingSystems, notes: Told) -> tuple[Plan, Verdict]:
    """Plan, execute and verify, as an approved execution does."""
    plan = await action.plan(systems.for_planning())
    await action.execute(systems, plan, notes.run)
    return plan, await action.verify(systems.for_reading(), plan, notes.run)
