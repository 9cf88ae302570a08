"""How much the bot says: a clean incident fits on one screen."""

import pytest

from bot.views import action_ids
from tests.conftest import Bot, Clock, Walk
from tests.rollbacks import DONE, broken

__all__ = ["broken"]

MOST = 9  # messages of the bot in the channel, from declare to resolve
MOST_IN_THREADS = 6  # one is the timeline


@pytest.mark.usefixtures("broken")
async def test_clean_outage_makes_little_noise(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    await walk.press("second", action_ids.TAKE_COMMAND, channel)
    await walk.press_step("oncall", "pods", channel)
    await walk.press_step("oncall", "logs", channel)
    await walk.ask_for_rollback(channel)
    await walk.press("second", action_ids.APPROVE, channel)
    assert walk.execution(channel).state == DONE
    clock.forward(minutes=10)
    await bot.tick()
    await walk.press("second", action_ids.POST_UPDATE, channel)
    await walk.submit("second", status="monitoring", impact="none", current="Orders work again")
    await walk.press("second", action_ids.RESOLVE, channel)
    await walk.submit("second", resolution="Rolled back")
    await walk.slack.settled()
    clock.forward(minutes=1)
    await bot.tick()

    messages = [
        message
        for message in walk.slack.workspace.channel(channel).messages
        if message.user == walk.slack.bot_user and not message.subtype and not message.ephemeral_to
    ]
    posts = [message.text for message in messages if not message.is_reply]
    replies = [message.text for message in messages if message.is_reply]
    assert "INC-1 is resolved: Rolled back" in posts
    assert len(posts) <= MOST, posts
    assert len(replies) <= MOST_IN_THREADS, replies
    assert len(walk.posts("incidents")) == 1
    assert walk.posts("status") == []
