"""What arrives from Slack becomes one interaction, and how a call to Slack may fail."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from slack_sdk.web.async_client import AsyncWebClient

from bot import slack
from bot.slack.client import PostStopped, SlackError
from bot.slack.escaping import escape
from bot.world import World
from commands import interactions, listen

Obj = dict[str, Any]
# An interaction only takes the ways to answer from it.
WORLD = cast(World, SimpleNamespace(slack=None, cache=None))


def parsed(body: Obj, *names: str) -> dict[str, Any]:
    """These fields of the interaction that a body becomes."""
    interaction = interactions.parse(WORLD, body)
    return {name: getattr(interaction, name) for name in names}


COMMAND = {
    "command": "/incident",
    "user_id": "U1",
    "channel_id": "C1",
    "trigger_id": "T1",
    "text": "  declare <@U2|ben> a &amp; b ",
    "response_url": "https://hooks.example/1",
}


def test_a_command() -> None:
    assert parsed(COMMAND, "user_id", "channel_id", "text", "mentions", "response_url") == {
        "user_id": "U1",
        "channel_id": "C1",
        "text": "declare @ben a &amp; b",
        "mentions": ("U2",),
        "response_url": "https://hooks.example/1",
    }


def test_command_keeps_its_delivery() -> None:
    assert parsed(COMMAND, "delivery_id") == {"delivery_id": "command:T1"}


def test_a_command_without_words() -> None:
    bare = {key: COMMAND[key] for key in ("command", "user_id", "channel_id", "trigger_id")}
    assert parsed(bare, "text", "mentions", "response_url") == {
        "text": "",
        "mentions": (),
        "response_url": "",
    }


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"user": "U1"}, (None, "")),
        ({"user": "U1", "channel": "C1", "text": "hi"}, ("C1", "hi")),
        (
            {"user": "U1", "reaction": "pushpin", "item": {"channel": "C2", "ts": "1.2"}},
            ("C2", ""),
        ),
    ],
)
def test_an_event(event: Obj, expected: tuple[str | None, str]) -> None:
    body = {"event": event, "event_id": "E1"}
    found = parsed(body, "channel_id", "text", "delivery_id", "message")

    assert (found["channel_id"], found["text"]) == expected
    assert (found["delivery_id"], found["message"]) == ("event:E1", event.get("item", {}))


@pytest.mark.parametrize(
    ("metadata", "channel", "response_url"),
    [
        ('{"channel":"C1","response_url":"https://h.example"}', "C1", "https://h.example"),
        ('{"channel":null}', None, ""),
        ('{"channel":""}', None, ""),
        ("", None, ""),
        (None, None, ""),
        ("{", None, ""),
        ("[1]", None, ""),
        ('"C1"', None, ""),
    ],
)
def test_a_form_remembers_its_channel(
    metadata: str | None, channel: str | None, response_url: str
) -> None:
    body = {
        "type": "view_submission",
        "user": {"id": "U1"},
        "view": {"id": "V1", "hash": "h", "private_metadata": metadata},
    }
    assert parsed(body, "channel_id", "response_url", "delivery_id") == {
        "channel_id": channel,
        "response_url": response_url,
        "delivery_id": "form:V1:h",
    }


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, (None, "", "")),
        ({"actions": []}, (None, "", "")),
        ({"channel": None, "actions": [{"action_id": "go"}]}, (None, "go", "")),
        (
            {"channel": {"id": "C1"}, "actions": [{"action_id": "go", "value": "7"}]},
            ("C1", "go", "7"),
        ),
        (
            {"actions": [{"action_id": "more", "selected_option": {"value": "skip:7"}}]},
            (None, "more", "skip:7"),
        ),
        ({"actions": [{"action_id": "a"}, {"action_id": "b"}]}, (None, "a", "")),
        ({"view": {"id": "V1"}, "actions": [{"action_id": "a"}]}, (None, "a", "")),
    ],
)
def test_a_press(more: Obj, expected: tuple[str | None, str, str]) -> None:
    body = {"type": "block_actions", "user": {"id": "U1"}, "trigger_id": "T1", **more}
    found = parsed(body, "channel_id", "action_id", "value", "delivery_id", "view")

    assert (found["channel_id"], found["action_id"], found["value"]) == expected
    assert (found["delivery_id"], found["view"]) == ("press:T1", more.get("view", {}))


@pytest.mark.parametrize(
    ("element", "expected"),
    [
        ({"value": "x"}, {"field": "x"}),
        ({"value": ""}, {}),
        ({"value": None}, {}),
        ({}, {}),
        ({"selected_option": {"value": "a"}}, {"field": "a"}),
        ({"selected_option": None}, {}),
        ({"selected_options": [{"value": "a"}, {"value": "b"}]}, {"field": ["a", "b"]}),
        ({"selected_options": []}, {}),
        ({"value": "0"}, {"field": "0"}),
    ],
)
def test_what_a_form_holds(element: Obj, expected: Obj) -> None:
    view = {"state": {"values": {"field": {"any-action": element}}}}
    assert interactions.form_values(view) == expected


def test_a_form_without_fields() -> None:
    assert interactions.form_values({}) == {}
    assert interactions.form_values({"state": {}}) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("", "")),
        ("   ", ("", "")),
        ("declare", ("declare", "")),
        ("declare sev1 Orders  fail ", ("declare", "sev1 Orders  fail")),
        ("\n note\n\ttwo words", ("note", "two words")),
        ("a\u00a0b", ("a", "b")),
    ],
)
def test_the_first_word(text: str, expected: tuple[str, str]) -> None:
    assert listen.first_word(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<!channel>", "&lt;!channel&gt;"),
        ("a & b", "a &amp; b"),
        ("&lt;", "&amp;lt;"),
        (7, "7"),
        (None, "None"),
    ],
)
def test_marks_are_escaped(text: object, expected: str) -> None:
    assert escape(text) == expected


@pytest.mark.parametrize(
    ("code", "retry_after", "transient"),
    [
        ("no_answer", None, True),
        ("ratelimited", None, True),
        ("internal_error", None, True),
        ("fatal_error", None, True),
        ("http_502", None, True),
        ("channel_not_found", None, False),
        ("restricted_action", None, False),
        ("restricted_action", 3.0, True),
        ("invalid_auth", 0.0, True),
        ("http_404", None, False),
        ("http_407", None, False),
        ("http_408", None, True),
        ("http_429", None, True),
    ],
)
def test_what_passes_by_itself(code: str, retry_after: float | None, transient: bool) -> None:
    error = SlackError(code, retry_after)
    again = f"Slack refused this ({code}). What was decided is saved. Try again in "

    assert error.is_transient is transient
    assert str(error).startswith(again) is transient


class Pages:
    """A Web API that gives these answers one after another, and notes what it was asked."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.asked: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.match_info["method"], request.query.get("cursor", "")))
        return self.answers.pop(0)


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
async def client(pages: Pages) -> AsyncIterator[AsyncWebClient]:
    app = web.Application()
    app.router.add_route("*", "/api/{method}", pages.answer)
    async with TestServer(app) as server:
        opened = slack.client.open_client("xoxb-1", f"{server.make_url('/api/')}", 1.0)
        yield opened
        assert opened.session is not None
        await opened.session.close()


