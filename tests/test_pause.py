"""Pausing orders: for a while only, extended by approvers, undone in time whatever happens."""

from bot.views import presses
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Walk

PAUSED = ":double_vertical_bar: *orders paused* since"


def paused(kube: Cluster) -> str | None:
    """The value of ORDERS_PAUSED that the Deployment asks for."""
    env = kube.deployment()["spec"]["template"]["spec"]["containers"][0]["env"]
    return next((one["value"] for one in env if one["name"] == "ORDERS_PAUSED"), None)


def patches(kube: Cluster) -> int:
    """How many times the Deployment was really patched."""
    return len([one for one in kube.writes if one.verb == "patch"])


async def declare(walk: Walk) -> str:
    """An incident about disputes, its playbook chosen."""
    channel = await walk.declare("Many disputes", "sev2")
    scenario = "order-service/high-dispute-rate"
    await walk.press("oncall", presses.CHOOSE_SCENARIO, channel, scenario)
    return channel


async def pause(walk: Walk, minutes: int = 30) -> str:
    """Orders are paused, as the on-call engineer asked and the second one approved."""
    channel = await declare(walk)
    await walk.step("oncall", "pause-orders", channel)
    await walk.submit("oncall", reason="Stolen cards", revert_after=str(minutes))
    await walk.press("second", presses.APPROVE, channel)
    return channel


async def test_orders_are_paused_for_a_while_and_resumed_in_time(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await declare(walk)
    await walk.step("oncall", "pause-orders", channel)
    await walk.submit("oncall", reason="Stolen cards", revert_after="30")

    asked = walk.text(channel)
    assert "Set ORDERS_PAUSED of order-service from “false” to “true” for 30 min" in asked
    assert "*orders paused* for 30 min from the start: then it is undone by itself" in asked
    assert "3 pods are replaced" in asked
    assert "Nobody can place a new order meanwhile." in asked
    assert PAUSED not in asked
    assert paused(kube) == "false"

    await walk.press("second", presses.APPROVE, channel)
    assert paused(kube) == "true"
    until = "10:30 UTC"
    for place in (channel, "incidents"):
        [line] = [line for line in walk.text(place).splitlines() if line.startswith(PAUSED)]
        assert f"by <@{walk.slack.user('oncall').id}>, resumes" in line
        assert until in line

    clock.forward(minutes=24.9)
    await bot.tick()
    assert "*orders paused* ends" not in walk.text(channel)
    clock.forward(minutes=0.2)
    await bot.tick()
    await bot.tick()
    assert walk.text(channel).count("*orders paused* ends") == 1
    assert "Extend 30 min" in walk.buttons(channel)
    assert paused(kube) == "true"

    clock.forward(minutes=5)
    await bot.tick()
    assert paused(kube) == "false"
    assert patches(kube) == 2
    seen = walk.text(channel)
    assert "Undone by the clock" in seen
    assert "this was approved along with “Pause new orders”" in seen
    assert seen.count("Done and checked") == 2
    assert PAUSED not in seen + walk.text("incidents")
    assert not {"Extend 30 min", "Resume now"} & set(walk.buttons(channel))

    clock.forward(hours=5)
    await bot.tick()
    assert patches(kube) == 2
