"""Other words for customers, or another severity, while the first words wait for approval."""

import asyncio

from bot.views import action_ids
from tests.conftest import Bot, Walk
from tests.test_customer_message import WORDS, ask, posted, team

__all__ = ["team"]


async def test_refused_edit_keeps_the_request(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("oncall", action_ids.EDIT_MESSAGE, channel)
    walk.slack.fail("conversations.info", error="ratelimited", times=1)

    await walk.submit("oncall", text="Better words, long typed")

    assert "so nothing was done. Try again in a minute." in walk.text(channel, "oncall")
    await walk.press("second", action_ids.APPROVE, channel)
    assert posted(walk.slack) == [WORDS]


async def test_forbidden_edit_keeps_the_request(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    walk.slack.join("outsider", channel)
    await walk.press("outsider", action_ids.EDIT_MESSAGE, channel)

    await walk.submit("outsider", text="My words")

    assert "Nothing was edited" in walk.text(channel, "outsider")
    assert "My words" not in walk.text(channel)
    await walk.press("second", action_ids.APPROVE, channel)
    assert posted(walk.slack) == [WORDS]


async def test_only_edit_or_approval_wins(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("oncall", action_ids.EDIT_MESSAGE, channel)
    view = walk.slack.views("oncall")[-1]["id"]

    await asyncio.gather(
        walk.slack.submit("oncall", view, {"text": {"text": "Better words"}}),
        walk.slack.press("second", action_id=action_ids.APPROVE, channel=channel),
    )
    await walk.bot.drain()
    await walk.slack.settled()

    edited = "*Edited* by" in walk.text(channel)
    assert posted(walk.slack) == ([] if edited else [WORDS])
    assert ("Approve" in walk.buttons(channel)) is edited


async def test_lower_severity_after_request_posts_nothing(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.say("oncall", "/incident severity sev4", channel)

    await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == []
    assert "INC-1 is SEV-4. Nothing was done" in walk.text(channel, "second")

    await walk.say("oncall", "/incident severity sev1", channel)
    await walk.press("second", action_ids.APPROVE, channel)
    assert posted(walk.slack) == [WORDS]


async def test_lower_severity_after_approval_posts_nothing(walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.say("oncall", "/incident severity sev4", channel)
    # Approved while it was bad, and the process died before anything was posted.
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'approved'")

    await bot.tick()

    assert posted(walk.slack) == []
    assert (
        "Not done.* This playbook informs customers of SEV-1 and SEV-2, and INC-1 is SEV-4"
        in walk.text(channel)
    )


async def test_posted_text_stays_complete(walk: Walk) -> None:
    channel = await walk.declare()
    words = f"We apologize for {'failing ' * 30}orders. This is the end."
    await ask(walk, channel, words)
    await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == [words]
    assert f"\n{words}\n" in walk.text(channel)
