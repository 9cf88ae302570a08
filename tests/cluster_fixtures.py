"""What the tests of actions share: the doors to the outside, and a run that takes notes."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.actions.base import Change, Progress
from bot.clock import utc_now
from bot.model import Evidence, ExecutionId, Plan, Verdict
from bot.slack.customer_channel import CustomerChannel
from bot.systems import ChangingSystems
from bot.systems.database import Database
from bot.systems.kubernetes import Cluster, Clusters
from bot.systems.tcp import TcpProber
from sandbox.cluster import DEFAULT_NAMESPACE
from sandbox.cluster import Cluster as SimulatedCluster
from sandbox.cluster.requests import Request

SELECTOR = "app=order-service"
USER = "runbolt"
# Where sentences say that something is.
SHOP = f"in namespace {DEFAULT_NAMESPACE} of cluster sandbox"
CALL_SECONDS = 2.0


@asynccontextmanager
async def open_clusters(path: Path, seconds: float = CALL_SECONDS) -> AsyncIterator[Clusters]:
    """The clusters of a kubeconfig, closed at the end; `seconds` is the limit of each call."""
    clusters = Clusters(path, timeout=seconds)
    try:
        yield clusters
    finally:
        await clusters.close()


@asynccontextmanager
async def open_cluster(path: Path, seconds: float = CALL_SECONDS) -> AsyncIterator[Cluster]:
    """The shop's namespace in the current context of a kubeconfig."""
    async with open_clusters(path, seconds) as clusters:
        yield clusters.cluster("", DEFAULT_NAMESPACE)


def systems_of(cluster: Cluster) -> ChangingSystems:
    """The doors to a cluster; no database."""
    return ChangingSystems(
        cluster=cluster,
        database=Database(None),
        tcp=TcpProber(),
        customers=CustomerChannel(AsyncWebClient(), None),
        now=utc_now,
    )


@pytest.fixture
async def systems(kube: SimulatedCluster, tmp_path: Path) -> AsyncIterator[ChangingSystems]:
    """The doors, the cluster's open; no database."""
    path = kube.write_kubeconfig(tmp_path / "actions-kubeconfig", USER)
    async with open_clusters(path) as clusters:
        yield systems_of(clusters.cluster("", DEFAULT_NAMESPACE, shown_variables=("*_PAUSED",)))


class RecordedProgress:
    """A run whose words are kept."""

    def __init__(self, number: int = 7) -> None:
        self.texts: list[str] = []
        self.run = Progress(ExecutionId(number), self._say, self._keep, Evidence(sent={}))

    async def _keep(self, evidence: Evidence, before_sending: bool) -> None:
        """There is nothing to write it to."""

    async def _say(self, text: str) -> None:
        self.texts.append(text)

    def starting_with(self, start: str) -> Sequence[str]:
        """What was said that begins so."""
        return [word for word in self.texts if word.startswith(start)]


async def carry_out(
    action: Change, systems: ChangingSystems, notes: RecordedProgress
) -> tuple[Plan, Verdict]:
    """Plan, execute, settle and verify, as an approved execution does."""
    plan = await action.plan(systems.for_planning())
    await action.execute(systems, plan, notes.run)
    return plan, await conclude(action, systems, plan, notes)


async def conclude(
    action: Change, systems: ChangingSystems, plan: Plan, notes: RecordedProgress
) -> Verdict:
    """Settle what was done, and verify it where something was."""
    verdict = await action.settle(systems, plan, notes.run)
    return verdict or await action.verify(systems.for_reading(), plan, notes.run)


def is_fence(request: Request) -> bool:
    """Whether it only keeps out what was sent before: the object's version moves, nothing else."""
    parts = request.body if request.verb == "patch" else [{"path": "/spec"}]
    return not any(part["path"].startswith("/spec") for part in parts)
