"""The doors that plans and looks get: what would change something stops before it is sent."""

from dataclasses import replace
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.actions.database.sessions import EndQueries
from bot.model import ChannelId, ExecutionId
from bot.slack import client as door
from bot.slack.customer_channel import CustomerChannel
from bot.systems import ChangingSystems, Systems
from bot.systems.database import Database
from bot.systems.kubernetes import Access, RequestRefused, WriteStopped, access, patches
from bot.systems.postgres import DatabaseError
from bot.systems.sessions import SessionTerminator
from sandbox.cluster import Cluster
from sandbox.shop import Shop
from sandbox.slack import Slack
from tests.cluster_fixtures import SELECTOR, systems
from tests.sessions import Sessions, Unrecorded, sessions

__all__ = ["sessions", "systems"]

POD = "https://api.example:6443/k8s/clusters/c-1/api/v1/namespaces/shop/pods/orders-1"
NAMESPACE = "https://api.example/api/v1/namespaces/shop"
PODS = f"{NAMESPACE}/pods"
APP = "https://api.example/apis/apps/v1/namespaces/shop/deployments/proxy"
DRY: dict[str, Any] = {"dryRun": ["All"]}
BOUND: dict[str, Any] = {"preconditions": {"uid": "1"}}


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("GET", POD, None),
        ("GET", f"{POD}/log?container=orders", None),
        ("GET", APP, None),
        ("PATCH", f"{APP}?dryRun=All&fieldValidation=Strict", [{"op": "test"}]),
        ("POST", f"{PODS}?dryRun=All", {"kind": "Pod"}),
        ("DELETE", POD, BOUND | DRY),
        ("DELETE", f"{POD}?dryRun=All", None),
        ("DELETE", PODS, DRY),
    ],
)
def test_plans_may_look_and_try(method: str, url: str, body: object) -> None:
    access.check(Access.PLAN, method, url, body)


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("DELETE", POD, None),
        ("DELETE", POD, BOUND),
        ("DELETE", f"{POD}?dryRun=All", BOUND),
        ("DELETE", f"{POD}?dryRun=All", {}),
        ("DELETE", f"{POD}?dryRun=All", ""),
        ("DELETE", f"{PODS}?dryRun=All", BOUND),
        ("DELETE", POD, {"dryRun": "All"}),
        ("DELETE", POD, {"dryRun": ["all"]}),
        ("DELETE", POD, {"dryrun": ["All"]}),
        ("DELETE", POD, {"dryRun": []}),
        ("delete", POD, BOUND),
        ("delete", f"{POD}?dryRun=All", BOUND),
        ("GET", f"{POD}/exec/", None),
        ("PATCH", APP, [{"op": "test"}]),
        ("PATCH", APP, DRY),
        ("PATCH", f"{APP}?dryrun=All", None),
        ("PATCH", f"{APP}?dryRun=", None),
        ("PATCH", f"{APP}?dryRun=All&dryRun=None", None),
        ("PUT", f"{APP}/scale", DRY),
        ("POST", f"{POD}/eviction", {"deleteOptions": DRY}),
        ("POST", f"{NAMESPACE}/serviceaccounts/bot/token?dryRun=All", {}),
        ("POST", f"{POD}/exec?command=true", None),
        ("POST", f"{POD}/exec?command=true&dryRun=All", None),
        ("POST", f"{POD}/proxy/shutdown?dryRun=All", None),
        ("DELETE", "https://api.example/api/v1/nodes/n1/proxy/run?dryRun=All", None),
        ("get", f"{POD}/exec?command=true", None),
        ("GET", f"{POD}/attach", None),
        ("GET", f"{POD}%2Fexec?command=true", None),
        ("GET", f"{POD}/proxy", None),
        ("GET", "https://api.example/api/v1/namespaces/shop/services/orders:80/proxy/stop", None),
        ("GET", f"{POD}/exec?command=true&dryRun=All", None),
        ("GET", f"{POD}/portforward", None),
        ("GET", f"{POD}/proxy/shutdown", None),
        ("GET", "https://api.example/api/v1/nodes/n1/proxy/run", None),
    ],
)
def test_plans_are_stopped(method: str, url: str, body: object) -> None:
    with pytest.raises(WriteStopped, match=r"Nothing was sent and nothing was changed"):
        access.check(Access.PLAN, method, url, body)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_looks_try_nothing_either(method: str) -> None:
    with pytest.raises(WriteStopped):
        access.check(Access.READ, method, f"{APP}?dryRun=All", DRY)


