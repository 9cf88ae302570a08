"""What an older version of the bot drew is answered."""

import json

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Walk
from tests.raw_payloads import broken, send_changed, with_values

__all__ = ["broken"]


async def test_an_old_form_is_answered(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident resolve", channel)
    sent = await walk.submit("oncall", resolution="over")

    view = {**sent.payload["view"], "callback_id": "form.of_yore", "hash": "another"}
    old = await send_changed(walk, sent, view=view)

    assert old.ok
    assert not old.answer
    assert "is from an older version of the bot. Nothing was done" in walk.text(channel, "oncall")


async def test_unknown_form_data_is_answered(walk: Walk) -> None:
    await walk.say("oncall", "/incident declare")
    sent = await walk.submit("oncall", severity="sev3", title="Slow")

    view = {**sent.payload["view"], "callback_id": "form.of_yore", "hash": "another"}
    old = await send_changed(walk, sent, view={**view, "private_metadata": "INC-7"})

    assert old.ok
    assert "is from an older version" in walk.text("runbolt", "oncall")


async def test_form_without_field_is_answered(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident update", channel)
    fields = {"status": "identified", "impact": "None", "current": "Looking"}
    sent = await walk.submit("oncall", **fields)
    view = json.loads(json.dumps(sent.payload["view"]))
    view["blocks"] = [block for block in view["blocks"] if block["block_id"] != "impact"]
    del view["state"]["values"]["impact"]

    old = await send_changed(walk, sent, view=view)

    assert old.ok
    assert not old.answer
    assert "This form is out of date (impact: Fill this in.). Nothing was done" in walk.text(
        channel, "oncall"
    )


async def test_an_old_shortcut_is_answered(walk: Walk) -> None:
    sent = await walk.slack.shortcut("oncall", action_ids.DECLARE_SHORTCUT)
    await walk.bot.drain()

    old = await send_changed(walk, sent, callback_id="shortcut.of_yore", trigger_id="1.2")

    assert old.ok
    assert "is from an older version" in walk.text("runbolt", "oncall")


async def test_an_old_button_is_answered(walk: Walk) -> None:
    channel = await walk.declare()
    sent = await walk.press("oncall", action_ids.TAKE_COMMAND, channel)

    action = {**sent.payload["actions"][0], "action_id": "incident.of_yore"}
    old = await send_changed(walk, sent, actions=[action], trigger_id="1.2")

    assert old.ok
    assert "is from an older version" in walk.text(channel, "oncall")


@pytest.mark.parametrize(("step", "action"), [("pods", "pods"), ("roll-back", "rollback")])
async def test_step_without_action_is_answered(
    walk: Walk, bot: Bot, step: str, action: str
) -> None:
    channel = await walk.declare()
    await rewrite(bot, f'"action": "{action}"', '"action": "of-yore"')

    await walk.press_step("oncall", step, channel)

    assert "has no action “of-yore”. Nothing was done" in walk.text(channel, "oncall")


async def test_form_without_action_is_answered(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "roll-back", channel)
    sent = await walk.submit("oncall", reason="It crash-loops")
    await rewrite(bot, '"action": "rollback"', '"action": "of-yore"')
    kept = json.loads(sent.payload["view"]["private_metadata"])
    view = {**with_values(sent, to_revision="6"), "hash": "another"}
    view["private_metadata"] = json.dumps({**kept, "action": "of-yore"})

    old = await send_changed(walk, sent, view=view)

    assert old.ok
    assert not old.answer
    assert "has no action “of-yore”. Nothing was done" in walk.text(channel, "oncall")


async def test_wrong_step_parameters_are_answered(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    await rewrite(bot, '"selector"', '"selector_of_yore"')

    await walk.press_step("oncall", "pods", channel)

    seen = walk.text(channel, "oncall")
    assert "The parameters of “pods” are not valid (selector: " in seen
    assert "Something went wrong" not in seen


async def test_removed_parameter_is_not_asked(walk: Walk, bot: Bot, broken: Cluster) -> None:
    channel = await walk.declare()
    await rewrite(bot, '"to_revision"', '"of_yore"')

    await walk.ask_for_rollback(channel)

    assert "Needs 1 more approval" in walk.text(channel)


async def rewrite(bot: Bot, was: str, now: str) -> None:
    """Make the stored playbook one that another version of the bot wrote."""
    query = "UPDATE incidents SET playbook = replace(playbook::text, %s, %s)::jsonb"
    async with bot.world.pool.connection() as conn:
        done = await conn.execute(query, [was, now])
        assert done.rowcount == 1
