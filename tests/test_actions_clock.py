"""Actions read the time where everybody else does: on the clock they are given."""

from dataclasses import replace
from datetime import timedelta

from bot.actions.kubernetes.pods import ListPods
from bot.actions.kubernetes.restarts import RollingRestart
from bot.actions.kubernetes.usage import PodUsage
from bot.systems import Systems
from sandbox.cluster import Cluster
from tests.cluster_fixtures import SELECTOR, RecordedProgress, systems

__all__ = ["systems"]


async def test_ages_are_counted_on_the_clock(systems: Systems) -> None:
    later = systems.now() + timedelta(days=30)
    reading = await ListPods(selector=SELECTOR).read(replace(systems, now=lambda: later))

    assert reading.table is not None
    age = reading.table.columns.index("age")
    assert {row[age] for row in reading.table.rows} == {"36d"}


async def test_a_restart_has_the_time(systems: Systems, kube: Cluster) -> None:
    then = systems.now().replace(year=2031)
    fixed, action = replace(systems, now=lambda: then), RollingRestart(deployment="order-service")
    await action.execute(fixed, await action.plan(fixed), RecordedProgress().run)

    notes = kube.deployment()["spec"]["template"]["metadata"]["annotations"]
    assert notes["kubectl.kubernetes.io/restartedAt"].startswith("2031-")


async def test_the_age_of_a_pod(systems: Systems, kube: Cluster) -> None:
    await kube.scenario("image-pull")
    later = systems.now() + timedelta(days=30)

    reading = await PodUsage(selector=SELECTOR).read(replace(systems, now=lambda: later))

    assert [note for note in reading.notes if note.startswith("No figures of")]
    assert all(", 30d old." in note for note in reading.notes if note.startswith("No figures of"))
