"""Rolling back: planned, guarded by what it was planned from, and checked for a while after."""

import asyncio

import pytest

from bot.actions.kubernetes.rollback import RollBack
from bot.model import Evidence, UserError, Verdict
from bot.systems import ChangingSystems
from bot.systems import kubernetes as door
from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from sandbox.cluster.resources import DEPLOYMENTS
from sandbox.cluster.store import editable_copy
from tests.cluster_fixtures import USER, RecordedProgress, carry_out, conclude, systems

__all__ = ["systems"]

EXECUTION = "runbolt.dev/execution"
PATCHES = "patch */deployments/order-service"


def roll_back(to_revision: int | None = None, **more: float) -> RollBack:
    times = {"watch_seconds": 0.4, "deadline_seconds": 8.0} | more
    return RollBack.model_validate(
        {"deployment": "order-service", "to_revision": to_revision} | times
    )


def patches(kube: Cluster) -> int:
    return len([write for write in kube.writes if write.verb == "patch"])


async def test_a_crash_loop_is_rolled_back(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    told = RecordedProgress()
    plan, verdict = await carry_out(roll_back(), systems, told)

    assert plan.summary == (
        "Roll order-service back from revision 7 (image v2.4.0) to revision 6 (image v2.3.1)"
    )
    assert verdict.ok
    assert verdict.text == ("order-service runs image v2.3.1: 3 of 3 ready, no restarts for 0.4 s")
    assert kube.image().endswith(":v2.3.1")
    assert kube.deployment()["metadata"]["annotations"][EXECUTION] == "7"
    assert told.starting_with("Rollout: ")[0] == "Rollout: 0 of 3 ready, no pod serves yet"
    assert told.starting_with("Watching: ")


async def test_progress_counts_serving_pods(systems: ChangingSystems, kube: Cluster) -> None:
    told = RecordedProgress()
    _, verdict = await carry_out(roll_back(), systems, told)

    assert verdict.ok
    first = told.starting_with("Rollout: ")[0]
    assert first == "Rollout: 0 of 3 new pods ready, 3 old ones still serve"


async def test_failed_release_tells_serving_pods(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("image-pull")
    await carry_out(roll_back(), systems, RecordedProgress())
    _, verdict = await carry_out(roll_back(7), systems, RecordedProgress(8))

    assert not verdict.ok
    assert verdict.text.startswith("It does not get ready: ")
    assert verdict.text.endswith("; 3 old ones still serve")


async def test_the_plan_says_everything(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    plan = await roll_back().plan(systems.for_planning())

    place = f"{DEFAULT_NAMESPACE} of 127.0.0.1:{kube.port}/users/{USER}"
    assert plan.target == f"deployment/order-service in {place}"
    assert "-    image: ghcr.io/tickettoken/order-service:v2.4.0" in plan.diff
    assert "+    image: ghcr.io/tickettoken/order-service:v2.3.1" in plan.diff
    assert "dry run" in plan.dry_run
    assert "3 pods are replaced" in plan.blast_radius.text
    assert "without a restart" in plan.check
    assert plan.undo is not None
    assert plan.undo.params["to_revision"] == 7
    assert plan.fingerprint["uid"] == kube.deployment()["metadata"]["uid"]


async def test_plan_is_steady_and_writes_nothing(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    before = len(kube.writes)
    plans = [await roll_back().plan(systems.for_planning()) for _ in range(3)]

    assert len(kube.writes) == before
    assert len({plan.digest for plan in plans}) == 1


async def test_the_undo_goes_back(systems: ChangingSystems, kube: Cluster) -> None:
    plan, verdict = await carry_out(roll_back(5), systems, RecordedProgress())
    assert verdict.ok
    assert plan.undo is not None

    _, verdict = await carry_out(
        RollBack.model_validate(plan.undo.params), systems, RecordedProgress(8)
    )
    assert verdict.ok
    assert kube.image().endswith(":v2.3.1")


async def test_drift_is_refused(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    plan = await roll_back().plan(systems.for_planning())
    kube.change_template()
    await kube.wait_until(lambda: kube.deployment()["status"].get("observedGeneration") == 9)
    before = patches(kube)

    with pytest.raises(UserError, match="changed since the plan was made"):
        await roll_back().execute(systems, plan, RecordedProgress().run)
    assert patches(kube) == before


async def test_autoscaler_changes_are_no_drift(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await roll_back(5).plan(systems.for_planning())
    kube.scale(5)

    assert (await roll_back(5).plan(systems.for_planning())).digest == plan.digest
    await roll_back(5).execute(systems, plan, RecordedProgress().run)
    assert kube.deployment()["spec"]["replicas"] == 5
    assert patches(kube) == 1


async def test_status_changes_are_no_drift(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    plan = await roll_back().plan(systems.for_planning())
    fault = kube.slow(PATCHES, 0.3)
    seen = len(kube.requests)
    writing = asyncio.create_task(roll_back().execute(systems, plan, RecordedProgress().run))
    await kube.wait_until(lambda: any(request.verb == "patch" for request in kube.requests[seen:]))
    _move_status(kube)
    kube.heal(fault)
    await writing

    assert [request.status for request in kube.requests[seen:] if request.verb == "patch"] == [
        422,
        200,
    ]
    assert kube.image().endswith(":v2.3.1")


def _move_status(kube: Cluster) -> None:
    """Move the resource version and nothing that a plan looks at."""
    moved = editable_copy(kube.deployment())
    moved["status"]["collisionCount"] = 1
    kube.state.store.update(DEPLOYMENTS, moved)


async def test_later_crash_fails_the_check(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    await kube.scenario("healthy")
    crashing = next(
        int(replicaset["metadata"]["annotations"]["deployment.kubernetes.io/revision"])
        for replicaset in kube.replicasets()
        if replicaset["spec"]["template"]["spec"]["containers"][0]["image"].endswith("v2.4.0")
    )
    told = RecordedProgress()
    _, verdict = await carry_out(roll_back(crashing, watch_seconds=1.5), systems, told)

    assert not verdict.ok
    assert "exit 2" in verdict.text


async def test_missing_image_fails_the_check(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("image-pull")
    await kube.scenario("healthy")
    missing = max(
        int(replicaset["metadata"]["annotations"]["deployment.kubernetes.io/revision"])
        for replicaset in kube.replicasets()
        if replicaset["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":missing")
    )
    _, verdict = await carry_out(
        roll_back(missing, deadline_seconds=2), systems, RecordedProgress()
    )

    assert not verdict.ok
    assert "ImagePull" in verdict.text


async def test_after_an_interruption_looking_is_enough(
    systems: ChangingSystems, kube: Cluster
) -> None:
    await kube.scenario("crash-loop")
    plan, notes = await roll_back().plan(systems.for_planning()), RecordedProgress()
    assert await roll_back().settle(systems, plan, notes.run) == Verdict(
        ok=False,
        was_applied=False,
        text="The rollback was not done: order-service runs image v2.4.0.",
    )

    await roll_back().execute(systems, plan, notes.run)
    after_crash = RecordedProgress()
    after_crash.run.evidence = Evidence(sent=notes.run.evidence.sent)
    assert (await conclude(roll_back(), systems, plan, after_crash)).ok


async def test_short_silence_passes_the_check(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await roll_back(5).plan(systems.for_planning())
    await roll_back(5).execute(systems, plan, RecordedProgress().run)
    checking = asyncio.create_task(
        roll_back(5).verify(systems.for_reading(), plan, RecordedProgress().run)
    )
    await kube.wait_for_rollout()
    silent, asked = kube.fail("get */deployments/*", 503), len(kube.requests)
    await kube.wait_until(lambda: len(kube.requests) >= asked + 3)
    kube.heal(silent)

    assert (await checking).ok


@pytest.mark.parametrize(
    ("to_revision", "words"),
    [(6, "already"), (99, "no revision 99")],
)
async def test_revisions_that_cannot_be(
    to_revision: int, words: str, systems: ChangingSystems
) -> None:
    with pytest.raises(UserError, match=words):
        await roll_back(to_revision).plan(systems.for_planning())


async def test_an_unknown_deployment(systems: ChangingSystems) -> None:
    with pytest.raises(door.NotFound, match="no deployment nothing-here"):
        await RollBack(deployment="nothing-here").plan(systems.for_planning())


async def test_missing_right_shows_before_approval(systems: ChangingSystems, kube: Cluster) -> None:
    kube.forbid(USER, "patch", "deployments")
    with pytest.raises(door.Forbidden, match="patch deployments"):
        await roll_back(5).plan(systems.for_planning())


async def test_a_mute_and_an_unreachable_cluster(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await roll_back(5).plan(systems.for_planning())
    fault = kube.hang(PATCHES)
    with pytest.raises(door.TimedOut, match="is unknown"):
        await roll_back(5).execute(systems, plan, RecordedProgress().run)
    kube.heal(fault)
    await kube.stop_listening()
    with pytest.raises(door.Unreachable):
        await roll_back(5).execute(systems, plan, RecordedProgress().run)
    with pytest.raises(door.Unreachable):
        await roll_back(5).plan(systems.for_planning())
