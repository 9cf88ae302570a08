"""What is left to do after an incident: a list that outlives it, and a reminder of what is due."""

import asyncio
import re
from typing import Literal

import pytest

from bot.settings import Settings
from bot.views import action_ids
from sandbox.slack import Slack
from sandbox.slack.model import User
from tests.conftest import Bot, Clock, Obj, Walk, message_text, start_bot

POST_MORTEM = "Schedule post-mortem within 48 hours"


async def resolved(walk: Walk) -> str:
    """An incident that has ended."""
    channel = await walk.declare()
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="Rolled back")
    return channel


def checklist(walk: Walk, channel: str) -> Obj:
    """The message with the list."""
    shown = walk.slack.messages(channel, "oncall")
    [found] = [
        message for message in shown if message_text(message).startswith("*After the incident* ·")
    ]
    return found


def about(message: Obj, title: str) -> str:
    """The block ids of what can be pressed for one line, and what it says."""
    blocks = message["blocks"]
    [at] = [at for at, block in enumerate(blocks) if title in str(block.get("text"))]
    holder = blocks[at] if "accessory" in blocks[at] else blocks[at + 1]
    return str(holder["block_id"])


async def press(walk: Walk, who: str, what: str, channel: str, title: str, verb: str = "") -> None:
    """Press something of one line of the list."""
    message = checklist(walk, channel)
    buttons = walk.slack.find_buttons(what, channel, who)
    here = (message["ts"], about(message, title))
    [button] = [button for button in buttons if (button.ts, button.block_id) == here]
    options = [option["value"] for option in button.element.get("options", [])]
    value = next((option for option in options if option.startswith(verb)), None)
    await walk.slack.press(who, button, value=value)
    await walk.bot.drain()


def reminders(walk: Walk, channel: str) -> int:
    """How many times people were reminded of what is still to be done: in one message."""
    bells = [post for post in walk.posts(channel) if post.heading.startswith(":bell: ")]
    assert len(bells) <= 1
    return sum(1 + len(bell.thread) for bell in bells)


async def test_task_list_opens_at_resolve(walk: Walk) -> None:
    channel = await resolved(walk)
    words = message_text(checklist(walk, channel))
    titles = re.findall(r"^\*(.+?)\*", words, re.MULTILINE)
    assert titles == [
        "After the incident",
        "Create incident ticket with timeline",
        POST_MORTEM,
        "Document root cause and fixes",
        "Create action items to prevent recurrence",
        "Update this runbook if needed",
    ]
    assert "0 of 5 done" in words

    await press(walk, "lead", action_ids.TASK_TAKE, channel, POST_MORTEM)
    await press(walk, "oncall", action_ids.TASK_DONE, channel, "Create incident ticket")
    await press(walk, "oncall", action_ids.TASK_MORE, channel, "Update this runbook", "skip")
    await walk.submit("oncall", note="It was right")
    await press(walk, "lead", action_ids.TASK_MORE, channel, "Document root cause", "note")
    await walk.submit("lead", note="A bad release: see the ticket")

    words = message_text(checklist(walk, channel))
    assert "2 of 5 done, 1 skipped" in words
    assert f"Taken by <@{walk.slack.user('lead').id}>" in words
    assert "It was right" in words
    assert "see the ticket" in words
    walk.slack.join("lead", channel)
    await walk.say("lead", "/incident timeline", channel)
    told = str(walk.slack.ephemerals(channel, "lead")[-1])
    assert "did by hand: Create incident ticket with timeline" in told
    assert "skipped: Update this runbook if needed (reason: It was right)" in told


