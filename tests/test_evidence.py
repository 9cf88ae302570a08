"""What became of a change is told from what this execution did, and only once that is certain."""

import asyncio
import re
from collections.abc import Callable

import pytest

from bot.actions.kubernetes.deployments import DeploymentChange
from bot.actions.kubernetes.environment import SetEnvironment
from bot.actions.kubernetes.memory import MemoryLimit
from bot.actions.kubernetes.restarts import DeletePods, RollingRestart
from bot.actions.kubernetes.rollback import RollBack
from bot.actions.kubernetes.scale import ScaleDeployment
from bot.model import Evidence, UserError, Verdict
from bot.systems import ChangingSystems
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.cluster.resources import DEPLOYMENTS
from tests.cluster_fixtures import SELECTOR, SHOP, RecordedProgress, systems
from tests.conftest import ORDERS, Bot, Clock, Walk
from tests.manual_changes import (
    patch_deployment,
    patch_env,
    patch_pods,
    recreate_deployment,
    variable,
)
from tests.pausing import PAUSED, request_pause
from tests.rollbacks import DONE, TO_V231, asked, broken, mark_running
from tests.test_silent_replicas import approve, sent

__all__ = ["asked", "broken", "systems"]

NOT_PAUSED = "The change was not done: ORDERS_PAUSED of order-service is “false”."


async def die(bot: Bot, clock: Clock) -> None:
    """Let the process die that runs what was requested, with what it has sent so far."""
    await mark_running(bot)
    clock.forward(seconds=31)
    await bot.tick()


