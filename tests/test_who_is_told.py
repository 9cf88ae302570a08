"""Nobody has to look: approvers are called and invited, and whoever waited is told how it ended."""

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.conftest import Bot, Clock, Obj, Walk, block_texts, message_text

PEOPLE = ("oncall", "second", "lead", "outsider")


@pytest.fixture
async def asked(walk: Walk, kube: Cluster) -> str:
    """The channel of an incident in which a rollback waits for approval."""
    await kube.scenario("crash-loop")
    channel = await walk.declare()
    await walk.ask_for_rollback(channel)
    return channel


def request(walk: Walk, channel: str) -> Obj:
    """The message of the request, with its thread."""
    shown = walk.slack.messages(channel, "oncall")
    return next(message for message in shown if "requested by" in message_text(message))


def replies(message: Obj) -> list[Obj]:
    """What is in its thread."""
    return list(message.get("replies", []))


def notices(walk: Walk, channel: str) -> list[str]:
    """What is said in the request's thread to those who waited."""
    said = [reply["text"] for reply in replies(request(walk, channel))]
    return [words for words in said if words.startswith(":")]


def told(walk: Walk, words: str) -> list[str]:
    """Whom Slack notified of a message with these words."""
    notes = {who: walk.slack.notifications(who) for who in PEOPLE}
    return [who for who in PEOPLE for note in notes[who] if words in note["text"]]


async def test_the_request_calls_the_approvers_and_they_come_once(
    walk: Walk, kube: Cluster
) -> None:
    await kube.scenario("crash-loop")
    walk.slack.set_group("order-service-approvers", "lead", "outsider")  # who is no responder
    channel = await walk.declare()
    assert not is_in(walk, channel, "outsider")

    await walk.ask_for_rollback(channel)

    assert "by somebody else from the approvers <!subteam^" in message_text(request(walk, channel))
    assert {"lead", "outsider"} <= set(told(walk, "Waits for approval"))
    assert is_in(walk, channel, "outsider")

    invitations = len(walk.calls("conversations.invite"))
    await walk.press("lead", action_ids.DENY, channel)
    await walk.submit("lead", reason="Not now")
    await walk.ask_for_rollback(channel)
    assert len(walk.calls("conversations.invite")) == invitations


def is_in(walk: Walk, channel: str, who: str) -> bool:
    """Whether somebody is a member of a channel."""
    return walk.slack.user(who).id in walk.slack.workspace.channel(channel).members


@pytest.mark.parametrize("method", ["conversations.invite", "usergroups.users.list"])
async def test_approvers_who_cannot_be_invited_hold_up_nothing(
    walk: Walk, kube: Cluster, method: str
) -> None:
    await kube.scenario("crash-loop")
    channel = await walk.declare()
    walk.slack.fail(method, error="restricted_action", times=1)

    await walk.ask_for_rollback(channel)
    assert "Needs 1 more approval" in walk.text(channel)
    await walk.press("second", action_ids.APPROVE, channel)

    assert "Done and checked" in walk.text(channel)


async def test_who_asked_and_who_approved_are_told_once_how_it_ended(
    walk: Walk, asked: str, bot: Bot
) -> None:
    await walk.press("second", action_ids.APPROVE, asked)
    await walk.press("oncall", action_ids.UNDO, asked)

    [notice] = notices(walk, asked)
    assert "Done and checked: order-service runs" in notice
    assert told(walk, "Done and checked: order-service runs") == ["oncall", "second"]

    await bot.tick()
    assert len(notices(walk, asked)) == 1


async def test_who_asked_is_told_of_a_denial(walk: Walk, asked: str) -> None:
    await walk.press("lead", action_ids.DENY, asked)
    await walk.submit("lead", reason="A fix is on its way")

    [notice] = notices(walk, asked)
    assert "nothing was done: A fix is on its way" in notice
    assert "oncall" in told(walk, "A fix is on its way")


async def test_who_asked_is_told_that_nobody_approved_in_time(
    walk: Walk, asked: str, bot: Bot, clock: Clock
) -> None:
    clock.forward(minutes=11)
    await bot.tick()

    assert "Expired before enough people approved it" in notices(walk, asked)[0]


async def test_who_asked_is_told_that_it_failed(walk: Walk, asked: str, kube: Cluster) -> None:
    kube.change_template()

    await walk.press("second", action_ids.APPROVE, asked)

    assert "Not done: The system has changed since" in notices(walk, asked)[0]
    assert told(walk, "Not done: The system has changed since") == ["oncall", "second"]


