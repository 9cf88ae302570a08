"""What customers are told: exactly the words that somebody else approved, posted once."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import store
from bot.model import ExecutionId, UserError
from bot.settings import Settings
from bot.views import action_ids
from sandbox.slack import Slack
from tests.conftest import ORDERS, Bot, Clock, Walk, start_bot
from tests.refusals import not_an_approver
from tests.rollbacks import DONE, WAITS

WORDS = "Orders fail at the moment. We are on it."
SHIPPED = "We're currently experiencing issues with order processing."
TELL = f"Tell customers in #status: “{WORDS}”"
EXACT = "Tell customers in #status, exactly this text"
UNARCHIVE = "Unarchive the channel, or correct channels.customers in RUNBOLT_CONFIG."
NO_APPROVER = not_an_approver("approved", "second", "lead")
OWN_REQUEST = "You requested this yourself, so you cannot approve it. Another approver has to."


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


def drafted(walk: Walk, who: str = "oncall") -> str:
    """The words in the form on top."""
    return walk.form(who).fields["text"].value


async def ask(walk: Walk, channel: str, text: str = WORDS, who: str = "oncall") -> None:
    """Ask for these words to be told."""
    await walk.say(who, "/incident customer", channel)
    await walk.submit(who, text=text)


async def test_customers_read_approved_words(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.press("oncall", action_ids.TELL_CUSTOMERS, channel)
    assert drafted(walk).startswith(SHIPPED)
    await walk.submit("oncall", text=WORDS)
    assert posted(walk.slack) == []
    request = walk.execution(channel)
    assert request.plan["Plan"] == EXACT
    assert request.diff == WORDS  # the whole, as it will be posted
    assert request.buttons == ("Approve", "Deny…", "Withdraw…", "Edit…")
    [approve] = walk.slack.find_buttons(action_ids.APPROVE, channel, "second")
    assert approve.element["confirm"]["text"]["text"] == f"Everybody in #status reads it.\n{TELL}"

    await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == [WORDS]
    done = walk.execution(channel)
    assert (done.state, done.outcome, done.diff) == (DONE, "Customers were told in #status.", WORDS)
    entry = f"@oncall requested this, and it was done and checked: {TELL} ({done.outcome})"
    assert (await walk.timeline(channel))[-1] == entry


async def test_watching_is_told_as_such(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident status monitoring", channel)

    await walk.say("oncall", "/incident customer", channel)

    assert drafted(walk) == (
        "We have taken action against the problem with Order Service that began 2026-11-24 10:00 "
        "UTC, and we are watching whether everything works again.\n"
        "We apologize for any inconvenience and will tell you when it is over."
    )


async def test_typed_words_are_drafted(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.say("oncall", "/incident customer Orders & refunds fail", channel)

    assert drafted(walk) == "Orders & refunds fail"
    await walk.submit("oncall", text=drafted(walk))
    assert walk.execution(channel).diff == "Orders & refunds fail"
    assert posted(walk.slack) == []


async def test_the_template_is_filled_in(
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
    assert drafted(walk) == (
        f"SEV-1 since 2026-11-24 10:00 UTC: R&D <b>. Nobody buys {due:%Y-%m-%d %H:%M} UTC"
    )


def _say_to_customers(file: Path, template: str) -> None:
    before, _, rest = file.read_text().partition("customer_message: |-\n")
    after = rest[rest.index("\npost_incident:") :]
    file.write_text(f'{before}customer_message: "{template}"\n{after}')


async def test_words_ping_nobody(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel, "<!channel> a & b <https://example.com|here>")
    await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == ["&lt;!channel&gt; a &amp; b &lt;https://example.com|here&gt;"]
    status = walk.slack.workspace.channel("status").id
    told = [note["channel"] for who in ("lead", "second") for note in walk.slack.notifications(who)]
    assert status not in told


async def test_not_everybody_approves_words(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    walk.slack.join("outsider", channel)

    await walk.press("oncall", action_ids.APPROVE, channel)
    await walk.press("outsider", action_ids.APPROVE, channel)

    assert posted(walk.slack) == []
    assert walk.answer("oncall") == OWN_REQUEST
    assert walk.answer("outsider") == NO_APPROVER


async def test_racing_approvers_post_once(walk: Walk, slack: Slack, bot: Bot) -> None:
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
    told = walk.answers("second", channel) + walk.answers("lead", channel)
    [approval] = walk.execution(channel).approvals
    first = approval.split(",")[0]
    assert told == [
        f"Already approved by {first} at 2026-11-24 10:00:00 UTC. Nothing more was approved."
    ]


async def test_a_restart_posts_once(slack: Slack, given: Settings, clock: Clock) -> None:
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
    assert walk.execution(channel).state == DONE


# What any of these means is not known, or Slack says that a part may have been done.
DOUBTFUL: list[dict[str, Any]] = [
    {"status": 500},
    {"error": "internal_error"},
    {"error": "fatal_error"},
    {"error": "service_unavailable"},
    {"error": "request_timeout"},
    {"error": "an_error_of_tomorrow"},
]


@pytest.mark.parametrize("failure", DOUBTFUL)
async def test_a_lost_answer_posts_once(walk: Walk, failure: dict[str, Any]) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    walk.slack.fail("chat.postMessage", **failure, after=True, times=1)

    await walk.press("second", action_ids.APPROVE, channel)
    await walk.bot.tick()

    assert posted(walk.slack) == [WORDS]
    assert walk.execution(channel).state == DONE


@pytest.mark.parametrize("failure", DOUBTFUL[:2])
async def test_a_lost_post_is_not_claimed(
    walk: Walk, clock: Clock, failure: dict[str, Any]
) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    walk.slack.fail("chat.postMessage", **failure, times=1)

    await walk.press("second", action_ids.APPROVE, channel)
    clock.forward(seconds=60)
    await walk.bot.tick()

    assert posted(walk.slack) == []
    request = walk.execution(channel)
    assert request.state == "Unknown"
    assert request.outcome.startswith("Slack failed when the bot tried to post it")

    clock.forward(seconds=61)
    await walk.bot.tick()

    request = walk.execution(channel)
    assert (request.state, request.outcome) == (
        "Unknown",
        "The message is not in #status. What was sent to Slack is most likely lost, but it might "
        "still arrive. Look at the channel before you request it again.",
    )
    looks = "The bot goes on looking for an hour; after that, press Check what happened."
    assert request.notes == (looks,)


async def test_a_late_post_is_found(walk: Walk, bot: Bot, clock: Clock) -> None:
    """Others may tell customers meanwhile: nobody waits for what is most likely lost."""
    channel = await walk.declare()
    await ask(walk, channel)
    walk.slack.fail("chat.postMessage", status=500, times=1)
    await walk.press("second", action_ids.APPROVE, channel)
    clock.forward(seconds=121)
    await bot.tick()
    await ask(walk, channel)
    await walk.press("second", action_ids.APPROVE, channel)
    assert posted(walk.slack) == [WORDS]
    assert [request.state for request in walk.executions(channel)] == ["Unknown", DONE]

    async with bot.world.pool.connection() as conn:
        first = await store.executions.get(conn, ExecutionId(1))
    assert first is not None
    await bot.world.services.systems(ORDERS).customers.post(
        first.params["channel"], WORDS, first.params["key"]
    )
    clock.forward(seconds=11)
    await bot.tick()

    assert [request.state for request in walk.executions(channel)] == [DONE, DONE]


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        (
            "restricted_action",
            "Let the bot post there, in the channel's settings, and request it again.",
        ),
        ("not_in_channel", "Invite the bot there, and request it again."),
        ("is_archived", UNARCHIVE),
        ("ratelimited", "Try again in a minute."),
    ],
)
async def test_a_refusing_slack_is_said(walk: Walk, code: str, fix: str) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    walk.slack.fail("chat.postMessage", error=code, times=1)

    await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == []
    request = walk.execution(channel)
    refused = f"Slack did not let the bot post it ({code}), so nothing was done."
    assert (request.state, request.outcome) == ("Not done", f"{refused} {fix}")
    assert request.buttons == ("Edit…",)


async def test_a_removed_bot_asks_nothing(walk: Walk, slack: Slack) -> None:
    channel = await walk.declare()
    slack.remove_from("status", slack.bot_user)

    await ask(walk, channel)

    refused = "Slack did not let the bot post to #status (not_in_channel)"
    assert walk.answer("oncall").startswith(refused)
    assert walk.executions(channel) == []


async def test_an_archived_channel_is_said(walk: Walk, slack: Slack) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    slack.archive("status")

    await walk.press("second", action_ids.APPROVE, channel)

    request = walk.execution(channel)
    assert request.state == "Not done"
    refused = "Slack did not let the bot post there (is_archived), so nothing was done."
    assert request.outcome == f"{refused} {UNARCHIVE}"


async def test_a_request_expires(walk: Walk, clock: Clock) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    clock.forward(minutes=11)
    await walk.bot.tick()

    await walk.press("oncall", action_ids.EDIT_MESSAGE, channel)

    assert walk.execution(channel).state == "Expired"
    assert drafted(walk) == WORDS
    assert posted(walk.slack) == []


async def test_denied_words_can_be_changed(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("second", action_ids.DENY, channel)
    await walk.submit("second", reason="Too early")
    request = walk.execution(channel)
    assert (request.state, request.outcome) == ("Denied", "by @second: Too early")

    await walk.press("oncall", action_ids.EDIT_MESSAGE, channel)
    await walk.submit("oncall", text="Later words")
    await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == ["Later words"]


async def test_an_edit_is_a_request(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)

    await walk.press("second", action_ids.EDIT_MESSAGE, channel)
    assert drafted(walk, "second") == WORDS
    await walk.submit("second", text="Better words")
    await walk.press("second", action_ids.APPROVE, channel)
    assert posted(walk.slack) == []
    old, new = walk.executions(channel)
    edited = "by @second: Other words were requested instead"
    assert (old.state, old.outcome, old.buttons) == ("Edited", edited, ())
    told = f":pencil2: @oncall Edited by @second, nothing was done: {edited[12:]}"
    assert [reply.text for reply in old.thread] == [told]
    assert f"@second edited: {TELL} ({edited[12:]})" in await walk.timeline(channel)
    assert (new.requested_by, new.state) == ("@second", WAITS)
    assert walk.answer("second") == OWN_REQUEST

    await walk.press("oncall", action_ids.APPROVE, channel)

    assert posted(walk.slack) == ["Better words"]


async def test_a_late_edit_changes_nothing(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("oncall", action_ids.EDIT_MESSAGE, channel)
    await walk.press("second", action_ids.APPROVE, channel)

    await walk.submit("oncall", text="Too late")

    assert posted(walk.slack) == [WORDS]
    assert walk.answer("oncall").startswith("The old message was approved meanwhile")
    assert [request.state for request in walk.executions(channel)] == [DONE]


async def test_asked_twice_is_asked_once(walk: Walk) -> None:
    channel = await walk.declare()
    walk.slack.join("lead", channel)
    await ask(walk, channel)
    await ask(walk, channel, "Other words", "lead")

    assert walk.answer("lead") == (
        "“Customer message” was already requested by @oncall. Nothing more was requested; approve "
        "or deny that request first."
    )
    assert [request.plan["Plan"] for request in walk.executions(channel)] == [EXACT]


async def test_a_second_message_follows_the_first(walk: Walk) -> None:
    channel = await walk.declare()
    for text in (WORDS, "Orders work again."):
        await ask(walk, channel, text)
        await walk.press("second", action_ids.APPROVE, channel)

    assert posted(walk.slack) == [WORDS, "Orders work again."]


async def test_undo_deletes_one_message(walk: Walk) -> None:
    channel = await walk.declare()
    for text in (WORDS, "Orders work again."):
        await ask(walk, channel, text)
        await walk.press("second", action_ids.APPROVE, channel)

    await walk.press("lead", action_ids.UNDO, channel, "1")

    assert posted(walk.slack) == ["Orders work again."]
    undo = walk.execution(channel)
    assert (undo.state, undo.outcome) == (DONE, "The message is gone from #status.")


async def test_a_deleted_message_is_not_undone(walk: Walk, slack: Slack) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("second", action_ids.APPROVE, channel)
    place = slack.workspace.channel("status")
    place.messages = [message for message in place.messages if message.text != WORDS]

    await walk.press("lead", action_ids.UNDO, channel)

    told = walk.answer("lead")
    assert told.startswith("The message is not among the newest of #status")


async def test_a_refused_undo_is_not_claimed(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("second", action_ids.APPROVE, channel)
    walk.slack.fail("chat.delete", error="cant_delete_message", times=1)

    await walk.press("lead", action_ids.UNDO, channel)

    assert posted(walk.slack) == [WORDS]
    undo = walk.execution(channel)
    assert undo.state == "Not done"
    assert undo.outcome.startswith("Slack did not let the bot delete it (cant_delete_message)")


@pytest.mark.parametrize(
    ("failure", "result", "outcome"),
    [
        ({"error": "fatal_error", "after": True}, DONE, "The message is gone from #status."),
        (
            {"error": "message_not_found"},
            "Not done",
            "Slack did not let the bot delete it (message_not_found), so nothing was done. "
            "Somebody else has deleted it.",
        ),
    ],
)
async def test_what_an_undo_did_is_told(
    walk: Walk, failure: dict[str, Any], result: str, outcome: str
) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.press("second", action_ids.APPROVE, channel)
    walk.slack.fail("chat.delete", **failure, times=1)

    await walk.press("lead", action_ids.UNDO, channel)

    undo = walk.execution(channel)
    assert (undo.state, undo.outcome) == (result, outcome)


def refusal(severity: str) -> str:
    """The answer where the incident is too mild for customers."""
    return (
        "This playbook informs customers of SEV-1 and SEV-2, and INC-1 is "
        f"{severity.replace('sev', 'SEV-')}. Nothing was done. If it is worse, raise it first with "
        "`/incident severity`."
    )


@pytest.mark.parametrize("severity", ["sev3", "sev4"])
async def test_mild_incidents_tell_no_customers(walk: Walk, severity: str) -> None:
    channel = await walk.declare("It crawls", severity)
    assert walk.slack.find_buttons(action_ids.TELL_CUSTOMERS, channel, "oncall") == []

    await walk.say("oncall", "/incident customer", channel)

    assert walk.slack.views("oncall") == []
    assert walk.answer("oncall") == refusal(severity)


async def test_a_fallen_severity_is_refused(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident customer", channel)
    await walk.say("second", "/incident severity sev3", channel)

    await walk.submit("oncall", text=WORDS)

    assert walk.answer("oncall") == refusal("sev3")
    assert walk.executions(channel) == []


async def test_resolving_voids_what_waits(walk: Walk) -> None:
    channel = await walk.declare()
    await ask(walk, channel)
    await walk.say("second", "/incident resolve", channel)
    await walk.submit("second", resolution="over")

    assert posted(walk.slack) == []
    assert walk.execution(channel).state == "Void"


@pytest.mark.parametrize("text", ["   ", "x" * 2501])
async def test_blank_or_long_words_are_refused(walk: Walk, text: str) -> None:
    channel = await walk.declare()
    await walk.say("oncall", "/incident customer", channel)

    errors = await walk.submit_refused("oncall", text=text)

    assert list(errors) == ["text"]


async def test_other_channels_tell_no_customers(walk: Walk) -> None:
    await walk.say("oncall", "/incident customer")

    assert walk.answer("oncall").startswith("This is not an incident's channel")


async def test_without_a_channel_people_copy_it(
    given: Settings, slack: Slack, clock: Clock, team: Path
) -> None:
    _name_no_channel(team)
    async with start_bot(given, clock) as bot:
        slack.request_url = f"{bot.url}/slack/events"
        walk = Walk(slack, bot)
        channel = await walk.declare()
        await walk.say("oncall", "/incident customer", channel)
        assert walk.form().text == (
            "An approver other than you must approve exactly this text. Then it is posted in this "
            "incident's channel, and you copy it to your customers: no channel for customers is "
            "configured (`channels.customers` in RUNBOLT_CONFIG)."
        )
        await walk.submit("oncall", text=WORDS)
        await walk.press("second", action_ids.APPROVE, channel)

    assert posted(slack) == []
    assert f"*Approved for customers. Copy it from here:*\n\n{WORDS}" in posted(slack, channel)
    assert walk.execution(channel).outcome == (f"Approved, and ready to be copied from #{channel}.")


def _name_no_channel(team: Path) -> None:
    team.write_text(team.read_text().replace("channels: {customers: status}\n", ""))


def _name(team: Path, channel: str) -> None:
    team.write_text(team.read_text().replace("customers: status", f"customers: {channel}"))


async def test_a_missing_channel_stops_the_start(given: Settings, clock: Clock, team: Path) -> None:
    _name(team, "statsu")

    with pytest.raises(UserError, match=r"names #statsu under channels\.customers"):
        async with start_bot(given, clock):
            pytest.fail("it started")
