"""When the bot starts: what passes is waited for; what lasts names the variable and the fix."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from bot.model import UserError
from bot.settings import Settings
from sandbox.slack import Slack
from tests.conftest import Clock, start_bot

GROUPS = (
    "read the user groups that RUNBOLT_CONFIG names "
    "(order-service-responders, order-service-approvers)"
)
INSTALL = (
    "add what app-manifest.yml has, under OAuth & Permissions, and install the app again. "
    "Then start the bot again."
)
METHODS = ("auth.test", "conversations.list", "conversations.join", "usergroups.list")


@pytest.mark.parametrize(
    ("methods", "refusal"),
    [
        (METHODS, {"ratelimited": 0}),
        (METHODS[1:2], {"status": 503}),
        (METHODS[3:], {"error": "internal_error"}),
        (METHODS[1:2], {"body": "<h1>Sign in to the guests' network</h1>"}),
        (METHODS[1:2], {"body": '{"ok": true}'}),
        (METHODS[3:], {"body": "[]"}),
    ],
    ids=str,
)
async def test_what_passes_is_waited_for(
    slack: Slack,
    given: Settings,
    clock: Clock,
    methods: Sequence[str],
    refusal: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for method in methods:
        slack.fail(method, **refusal)

    async with start_bot(given, clock):
        assert [len(slack.called(method)) for method in methods] == [2] * len(methods)

    told = [record.message for record in caplog.records if "asks again" in record.message]
    assert len(told) == len(methods)
    assert all(re.search(r"asks again in (0|0\.2) s, for 1\d\d s at most", line) for line in told)


async def test_silence_is_waited_for(slack: Slack, given: Settings, clock: Clock) -> None:
    slack.fail("conversations.list", hang=True)

    async with start_bot(given, clock, slack_seconds=0.3):
        assert len(slack.called("conversations.list")) == 2


@pytest.mark.parametrize(
    ("refusal", "sentence"),
    [
        (
            {"method": "conversations.list", "ratelimited": 300},
            "list the channels (ratelimited), so nothing was started. Start the bot again in "
            "300 s.",
        ),
        (
            {"method": "usergroups.list", "ratelimited": 300},
            f"{GROUPS} (ratelimited), so nothing was started. Start the bot again in 300 s.",
        ),
        (
            {"method": "conversations.list", "status": 503, "times": None},
            "list the channels for 0.5 s (http_503), so nothing was started. Check SLACK_API_URL "
            "(ADDRESS) and the network, then start the bot again.",
        ),
        (
            {"method": "auth.test", "status": 404},
            "authenticate (http_404), so nothing was started. Something else answered "
            "in Slack's place: check SLACK_API_URL and the proxy. Then start the bot again.",
        ),
        (
            {"method": "auth.test", "error": "invalid_auth"},
            "authenticate (invalid_auth), so nothing was started. Copy the token again "
            "from the app's page into SLACK_BOT_TOKEN, which is read at the start. Then start the "
            "bot again.",
        ),
        (
            {"method": "conversations.list", "error": "missing_scope"},
            "list the channels (missing_scope), so nothing was started. The app of "
            "SLACK_BOT_TOKEN lacks a scope (channels:read,groups:read,im:read,mpim:read): "
            f"{INSTALL}",
        ),
        (
            {"method": "usergroups.list", "error": "missing_scope"},
            f"{GROUPS} (missing_scope), so nothing was started. The app of SLACK_BOT_TOKEN lacks "
            f"the scope usergroups:read: {INSTALL}",
        ),
        (
            {"method": "usergroups.list", "error": "plan_upgrade_required"},
            f"{GROUPS} (plan_upgrade_required), so nothing was started. The plan of this workspace "
            "has no user groups: in RUNBOLT_CONFIG, list people under users instead of groups. "
            "Then start the bot again.",
        ),
        (
            {"method": "conversations.join", "error": "is_archived"},
            "join #incidents (channels.incidents) (is_archived), so nothing was started. Unarchive "
            "the channel. Then start the bot again.",
        ),
        (
            {"method": "conversations.join", "error": "unheard_of"},
            "join #incidents (channels.incidents) (unheard_of), so nothing was started. What it "
            "means is under https://docs.slack.dev/reference/methods/conversations.join#errors. "
            "Then start the bot again.",
        ),
    ],
)
async def test_what_lasts_names_the_fix(
    slack: Slack, given: Settings, clock: Clock, refusal: dict[str, Any], sentence: str
) -> None:
    slack.fail(**refusal)

    with pytest.raises(UserError) as mistake:
        async with start_bot(given, clock, start_seconds=0.5):
            pass

    told = str(mistake.value).replace(slack.api_url, "ADDRESS")
    assert told == f"Slack did not let the bot {sentence}"


async def test_free_plan_starts_without_groups(slack: Slack, given: Settings, clock: Clock) -> None:
    slack.use_free_plan()
    given.config.write_text(f"approvers: {{users: [{slack.user('lead').id}]}}")

    async with start_bot(given, clock):
        assert slack.called("usergroups.list") == []


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        (
            "invalid_auth",
            "Copy the token again from the app's page into SLACK_APP_TOKEN, which is read at the "
            "start.",
        ),
        (
            "missing_scope",
            "SLACK_APP_TOKEN lacks the scope connections:write: generate an app-level token that "
            "has it.",
        ),
    ],
)
async def test_socket_mode_names_its_token(
    slack: Slack, given: Settings, clock: Clock, code: str, fix: str
) -> None:
    by_socket = {"slack_app_token": slack.app_token, "slack_signing_secret": None}
    slack.fail("apps.connections.open", status=503)
    slack.fail("apps.connections.open", error=code)

    with pytest.raises(UserError) as mistake:
        async with start_bot(given.model_copy(update=by_socket), clock):
            pass

    assert str(mistake.value) == (
        f"Slack did not let the bot connect by Socket Mode ({code}), so "
        f"nothing was started. {fix} Then start the bot again."
    )