def answer(status: int = 200, /, **body: Any) -> web.Response:
    return web.json_response({"ok": True, **body}, status=status)


async def user_ids(client: AsyncWebClient) -> list[str]:
    return [user["id"] async for user in slack.client.iter_users(client)]


async def test_every_page_is_read(client: AsyncWebClient, pages: Pages) -> None:
    pages.answers = [
        answer(members=[{"id": "U1"}, {"id": "U2"}], response_metadata={"next_cursor": "c1"}),
        answer(members=[], response_metadata={"next_cursor": "c2"}),
        answer(members=[{"id": "U3"}], response_metadata={"next_cursor": ""}),
    ]

    assert await user_ids(client) == ["U1", "U2", "U3"]
    assert pages.asked == [("users.list", ""), ("users.list", "c1"), ("users.list", "c2")]


@pytest.mark.parametrize("metadata", [{}, {"response_metadata": None}, {"response_metadata": {}}])
async def test_one_page_is_enough(client: AsyncWebClient, pages: Pages, metadata: Obj) -> None:
    pages.answers = [answer(members=[{"id": "U1"}], **metadata)]

    assert await user_ids(client) == ["U1"]


async def test_a_broken_page_is_an_error(client: AsyncWebClient, pages: Pages) -> None:
    pages.answers = [
        answer(channels=[{"id": "C1"}], response_metadata={"next_cursor": "c1"}),
        answer(ok=False, error="internal_error"),
    ]
    channels = slack.client.iter_public_channels(client)

    assert await anext(channels) == {"id": "C1"}
    with pytest.raises(SlackError) as refused:
        await anext(channels)

    assert refused.value.code == "internal_error"


