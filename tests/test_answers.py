"""An answer reaches people whichever way is left."""

from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.slack import Delivery
from tests.conftest import Walk
from tests.raw_payloads import broken, send_changed

__all__ = ["broken"]


async def test_outsider_is_answered_in_channel(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)

    await walk.press("outsider", action_ids.APPROVE, channel)

    assert "You are not an approver" in walk.text(channel, "outsider")


async def late(walk: Walk, sent: Delivery) -> None:
    """The same again as something new, when its address answers no more."""
    walk.slack.expire_response_urls()
    await send_changed(walk, sent, trigger_id="1.2")


async def test_expired_address_is_answered_in_channel(walk: Walk) -> None:
    channel = await walk.declare()
    sent = await walk.press("second", action_ids.TAKE_COMMAND, channel)

    await late(walk, sent)

    told = walk.slack.ephemerals(channel, "second")
    assert "You are already in command. Nothing was changed." in str(told)


async def test_outsider_with_expired_address_gets_message(walk: Walk, broken: Cluster) -> None:
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    sent = await walk.press("outsider", action_ids.APPROVE, channel)
    assert "You are not an approver" not in walk.text("runbolt", "outsider")

    await late(walk, sent)

    assert "You are not an approver" in walk.text("runbolt", "outsider")


async def test_expired_address_without_bot_gets_message(
    walk: Walk,
) -> None:
    sent = await walk.say("oncall", "/incident note x", "random")

    await late(walk, sent)

    assert "not an incident's channel" in walk.text("runbolt", "oncall")


async def test_used_up_address_is_still_answered(walk: Walk) -> None:
    sent = await walk.say("oncall", "/incident note x", "random")
    assert "not an incident's channel" not in walk.text("runbolt", "oncall")

    for use in range(5):
        await send_changed(walk, sent, trigger_id=f"{use}.2")

    assert "not an incident's channel" in walk.text("runbolt", "oncall")


async def test_home_tab_declare_button_looks_calm(walk: Walk) -> None:
    await walk.slack.open_home("oncall")
    await walk.bot.drain()

    button = walk.slack.find_button(action_ids.OPEN_DECLARE, user="oncall")
    assert button.element["style"] == "primary"
