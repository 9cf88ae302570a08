"""An answer reaches people whichever way is left."""

from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Delivery
from tests.conftest import Walk
from tests.raw_payloads import broken, send_changed

__all__ = ["broken"]


async def test_who_only_looks_into_a_channel_is_answered(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)

    await walk.press("outsider", action_ids.APPROVE, channel)

    assert "You are not an approver" in walk.text(channel, "outsider")


async def late(walk: Walk, sent: Delivery) -> None:
    """The same again as something new, when its address answers no more."""
    walk.slack.expire_response_urls()
    await send_changed(walk, sent, trigger_id="1.2")


async def test_when_the_address_expired_the_answer_is_in_the_channel(walk: Walk) -> None:
    channel = await walk.declare()
    sent = await walk.press("second", action_ids.TAKE_COMMAND, channel)

    await late(walk, sent)

    told = walk.slack.ephemerals(channel, "second")
    assert "You are already in command. Nothing was changed." in str(told)


async def test_who_only_looks_in_is_answered_directly_when_the_address_expired(
    walk: Walk, broken: Cluster
) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    sent = await walk.press("outsider", action_ids.APPROVE, channel)
    assert "You are not an approver" not in walk.text("runbolt", "outsider")

    await late(walk, sent)

    assert "You are not an approver" in walk.text("runbolt", "outsider")


async def test_where_the_bot_is_not_the_answer_comes_directly_when_the_address_expired(
    walk: Walk,
) -> None:
    sent = await walk.say("oncall", "/incident note x", "random")

    await late(walk, sent)

    assert "not an incident's channel" in walk.text("runbolt", "oncall")


async def test_an_address_that_is_used_up_is_no_reason_to_be_silent(walk: Walk) -> None:
    sent = await walk.say("oncall", "/incident note x", "random")
    assert "not an incident's channel" not in walk.text("runbolt", "oncall")

    for use in range(5):
        await send_changed(walk, sent, trigger_id=f"{use}.2")

    assert "not an incident's channel" in walk.text("runbolt", "oncall")


async def test_the_home_tab_offers_to_declare_without_alarm(walk: Walk) -> None:
    await walk.slack.open_home("oncall")
    await walk.bot.drain()

    button = walk.slack.find_button(action_ids.OPEN_DECLARE, user="oncall")
    assert button.element["style"] == "primary"