async def test_a_late_write_is_waited_for(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    """The server stalls for so long that the bot hangs up, and does the write all the same."""
    channel = await request_pause(walk)
    bot.world.services.systems(ORDERS).cluster.timeout = 1.5
    stalled = kube.stall("patch *")
    await walk.press("second", action_ids.APPROVE, channel)

    request = walk.execution(channel)
    assert request.state == "Unknown"
    assert request.outcome.startswith("Kubernetes did not answer within 1.5 s")
    assert variable(kube) == "false"
    bot.world.services.systems(ORDERS).cluster.timeout = 0.5
    clock.forward(seconds=11)
    await bot.tick()
    assert walk.execution(channel) == request

    bot.world.services.systems(ORDERS).cluster.timeout = 10
    await kube.release(stalled)
    clock.forward(seconds=11)
    await bot.tick()

    assert variable(kube) == "true"
    assert walk.execution(channel).state == DONE
    assert PAUSED in walk.text(channel)
    clock.forward(minutes=31)
    await bot.tick()
    assert variable(kube) == "false"


async def test_not_done_shuts_the_door(walk: Walk, bot: Bot, kube: Cluster) -> None:
    channel = await request_pause(walk)
    bot.world.services.systems(ORDERS).cluster.timeout = 2.0
    stalled = kube.stall("patch *")
    await approve(walk, channel)
    await sent(kube, dry_run=False)
    kube.heal()
    await bot.drain()
    request = walk.execution(channel)
    assert (request.state, request.outcome) == ("Not done", NOT_PAUSED)
    ended = (await walk.timeline(channel))[-1]
    assert ended.startswith("@oncall requested this, and it was not done: Set ORDERS_PAUSED of")

    await kube.release(stalled)

    assert variable(kube) == "false"


@pytest.mark.parametrize("status", [None, 503])
async def test_a_write_without_answer_is_found(
    walk: Walk, bot: Bot, kube: Cluster, status: int | None
) -> None:
    channel = await request_pause(walk)
    bot.world.services.systems(ORDERS).cluster.timeout = 2.0
    kube.lose_answer("patch *", status)

    await walk.press("second", action_ids.APPROVE, channel)

    assert walk.execution(channel).state == DONE
    assert PAUSED in walk.text(channel)


async def test_the_target_stays_locked(walk: Walk, bot: Bot, kube: Cluster, clock: Clock) -> None:
    first = await walk.declare()
    await walk.press_step("oncall", "rolling-restart", first)
    await walk.submit("oncall", reason="It leaks")
    await walk.press("second", action_ids.APPROVE, first)
    await die(bot, clock)  # after it was done, and before that was written down
    assert walk.execution(first).state == "Interrupted"
    second = await walk.declare("slow responses", "sev3")
    await walk.press_step("oncall", "scale-up", second)
    await walk.submit("oncall", reason="It is slow", replicas="4")

    await walk.press("second", action_ids.APPROVE, second)

    assert walk.execution(second).state == (
        ":hourglass_flowing_sand: Approved, starts as soon as it is known what “Rolling restart” "
        "of INC-1 did to deployment/order-service in namespace tickettoken."
    )
    await walk.press("oncall", action_ids.CHECK_INTERRUPTED, first)
    await bot.tick()
    request = walk.execution(first)
    assert (request.state, request.outcome) == (
        DONE,
        "order-service was restarted: 3 of 3 ready, no restarts for 0.4 s",
    )
    assert walk.execution(second).state == DONE


async def test_a_scale_by_hand_is_not_claimed(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await walk.declare("slow responses", "sev3")
    await walk.press_step("oncall", "scale-up", channel)
    await walk.submit("oncall", reason="It is slow", replicas="4")
    await die(bot, clock)  # before the write
    await patch_deployment(kube, {"spec": {"replicas": 4}})

    await walk.press("oncall", action_ids.CHECK_INTERRUPTED, channel)

    request = walk.execution(channel)
    outcome = "The change was not done: order-service is scaled to 4."
    assert (request.state, request.outcome) == ("Not done", outcome)


async def test_pods_of_others_are_not_claimed(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await walk.declare()
    before = set(kube.pod_names())
    await walk.press_step("oncall", "delete-pods", channel)
    await walk.submit("oncall", reason="They hang")
    await die(bot, clock)  # before anything was sent

    await walk.press("oncall", action_ids.CHECK_INTERRUPTED, channel)

    request = walk.execution(channel)
    outcome = "This deleted no pod of app=order-service."
    assert (request.state, request.outcome) == ("Not done", outcome)
    assert set(kube.pod_names()) == before


async def test_a_missing_permission_is_told(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    """The role of before may not fence pods, so what became of a deletion stays unknown."""
    kube.forbid("runbolt", "patch", "pods")
    channel = await walk.declare()
    await walk.press_step("oncall", "delete-pods", channel)
    await walk.submit("oncall", reason="They hang")
    kube.fail("delete *", 500, dry_run=False)

    await walk.press("second", action_ids.APPROVE, channel)
    clock.forward(seconds=11)
    await bot.tick()

    request = walk.execution(channel)
    assert request.state == "Unknown"
    assert request.outcome.startswith("0 of 3 pods were deleted. Kubernetes failed with status 500")
    assert request.outcome.count(f"The bot may not patch pods {SHOP}.") == 1
    kube.permit("runbolt", "patch", "pods")
    clock.forward(seconds=11)
    await bot.tick()
    assert walk.execution(channel).state == "Not done"


async def test_an_undone_change_says_who(walk: Walk, bot: Bot, broken: Cluster, asked: str) -> None:
    await approve(walk, asked)
    await sent(broken, dry_run=False)
    await broken.wait_until(lambda: broken.image().endswith(":v2.3.1"))
    broken.deploy("v2.4.0", by="argocd-controller")
    await bot.drain()

    request = walk.execution(asked)
    assert re.fullmatch(
        rf":warning: Done, then put back by argocd-controller {WHEN}: order-service runs image "
        r"v2\.4\.0 again\.",
        request.state,
    )
    assert request.buttons == ()
    outcome = request.state.removeprefix(":warning: ")
    ended = f"@oncall requested this, and it did not last: {TO_V231} ({outcome})"
    assert (await walk.timeline(asked))[-1] == ended


def pause(watch_seconds: float = 0.4) -> SetEnvironment:
    return SetEnvironment(
        deployment="order-service",
        variable="ORDERS_PAUSED",
        value="true",
        watch_seconds=watch_seconds,
        deadline_seconds=30,
    )


WHEN = r"(within a second|after about \d+ s)"
RESTART = RollingRestart(deployment="order-service", watch_seconds=30, deadline_seconds=30)
OUTSIDE: list[tuple[DeploymentChange, Callable[[Cluster], None], str]] = [
    (
        RESTART,
        lambda kube: kube.deploy("v2.4.2"),
        rf"Done, then order-service was changed by pipeline {WHEN}: it runs image v2\.4\.2 now\.",
    ),
    (
        pause(watch_seconds=30),
        lambda kube: kube.resume_orders(),
        rf"Done, then put back by kubectl-set {WHEN}: ORDERS_PAUSED of order-service is “false” "
        r"again\.",
    ),
    (
        pause(watch_seconds=30),
        lambda kube: kube.deploy("v2.4.2"),
        rf"Done, then order-service was changed by pipeline {WHEN}: it runs image v2\.4\.2 now, "
        r"and ORDERS_PAUSED of order-service is “true”\.",
    ),
]


@pytest.mark.parametrize(("change", "act", "text"), OUTSIDE)
async def test_the_check_compares_until_its_end(
    systems: ChangingSystems,
    kube: Cluster,
    change: DeploymentChange,
    act: Callable[[Cluster], None],
    text: str,
) -> None:
    notes = RecordedProgress()
    plan = await change.plan(systems.for_planning())
    await change.execute(systems, plan, notes.run)
    checking = asyncio.create_task(change.verify(systems.for_reading(), plan, notes.run))
    await kube.wait_until(lambda: bool(notes.starting_with("Watching")))

    act(kube)
    verdict = await checking

    assert (verdict.ok, verdict.undone_outside) == (False, True)
    assert re.fullmatch(text, verdict.text)


CHANGES: tuple[DeploymentChange, ...] = (
    pause(),
    ScaleDeployment(deployment="order-service", replicas=4),
    MemoryLimit(deployment="order-service", limit="1Gi"),
    RollingRestart(deployment="order-service"),
    RollBack(deployment="order-service", to_revision=5),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
async def test_a_change_is_found_after_a_crash(
    systems: ChangingSystems, kube: Cluster, change: DeploymentChange
) -> None:
    """Even when somebody has rolled back since: `kubectl` brings the annotations of then back."""
    plan, notes = await change.plan(systems.for_planning()), RecordedProgress(12)
    await change.execute(systems, plan, notes.run)
    annotations = kube.deployment()["metadata"]["annotations"]
    assert annotations["runbolt.dev/execution"] == "12"
    await kube.wait_for_rollout()
    annotated = {"metadata": {"annotations": {"runbolt.dev/execution": "3"}}}
    await patch_deployment(kube, annotated | {"spec": {"template": annotated}})

    ours, other = RecordedProgress(12), RecordedProgress(13)
    ours.run.evidence = other.run.evidence = Evidence(sent=notes.run.evidence.sent)
    assert await change.settle(systems, plan, ours.run) is None
    verdict = await change.settle(systems, plan, other.run)

    assert verdict is not None
    assert not verdict.was_applied


async def test_an_unnamed_undoing_was_outside(systems: ChangingSystems, kube: Cluster) -> None:
    """Of a variable that is removed no note is left."""
    plan, notes = await pause().plan(systems.for_planning()), RecordedProgress()
    await pause().execute(systems, plan, notes.run)
    await patch_env(kube, {"name": "ORDERS_PAUSED", "$patch": "delete"})

    verdict = await pause().verify(systems.for_reading(), plan, notes.run)

    text = "Done, then changed outside Runbolt: ORDERS_PAUSED of order-service is not set."
    assert verdict == Verdict(ok=False, text=text, undone_outside=True)


async def test_a_deleted_deployment_leaves_doubt(systems: ChangingSystems, kube: Cluster) -> None:
    plan, notes = await pause().plan(systems.for_planning()), RecordedProgress()
    await pause().execute(systems, plan, notes.run)
    lost = Evidence(sent=notes.run.evidence.sent)
    kube.state.store.remove(DEPLOYMENTS, kube.deployment())
    notes.run.evidence = lost

    next_step = "If it is not there again by now, deploy it; then look at its pods."
    assert await pause().settle(systems, plan, notes.run) == Verdict(
        ok=False,
        undone_outside=True,
        gone=True,
        text="deployment/order-service was deleted. Whether the change was done before is not "
        f"known. {next_step}",
    )
    assert await pause().verify(systems.for_reading(), plan, notes.run) == Verdict(
        ok=False,
        undone_outside=True,
        gone=True,
        text=f"Done, then deployment/order-service was deleted. {next_step}",
    )


def delete() -> DeletePods:
    return DeletePods(selector=SELECTOR, watch_seconds=0.4, deadline_seconds=30)


async def test_a_late_deletion_is_fenced(systems: ChangingSystems, kube: Cluster) -> None:
    plan, notes = await delete().plan(systems.for_planning()), RecordedProgress()
    before = set(kube.pod_names())
    stalled = kube.stall("delete *")
    with pytest.raises(UserError, match="0 of 3 pods were deleted") as caught:
        await delete().execute(systems, plan, notes.run)
    assert caught.value.unsure
    systems.cluster.timeout = 10

    assert await delete().settle(systems, plan, notes.run) == Verdict(
        ok=False, was_applied=False, text="This deleted no pod of app=order-service."
    )
    await kube.release(stalled)

    assert {pod["metadata"]["name"] for pod in kube.ready_pods()} == before


async def test_which_pods_were_deleted_is_said(systems: ChangingSystems, kube: Cluster) -> None:
    plan, notes = await delete().plan(systems.for_planning()), RecordedProgress()
    ours, lost, other = sorted(plan.fingerprint["pods"])
    kube.lose_answer(f"delete */pods/{lost}", 500)
    pods = {pod.name: pod for pod in await systems.cluster.pods(SELECTOR)}
    await systems.cluster.delete_pod(pods[other])
    with pytest.raises(UserError):
        await delete().execute(systems, plan, notes.run)

    assert await delete().settle(systems, plan, notes.run) is None
    verdict = await delete().verify(systems.for_reading(), plan, notes.run)

    assert verdict.text == (
        f"1 of 3 pods were deleted by this; {other} had gone before; whether {lost} were, is not "
        "known, and they are gone: 3 of 3 ready, no restarts for 0.4 s"
    )
    assert ours not in kube.pod_names()


async def test_what_was_never_sent_was_not_done(systems: ChangingSystems, kube: Cluster) -> None:
    """It is known without asking anybody."""
    plan, deletion = [await change.plan(systems.for_planning()) for change in (pause(), delete())]
    await kube.stop_listening()

    changed = await pause().settle(systems, plan, RecordedProgress().run)
    deleted = await delete().settle(systems, deletion, RecordedProgress().run)

    unread = "The change was not done: what it is now cannot be read."
    none = "This deleted no pod of app=order-service."
    assert changed == Verdict(ok=False, was_applied=False, text=unread)
    assert deleted == Verdict(ok=False, was_applied=False, text=none)


async def test_a_deployment_made_anew_proves_nothing(
    systems: ChangingSystems, kube: Cluster
) -> None:
    """A controller has deleted it and created it again: what was done to the first is not known."""
    plan, notes = await pause().plan(systems.for_planning()), RecordedProgress()
    await pause().execute(systems, plan, notes.run)
    notes.run.evidence = Evidence(sent=notes.run.evidence.sent)
    await recreate_deployment(kube)

    verdict = await pause().settle(systems, plan, notes.run)

    assert verdict is not None
    assert (verdict.was_applied, verdict.undone_outside) == (True, True)
    assert "Whether the change was done before is not known." in verdict.text


async def test_a_later_release_is_not_claimed(systems: ChangingSystems, kube: Cluster) -> None:
    """The annotation of a lost answer stays through somebody else's release."""
    plan, notes = await pause().plan(systems.for_planning()), RecordedProgress()
    await pause().execute(systems, plan, notes.run)
    notes.run.evidence = Evidence(sent=notes.run.evidence.sent)
    await kube.wait_for_rollout()
    kube.deploy("v2.4.2")
    await kube.wait_for_rollout()

    assert await pause().settle(systems, plan, notes.run) is None
    verdict = await pause().verify(systems.for_reading(), plan, notes.run)

    assert (verdict.ok, verdict.undone_outside) == (False, True)


async def test_another_container_keeps_no_doubt(systems: ChangingSystems, kube: Cluster) -> None:
    change, notes = MemoryLimit(deployment="order-service", limit="1Gi"), RecordedProgress()
    plan = await change.plan(systems.for_planning())
    version = kube.deployment()["metadata"]["resourceVersion"]
    notes.run.evidence = Evidence(sent={plan.target: version})
    await patch_pods(kube, {"containers": [{"name": "proxy", "image": "envoy:1"}]})

    verdict = await change.settle(systems, plan, notes.run)

    assert verdict is not None
    assert (verdict.was_applied, verdict.text) == (
        False,
        "The change was not done: order-service has other containers than before.",
    )
