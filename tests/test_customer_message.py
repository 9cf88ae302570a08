"""What customers are told: exactly the words that somebody else approved, posted once."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import store
from bot.model import UserError
from bot.settings import Settings
from bot.views import action_ids
from sandbox.slack import Refusal, Slack
from tests.conftest import Bot, Clock, Walk, block_texts, start_bot

WORDS = "Orders fail at the moment. We are on it."
SHIPPED = "We're currently experiencing issues with order processing."
TOLD = "Customers were told in #status"


@pytest.fixture
def team(team: Path) -> Path:
    """A team that named the channel where customers are told."""
    with team.open("a") as file:
        file.write("channels: {customers: status}\n")
    return team


def posted(slack: Slack, channel: str = "status") -> list[str]:
    """What the bot said in the channel for customers."""
    shown = slack.messages(channel, "lead")
    return [
        message["text"]
        for message in shown
        if message["user"] == slack.bot_user and "subtype" not in message
    ]


def field(walk: Walk, name: str, who: str = "oncall") -> dict[str, Any]:
    """One field of the form on top."""
    blocks = walk.slack.views(who)[-1]["blocks"]
    return next(dict(block["element"]) for block in blocks if block["block_id"] == name)


async def ask(walk: Walk, channel: str, text: str = WORDS, who: str = "oncall") -> None:
    """Ask for these words to be told."""
    await walk.say(who, "/incident customer", channel)
    await walk.submit(who, text=text)


async def state(bot: Bot) -> str:
    async with bot.world.pool.connection() as conn:
        [*_, run] = await store.executions.of_incident(conn, (await _one(conn)).id)
    return str(run.state.value)


async def _one(conn: Any) -> Any:
    return (await store.incidents.list_open(conn))[0]


async def test_from_the_playbooks_words_to_customers(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.press("oncall", action_ids.TELL_CUSTOMERS, channel)
    assert field(walk, "text")["initial_value"].startswith(SHIPPED)
    await walk.submit("oncall", text=WORDS)
    assert posted(walk.slack) == []
    request = walk.text(channel)
    assert f"Tell customers in #status: “{WORDS}”" in request
    assert f"\n{WORDS}\n" in request  # the whole, as it will be posted

    await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == [WORDS]
    assert f"Done and checked.* {TOLD}" in walk.text(channel)
    walk.slack.join("lead", channel)
    await walk.say("lead", "/incident timeline", channel)
    assert (
        f"requested this, and it was done and checked: Tell customers in #status: “{WORDS}”"
        in walk.text(channel, "lead")
    )


async def test_words_after_the_command_arrive_in_the_form(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.say("oncall", "/incident customer Orders & refunds fail", channel)

    assert field(walk, "text")["initial_value"] == "Orders & refunds fail"
    await walk.submit("oncall", text=field(walk, "text")["initial_value"])
    assert "Tell customers in #status: “Orders &amp; refunds fail”" in walk.text(channel)
    assert posted(walk.slack) == []


async def test_the_template_is_filled_in_from_the_incident(
    given: Settings, slack: Slack, clock: Clock, playbooks: Path
) -> None:
    template = "{{ severity }} since {{ start_time }}: {{ title }}. {{ impact }} {{ next_update }}"
    _say_to_customers(playbooks / "order-service.yml", template)
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare("R&D <b>")
        await walk.say("oncall", "/incident update", channel)
        await walk.submit("oncall", status="identified", impact="Nobody buys", current="Looking")
        await walk.say("oncall", "/incident customer", channel)

    due = clock.time + timedelta(minutes=15)
    assert field(walk, "text")["initial_value"] == (
        f"SEV-1 since 2026-11-24 10:00 UTC: R&D <b>. Nobody buys {due:%Y-%m-%d %H:%M} UTC"
    )


def _say_to_customers(file: Path, template: str) -> None:
    before, _, rest = file.read_text().partition("customer_message: |-\n")
    after = rest[rest.index("\npost_incident:") :]
    file.write_text(f'{before}customer_message: "{template}"\n{after}')


async def test_nothing_in_the_words_pings_anybody(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel, "<!channel> a & b <https://example.com|here>")
    await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == ["&lt;!channel&gt; a &amp; b &lt;https://example.com|here&gt;"]
    status = walk.slack.workspace.channel("status").id
    told = [note["channel"] for who in ("lead", "second") for note in walk.slack.notifications(who)]
    assert status not in told


async def test_nobody_approves_their_own_words_and_outsiders_none(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    walk.slack.join("outsider", channel)

    await walk.press("oncall", action_ids.APPROVE, channel)
    await walk.press("outsider", action_ids.APPROVE, channel)

    assert posted(walk.slack) == []
    assert "You requested this yourself" in walk.text(channel, "oncall")
    assert "You are not an approver" in walk.text(channel, "outsider")


async def test_two_approvers_at_once_post_it_once(walk: Walk, slack: Slack, bot: Bot) -> None:
    channel = await walk.declare()
    await ask(walk, channel)

    await asyncio.gather(
        *(
            slack.press(who, action_id=action_ids.APPROVE, channel=channel)
            for who in ("second", "lead")
        )
    )
    await bot.drain()

    assert posted(slack) == [WORDS]
    told = walk.text(channel, "second") + walk.text(channel, "lead")
    assert "Already approved by" in told


async def test_approved_and_then_restarted_it_is_posted_once(
    slack: Slack, given: Settings, clock: Clock
) -> None:
    async with start_bot(given, clock) as first:
        slack.request_url = f"{first.url}/slack/events"
        walk = Walk(slack, first)
        channel = await walk.declare()
        await ask(walk, channel)
        # The approval is written, and the process dies before anything is posted.
        async with first.world.pool.connection() as conn:
            await conn.execute("UPDATE executions SET state = 'approved'")
    assert posted(slack) == []
    twins = [given for _ in range(2)]

    async with start_bot(twins[0], clock) as second, start_bot(twins[1], clock) as third:
        await asyncio.gather(second.tick(), third.tick())
        await asyncio.gather(second.tick(), third.tick())

    assert posted(slack) == [WORDS]
    assert TOLD in walk.text(channel)


async def test_a_post_without_an_answer_is_looked_for_and_not_repeated(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    walk.slack.fail("chat.postMessage", status=500, after=True, times=1)

    await walk.press("second", action_ids.APPROVE, channel)
    await walk.bot.tick()

    assert posted(walk.slack) == [WORDS]
    assert TOLD in walk.text(channel)


async def test_a_post_that_never_arrived_is_not_claimed(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    walk.slack.fail("chat.postMessage", status=500, times=1)

    await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == []
    assert "Not done.* The message is not in #status." in walk.text(channel)


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        ("restricted_action", "Let the bot post there, in the channel's settings"),
        ("not_in_channel", "Invite the bot there"),
        ("is_archived", "Unarchive the channel"),
        ("ratelimited", "Try again in a minute."),
    ],
)
async def test_a_slack_that_refuses_is_said_and_nothing_is_claimed(
    walk: Walk, bot: Bot, code: str, fix: str
) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    walk.slack.fail("chat.postMessage", error=code, times=1)

    await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == []
    seen = walk.text(channel)
    assert f"Not done.* Slack did not let the bot post it ({code}), so nothing was done." in seen
    assert fix in seen
    assert "Undo" not in walk.buttons(channel)
    assert await state(bot) == "failed"


async def test_a_bot_that_was_taken_out_asks_for_nothing(walk: Walk, slack: Slack) -> None:
    channel = await walk.declare()
    slack.remove_from("status", slack.bot_user)

    await ask(walk, channel)

    assert "Slack did not let the bot post to #status (not_in_channel)" in walk.text(
        channel, "oncall"
    )
    assert "Approve" not in walk.buttons(channel)


async def test_a_channel_that_was_archived_meanwhile_is_said(walk: Walk, slack: Slack) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    slack.archive("status")

    await walk.press("second", action_ids.APPROVE, channel)

    assert "is_archived" in walk.text(channel)
    assert TOLD not in walk.text(channel)


async def test_a_request_expires(walk: Walk, clock: Clock) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    clock.forward(minutes=11)
    await walk.bot.tick()

    await walk.press("oncall", action_ids.EDIT_MESSAGE, channel)

    assert "Expired." in walk.text(channel)
    assert field(walk, "text")["initial_value"] == WORDS
    assert posted(walk.slack) == []


async def test_a_denial_is_said_and_the_words_can_be_changed(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("second", action_ids.DENY, channel)
    await walk.submit("second", reason="Too early")
    assert "Too early" in walk.text(channel)

    await walk.press("oncall", action_ids.EDIT_MESSAGE, channel)
    await walk.submit("oncall", text="Later words")
    await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == ["Later words"]


async def test_editing_is_a_new_request_that_somebody_else_approves(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)

    await walk.press("second", action_ids.EDIT_MESSAGE, channel)
    assert field(walk, "text", "second")["initial_value"] == WORDS
    await walk.submit("second", text="Better words")
    await walk.press("second", action_ids.APPROVE, channel)
    assert posted(walk.slack) == []
    assert "Replaced by other words" in walk.text(channel)
    assert "You requested this yourself" in walk.text(channel, "second")

    await walk.press("oncall", action_ids.APPROVE, channel)

    assert posted(walk.slack) == ["Better words"]


async def test_an_edit_that_comes_after_the_approval_changes_nothing(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("oncall", action_ids.EDIT_MESSAGE, channel)
    await walk.press("second", action_ids.APPROVE, channel)

    await walk.submit("oncall", text="Too late")

    assert posted(walk.slack) == [WORDS]
    assert "The old message was approved meanwhile" in walk.text(channel, "oncall")
    assert "Approve" not in walk.buttons(channel)


async def test_asked_for_twice_is_asked_for_once(walk: Walk) -> None:
    channel = await walk.declare()
    walk.slack.join("lead", channel)
    await ask(walk, channel)
    await ask(walk, channel, "Other words", "lead")

    assert "“Customer message” was already requested by" in walk.text(channel, "lead")
    assert "Other words" not in walk.text(channel)


async def test_a_second_message_follows_the_first(walk: Walk) -> None:
    channel = await walk.declare()
    for text in (WORDS, "Orders work again."):
        await ask(walk, channel, text)
        await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == [WORDS, "Orders work again."]


async def test_undo_deletes_that_message_and_no_other(walk: Walk) -> None:
    channel = await walk.declare()
    for text in (WORDS, "Orders work again."):
        await ask(walk, channel, text)
        await walk.press("second", action_ids.APPROVE, channel)

    await walk.press("lead", action_ids.UNDO, channel, "1")

    assert posted(walk.slack) == ["Orders work again."]
    assert "The message is gone from #status." in walk.text(channel)


async def test_undo_of_what_somebody_deleted_already_is_said(walk: Walk, slack: Slack) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("second", action_ids.APPROVE, channel)
    place = slack.workspace.channel("status")
    place.messages = [message for message in place.messages if message.text != WORDS]

    await walk.press("lead", action_ids.UNDO, channel)

    assert "The message is not among the newest of #status" in walk.text(channel, "lead")


async def test_an_undo_that_slack_refuses_is_not_claimed(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("second", action_ids.APPROVE, channel)
    walk.slack.fail("chat.delete", error="cant_delete_message", times=1)

    await walk.press("lead", action_ids.UNDO, channel)

    assert posted(walk.slack) == [WORDS]
    assert "Slack did not let the bot delete it (cant_delete_message)" in walk.text(channel)


@pytest.mark.parametrize("severity", ["sev3", "sev4"])
async def test_customers_are_not_told_of_what_is_mild(walk: Walk, severity: str) -> None:
    channel = await walk.declare("It crawls", severity)
    assert "Tell customers…" not in walk.buttons(channel)

    await walk.say("oncall", "/incident customer", channel)

    assert walk.slack.views("oncall") == []
    assert "This playbook informs customers of SEV-1 and SEV-2" in walk.text(channel, "oncall")


async def test_a_severity_that_fell_meanwhile_is_refused(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident customer", channel)
    await walk.say("second", "/incident severity sev3", channel)

    await walk.submit("oncall", text=WORDS)

    assert "INC-1 is SEV-3. Nothing was done" in walk.text(channel, "oncall")
    assert "Approve" not in walk.buttons(channel)


async def test_resolving_voids_what_waits(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="over")

    assert posted(walk.slack) == []
    assert "Void." in walk.text(channel)


@pytest.mark.parametrize("text", ["   ", "x" * 2501])
async def test_no_words_or_too_many_are_answered_in_the_form(walk: Walk, text: str) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident customer", channel)

    with pytest.raises(Refusal) as refused:
        await walk.submit("oncall", text=text)

    assert list(refused.value.errors) == ["text"]


async def test_it_is_said_in_an_incidents_channel(walk: Walk) -> None:
    await walk.say("oncall", "/incident customer")

    assert "This is not an incident's channel" in walk.text("general", "oncall")


async def test_without_a_channel_for_customers_it_is_copied_from_the_incidents(
    given: Settings, slack: Slack, clock: Clock, team: Path
) -> None:
    _name_no_channel(team)
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare()
        await walk.say("oncall", "/incident customer", channel)
        assert "no channel for customers is configured" in str(block_texts(slack.views("oncall")))
        await walk.submit("oncall", text=WORDS)
        await walk.press("second", action_ids.APPROVE, channel)

    assert posted(slack) == []
    assert f"*Approved for customers. Copy it from here:*\n\n{WORDS}" in posted(slack, channel)
    assert "ready to be copied from" in walk.text(channel)


def _name_no_channel(team: Path) -> None:
    team.write_text(team.read_text().replace("channels: {customers: status}\n", ""))


def _name(team: Path, channel: str) -> None:
    team.write_text(team.read_text().replace("customers: status", f"customers: {channel}"))


async def test_a_channel_that_is_not_there_stops_the_start(
    given: Settings, clock: Clock, team: Path
) -> None:
    _name(team, "statsu")

    with pytest.raises(UserError, match=r"names #statsu under channels\.customers"):
        async with start_bot(given, clock):
            pytest.fail("it started")
