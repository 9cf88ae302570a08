"""Slack as it is: deleted cards, missing scopes, people who cannot come, refusals of every kind."""

from typing import Any

import pytest

from bot.views import action_ids
from sandbox.slack import Slack, User
from tests.conftest import Bot, Clock, Walk

ADD = "add what app-manifest.yml has, under OAuth & Permissions, and install the app again."
SIGNS = {1: ":red_circle: SEV-1", 3: ":large_yellow_circle: SEV-3"}
CHANNEL = "inc-1-orders-are-failing"


def refusal(scopes: dict[str, str]) -> str:
    """What is said of missing scopes, by method."""
    reasons = "; ".join(f"{method}: missing_scope, needed: {scopes[method]}" for method in scopes)
    lacking = {f"a scope ({s})" if "," in s else f"the scope {s}" for s in scopes.values()}
    fixes = " ".join(
        f"The app of SLACK_BOT_TOKEN lacks {scope}: {ADD}" for scope in sorted(lacking)
    )
    return f"Slack refused a part of this ({reasons}). {fixes} The bot tries again."


def pinned(slack: Slack, channel: str) -> list[str]:
    """The first lines of the pinned messages."""
    found = slack.workspace.channel(channel)
    messages = {message.ts: message for message in found.messages}
    return [messages[ts].text.splitlines()[0] for ts in found.pins]


async def test_deleted_card_is_pinned_again(walk: Walk, bot: Bot, clock: Clock) -> None:
    channel = await walk.declare()
    for severity in ("sev2", "sev1"):
        [card] = walk.slack.channel(channel).pins
        walk.slack.delete_message(channel, card)
        if severity == "sev1":  # and the process dies before it pins
            walk.slack.fail("pins.add", status=503)

        await walk.say("oncall", f"/incident severity {severity}", channel)
        clock.forward(minutes=1)
        await bot.tick()

        [card_now] = walk.slack.channel(channel).pins
        assert card_now != card
        assert walk.card(channel)["Severity"] == severity.replace("sev", "SEV-")


@pytest.mark.parametrize(
    ("step", "method", "files"),
    [("pods", "chat.postMessage", []), ("logs", "upload", ["logs-1.txt"])],
)
async def test_deleted_playbook_gets_its_thread(
    walk: Walk, bot: Bot, clock: Clock, step: str, method: str, files: list[str]
) -> None:
    channel = await walk.declare()
    walk.slack.fail(method, status=503)
    await walk.press_step("oncall", step, channel)
    [playbook] = [post for post in walk.posts(channel) if post.heading.startswith(":notebook:")]
    walk.slack.delete_message(channel, playbook.ts)

    for _ in range(2):
        clock.forward(seconds=5)
        await bot.tick()
    await walk.slack.settled()

    [playbook] = [post for post in walk.posts(channel) if post.heading.startswith(":notebook:")]
    assert [file for reply in playbook.thread for file in reply.files] == files
    assert len(playbook.thread) == 1
    assert "Slack refused" not in walk.text(channel)


async def test_other_apps_card_is_posted_again(walk: Walk) -> None:
    channel = await walk.declare()
    updates = walk.slack.fail("chat.update", error="cant_update_message", times=None)
    await walk.say("oncall", "/incident severity sev2", channel)
    updates.heal()
    await walk.say("oncall", "/incident severity sev3", channel)

    cards = [post.heading for post in walk.posts(channel) if " · INC-1 · " in post.heading]
    assert cards == [f"{SIGNS[severity]} · INC-1 · Orders are failing" for severity in (1, 3)]


