"""What the tests about changes share: a release that crash-loops, and its rollback.

Import the fixtures that a test file uses, `broken` and `asked`, by name.
"""

import pytest

from bot import store
from bot.store import publications
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Walk

REASON = "The new version crash-loops"
TO_V231 = "Roll order-service back from revision 7 (image v2.4.0) to revision 6 (image v2.3.1)"
BACK_TO_V240 = "Roll order-service back to revision 7 (image v2.4.0)"
WAITS = "Needs 1 more approval"
DONE = "Done and checked"


@pytest.fixture
async def broken(kube: Cluster) -> Cluster:
    """The cluster after a release that crash-loops."""
    await kube.scenario("crash-loop")
    return kube


@pytest.fixture
async def asked(walk: Walk, broken: Cluster) -> str:
    """The channel of an incident in which the rollback of that release was asked for."""
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    return channel


@pytest.fixture
async def done(walk: Walk, asked: str) -> str:
    """The channel of an incident in which that release was rolled back."""
    await walk.press("second", action_ids.APPROVE, asked)
    return asked


def patches(kube: Cluster) -> int:
    """How many times the Deployment was really patched."""
    return len([write for write in kube.writes if write.verb == "patch"])


async def mark_running(bot: Bot) -> None:
    """Make every request one that a process runs now; what it has sent stays."""
    now = bot.world.now()
    async with bot.world.pool.connection() as conn:
        await conn.execute(
            "UPDATE executions SET state = 'running', started_at = %s, heartbeat_at = %s,"
            " outcome = NULL, check_passed = NULL, holds_target = true,"
            " evidence = CASE WHEN evidence = '{}' THEN '{\"sent\": {}}' ELSE evidence END",
            [now, now],
        )
        for incident in await store.incidents.list_open(conn, 10):
            await publications.mark_stale(conn, incident.id)
