"""The memory limit from the incident's channel: asked for, approved, done, checked, undone."""

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Refusal
from tests.cluster_fixtures import SHOP
from tests.conftest import Clock, Walk

MEMORY = "it runs out of memory"


@pytest.fixture
async def hungry(kube: Cluster) -> Cluster:
    """The cluster after a release that needs more memory than it may use."""
    await kube.scenario("oom")
    return kube


async def ask(walk: Walk, channel: str, limit: str = "1Gi") -> None:
    await walk.press_step("oncall", "memory-limit", channel)
    await walk.submit("oncall", limit=limit, reason=MEMORY)


def limit(kube: Cluster) -> str:
    [container] = kube.deployment()["spec"]["template"]["spec"]["containers"]
    return str(container["resources"]["limits"]["memory"])


async def test_from_request_to_outcome(walk: Walk, hungry: Cluster, clock: Clock) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    asked = walk.text(channel)
    assert "from 512Mi to 1Gi" in asked
    assert "3 pods are replaced" in asked
    assert limit(hungry) == "512Mi"

    await walk.press("second", action_ids.APPROVE, channel)
    assert "Done and checked" in walk.text(channel)
    assert limit(hungry) == "1Gi"

    clock.forward(minutes=16)
    await walk.press("second", action_ids.UNDO, channel)
    alarm = walk.execution(channel).loss.splitlines()[0]
    assert alarm.startswith(
        ":red_circle: This leads back to what failed before “Increase memory limit”: 0 of 3 ready: "
    )


async def test_form_shows_current_limit(walk: Walk, kube: Cluster) -> None:
    await walk.press_step("oncall", "memory-limit", await walk.declare())

    view = walk.slack.views("oncall")[-1]
    [field] = [block for block in view["blocks"] if block["block_id"] == "limit"]
    assert field["element"]["type"] == "plain_text_input"
    assert field["hint"]["text"] == "Now 512Mi. It may be set from 256Mi to 2Gi, such as 1Gi."


async def test_form_opens_without_current_limit(walk: Walk, kube: Cluster) -> None:
    kube.hang("get */deployments/order-service")
    await walk.press_step("oncall", "memory-limit", await walk.declare())

    view = walk.slack.views("oncall")[-1]
    [field] = [block for block in view["blocks"] if block["block_id"] == "limit"]
    assert field["hint"]["text"].startswith("Such as 1Gi or 768Mi: at most 4 times")


async def test_the_undo_goes_back(walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("second", action_ids.APPROVE, channel)
    assert limit(kube) == "1Gi"

    await walk.press("second", action_ids.UNDO, channel)

    assert "Undone by" in walk.text(channel)
    assert limit(kube) == "512Mi"


async def test_form_refuses_invalid_quantity(walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    with pytest.raises(Refusal) as refused:
        await ask(walk, channel, "512m")

    assert refused.value.errors == {
        "limit": "Enter memory as Kubernetes writes it, such as 1Gi or 768Mi."
    }


BOUNDS = (
    (
        "",
        "64Gi",
        f"The memory limit of order-service in deployment/order-service {SHOP} is 512Mi, and one "
        "step changes it by at most 4 times, so nothing was planned.",
        "2Gi",
    ),
    (
        "5Gi",
        "2Gi",
        f"The quota {SHOP} has no room for this, so nothing was planned: shop-quota",
        "1365Mi",
    ),
)


async def test_refusals_name_the_hints_bounds(walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    for quota, typed, problem, highest in BOUNDS:
        if quota:
            kube.limit_namespace(limits_memory=quota)
        await walk.press_step("oncall", "memory-limit", channel)
        hint = walk.form().fields["limit"].hint
        assert hint == f"Now 512Mi. It may be set from 256Mi to {highest}, such as 1Gi."

        told = await walk.submit_refused("oncall", limit=typed, reason=MEMORY)
        assert told["limit"].startswith(problem)
        assert told["limit"].endswith(f" {hint}")
        await walk.slack.close("oncall", walk.slack.views("oncall")[-1]["id"])

    assert walk.executions(channel) == []


async def test_missing_right_is_told(walk: Walk, kube: Cluster) -> None:
    kube.forbid("runbolt", "patch", "deployments")
    channel = await walk.declare()
    await ask(walk, channel)

    assert "The bot may not patch deployments" in walk.text(channel, "oncall")


async def test_a_slow_cluster_only_takes_longer(walk: Walk, kube: Cluster) -> None:
    kube.slow("*/tickettoken/*", 0.2)
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("second", action_ids.APPROVE, channel)

    assert "Done and checked" in walk.text(channel)


async def test_unreachable_cluster_is_told(walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    await kube.stop_listening()
    await ask(walk, channel)

    assert "Kubernetes cannot be reached" in walk.text(channel, "oncall")


async def test_change_before_approval_stops_it(walk: Walk, hungry: Cluster) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    hungry.change_template()
    await walk.press("second", action_ids.APPROVE, channel)

    assert "Not done" in walk.text(channel)
    assert limit(hungry) == "512Mi"


async def test_quota_filled_before_approval_stops_it(walk: Walk, hungry: Cluster) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    hungry.limit_namespace(limits_memory="3Gi")
    await walk.press("second", action_ids.APPROVE, channel)

    assert "has no room for this" in walk.text(channel)
    assert limit(hungry) == "512Mi"