@pytest.mark.parametrize(
    ("status", "headers", "body", "code", "retry_after"),
    [
        (200, {}, {"ok": False, "error": "not_in_channel"}, "not_in_channel", None),
        (200, {}, {"ok": False}, "http_200", None),
        (500, {}, {"ok": False, "error": "fatal_error"}, "fatal_error", None),
        (429, {"Retry-After": "30"}, {"ok": False, "error": "ratelimited"}, "ratelimited", 30.0),
        (429, {"Retry-After": "1.5"}, {"ok": False, "error": "ratelimited"}, "ratelimited", None),
        (429, {"Retry-After": "-1"}, {"ok": False, "error": "ratelimited"}, "ratelimited", None),
        (503, {"Retry-After": "9" * 7}, {"ok": False}, "http_503", None),
    ],
)
async def test_what_a_refusal_carries(
    client: AsyncWebClient,
    pages: Pages,
    status: int,
    headers: dict[str, str],
    body: Obj,
    code: str,
    retry_after: float | None,
) -> None:
    pages.answers = [web.json_response(body, status=status, headers=headers)]

    with pytest.raises(SlackError) as refused:
        await slack.client.call(client.api_test())

    assert (refused.value.code, refused.value.retry_after) == (code, retry_after)


async def test_nothing_is_asked_twice(client: AsyncWebClient, pages: Pages) -> None:
    pages.answers = [answer(500, ok=False, error="internal_error"), answer()]

    with pytest.raises(SlackError):
        await slack.client.call(client.api_test())

    assert pages.asked == [("api.test", "")]


async def test_reading_sends_nothing_else(client: AsyncWebClient, pages: Pages) -> None:
    reader = slack.client.read_only(client)
    pages.answers = [answer(messages=[])]

    with pytest.raises(PostStopped) as stopped:
        await reader.chat_postMessage(channel="C1", text="hi")
    await reader.conversations_info(channel="C1")

    assert str(stopped.value) == (
        "This step may only read, but tried to call chat.postMessage of Slack, so it was stopped. "
        "Nothing was posted or deleted. This is a defect in the step's action: report it to the "
        "people who run Runbolt."
    )
    assert [method for method, _ in pages.asked] == ["conversations.info"]


@pytest.mark.parametrize(("status", "code"), [(404, "http_404"), (500, "http_500")])
async def test_an_answer_that_is_refused(
    client: AsyncWebClient, pages: Pages, status: int, code: str
) -> None:
    pages.answers = [answer(status)]

    with pytest.raises(SlackError) as refused:
        await slack.client.respond(client, f"{client.base_url}hook", {"text": "hi"})

    assert refused.value.code == code


async def test_an_answer_to_nowhere(client: AsyncWebClient) -> None:
    with pytest.raises(SlackError) as refused:
        await slack.client.respond(client, "http://127.0.0.1:1/hook", {"text": "hi"})

    assert refused.value.code == "no_answer"


async def test_nobody_listens(client: AsyncWebClient) -> None:
    client.base_url = "http://127.0.0.1:1/api/"

    with pytest.raises(SlackError) as refused:
        await slack.client.call(client.api_test())

    assert (refused.value.code, refused.value.is_transient) == ("no_answer", True)
