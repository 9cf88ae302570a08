"""Pausing orders: for a while only, extended by approvers, resumed early or in time."""

import pytest

from bot.flows import temporary_changes
from bot.model import ExecutionId, UserError, UserId
from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Refusal
from tests.conftest import Bot, Clock, Walk
from tests.manual_changes import patch_env, variable
from tests.pausing import PAUSED, approve_pause, declare, patches, request_pause


async def test_orders_are_paused_for_a_while_and_resumed_in_time(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await request_pause(walk)

    asked = walk.text(channel)
    assert "Set ORDERS_PAUSED of order-service from “false” to “true” for 30 min" in asked
    assert "*orders paused* for 30 min from the start. Then it is undone by itself" in asked
    assert "3 pods are replaced" in asked
    assert "Nobody can place a new order meanwhile." in asked
    assert PAUSED not in asked
    assert variable(kube) == "false"

    await walk.press("second", action_ids.APPROVE, channel)
    assert variable(kube) == "true"
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
    assert variable(kube) == "true"

    clock.forward(minutes=5)
    await bot.tick()
    assert variable(kube) == "false"
    assert patches(kube) == 2
    seen = walk.text(channel)
    assert "Undone by the clock" in seen
    assert "its undo was approved together with “Pause new orders”" in seen
    assert seen.count("Done and checked.") == 2
    assert PAUSED not in seen + walk.text("incidents")
    assert not {"Extend 30 min", "Resume now"} & set(walk.buttons(channel))

    clock.forward(hours=5)
    await bot.tick()
    assert patches(kube) == 2


async def test_an_approver_extends_it_and_the_nudge_comes_again(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await approve_pause(walk)
    clock.forward(minutes=26)
    await bot.tick()

    await walk.press("lead", action_ids.EXTEND, channel)

    lead = walk.slack.user("lead").id
    assert f"<@{lead}> extended *orders paused* by 30 min" in walk.text(channel)
    assert "Extend 30 min" not in walk.buttons(channel)
    clock.forward(minutes=10)
    await bot.tick()
    assert variable(kube) == "true"
    clock.forward(minutes=20)
    await bot.tick()
    assert walk.text(channel).count("*orders paused* ends") == 2
    assert walk.buttons(channel).count("Extend 30 min") == 1
    clock.forward(minutes=5)
    await bot.tick()
    assert variable(kube) == "false"


@pytest.mark.parametrize(
    ("who", "sentence"),
    [("oncall", "you cannot extend it"), ("outsider", "You are not an approver")],
)
async def test_who_may_not_approve_may_not_extend(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, who: str, sentence: str
) -> None:
    channel = await approve_pause(walk)
    clock.forward(minutes=26)
    await bot.tick()
    walk.slack.join(who, channel)

    await walk.press(who, action_ids.EXTEND, channel)

    assert sentence in walk.text(channel, who)
    await walk.say("second", "/incident timeline", channel)
    assert "was refused" in walk.text(channel, "second")
    clock.forward(minutes=5)
    await bot.tick()
    assert variable(kube) == "false"


async def test_it_is_extended_to_four_hours_and_no_longer(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await approve_pause(walk, minutes=240)
    clock.forward(minutes=236)
    await bot.tick()

    await walk.press("lead", action_ids.EXTEND, channel)

    assert "would last longer than 4 h. Nothing was extended" in walk.text(channel, "lead")
    clock.forward(minutes=5)
    await bot.tick()
    assert variable(kube) == "false"


async def test_a_press_after_its_end_extends_nothing(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await approve_pause(walk)
    clock.forward(minutes=26)
    await bot.tick()
    clock.forward(minutes=5)

    await walk.press("lead", action_ids.EXTEND, channel)
    assert "is over. Nothing was extended" in walk.text(channel, "lead")

    await bot.tick()
    assert variable(kube) == "false"
    lead = UserId(walk.slack.user("lead").id)
    with pytest.raises(UserError, match=r"already ended\. Nothing was extended"):
        await temporary_changes.extend(bot.world, ExecutionId(1), by=lead)


async def test_resume_now_on_the_nudge(walk: Walk, bot: Bot, kube: Cluster, clock: Clock) -> None:
    channel = await approve_pause(walk)
    clock.forward(minutes=26)
    await bot.tick()
    assert "Resume now" in walk.buttons(channel)

    await walk.press("lead", action_ids.UNDO, channel)

    assert variable(kube) == "false"
    assert PAUSED not in walk.text(channel)
    assert not {"Extend 30 min", "Resume now"} & set(walk.buttons(channel))
    clock.forward(minutes=10)
    await bot.tick()
    assert patches(kube) == 2


@pytest.mark.parametrize("decision", [None, action_ids.DENY])
async def test_an_outsiders_resume_now_is_a_request(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock, decision: str | None
) -> None:
    channel = await approve_pause(walk)
    clock.forward(minutes=26)
    await bot.tick()
    walk.slack.join("outsider", channel)

    await walk.press("outsider", action_ids.UNDO, channel)

    assert variable(kube) == "true"
    assert "Needs 1 more approval" in walk.text(channel)
    if decision is not None:
        await walk.press("lead", decision, channel)
        await walk.submit("lead", reason="Not yet")

    clock.forward(minutes=5)  # and neither keeps them paused any longer
    await bot.tick()
    assert variable(kube) == "false"
    assert patches(kube) == 2
    assert PAUSED not in walk.text(channel)


async def test_the_step_to_resume_settles_it(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await approve_pause(walk)
    await walk.press_step("oncall", "resume-orders", channel)
    await walk.submit("oncall", reason="The fraud has stopped")
    assert not kube.accepts_orders()
    await walk.press("lead", action_ids.APPROVE, channel)
    assert variable(kube) is None
    assert kube.accepts_orders()

    await bot.tick()
    assert PAUSED not in walk.text(channel) + walk.text("incidents")
    ended_by = f"“Resume orders”, requested by <@{walk.slack.user('oncall').id}>, ended it"
    assert f"*orders paused* has ended: {ended_by}" in walk.text(channel)
    await walk.say("second", "/incident timeline", channel)
    assert f"saw that this has ended: orders paused ({ended_by})" in walk.text(channel, "second")

    for _ in range(8):
        clock.forward(minutes=5)
        await bot.tick()
    assert "*orders paused* ends" not in walk.text(channel)
    assert patches(kube) == 2
    assert variable(kube) is None


@pytest.mark.parametrize("value", ["false", None])
async def test_what_is_not_paused_is_not_resumed(
    walk: Walk, kube: Cluster, value: str | None
) -> None:
    if value is None:
        await patch_env(kube, {"name": "ORDERS_PAUSED", "$patch": "delete"})
    channel = await declare(walk)

    await walk.press_step("oncall", "resume-orders", channel)
    await walk.submit("oncall", reason="The fraud has stopped")

    told = walk.text(channel, "oncall")
    assert "Orders are not paused, so there is nothing to resume." in told
    is_so = "not set" if value is None else "“false”"
    assert f"ORDERS_PAUSED of order-service is {is_so}, and nothing was planned." in told
    assert "Approve" not in walk.buttons(channel)


async def test_undoing_the_step_to_resume_has_them_paused_until_the_same_time(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await approve_pause(walk)
    await walk.press_step("oncall", "resume-orders", channel)
    await walk.submit("oncall", reason="The fraud has stopped")
    await walk.press("lead", action_ids.APPROVE, channel)
    await bot.tick()
    assert PAUSED not in walk.text(channel)
    again = "orders paused again until 10:30 UTC"
    assert f"“true” ({again})" in walk.text(channel)  # what *Undo* asks once more

    await walk.press("lead", action_ids.UNDO, channel, "2")
    await bot.tick()
    assert f"Undo of “Resume orders”: {again}" in walk.text(channel)
    assert variable(kube) == "true"
    assert PAUSED in walk.text(channel)

    clock.forward(minutes=31)
    await bot.tick()
    assert "*orders paused* should have ended by now and has not" in walk.text(channel)
    await walk.press("oncall", action_ids.APPROVE, channel)
    assert variable(kube) == "false"


async def test_undoing_it_after_their_time_says_that_it_is_over(
    walk: Walk, bot: Bot, clock: Clock
) -> None:
    channel = await approve_pause(walk)
    await walk.press_step("oncall", "resume-orders", channel)
    await walk.submit("oncall", reason="The fraud has stopped")
    await walk.press("lead", action_ids.APPROVE, channel)
    await bot.tick()
    clock.forward(minutes=31)

    await walk.press("lead", action_ids.UNDO, channel, "2")

    seen = walk.text(channel)
    assert "“Resume orders”: orders paused again, although its time is over" in seen


async def test_what_somebody_ended_by_hand_is_over(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await approve_pause(walk)
    other = await walk.declare("Memory")  # a step on the same target that does not end it
    await walk.press_step("oncall", "rolling-restart", other)
    await walk.submit("oncall", reason="It grows")
    await walk.press("second", action_ids.APPROVE, other)
    assert "Done and checked" in walk.text(other)
    await bot.tick()
    await patch_env(kube, {"name": "ORDERS_PAUSED", "value": "false"})

    clock.forward(minutes=31)
    await bot.tick()

    assert "*orders paused* has ended: somebody ended it by hand or with a release" in walk.text(
        channel
    )
    assert PAUSED not in walk.text(channel)
    assert patches(kube) == 2


async def test_who_ended_it_in_another_incident_is_told(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await approve_pause(walk)
    clock.forward(minutes=2)  # else it is the same declaration
    other = await declare(walk)
    await walk.press_step("second", "resume-orders", other)
    await walk.submit("second", reason="The fraud has stopped")
    await walk.press("lead", action_ids.APPROVE, other)
    await bot.tick()

    second = walk.slack.user("second").id
    ended_by = f"“Resume orders” of INC-2, requested by <@{second}>, ended it"
    assert f"*orders paused* has ended: {ended_by}" in walk.text(channel)


async def test_pausing_twice_is_refused(walk: Walk) -> None:
    channel = await approve_pause(walk)
    await walk.press_step("oncall", "pause-orders", channel)
    await walk.submit("oncall", reason="Still stolen", revert_after="30")

    assert "ORDERS_PAUSED of order-service is “true” already" in walk.text(channel, "oncall")


async def test_resolving_says_so_and_orders_are_resumed_all_the_same(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await approve_pause(walk)
    await walk.say("oncall", "/incident resolve", channel)
    form = str(walk.slack.views("oncall")[-1])
    assert "*orders paused* is in force until" in form
    assert "Resolving does not end it" in form
    await walk.submit("oncall", resolution="The cards are blocked")
    assert variable(kube) == "true"
    assert walk.text(channel).count(PAUSED) == 2  # on the card and in the summary

    clock.forward(minutes=26)
    await bot.tick()
    assert "Resume now" in walk.buttons(channel)
    clock.forward(minutes=5)
    await bot.tick()

    assert variable(kube) == "false"
    assert "Undone by the clock" in walk.text(channel)
    assert PAUSED not in walk.text(channel) + walk.text("incidents")
    await walk.say("second", "/incident timeline", channel)
    told = walk.text(channel, "second")
    assert "the clock requested this, and it was done and checked: Set ORDERS_PAUSED" in told


async def test_what_drifted_is_asked_for_after_resolving_too(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await approve_pause(walk)
    await patch_env(kube, {"name": "NODE_ENV", "value": "staging"})
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="The cards are blocked")
    clock.forward(minutes=31)
    await bot.tick()
    assert "Approve" in walk.buttons(channel)

    await walk.press("lead", action_ids.APPROVE, channel)

    assert variable(kube) == "false"
    assert not {"Approve", "Deny…", "Undo"} & set(walk.buttons(channel))


async def test_a_request_to_resume_outlives_the_incident(
    walk: Walk, bot: Bot, kube: Cluster, clock: Clock
) -> None:
    channel = await approve_pause(walk)
    await patch_env(kube, {"name": "NODE_ENV", "value": "staging"})
    clock.forward(minutes=31)
    await bot.tick()
    await walk.say("oncall", "/incident resolve", channel)
    await walk.submit("oncall", resolution="The cards are blocked")
    assert "Void." not in walk.text(channel)

    await walk.press("lead", action_ids.APPROVE, channel)

    assert variable(kube) == "false"


async def test_an_end_that_nobody_types_is_answered_in_the_form(walk: Walk) -> None:
    channel = await declare(walk)
    await walk.press_step("oncall", "pause-orders", channel)

    for minutes in ("5", "300"):
        with pytest.raises(Refusal) as refused:
            await walk.submit("oncall", reason="Stolen cards", revert_after=minutes)
        assert list(refused.value.errors) == ["revert_after"]


async def test_a_value_from_a_secret_is_refused(walk: Walk, kube: Cluster) -> None:
    source = {"configMapKeyRef": {"name": "shop", "key": "paused", "optional": True}}
    await patch_env(kube, {"name": "ORDERS_PAUSED", "value": None, "valueFrom": source})

    channel = await request_pause(walk)

    assert "comes from ConfigMap shop (paused)" in walk.text(channel, "oncall")
    assert patches(kube) == 0
