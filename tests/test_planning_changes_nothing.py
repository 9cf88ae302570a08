"""A plan changes nothing: every change that there is, asked for by people, approved by nobody."""

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from psycopg import AsyncConnection, sql

from bot.actions.base import Change
from bot.actions.registry import ACTIONS
from bot.model import ChannelId
from bot.views import action_ids
from sandbox.cluster import Cluster, Scenario
from sandbox.cluster.resources import EVENTS, RESOURCES
from sandbox.shop import Shop
from sandbox.slack import Slack
from tests.conftest import ORDERS, Bot, Walk
from tests.sessions import Sessions, sessions

__all__ = ["sessions"]

Obj = dict[str, Any]
CHANGES = sorted((action for action in ACTIONS if issubclass(action, Change)), key=lambda a: a.name)
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)
WRITES = ("create", "update", "patch", "delete", "deletecollection")
KEY = "told-before"
# A new change is planned here as soon as it has its parameters in this table.
PARAMS: dict[str, Obj] = {
    "customer-message": {"text": "Orders fail at the moment."},
    "delete-pods": {"selector": "app=order-service"},
    "end-queries": {"longer_than": "1 s"},
    "memory-limit": {"deployment": "order-service", "limit": "2Gi"},
    "rollback": {"deployment": "order-service"},
    "rolling-restart": {"deployment": "order-service"},
    "scale-deployment": {"deployment": "order-service", "replicas": 4},
    "set-env": {"deployment": "order-service", "variable": "ORDERS_PAUSED", "value": "true"},
    "withdraw-customer-message": {"channel": "", "key": KEY},
}


@pytest.fixture
def shared_shop(shop: Shop) -> Shop:
    """A shop of this test's own, since its sessions might be ended."""
    return shop


@pytest.fixture
def team(team: Path) -> Path:
    """A team that tells its customers in a channel."""
    with team.open("a") as file:
        file.write("channels: {customers: status}\n")
    return team


@pytest.fixture
def playbooks(tmp_path: Path, slack: Slack, shop: Shop) -> Path:
    """A playbook with one step for each change that there is."""
    places = {"withdraw-customer-message": {"channel": slack.channel("status").id}}
    places["end-queries"] = {"database": shop.database}
    steps = [
        {
            "id": action.name,
            "title": action.name,
            "phase": "immediate",
            "action": action.name,
            "params": PARAMS[action.name] | places.get(action.name, {}),
        }
        for action in CHANGES
    ]
    every = {"id": "every-change", "title": "Every change", "severity": "sev1"}
    levels = {
        f"sev{n}": {"meaning": "m", "response": "15 min", "examples": "e"} for n in range(1, 5)
    }
    book = {"service": "order-service", "title": "Orders", "severities": levels}
    folder = tmp_path / "playbooks"
    folder.mkdir()
    text = yaml.safe_dump(book | {"scenarios": [every | {"symptoms": ["s"], "steps": steps}]})
    (folder / "every-change.yml").write_text(text, encoding="utf-8")
    return folder


def on_the_cluster(kube: Cluster) -> dict[str, Obj]:
    """Every object as it was asked to be; what it reports about itself moves by itself."""
    return {
        f"{resource.plural} {found['metadata']['name']}": {
            "spec": found.get("spec"),
            "uid": found["metadata"]["uid"],
            "leaves": found["metadata"].get("deletionTimestamp"),
            "labels": found["metadata"].get("labels"),
            "annotations": found["metadata"].get("annotations"),
        }
        for resource in RESOURCES
        if resource is not EVENTS
        for found in kube.state.store.list(resource)
    }


async def in_the_database(shop: Shop) -> dict[str, object]:
    """A digest of every table."""
    query = "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public'"
    digest = sql.SQL("SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} AS t")
    async with await AsyncConnection.connect(shop.dsn) as conn:
        tables = [name for (name,) in await (await conn.execute(query)).fetchall()]
        found: dict[str, object] = {}
        for table in tables:
            cursor = await conn.execute(digest.format(sql.Identifier(table)))
            found[table] = await cursor.fetchone()
    return found


def in_slack(slack: Slack, incident: str) -> dict[str, list[Obj]]:
    """What stands in every channel but the incident's own, where the requests are shown."""
    names = [channel["name"] for channel in slack.channels()]
    return {name: slack.messages(name) for name in names if name != incident}


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_every_plan_changes_nothing(
    scenario: Scenario,
    walk: Walk,
    bot: Bot,
    kube: Cluster,
    shop: Shop,
    slack: Slack,
    sessions: Sessions,
) -> None:
    await kube.scenario(scenario)
    slow = await sessions.open()
    told = ChannelId(str(slack.channel("status").id))
    await bot.world.services.systems(ORDERS).customers.post(told, "We are on it.", KEY)
    channel = await walk.declare()
    requests = len(kube.requests)
    before = (on_the_cluster(kube), await in_the_database(shop), in_slack(slack, channel))

    for action in CHANGES:
        await walk.press_step("oncall", action.name, channel)
        await walk.submit("oncall", reason="To see the plan")

    assert on_the_cluster(kube) == before[0]
    assert await in_the_database(shop) == before[1]
    assert await slow.alive()
    assert in_slack(slack, channel) == before[2]
    sent = [request for request in kube.requests[requests:] if request.verb in WRITES]
    assert sent
    assert [request for request in sent if request.changed or not request.dry_run] == []
    if scenario == "healthy":
        waiting = {
            button.value for button in slack.find_buttons(action_ids.APPROVE, channel, "second")
        }
        assert len(waiting) == len(CHANGES)


def test_every_change_has_parameters() -> None:
    assert set(PARAMS) == {action.name for action in CHANGES}
