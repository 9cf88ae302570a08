"""Scaling from the incident's channel: what is asked, refused, approved, done and undone."""

import re

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.cluster_fixtures import SHOP
from tests.conftest import Walk
from tests.rollbacks import DONE

SCALED = "order-service is scaled to {0}: {0} of {0} ready, no restarts for 0.4 s"
DRIFTED = "Changed since this plan was made: {}. Nothing was done. The new plan"


async def declare(walk: Walk) -> str:
    return await walk.declare("Orders are slow", "sev3")


async def ask(walk: Walk, channel: str, replicas: int = 5) -> None:
    await walk.press_step("oncall", "scale-up", channel)
    await walk.submit("oncall", replicas=str(replicas), reason="CPU is at its limit")


def ended(walk: Walk, channel: str) -> tuple[str, str]:
    """How the newest request ended, and what is said of it."""
    execution = walk.execution(channel)
    return execution.state, execution.outcome


def refused(walk: Walk, channel: str) -> list[str]:
    """What the person who asked was told instead of a request."""
    assert walk.executions(channel) == []
    return walk.answers("oncall", channel)


def replicas(kube: Cluster) -> int:
    return int(kube.deployment()["spec"]["replicas"])


async def test_scaled_and_undone(walk: Walk, kube: Cluster) -> None:
    channel = await declare(walk)
    await ask(walk, channel)
    request = walk.execution(channel)
    assert request.loss == "Nothing is lost: 2 pods are added, and those that run are left alone."
    assert request.plan == {
        "Target": "deployment/order-service in namespace tickettoken",
        "Plan": "Scale order-service from 3 to 5 replicas",
        "Check": "All 5 pods are ready within 300 s, and then stay ready for 0.4 s "
        "without a restart.",
        "Undo": "Scale order-service back to 3 replicas",
        "Approval": "as the policy asks before a change of this kind",
        "Tested": "The API server accepts it (dry run, nothing was written).",
    }
    assert (request.warnings, request.diff) == ((), "-replicas: 3\n+replicas: 5")
    assert replicas(kube) == 3

    await walk.press("second", action_ids.APPROVE, channel)
    assert ended(walk, channel) == (DONE, SCALED.format(5))

    await walk.press("second", action_ids.UNDO, channel)
    scaled, undone = walk.executions(channel)
    assert scaled.notes == (":leftwards_arrow_with_hook: Undone by @second",)
    assert (undone.title, undone.state) == ("Undo: Scale up", DONE)
    assert undone.outcome == SCALED.format(3)
    assert replicas(kube) == 3


@pytest.mark.parametrize(
    ("wanted", "problem"), [(0, "Must be at least 1."), (51, "Must be at most 50.")]
)
async def test_out_of_bounds_is_refused(walk: Walk, wanted: int, problem: str) -> None:
    channel = await declare(walk)
    await walk.press_step("oncall", "scale-up", channel)

    refused = await walk.submit_refused("oncall", replicas=str(wanted), reason="CPU")

    assert refused == {"replicas": problem}


BOUNDS = "Now 3. It may be set from 2 to 4, as the autoscaler order-service (2 to 4) is in charge."


async def test_an_autoscaler_in_charge(walk: Walk, kube: Cluster) -> None:
    """Form, hint and refusal have the same bounds; what was typed stays, and is sent again."""
    kube.autoscale(2, 4)
    channel = await declare(walk)
    await walk.press_step("oncall", "scale-up", channel)
    assert walk.form().fields["replicas"].hint == BOUNDS
    assert await walk.submit_refused("oncall", replicas="5", reason="CPU") == {
        "replicas": "Must be at most 4."
    }
    await walk.slack.close("oncall", walk.slack.views("oncall")[-1]["id"])
    kube.hang("*autoscal*")  # so the form knows no bounds, and the plan does
    await walk.press_step("oncall", "scale-up", channel)
    kube.heal()

    told = await walk.submit_refused("oncall", replicas="5", reason="CPU")

    assert told == {
        "replicas": "The autoscaler order-service (2 to 4) is in charge of "
        f"deployment/order-service {SHOP} and would set it back to 4 within seconds, so "
        "nothing was planned. Change its limits: `kubectl patch hpa order-service "
        '--namespace tickettoken --patch \'{"spec":{"maxReplicas":5}}\'`. ' + BOUNDS
    }
    assert (walk.executions(channel), walk.answers("oncall", channel)) == ([], [])

    await walk.submit("oncall", replicas="4", reason="CPU")
    assert walk.execution(channel).plan["Plan"] == "Scale order-service from 3 to 4 replicas"


