"""What is sent as no client of Slack would send it, and what the timeline says then."""

import json
from typing import Any

import pytest

from bot import store
from bot.model import IncidentId
from sandbox.cluster import Cluster
from sandbox.slack import Delivery
from tests.conftest import Bot, Walk


@pytest.fixture
async def broken(kube: Cluster) -> Cluster:
    """The cluster after a release that crash-loops."""
    await kube.scenario("crash-loop")
    return kube


async def send_changed(walk: Walk, delivery: Delivery, **changed: Any) -> Delivery:
    """The same payload, changed as no client of Slack would, and signed."""
    payload = {**delivery.payload, **changed}
    sent = await walk.slack.core.deliveries.deliver(delivery.kind, payload)
    await walk.bot.drain()
    return sent


async def timeline_kinds(bot: Bot) -> list[str]:
    """The kinds of what the first incident's timeline tells."""
    async with bot.world.pool.connection() as conn:
        return [entry.kind.value for entry in await store.timeline.of_incident(conn, IncidentId(1))]


def with_values(delivery: Delivery, **values: str) -> dict[str, Any]:
    """The view of a form that was sent, with other words in its fields."""
    view = json.loads(json.dumps(delivery.payload["view"]))
    for name, value in values.items():
        view["state"]["values"].setdefault(name, {name: {}})[name]["value"] = value
    return dict(view)
