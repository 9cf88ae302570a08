"""What the cluster warns of, on a cluster that works, fails, forbids or does not answer."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.actions.kubernetes.events import ListEvents
from bot.systems import ChangingSystems
from bot.systems.kubernetes import Forbidden, NotFound, TimedOut, Unreachable
from bot.systems.kubernetes.resources import parse_event
from sandbox.cluster import Cluster
from sandbox.cluster.resources import EVENTS
from sandbox.cluster.store import editable_copy
from tests.cluster_fixtures import USER, systems
from tests.waiting import until_told

__all__ = ["systems"]

READ = ListEvents(deployment="order-service")
BACK_OFF = "Back-off restarting failed container order-service in pod "


async def warned(systems: ChangingSystems) -> list[tuple[str, ...]]:
    """The rows: age, reason, times, message, object."""
    table = (await READ.read(systems)).table
    return [tuple(map(str, row)) for row in table.rows] if table else []


async def crash(systems: ChangingSystems, kube: Cluster) -> None:
    """Roll the bad release out, until all of its pods have been started again."""
    await kube.scenario("crash-loop")

    async def all_warn() -> bool:
        return len(await warned(systems)) == 3

    await until_told(all_warn)


async def test_healthy_deployment_has_no_warnings(systems: ChangingSystems) -> None:
    result = await READ.read(systems)

    assert result.ok
    assert result.text == "The cluster warns of nothing about order-service"
    assert result.table is None


async def test_crashing_pods_are_warned_of(systems: ChangingSystems, kube: Cluster) -> None:
    await crash(systems, kube)

    found = await warned(systems)
    pods = {pod.name for pod in await systems.cluster.pods("app=order-service")}
    assert {row[1] for row in found} == {"BackOff"}
    assert {row[4].removeprefix("Pod/") for row in found} == pods
    assert all(row[3].startswith(BACK_OFF) for row in found)

    result = await READ.read(systems)
    assert not result.ok
    assert result.text.splitlines()[1].startswith(BACK_OFF)


async def test_warnings_of_deleted_pods_stay(systems: ChangingSystems, kube: Cluster) -> None:
    await crash(systems, kube)
    before = {row[4] for row in await warned(systems)}
    for pod in await systems.cluster.pods("app=order-service"):
        await systems.cluster.delete_pod(pod)

    assert before <= {row[4] for row in await warned(systems)}


async def test_others_warnings_are_left_out(systems: ChangingSystems, kube: Cluster) -> None:
    await crash(systems, kube)
    store, events = kube.state.store, kube.events("order-service")
    [first, *_] = [event for event in events if event["type"] == "Warning"]
    for kind, name in (
        ("Pod", "order-service-worker-7d9f8-x2x4q"),
        ("ReplicaSet", "order-service-worker-7d9f8"),
        ("Deployment", "order-service-worker"),
        ("Node", "order-service"),
    ):
        other = editable_copy(first)
        other["metadata"] = {"name": f"{name}.1", "namespace": first["metadata"]["namespace"]}
        other["involvedObject"] |= {"kind": kind, "name": name}
        store.create(EVENTS, other)

    assert len(await warned(systems)) == 3


async def test_ages_are_those_of_the_clock(systems: ChangingSystems, kube: Cluster) -> None:
    await crash(systems, kube)
    newest = max(event.last for event in await systems.cluster.warnings())

    result = await READ.read(replace(systems, now=lambda: newest + timedelta(minutes=20)))

    assert result.text.splitlines()[0].endswith("the last 20m ago")


async def test_unknown_deployment(systems: ChangingSystems) -> None:
    with pytest.raises(NotFound):
        await ListEvents(deployment="nothing").read(systems)


async def test_a_missing_permission(systems: ChangingSystems, kube: Cluster) -> None:
    kube.forbid(USER, "list", "events")

    with pytest.raises(Forbidden, match="list events"):
        await READ.read(systems)


async def test_an_unreachable_cluster(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.stop_listening()

    with pytest.raises(Unreachable):
        await READ.read(systems)


async def test_a_silent_cluster(systems: ChangingSystems, kube: Cluster) -> None:
    kube.hang("*")

    with pytest.raises(TimedOut):
        await READ.read(systems)


@pytest.mark.parametrize(
    ("newer", "count", "minute"),
    [
        ({"series": {"count": 5, "lastObservedTime": "2026-11-24T10:07:00.000000Z"}}, 5, 7),
        ({"eventTime": "2026-11-24T10:05:00.000000Z"}, 1, 5),
        ({"eventTime": None, "lastTimestamp": None}, 1, 2),
        ({"count": 3, "lastTimestamp": "2026-11-24T10:06:00Z"}, 3, 6),
    ],
)
def test_each_form_of_an_event(newer: dict[str, object], count: int, minute: int) -> None:
    event = parse_event(
        {
            "metadata": {"name": "a.1", "creationTimestamp": "2026-11-24T10:02:00Z"},
            "involvedObject": {"kind": "Pod", "name": "a"},
            "reason": "Unhealthy",
            "message": "Readiness probe failed: PASSWORD=hunter2secret",
            **newer,
        }
    )

    assert (event.count, event.last.minute) == (count, minute)
    assert "hunter2secret" not in event.message
