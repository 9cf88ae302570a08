"""What the tests about pausing orders share: how people ask for it, and what is counted.

Import the fixture `paused` by name.
"""

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Walk

PAUSED = ":double_vertical_bar: *Orders paused* since"


def patches(kube: Cluster) -> int:
    """How many times the bot really patched the Deployment."""
    return len(
        [write for write in kube.writes if write.verb == "patch" and write.user == "runbolt"]
    )


async def request_pause(walk: Walk, minutes: int = 30) -> str:
    """The on-call engineer asks to pause orders."""
    channel = await declare(walk)
    await walk.press_step("oncall", "pause-orders", channel)
    await walk.submit("oncall", reason="Stolen cards", revert_after=str(minutes))
    return channel


async def declare(walk: Walk) -> str:
    """An incident about disputes, its playbook chosen."""
    channel = await walk.declare("Many disputes", "sev2")
    scenario = "order-service/high-dispute-rate"
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, scenario)
    return channel


async def approve_pause(walk: Walk, minutes: int = 30) -> str:
    """Orders are paused, as the on-call engineer asked and the second one approved."""
    channel = await request_pause(walk, minutes)
    await walk.press("second", action_ids.APPROVE, channel)
    return channel


@pytest.fixture
async def paused(walk: Walk) -> str:
    """The channel of an incident in which orders are paused for 30 minutes."""
    return await approve_pause(walk)