@pytest.mark.parametrize("path", ["attach", "portforward", "proxy", "proxy/shutdown"])
def test_looks_open_nothing_else(path: str) -> None:
    with pytest.raises(WriteStopped):
        access.check(Access.READ, "GET", f"{POD}/{path}", None)


async def test_no_limit_is_lifted(systems: ChangingSystems) -> None:
    with pytest.raises(ValueError, match="limited to plan"):
        systems.for_planning().cluster.restricted(Access.CHANGE)


def test_looks_may_run_programs() -> None:
    access.check(Access.READ, "GET", f"{POD}/exec?command=nc", None)


def limited(systems: ChangingSystems) -> list[Systems]:
    return [systems.for_planning(), systems.for_reading()]


@pytest.mark.parametrize("access", [Access.PLAN, Access.READ])
async def test_no_write_leaves(access: Access, systems: ChangingSystems, kube: Cluster) -> None:
    reading = access is Access.READ
    cluster = (systems.for_reading() if reading else systems.for_planning()).cluster
    now = await cluster.deployment("order-service")
    pod = (await cluster.pods(SELECTOR))[0]
    before = len(kube.requests)

    for write in (
        cluster.patch(now, patches.scale(1), ExecutionId(1)),
        cluster.delete_pod(pod),
        cluster.delete_pod(pod, dry_run=True)
        if reading
        else cluster.exec(pod.name, "order-service", ["true"], timeout=1),
    ):
        with pytest.raises(WriteStopped):
            await write

    assert len(kube.requests) == before


@pytest.mark.parametrize("name", ["", "/", "..", "a/log", "a%2Flog", "a?dryRun=All", "a#b", "."])
async def test_no_name_becomes_another_path(
    name: str, systems: ChangingSystems, kube: Cluster
) -> None:
    [pod, *_] = await systems.cluster.pods(SELECTOR)
    before = len(kube.requests)

    with pytest.raises(RequestRefused, match="cannot be the name of an object"):
        await systems.cluster.delete_pod(pod.model_copy(update={"name": name}))

    assert len(kube.requests) == before


async def test_no_session_ends_by_a_plan(
    systems: ChangingSystems, shop: Shop, sessions: Sessions
) -> None:
    slow = await sessions.open()
    allowed = ChangingSystems(
        **vars(systems)
        | {"database": Database(shop.ro_dsn), "sessions": SessionTerminator(shop.ops_dsn)}
    )
    asked = EndQueries.model_validate({"database": shop.database, "longer_than": "1 s"})
    change = await asked.pin_targets(allowed.for_planning())
    opened = await sessions.begun()

    with pytest.raises(DatabaseError, match="No session was ended"):
        await allowed.for_planning().sessions.terminate(change.backends, Unrecorded())

    assert await slow.alive()
    assert await sessions.begun() == opened


async def test_limited_step_limits_every_client(systems: ChangingSystems, shop: Shop) -> None:
    allowed = replace(systems, sessions=SessionTerminator(shop.ops_dsn))
    for clients in limited(allowed):
        for call in (
            clients.customers.post(ChannelId("C1"), "Hello", "key"),
            clients.customers.delete(ChannelId("C1"), "1.0"),
        ):
            with pytest.raises(door.PostStopped):
                await call
        with pytest.raises(DatabaseError, match="No session was ended"):
            await clients.sessions.terminate([], Unrecorded())


@pytest.mark.parametrize(
    "method", ["chat.update", "chat.postEphemeral", "conversations.join", "conversations.archive"]
)
async def test_slack_methods_are_stopped(method: str) -> None:
    with pytest.raises(door.PostStopped):
        await door.read_only(AsyncWebClient()).api_call(method)


async def test_nothing_is_posted_by_a_plan(systems: ChangingSystems, slack: Slack) -> None:
    client = door.open_client(slack.bot_token, slack.api_url)
    channel = ChannelId(slack.channel("status").id)
    try:
        await client.conversations_join(channel=channel)
        customers = CustomerChannel(client, channel).read_only()
        assert await customers.channel_name(channel) == "status"
        before = len(slack.calls)
        for call in (customers.post(channel, "Hello", "key"), customers.delete(channel, "1.0")):
            with pytest.raises(door.PostStopped, match="Nothing was posted or deleted"):
                await call
        assert len(slack.calls) == before
    finally:
        assert client.session is not None
        await client.session.close()


async def test_the_databases_reading_door_writes_nothing(shop: Shop) -> None:
    query = "WITH gone AS (DELETE FROM orders RETURNING 1) SELECT * FROM gone"
    with pytest.raises(DatabaseError):
        await Database(shop.ro_dsn).select(query)