async def test_post_mortem_is_reminded_until_overdue(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await resolved(walk)
    await press(walk, "lead", action_ids.TASK_TAKE, channel, POST_MORTEM)
    seen_at = []
    for hour in range(1, 24 * 6):
        clock.forward(hours=1)
        before, told = reminders(walk, channel), len(walk.slack.notifications("lead"))
        await bot.tick()
        if reminders(walk, channel) > before:
            assert len(walk.slack.notifications("lead")) == told + 1
            seen_at.append(hour)

    assert seen_at == [24, 44, 48, 72]
    [bell] = [post for post in walk.posts(channel) if post.heading.startswith(":bell: ")]
    assert bell.buttons == ("Done", "Take over", "Done with a note…", "Skip…")
    due = "2026-11-26 10:00 UTC"
    again = f":bell: @lead Still to do after INC-1: {POST_MORTEM} (due {due})"
    assert [(reply.text, reply.buttons) for reply in bell.thread] == [(again, ())] * 3


async def test_finished_task_brings_no_reminder(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await resolved(walk)
    await press(walk, "oncall", action_ids.TASK_DONE, channel, POST_MORTEM)
    clock.forward(hours=48.1)
    await bot.tick()
    assert reminders(walk, channel) == 0

    await press(walk, "oncall", action_ids.TASK_REOPEN, channel, POST_MORTEM)
    clock.forward(hours=24)
    await bot.tick()
    assert reminders(walk, channel) == 1
    await press(walk, "oncall", action_ids.TASK_MORE, channel, POST_MORTEM, "skip")
    await walk.submit("oncall", note="It was an exercise")
    clock.forward(hours=48)
    await bot.tick()

    assert reminders(walk, channel) == 1
    assert "All tasks after INC-1 are done." in walk.text(channel)


async def test_reminder_button_marks_task_done(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await resolved(walk)
    clock.forward(hours=48)
    await bot.tick()
    shown = walk.slack.messages(channel, "oncall")
    [bell] = [message for message in shown if ":bell:" in message_text(message)]
    assert f"<@{walk.slack.user('second').id}>" in message_text(bell)

    await walk.press("oncall", action_ids.TASK_DONE, channel, ts=bell["ts"])

    assert "1 of 5 done" in message_text(checklist(walk, channel))
    assert "Still to do after" not in walk.text(channel)


async def test_two_replicas_remind_once(
    walk: Walk, bot: Bot, clock: Clock, given: Settings
) -> None:
    channel = await resolved(walk)
    clock.forward(hours=50)  # nobody ticked for two days

    async with start_bot(given, clock) as other:
        await asyncio.gather(*(replica.tick() for replica in (bot, other) * 5))
        assert reminders(walk, channel) == 1
        clock.forward(hours=22)
        await asyncio.gather(*(replica.tick() for replica in (bot, other) * 5))

    assert reminders(walk, channel) == 2


async def test_a_restart_loses_no_reminder(slack: Slack, given: Settings, clock: Clock) -> None:
    async with start_bot(given, clock) as first:
        slack.request_url = f"{first.url}/slack/events"
        walk = Walk(slack, first)
        channel = await resolved(walk)
    clock.forward(hours=48)

    async with start_bot(given, clock) as second:
        await second.tick()

    assert reminders(walk, channel) == 1


async def test_done_during_reminder_ends_it(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await resolved(walk)
    clock.forward(hours=48)

    await asyncio.gather(
        bot.tick(), press(walk, "oncall", action_ids.TASK_DONE, channel, POST_MORTEM)
    )
    await bot.drain()
    once = reminders(walk, channel)
    clock.forward(hours=48)
    await bot.tick()

    assert once <= 1
    assert reminders(walk, channel) == once
    assert "Still to do after" not in walk.text(channel)


@pytest.mark.parametrize("kind", ["guest", "stranger"])
async def test_outsiders_may_not(walk: Walk, kind: Literal["guest", "stranger"]) -> None:
    channel = await resolved(walk)
    walk.slack.add_user(User("other", "Other", kind=kind))
    walk.slack.add_to(channel, "other")

    await press(walk, "other", action_ids.TASK_DONE, channel, POST_MORTEM)

    assert "0 of 5 done" in message_text(checklist(walk, channel))
    assert "Nothing was done" in walk.text(channel, "other")


async def test_playbook_without_list_shows_none(
    slack: Slack, given: Settings, clock: Clock
) -> None:
    assert given.config is not None
    file = given.config.parent / "playbooks" / "order-service.yml"
    words = file.read_text(encoding="utf-8")
    without = re.sub(r"post_incident:\n(?:  .*\n)+", "", words)
    file.write_text(without, encoding="utf-8")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await resolved(walk)
        clock.forward(hours=100)
        await bot.tick()

        assert "After the incident" not in walk.text(channel)
        assert reminders(walk, channel) == 0


async def test_all_long_tasks_are_shown(slack: Slack, given: Settings, clock: Clock) -> None:
    assert given.config is not None
    file = given.config.parent / "playbooks" / "order-service.yml"
    words = file.read_text(encoding="utf-8")
    more = "".join(f'  - "{number} {"<&> " * 35}"\n' for number in range(40))
    file.write_text(words.replace("post_incident:\n", f"post_incident:\n{more}"), encoding="utf-8")
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await resolved(walk)

        assert "0 of 45 done" in message_text(checklist(walk, channel))
        assert walk.text(channel).count("&lt;&amp;&gt; &lt;") >= 40
        assert "Update this runbook" in walk.text(channel)
