"""The simulated Slack refuses what Slack refuses, through Slack's own client."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import Slack, User
from tests.slackapps import (
    actions,
    button,
    client,
    input_block,
    modal,
    plain,
    section,
    write_manifest,
)

Blocks = list[dict[str, Any]]


@pytest.fixture
async def workspace(tmp_path: Path) -> AsyncIterator[Slack]:
    """A workspace without rate limits."""
    async with Slack(manifest=write_manifest(tmp_path), rate_limits=False) as slack:
        yield slack


@pytest.fixture
def web(workspace: Slack) -> AsyncWebClient:
    """The app's client."""
    return client(workspace)


@pytest.fixture
async def channel(web: AsyncWebClient) -> str:
    """A channel that the app made."""
    made = await web.conversations_create(name="inc-1")
    return str(made["channel"]["id"])


async def refusal(call: Any) -> str:
    """The code with which Slack refuses a call."""
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


LONG = "x" * 3001


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "unheard_of"}],
        [{"type": "divider", "colour": "red"}],
        [section("")],
        [section(LONG)],
        [{"type": "section"}],
        [{"type": "section", "fields": [plain("x")] * 11}],
        [{"type": "section", "fields": [plain("x" * 2001)]}],
        [{"type": "header", "text": plain("x" * 151)}],
        [{"type": "header", "text": {"type": "mrkdwn", "text": "*x*"}}],
        [{"type": "context", "elements": [plain("x")] * 11}],
        [actions(*[button(f"b{n}") for n in range(26)])],
        [actions(button("same"), button("same"))],
        [actions(button("b", value="x" * 2001))],
        [actions(button("b", text=plain("x" * 76)))],
        [actions(button("b", style="green"))],
        [actions(button("b" * 256))],
        [actions(button("b", confirm={"title": plain("Sure?")}))],
        [actions({"type": "plain_text_input", "action_id": "a"})],
        [section("x", block_id="one"), section("y", block_id="one")],
        [section("x")] * 51,
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * 21]}],
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x"}]] * 101}],
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "x" * 101}]] * 100}],
        [{"type": "markdown", "text": "x" * 12_001}],
        [{"type": "alert", "text": plain("x")}],
        [{"type": "plan", "title": "x"}, {"type": "task_card", "task_id": "1", "title": "x"}],
        [{"type": "card"}],
        [{"type": "card", "title": plain("x"), "actions": [button(f"b{n}") for n in range(4)]}],
        [{"type": "container", "title": plain("x"), "child_blocks": [section("x")] * 11}],
        [{"type": "container", "child_blocks": [section("x")]}],
    ],
)
async def test_blocks_are_checked_field_by_field(
    web: AsyncWebClient, channel: str, blocks: Blocks
) -> None:
    call = web.chat_postMessage(channel=channel, text="x", blocks=blocks)
    with pytest.raises(SlackApiError) as caught:
        await call
    assert caught.value.response["error"] == "invalid_blocks"
    assert "[json-pointer:/blocks" in caught.value.response["response_metadata"]["messages"][0]


def chart(**more: Any) -> dict[str, Any]:
    """A chart that Slack takes."""
    points = [{"label": "10:00", "value": 3}, {"label": "10:01", "value": 2.5}]
    drawn = {
        "type": "line",
        "series": [{"name": "errors", "data": points}],
        "axis_config": {"categories": ["10:00", "10:01"]},
    }
    return {"type": "data_visualization", "title": "Errors", "chart": {**drawn, **more}}


async def test_newer_blocks_are_taken(web: AsyncWebClient, channel: str) -> None:
    cell = {"type": "raw_text", "text": "pod"}
    task = {"task_id": "1", "title": "Look", "status": "complete", "type": "task_card"}
    blocks: Blocks = [
        chart(),
        {"type": "table", "rows": [[cell, cell]], "column_settings": [{"align": "right"}]},
        {"type": "data_table", "caption": "Pods", "rows": [[cell], [cell]]},
        {"type": "plan", "title": "Recovery", "tasks": [task]},
        {"type": "card", "title": plain("x"), "actions": [button("b")]},
        {"type": "container", "title": plain("x"), "child_blocks": [actions(button("c"))]},
        {"type": "markdown", "text": "**x**"},
    ]
    answer = await web.chat_postMessage(channel=channel, text="x", blocks=blocks)
    assert all(block["block_id"] for block in answer["message"]["blocks"])