async def test_an_autoscaler_that_allows_it(walk: Walk, kube: Cluster) -> None:
    kube.autoscale(2, 6)
    channel = await declare(walk)
    await ask(walk, channel)
    assert walk.execution(channel).warnings == (
        ":warning: The autoscaler order-service (2 to 6) is in charge, and may set this back "
        "when it looks again. To make it last, change the autoscaler's own limit: `kubectl patch "
        'hpa order-service --namespace tickettoken --patch \'{"spec":{"minReplicas":5}}\'`',
    )

    await walk.press("second", action_ids.APPROVE, channel)
    assert ended(walk, channel) == (DONE, SCALED.format(5))


async def test_a_new_autoscaler_stops_it(walk: Walk, kube: Cluster) -> None:
    channel = await declare(walk)
    await ask(walk, channel)
    kube.autoscale(2, 6)
    await walk.press("second", action_ids.APPROVE, channel)

    assert ended(walk, channel) == (
        "Not done",
        DRIFTED.format("autoscaler none → order-service (2 to 6)")
        + " is the same step from what is there now.",
    )
    assert replicas(kube) == 3


async def test_scaled_by_somebody_else(walk: Walk, kube: Cluster) -> None:
    channel = await declare(walk)
    await ask(walk, channel, 9)
    kube.scale(6)
    await walk.press("second", action_ids.APPROVE, channel)

    state, outcome = ended(walk, channel)
    assert state == "Not done"
    assert re.sub(r" at \d\d:\d\d UTC", "", outcome) == (
        DRIFTED.format("replicas 3 → 6, by kubectl, outside Runbolt")
        + ": Scale order-service from 6 to 9 replicas."
    )
    assert replicas(kube) == 6


@pytest.mark.parametrize("cpu", ["1", "0.5"])
async def test_changing_room_stops_nothing(cpu: str, walk: Walk, kube: Cluster) -> None:
    """The nodes' pods come and go all the time, and nobody approved how many would fit."""
    kube.limit_nodes(cpu="0.75")
    channel = await declare(walk)
    await ask(walk, channel, 9)
    assert walk.execution(channel).warnings == (
        ":warning: The nodes have room for 4 of the 6 new pods, and pods of other namespaces are "
        "not even counted; the others would wait as Pending.",
    )
    kube.limit_nodes(cpu=cpu)
    [button] = walk.slack.find_buttons(action_ids.APPROVE, channel, "second")
    await walk.slack.press("second", button)
    await kube.wait_until(lambda: replicas(kube) == 9)

    kube.limit_nodes(cpu="1")
    await walk.bot.drain()
    assert ended(walk, channel) == (DONE, SCALED.format(9))


async def test_a_full_quota(walk: Walk, kube: Cluster) -> None:
    channel = await declare(walk)
    await walk.press_step("oncall", "scale-up", channel)
    kube.limit_namespace(pods="9")
    told = await walk.submit_refused("oncall", replicas="5", reason="CPU is at its limit")

    bounds = "Now 3. It may be set from 1 to 4."
    assert told == {
        "replicas": f"The quota {SHOP} has no room for this, so nothing was planned: "
        "shop-quota allows pods=9, 8 is used, and 2 more is needed. Ask for less, or raise the "
        f"quota first. deployment/order-service is as it was. {bounds}"
    }
    await walk.slack.close("oncall", walk.slack.views("oncall")[-1]["id"])
    await walk.press_step("oncall", "scale-up", channel)
    assert walk.form().fields["replicas"].hint == bounds


async def test_a_missing_right(walk: Walk, kube: Cluster) -> None:
    kube.forbid("runbolt", "patch", "deployments")
    channel = await declare(walk)
    await ask(walk, channel)

    assert refused(walk, channel) == [
        f"The bot may not patch deployments order-service {SHOP}. Nothing was changed. Grant it: "
        "deploy/rbac.yaml has every rule that the bot needs."
    ]


async def test_a_slow_cluster_only_takes_longer(walk: Walk, kube: Cluster) -> None:
    kube.slow("*/tickettoken/*", 0.2)
    channel = await declare(walk)
    await ask(walk, channel)
    await walk.press("second", action_ids.APPROVE, channel)

    assert ended(walk, channel) == (DONE, SCALED.format(5))


async def test_an_unreachable_cluster(walk: Walk, kube: Cluster) -> None:
    channel = await declare(walk)
    await kube.stop_listening()
    await ask(walk, channel)

    [told] = refused(walk, channel)
    assert re.sub(rf" at http.*order-service {SHOP}\)", "", told) == (
        "Kubernetes cannot be reached. Nothing was read. Check that the API server is running, and "
        "the bot's kubeconfig and network."
    )
