"""What a Deployment has been: the table of its revisions, and which of them were given up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.actions.kubernetes.history import RolloutHistory
from bot.actions.kubernetes.memory import MemoryLimit
from bot.actions.kubernetes.revisions import rolled_back_from
from bot.actions.kubernetes.rollback import RollBack
from bot.model import UserError
from bot.systems import ChangingSystems
from bot.systems import kubernetes as door
from bot.systems.kubernetes import Revision
from sandbox.cluster import Cluster
from sandbox.cluster.errors import Obj
from sandbox.cluster.resources import DEPLOYMENTS, REPLICASETS
from sandbox.cluster.store import editable_copy
from tests.cluster_fixtures import USER, RecordedProgress, carry_out, systems

__all__ = ["systems"]

HISTORY = RolloutHistory(deployment="order-service")
BACK = RollBack.model_validate(
    {"deployment": "order-service", "watch_seconds": 0.4, "deadline_seconds": 8.0}
)


async def rows(systems: ChangingSystems) -> list[tuple[str, ...]]:
    reading = await HISTORY.read(systems)
    assert reading.table is not None
    return [tuple(map(str, row)) for row in reading.table.rows]


async def test_the_revisions_of_a_broken_release(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    reading = await HISTORY.read(systems)

    assert reading.ok is False
    assert reading.text.startswith("Revision 7 (v2.4.0) runs, first rolled out ")
    assert reading.text.endswith("0 of 3 available. A rollback would go to revision 6 (v2.3.1)")
    found = await rows(systems)
    assert [(row[-1], row[1]) for row in found] == [
        ("7", "v2.4.0"),
        ("6", "v2.3.1"),
        ("5", "v2.3.0"),
        ("4", "v2.2.0"),
        ("3", "v2.1.4"),
    ]
    assert [(row[0], row[2]) for row in found[:2]] == [("runs now", "0/3"), ("–", "–")]
    assert found[0][4] == "release v2.4.0"


async def test_rolled_back_release_is_marked(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    await carry_out(BACK, systems, RecordedProgress())
    found = await rows(systems)

    assert [row[-1] for row in found] == ["8", "7", "5", "4", "3"]
    assert [row[0] for row in found[:3]] == ["runs now", "was rolled back from", "–"]
    assert (await HISTORY.read(systems)).text.endswith("A rollback would go to revision 5 (v2.3.0)")


async def test_ages_are_counted_on_the_clock(systems: ChangingSystems) -> None:
    later = systems.now() + timedelta(days=30)
    found = await rows(replace(systems, now=lambda: later))

    assert [row[3] for row in found] == ["36d", "47d", "71d", "94d"]


async def test_a_deployment_without_a_past(systems: ChangingSystems, kube: Cluster) -> None:
    forget(kube, keep=("v2.3.1",))
    reading = await HISTORY.read(systems)

    assert reading.ok
    assert reading.text.endswith("There is no revision to roll back to")
    with pytest.raises(UserError, match=r"no other revision that would help.*: none"):
        await BACK.plan(systems.for_planning())
    assert await BACK.parameter_options(systems.for_planning(), "to_revision") is None


def forget(kube: Cluster, keep: tuple[str, ...]) -> None:
    """Let somebody delete the ReplicaSets of all other images."""
    for replicaset in kube.replicasets():
        if not any(tag in str(replicaset["spec"]) for tag in keep):
            kube.state.store.remove(REPLICASETS, replicaset)


async def test_deployment_without_revisions_is_told(
    systems: ChangingSystems, kube: Cluster
) -> None:
    made = editable_copy(kube.deployment())
    for key in ("uid", "resourceVersion", "creationTimestamp"):
        made["metadata"].pop(key)
    made["metadata"] |= {"name": "new", "annotations": {}}
    made["spec"]["paused"] = True
    kube.state.store.create(DEPLOYMENTS, made)
    reading = await RolloutHistory(deployment="new").read(systems)

    assert reading.ok is False
    assert "has no revisions yet" in reading.text


async def test_only_bad_revisions_require_choice(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    await carry_out(BACK, systems, RecordedProgress())
    forget(kube, keep=("v2.3.1", "v2.4.0"))

    with pytest.raises(UserError, match=r"7 \(v2\.4\.0, which was rolled back from\)"):
        await BACK.plan(systems.for_planning())
    plan = await BACK.model_copy(update={"to_revision": 7}).plan(systems.for_planning())
    assert plan.warnings == ("Revision 7 (v2.4.0) was rolled back from.",)
    choices = await BACK.parameter_options(systems.for_planning(), "to_revision")
    assert choices is not None
    assert choices.default is None


async def test_failed_image_is_passed_over(systems: ChangingSystems, kube: Cluster) -> None:
    """More memory for a release that crash-loops all the same makes two revisions of it."""
    await kube.scenario("crash-loop")
    memory = {"deployment": "order-service", "limit": "1Gi", "watch_seconds": 0.3}
    more = MemoryLimit.model_validate(memory | {"deadline_seconds": 3.0})
    await carry_out(more, systems, RecordedProgress())
    await kube.wait_until(lambda: not [pod for pod in kube.pods() if _of(pod, "512Mi")])
    plan = await BACK.plan(systems.for_planning())
    named = await BACK.model_copy(update={"to_revision": 7}).plan(systems.for_planning())

    assert plan.fingerprint["to_revision"] == 6
    assert named.warnings == ("Revision 7 (v2.4.0) had pods that did not keep running.",)
    kube.forbid(USER, "list", "events")
    assert (await BACK.plan(systems.for_planning())).fingerprint["to_revision"] == 7


def _of(pod: Obj, limit: str) -> bool:
    [container] = pod["spec"]["containers"]
    return bool(container["resources"]["limits"]["memory"] == limit)


async def test_pods_failing_once_allow_rollback(systems: ChangingSystems, kube: Cluster) -> None:
    pod = kube.ready_pods()[0]
    kube.state.events.record(pod, "BackOff", "Back-off", {"component": "kubelet"}, warning=True)
    await kube.scenario("crash-loop")

    plan = await BACK.plan(systems.for_planning())
    assert plan.fingerprint["to_revision"] == 6
    assert plan.warnings == ("Revision 6 (v2.3.1) had pods that did not keep running.",)


async def test_only_revision_has_a_list(systems: ChangingSystems) -> None:
    assert await BACK.parameter_options(systems.for_planning(), "watch_seconds") is None


def ran(uid: str, *numbers: int, image: str = "") -> Revision:
    """A revision that ran under these numbers, the last one at last; the image is its own."""
    return Revision(
        number=numbers[-1],
        previous_numbers=numbers[:-1],
        uid=uid,
        name=uid,
        created=datetime(2026, 11, 24, tzinfo=UTC),
        replicas=0,
        ready=0,
        change_cause="",
        template={"spec": {"containers": [{"image": image or uid}]}},
    )


@pytest.mark.parametrize(
    ("past", "blamed"),
    [
        ([ran("a", 1), ran("b", 2)], set()),
        ([ran("a", 1, 3), ran("b", 2)], {"b"}),
        ([ran("a", 1, 3), ran("b", 2, 4)], set()),
        ([ran("a", 1, 3, 5), ran("b", 2, 4)], {"b"}),
        ([ran("a", 1, 4), ran("b", 2), ran("c", 3)], {"c"}),
        ([ran("a", 1, 5), ran("b", 2, 4), ran("c", 3)], {"b", "c"}),
        # The one in between is forgotten, so nobody is blamed in its stead.
        ([ran("a", 1, 4), ran("b", 2)], set()),
        ([ran("a", 1, 2)], set()),
        # A release and its restart are given up together, and come back together.
        ([ran("a", 1, 4), ran("b", 2), ran("b2", 3, image="b")], {"b", "b2"}),
        ([ran("a", 1, 4), ran("b", 2), ran("b2", 3, 5, image="b")], set()),
        ([ran("b0", 1, image="b"), ran("a", 2, 4), ran("b", 3)], {"b"}),
    ],
)
def test_who_is_blamed(past: list[Revision], blamed: set[str]) -> None:
    assert rolled_back_from(past) == blamed


@pytest.mark.parametrize(
    ("past", "left", "blamed"),
    [
        # b was rolled back from, and that was undone; then the undo was undone too.
        ([ran("a", 1, 3), ran("b", 2, 4)], {2, 3}, {"a"}),
        ([ran("a", 1, 3, 5), ran("b", 2, 4)], {2, 3, 4}, {"b"}),
        # b was rolled back from, and then released once more.
        ([ran("a", 1, 3), ran("b", 2, 4)], {2}, set()),
        # A restart of what is left is left with it.
        ([ran("a", 1, 3), ran("a2", 4, image="a"), ran("b", 2, 5)], {2, 4}, {"a", "a2"}),
    ],
)
def test_who_is_blamed_by_an_undo(past: list[Revision], left: set[int], blamed: set[str]) -> None:
    assert rolled_back_from(past, left) == blamed


async def test_not_knowing_which_failed_is_said(systems: ChangingSystems, kube: Cluster) -> None:
    kube.fail("list */events", 500)
    reading = await HISTORY.read(systems)

    assert reading.ok
    assert "Which revisions failed before is not known. Kubernetes failed with" in reading.text
    assert reading.table is not None


async def test_troubles_are_said(systems: ChangingSystems, kube: Cluster) -> None:
    fault = kube.hang("list */replicasets")
    with pytest.raises(door.TimedOut):
        await HISTORY.read(systems)
    kube.heal(fault)
    kube.forbid(USER, "list", "replicasets")
    with pytest.raises(door.Forbidden, match="replicasets"):
        await HISTORY.read(systems)
    with pytest.raises(door.NotFound):
        await RolloutHistory(deployment="nothing-here").read(systems)
    await kube.stop_listening()
    with pytest.raises(door.Unreachable):
        await HISTORY.read(systems)