@pytest.mark.parametrize(
    "blocks",
    [
        [chart()] * 3,
        [{**chart(), "title": "x" * 51}],
        [chart(axis_config={"categories": ["10:00", "10:02"]})],
        [chart(series=[])],
        [chart(type="radar")],
    ],
)
async def test_charts_are_checked(web: AsyncWebClient, channel: str, blocks: Blocks) -> None:
    call = web.chat_postMessage(channel=channel, text="x", blocks=blocks)
    assert await refusal(call) == "invalid_blocks"


OPTIONS = [{"text": plain(str(n)), "value": str(n)} for n in range(101)]


@pytest.mark.parametrize(
    "view",
    [
        modal(section("x"), title=plain("x" * 25)),
        modal(section("x"), private_metadata="x" * 3001),
        modal(*[section("x")] * 101),
        modal(section("x"), colour="red"),
        modal(input_block("a", {"type": "plain_text_input"}), submit=plain("x" * 25)),
        {
            "type": "modal",
            "title": plain("x"),
            "blocks": [input_block("a", {"type": "datepicker"})],
        },
        modal(input_block("a", {"type": "static_select", "options": OPTIONS})),
        modal(input_block("a", {"type": "static_select"})),
        modal(input_block("a", {"type": "static_select", "options": [OPTIONS[0], OPTIONS[0]]})),
        modal(
            input_block(
                "a",
                {
                    "type": "static_select",
                    "options": OPTIONS[:2],
                    "initial_option": OPTIONS[5],
                },
            )
        ),
        modal(input_block("a", {"type": "number_input"})),
        modal(
            input_block("a", {"type": "plain_text_input", "initial_value": "xx", "max_length": 1})
        ),
        modal(*[section(str(n) + "x" * 2999) for n in range(85)]),
        {"type": "home", "blocks": []},
    ],
)
async def test_views_are_checked(
    workspace: Slack, web: AsyncWebClient, view: dict[str, Any]
) -> None:
    trigger = workspace.core.trigger(workspace.user("oncall"))
    call = web.views_open(trigger_id=trigger, view=view)
    assert await refusal(call) == "invalid_arguments"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("inc-1", "name_taken"),
        ("Inc-2", "invalid_name_specials"),
        ("störung", "invalid_name_specials"),
        ("a b", "invalid_name_specials"),
        ("x" * 81, "invalid_name_maxlength"),
        ("--", "invalid_name_punctuation"),
    ],
)
async def test_names_of_channels_are_checked(
    web: AsyncWebClient, channel: str, name: str, code: str
) -> None:
    assert await refusal(web.conversations_create(name=name)) == code


async def test_only_members_may_post(workspace: Slack, web: AsyncWebClient) -> None:
    incidents = workspace.channel("incidents").id
    assert await refusal(web.chat_postMessage(channel=incidents, text="x")) == "not_in_channel"
    assert await refusal(web.chat_postMessage(channel="C0NOWHERE", text="x")) == "channel_not_found"
    await web.conversations_join(channel=incidents)
    await web.chat_postMessage(channel=incidents, text="x")
    assert workspace.text("incidents") == "x"


async def test_messages_need_words_and_have_limits(web: AsyncWebClient, channel: str) -> None:
    empty = web.api_call("chat.postMessage", json={"channel": channel, "text": " "})
    assert await refusal(empty) == "no_text"
    assert await refusal(web.chat_postMessage(channel=channel, text="x" * 4001)) == "msg_too_long"
    gone = web.chat_postMessage(channel=channel, text="x", thread_ts="1.000001")
    assert await refusal(gone) == "thread_not_found"


async def test_only_own_messages_are_changed(
    workspace: Slack, web: AsyncWebClient, channel: str
) -> None:
    workspace.join("oncall", channel)
    await workspace.say("oncall", "mine", channel)
    ts = workspace.messages(channel)[-1]["ts"]
    assert await refusal(web.chat_update(channel=channel, ts=ts, text="x")) == "cant_update_message"
    assert await refusal(web.chat_delete(channel=channel, ts=ts)) == "cant_delete_message"
    gone = web.chat_update(channel=channel, ts="1.000001", text="x")
    assert await refusal(gone) == "message_not_found"


async def test_a_message_is_edited_in_place(
    workspace: Slack, web: AsyncWebClient, channel: str
) -> None:
    posted = await web.chat_postMessage(channel=channel, text="a", blocks=[section("old")])
    await web.chat_update(channel=channel, ts=posted["ts"], text="b", blocks=[section("new")])
    assert workspace.text(channel) == "b\nnew"
    assert workspace.messages(channel)[-1]["edited"]