@pytest.mark.parametrize(
    ("scopes", "method", "has_channel"),
    [
        ({"conversations.create": "channels:manage,groups:write"}, "conversations.create", False),
        ({"pins.add": "pins:write"}, "pins.add", True),
        ({"usergroups.list": "usergroups:read"}, "usergroups.list", True),
        (
            {
                "bookmarks.add": "bookmarks:write",
                "chat.postMessage in channels.incidents": "chat:write",
                "chat.postMessage": "chat:write",
            },
            "bookmarks.add",
            True,
        ),
    ],
)
async def test_missing_scope_is_told(
    walk: Walk,
    slack: Slack,
    bot: Bot,
    clock: Clock,
    scopes: dict[str, str],
    method: str,
    has_channel: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    revoked = [scope.split(",")[0] for scope in scopes.values()]
    slack.revoke(*revoked)

    await walk.say("oncall", "/incident declare sev1 Orders are failing")

    told = walk.answers("oncall", "general")
    assert told[-1] == f"INC-1: {refusal(scopes)}"
    assert f"Slack refused: {method}: missing_scope, needed: {scopes[method]}" in caplog.text
    assert (CHANNEL in [shown["name"] for shown in slack.channels("oncall")]) is has_channel

    slack.grant(*revoked)
    clock.forward(minutes=6)
    await bot.tick()

    assert walk.card(CHANNEL)["Severity"] == "SEV-1"
    members = slack.workspace.channel(CHANNEL).members
    assert {slack.user(who).id for who in ("oncall", "second")} <= set(members)
    assert "Slack refused" not in walk.text(CHANNEL)


async def test_lasting_refusal_is_on_the_card(walk: Walk, bot: Bot, clock: Clock) -> None:
    walk.slack.revoke("pins:write")
    channel = await walk.declare()
    clock.forward(minutes=1)
    await bot.tick()

    assert walk.text(channel).count(refusal({"pins.add": "pins:write"}).replace("&", "&amp;")) == 1


@pytest.mark.parametrize("refused", [{"status": 503}, {"error": "fatal_error"}, {"body": "[]"}])
async def test_unread_groups_are_invited_later(
    walk: Walk, slack: Slack, bot: Bot, clock: Clock, refused: dict[str, Any]
) -> None:
    slack.fail("usergroups.list", **refused)
    channel = await walk.declare()
    second = slack.user("second").id
    assert second not in slack.channel(channel).members

    for _ in range(3):
        clock.forward(minutes=1)
        await bot.tick()

    assert second in slack.channel(channel).members


async def test_archived_announcements_are_named(walk: Walk, bot: Bot, clock: Clock) -> None:
    walk.slack.archive("incidents")
    channel = await walk.declare()
    clock.forward(minutes=1)
    await bot.tick()

    assert (
        "Slack refused a part of this (chat.postMessage in channels.incidents: is_archived). "
        "Unarchive the channel. The bot tries again."
    ) in walk.text(channel)


async def test_blocked_upload_is_on_the_card(walk: Walk, bot: Bot, clock: Clock) -> None:
    walk.slack.fail("upload", status=403, times=None)
    channel = await walk.declare()
    await walk.press("second", action_ids.RESOLVE, channel)
    await walk.submit("second", resolution="rolled back")
    clock.forward(minutes=1)
    await bot.tick()

    assert (
        "Slack refused a part of this (upload: http_403). Something else answered in Slack's "
        "place: check SLACK_API_URL and the proxy. The bot tries again."
    ) in walk.text(channel)


@pytest.mark.parametrize("code", ["msg_blocks_too_long", "invalid_blocks_format"])
async def test_refused_blocks_are_sent_without(walk: Walk, code: str) -> None:
    channel = await walk.declare()
    walk.slack.fail("chat.postMessage", error=code)

    await walk.press_step("oncall", "pods", channel)

    assert "3 of 3 ready" in walk.text(channel)
    assert "Slack refused" not in walk.text(channel)


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        ({"error": "missing_scope"}, f"The app of SLACK_BOT_TOKEN lacks the scope {{}}: {ADD}"),
        ({"ratelimited": 9}, "Try again in 9 s."),
        ({"status": 503}, "Try again in a minute."),
        ({"body": '{"ok": true}'}, "Try again in a minute."),
        (
            {"error": "token_revoked"},
            "Copy the token again from the app's page into SLACK_BOT_TOKEN, which is read at the "
            "start.",
        ),
    ],
)
async def test_press_is_told_the_fix(
    walk: Walk, slack: Slack, code: dict[str, Any], fix: str, caplog: pytest.LogCaptureFixture
) -> None:
    channel = await walk.declare()
    slack.fail("users.info", **code)
    slack.fail("response_url", status=503)

    await walk.press("second", action_ids.TAKE_COMMAND, channel)

    [told] = walk.answers("second", channel)
    assert told.startswith("Slack did not say who you are (")
    assert told.endswith(f"so nothing was done. {fix.format('users:read')}")
    assert "Slack refused: users.info: " in caplog.text or "no_answer" in caplog.text


async def test_late_refusal_of_groups_is_tried_again(
    walk: Walk, slack: Slack, bot: Bot, clock: Clock
) -> None:
    silence = slack.fail("usergroups.list", hang=True)
    await slack.say("oncall", "/incident declare sev1 Orders are failing", "general")
    await slack.wait_for(lambda: slack.called("pins.add"))
    await bot.world.publishers.wait_until_idle(1)
    slack.revoke("usergroups:read")
    silence.heal()
    await bot.drain()

    for _ in range(6):  # after 2, 4, 8 … seconds, and not again and again
        clock.forward(seconds=10)
        await bot.tick()
    assert len(slack.called("usergroups.list")) == 6

    slack.grant("usergroups:read")
    clock.forward(minutes=5)
    await bot.tick()
    assert slack.user("second").id in slack.channel(CHANNEL).members


@pytest.mark.parametrize("naming", [True, False])
async def test_others_come_in_all_the_same(walk: Walk, slack: Slack, naming: bool) -> None:
    slack.refuse_invitations_whole(naming=naming)
    people = [slack.add_user(User(f"p{number}", f"Person {number}")) for number in range(6)]
    gone, stranger = people[0], people[3]
    gone.deactivated, stranger.kind = True, "stranger"
    ids = [person.id for person in people]
    slack.set_group("order-service-responders", slack.bot_user, "oncall", *ids)

    channel = await walk.declare()

    members = set(slack.channel(channel).members)
    assert members & set(ids) == set(ids) - {gone.id, stranger.id}
    calls = len(slack.called("conversations.invite")) - 1  # that of the declarer
    assert calls == 2 if naming else calls > 2
    assert "Slack refused" not in walk.text(channel)


async def test_many_who_are_in_cost_few_calls(
    walk: Walk, slack: Slack, bot: Bot, clock: Clock
) -> None:
    slack.refuse_invitations_whole(naming=False)
    people = [slack.add_user(User(f"p{number}", f"Person {number}")).id for number in range(40)]
    slack.set_group("order-service-approvers", *people, "lead")
    channel = await walk.declare()
    for person in people:
        slack.add_to(channel, person)
    before = len(slack.called("conversations.invite"))

    await walk.ask_for_rollback(channel)

    assert slack.user("lead").id in slack.channel(channel).members
    assert len(slack.called("conversations.invite")) - before == 2