@pytest.mark.parametrize("press", [action_ids.APPROVE, action_ids.DENY])
async def test_the_plan_is_still_there_when_it_is_decided(
    walk: Walk, asked: str, press: str
) -> None:
    waiting = message_text(request(walk, asked))
    assert waiting.count("+    image: ") == 1
    assert "in the thread" not in waiting

    await walk.press("second", press, asked)
    if press == action_ids.DENY:
        await walk.submit("second", reason="Not now")

    decided = request(walk, asked)
    [plan] = [reply for reply in replies(decided) if "as people decided on it" in reply["text"]]
    assert "-    image: ghcr.io/tickettoken/order-service:v2.4.0" in message_text(plan)
    assert "+    image: ghcr.io/tickettoken/order-service:v2.3.1" in message_text(plan)
    assert "with its diff in the thread" in message_text(decided)
    assert message_text(decided).count("+    image: ") == 1

    await walk.say("oncall", "/incident note Still there", asked)
    assert message_text(request(walk, asked)) == message_text(decided)


async def test_an_interruption_is_told_and_so_is_what_came_of_it(
    walk: Walk, asked: str, bot: Bot, clock: Clock
) -> None:
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'running', heartbeat_at = %s", [clock()])
    clock.forward(seconds=31)
    await bot.tick()
    assert told(walk, "the bot does not know how far it got") == ["oncall"]

    await walk.press("oncall", action_ids.CHECK_INTERRUPTED, asked)

    assert told(walk, "Not done: ") == ["oncall"]
    assert len(notices(walk, asked)) == 2


async def test_a_step_shows_what_was_done_rather_than_what_came_to_nothing(
    walk: Walk, asked: str
) -> None:
    await walk.press("second", action_ids.APPROVE, asked)
    await walk.press_step("oncall", "rolling-restart", asked)
    await walk.submit("oncall", reason="Once more")
    await walk.ask_for_rollback(asked)
    await walk.say("second", "/incident resolve", asked)
    await walk.submit("second", resolution="Rolled back")

    [playbook] = [
        message
        for message in walk.slack.messages(asked, "oncall")
        if "*2. " in message_text(message)
    ]
    lines = message_text(playbook)
    assert lines.count(":heavy_minus_sign: Not done: the incident was resolved first") == 1
    assert ":white_check_mark: order-service runs" in lines


async def test_the_form_to_resolve_says_what_can_no_longer_be_undone(
    walk: Walk, asked: str
) -> None:
    assert "Undo" not in await resolve_form(walk, asked)
    await walk.press("second", action_ids.APPROVE, asked)

    assert "you cannot undo: *Roll back* (without new approval until" in (
        await resolve_form(walk, asked)
    )

    await walk.press("second", action_ids.UNDO, asked)
    assert "Undo" not in await resolve_form(walk, asked)


async def test_the_form_to_resolve_says_what_runs(walk: Walk, asked: str, bot: Bot) -> None:
    async with bot.world.pool.connection() as conn:
        await conn.execute("UPDATE executions SET state = 'running', heartbeat_at = now()")

    assert "Running now: *Roll back*" in await resolve_form(walk, asked)


async def resolve_form(walk: Walk, channel: str) -> str:
    """What the form to resolve says."""
    await walk.say("lead", "/incident resolve", channel)
    return "\n".join(block_texts(walk.slack.views("lead")[-1]["blocks"]))


async def test_the_question_before_approval_says_what_is_warned_of(walk: Walk, asked: str) -> None:
    await walk.press_step("oncall", "delete-pods", asked)
    await walk.submit("oncall", reason="They hang")

    questions = [
        button.element["confirm"]["text"]["text"]
        for button in walk.slack.find_buttons(action_ids.APPROVE, asked, "second")
    ]
    assert questions[0].startswith("Roll order-service back")
    assert ":warning:" not in questions[0]
    assert questions[1].startswith("Delete")
    assert ":warning: A rolling restart does the same" in questions[1]


async def test_an_outsider_is_not_asked_why_not(walk: Walk, asked: str) -> None:
    walk.slack.join("outsider", asked)

    await walk.press("outsider", action_ids.DENY, asked)

    assert walk.slack.views("outsider") == []
    assert "Nothing was denied" in walk.text(asked, "outsider")
    await walk.say("oncall", "/incident timeline", asked)
    assert "was refused" in walk.text(asked, "oncall")


async def test_whoever_joined_the_approvers_just_now_may_deny(walk: Walk, asked: str) -> None:
    walk.slack.join("outsider", asked)
    walk.slack.set_group("order-service-approvers", "outsider")

    await walk.press("outsider", action_ids.DENY, asked)
    await walk.submit("outsider", reason="Not now")

    assert "*Denied* by" in walk.text(asked)


async def test_whoever_asked_takes_it_back(walk: Walk, asked: str) -> None:
    await walk.press("oncall", action_ids.DENY, asked)
    await walk.submit("oncall", reason="It heals by itself")

    shown = walk.text(asked)
    assert "*Withdrawn* by" in shown
    assert "Denied" not in shown
    assert notices(walk, asked) == []
    await walk.say("oncall", "/incident timeline", asked)
    assert "withdrew: Roll order-service back" in walk.text(asked, "oncall")