async def test_ephemeral_messages_need_a_member(
    workspace: Slack, web: AsyncWebClient, channel: str
) -> None:
    second = workspace.user("second").id
    call = web.chat_postEphemeral(channel=channel, user=second, text="x")
    assert await refusal(call) == "user_not_in_channel"
    workspace.join("second", channel)
    said = await web.chat_postEphemeral(channel=channel, user=second, text="for you")
    change = web.chat_update(channel=channel, ts=said["message_ts"], text="x")
    assert await refusal(change) == "message_not_found"
    assert [message["text"] for message in workspace.ephemerals(channel, "second")] == ["for you"]
    assert not workspace.ephemerals(channel, "oncall")
    workspace.reload("second")
    assert not workspace.ephemerals(channel, "second")


async def test_invitations_are_refused_one_by_one(
    workspace: Slack, web: AsyncWebClient, channel: str
) -> None:
    bot, oncall = workspace.bot_user, workspace.user("oncall").id
    gone = workspace.add_user(User("gone", "Gone", deactivated=True)).id
    stranger = workspace.add_user(User("stranger", "Stranger", kind="stranger")).id
    expected = {
        bot: "cant_invite_self",
        "U0NOBODY": "user_not_found",
        gone: "user_not_found",
        stranger: "user_team_not_in_channel",
    }
    for user_id, code in expected.items():
        assert await refusal(web.conversations_invite(channel=channel, users=[user_id])) == code
    many = [f"U0{n}" for n in range(101)]
    assert await refusal(web.conversations_invite(channel=channel, users=many)) == "too_many_users"
    await web.conversations_invite(channel=channel, users=[gone, oncall], force=True)
    again = web.conversations_invite(channel=channel, users=[oncall], force=True)
    assert await refusal(again) == "already_in_channel"
    assert oncall in workspace.channel(channel).members


async def test_an_archived_channel_is_read_only(
    workspace: Slack, web: AsyncWebClient, channel: str
) -> None:
    posted = await web.chat_postMessage(channel=channel, text="x")
    workspace.archive(channel)
    calls = [
        web.chat_postMessage(channel=channel, text="x"),
        web.chat_update(channel=channel, ts=posted["ts"], text="x"),
        web.conversations_setTopic(channel=channel, topic="x"),
        web.pins_add(channel=channel, timestamp=posted["ts"]),
    ]
    assert {await refusal(call) for call in calls} == {"is_archived"}
    assert await refusal(web.conversations_archive(channel=channel)) == "already_archived"


async def test_second_pins_and_reactions(web: AsyncWebClient, channel: str) -> None:
    ts = (await web.chat_postMessage(channel=channel, text="x"))["ts"]
    await web.pins_add(channel=channel, timestamp=ts)
    assert await refusal(web.pins_add(channel=channel, timestamp=ts)) == "already_pinned"
    await web.reactions_add(channel=channel, timestamp=ts, name="eyes")
    again = web.reactions_add(channel=channel, timestamp=ts, name="eyes")
    assert await refusal(again) == "already_reacted"
    pinned = await web.pins_list(channel=channel)
    assert [item["message"]["ts"] for item in pinned["items"]] == [ts]


async def test_direct_messages_have_no_topic(workspace: Slack, web: AsyncWebClient) -> None:
    direct = await web.conversations_open(users=[workspace.user("lead").id])
    call = web.conversations_setTopic(channel=direct["channel"]["id"], topic="x")
    assert await refusal(call) == "method_not_supported_for_channel_type"


async def test_tokens_and_scopes_are_checked(workspace: Slack, web: AsyncWebClient) -> None:
    assert await refusal(client(workspace, "xoxb-wrong").auth_test()) == "invalid_auth"
    wrong = client(workspace, workspace.app_token).auth_test()
    assert await refusal(wrong) == "not_allowed_token_type"
    workspace.revoke("users:read")
    with pytest.raises(SlackApiError) as caught:
        await web.users_info(user=workspace.user("lead").id)
    assert caught.value.response["error"] == "missing_scope"
    assert caught.value.response["needed"] == "users:read"
    assert "chat:write" in caught.value.response["provided"]
    workspace.grant("users:read")
    await web.users_info(user=workspace.user("lead").id)
    workspace.fail("conversations.list", error="missing_scope")
    with pytest.raises(SlackApiError) as caught:
        await web.conversations_list()
    assert caught.value.response["needed"] == "channels:read,groups:read,im:read,mpim:read"


@pytest.mark.parametrize("naming", [True, False])
async def test_invitations_fail_as_a_whole(
    workspace: Slack, web: AsyncWebClient, channel: str, naming: bool
) -> None:
    workspace.refuse_invitations_whole(naming=naming)
    lead, bot = workspace.user("lead").id, workspace.bot_user

    with pytest.raises(SlackApiError) as caught:
        await web.conversations_invite(channel=channel, users=[lead, bot], force=True)

    named = [{"ok": False, "user": bot, "error": "cant_invite_self"}] if naming else None
    assert caught.value.response["error"] == "cant_invite_self"
    assert caught.value.response.get("errors") == named
    assert lead not in workspace.channel(channel).members


async def test_a_proxy_answers_instead(workspace: Slack, web: AsyncWebClient) -> None:
    workspace.fail("auth.test", status=503)
    with pytest.raises(SlackApiError) as caught:
        await web.auth_test()
    assert caught.value.response.headers["Content-Type"].startswith("text/html")

    workspace.fail("auth.test", body='{"ok": true}')
    assert (await web.auth_test()).data == {"ok": True}


async def test_deleted_message_is_gone(workspace: Slack, web: AsyncWebClient, channel: str) -> None:
    ts = (await web.chat_postMessage(channel=channel, text="x"))["ts"]
    await web.pins_add(channel=channel, timestamp=ts)

    workspace.delete_message(channel, ts)

    assert workspace.channel(channel).pins == []
    assert await refusal(web.chat_update(channel=channel, ts=ts, text="y")) == "message_not_found"


async def test_unknown_methods_and_arguments(web: AsyncWebClient, channel: str) -> None:
    assert await refusal(web.api_call("chat.shout")) == "unknown_method"
    call = web.chat_postMessage(channel=channel, text="x", colour="red")
    assert await refusal(call) == "invalid_arguments"
    assert await refusal(web.api_call("chat.postMessage", json={"text": "x"})) == (
        "invalid_arguments"
    )


async def test_free_plans_lack_user_groups(workspace: Slack, web: AsyncWebClient) -> None:
    groups = await web.usergroups_list()
    members = await web.usergroups_users_list(usergroup=groups["usergroups"][0]["id"])
    assert members["users"][0] == workspace.user("oncall").id
    workspace.use_free_plan()
    assert await refusal(web.usergroups_list()) == "plan_upgrade_required"
    assert await refusal(web.usergroups_users_list(usergroup="S0NONE")) == "plan_upgrade_required"


async def test_a_file_goes_into_a_thread(
    workspace: Slack, web: AsyncWebClient, channel: str
) -> None:
    ts = (await web.chat_postMessage(channel=channel, text="root"))["ts"]
    await web.files_upload_v2(channel=channel, filename="a.md", content="# é", thread_ts=ts)
    await workspace.settled()
    shared = workspace.messages(channel)[-1]["replies"][0]["files"][0]
    assert (shared["name"], workspace.file(shared["id"]).decode()) == ("a.md", "# é")
    never = web.files_completeUploadExternal(files=[{"id": "F0NONE", "title": "x"}])
    assert await refusal(never) == "file_not_found"


async def test_an_upload_must_be_complete(workspace: Slack, web: AsyncWebClient) -> None:
    asked = await web.files_getUploadURLExternal(filename="a.txt", length=5)
    files = [{"id": asked["file_id"], "title": "a"}]
    assert await refusal(web.files_completeUploadExternal(files=files)) == "file_not_found"
    assert await refusal(web.files_getUploadURLExternal(filename="a", length=0))


async def test_bookmarks_are_links(workspace: Slack, web: AsyncWebClient, channel: str) -> None:
    wrong = web.bookmarks_add(channel_id=channel, title="x", type="link", link="nowhere")
    assert await refusal(wrong) == "invalid_link"
    await web.bookmarks_add(channel_id=channel, title="x", type="link", link="https://a.example")
    shown = next(made for made in workspace.channels("lead") if made["id"] == channel)
    assert [bookmark["title"] for bookmark in shown["bookmarks"]] == ["x"]


async def test_lists_come_in_pages(web: AsyncWebClient, channel: str) -> None:
    first = await web.conversations_list(limit=3)
    cursor = first["response_metadata"]["next_cursor"]
    rest = await web.conversations_list(limit=3, cursor=cursor)
    names = [channel["name"] for page in (first, rest) for channel in page["channels"]]
    assert names == ["general", "incidents", "payments", "random", "status", "inc-1"]
    assert await refusal(web.conversations_list(cursor="nonsense")) == "invalid_cursor"


async def test_history_is_exact_to_the_microsecond(web: AsyncWebClient, channel: str) -> None:
    posted = [(await web.chat_postMessage(channel=channel, text=str(n)))["ts"] for n in range(3)]
    found = await web.conversations_history(
        channel=channel, latest=posted[1], oldest=posted[1], inclusive=True
    )
    assert [message["text"] for message in found["messages"]] == ["1"]
    older = await web.conversations_history(channel=channel, latest=posted[1], limit=1)
    assert [message["text"] for message in older["messages"]] == ["0"]
