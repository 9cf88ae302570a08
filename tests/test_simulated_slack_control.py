"""The simulated Slack over plain HTTP: what page and programs use, its limits and bad days."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from slack_sdk.errors import SlackApiError

from sandbox.slack import Slack
from tests.slackapps import (
    actions,
    bolt,
    button,
    client,
    input_block,
    modal,
    plain,
    section,
    serving,
    write_manifest,
)

Body = dict[str, Any]


@pytest.fixture
async def slack(tmp_path: Path) -> AsyncIterator[Slack]:
    """A workspace with a page of its own."""
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<h1>page</h1>")
    async with Slack(manifest=write_manifest(tmp_path), page=page, pace=1000) as workspace:
        yield workspace


class Driver:
    """Somebody without a browser."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self.session = session
        self.url = url

    async def get(self, path: str, **query: str) -> Body:
        """Look at something."""
        async with self.session.get(f"{self.url}/sandbox/{path}", params=query) as answer:
            found: Body = await answer.json()
            return found

    async def post(self, path: str, **body: Any) -> tuple[int, Body]:
        """Do something."""
        async with self.session.post(f"{self.url}/sandbox/{path}", json=body) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def driver(slack: Slack) -> AsyncIterator[Driver]:
    """Somebody without a browser."""
    async with ClientSession() as session:
        yield Driver(session, slack.url)


async def test_a_whole_conversation_without_a_browser(slack: Slack, driver: Driver) -> None:
    app = bolt(slack)
    form = modal(input_block("why", {"type": "plain_text_input"}))

    @app.command("/help-me")
    async def help_me(ack: Any, command: Body) -> None:
        await ack({"text": "x", "blocks": [actions(button("why"))]})

    @app.action("why")
    async def why(ack: Any, body: Body) -> None:
        await ack()
        await app.client.views_open(trigger_id=body["trigger_id"], view=form)

    @app.view("form")
    async def sent(ack: Any, view: Body) -> None:
        said = view["state"]["values"]["why"]["why"]["value"]
        if said == "no":
            await ack(response_action="errors", errors={"why": "Say more."})
        else:
            await ack()

    async with serving(app, slack):
        me = {"user": "oncall"}
        status, told = await driver.post("say", channel="#general", text="/help-me", **me)
        assert (status, told["ok"], told["delivery"]["status"]) == (200, True, 200)
        seen = await driver.get("messages", channel="general", user="oncall")
        ts = seen["messages"][-1]["ts"]
        await driver.post("press", channel="general", ts=ts, action_id="why", value="1", **me)
        (view,) = (await driver.get("views", user="oncall"))["views"]
        for said, expected in (("", 400), ("no", 400), ("because", 200)):
            filled = {"why": {"why": said}}
            status, told = await driver.post("submit", view_id=view["id"], values=filled, **me)
            assert status == expected
            assert told.get("errors", {}).keys() == ({"why"} if expected == 400 else set())
    assert (await driver.get("views", user="oncall")) == {"ok": True, "views": [], "home": None}
    assert [call["method"] for call in (await driver.get("calls"))["calls"]][-1] == "views.open"


async def test_a_form_belongs_to_its_client(slack: Slack, driver: Driver) -> None:
    app = bolt(slack)
    me = {"user": "oncall"}

    @app.command("/help-me")
    async def help_me(ack: Any, body: Body) -> None:
        await ack()
        await app.client.views_open(trigger_id=body["trigger_id"], view=form("bottom"))

    @app.action("more")
    async def more(ack: Any, body: Body) -> None:
        await ack()
        await app.client.views_push(trigger_id=body["trigger_id"], view=form("top"))

    def form(title: str) -> Body:
        return modal(actions(button("more")), title=plain(title))

    async def titles(**client: str) -> list[str]:
        views = (await driver.get("views", **me, **client))["views"]
        return [view["title"]["text"] for view in views]

    async with serving(app, slack):
        for client in ("tab-1", "tab-2"):
            await driver.post("say", channel="general", text="/help-me", client=client, **me)
        (view,) = (await driver.get("views", client="tab-1", **me))["views"]
        await driver.post("press", view_id=view["id"], action_id="more", client="tab-1", **me)

    assert await titles(client="tab-1") == ["bottom", "top"]
    assert await titles(client="tab-2") == ["bottom"]
    assert await titles(client="tab-3") == []
    assert await titles() == ["bottom", "bottom", "top"]
    (other,) = (await driver.get("views", client="tab-2", **me))["views"]
    assert (await driver.post("close", view_id=other["id"], **me))[0] == 200
    assert await titles() == ["bottom", "top"]


async def test_a_named_client_keeps_its_forms(slack: Slack, driver: Driver) -> None:
    oncall = slack.user("oncall")
    for client_id in ("tab", ""):
        trigger = slack.core.trigger(oncall, client=client_id)
        await client(slack).views_open(trigger_id=trigger, view=modal(section("x")))

    await driver.post("reload", user="oncall", client="tab")
    assert len(slack.views("oncall")) == 2
    await driver.post("reload", user="oncall")
    (left,) = slack.views("oncall")
    assert (await driver.get("views", user="oncall", client="tab"))["views"] == [left]


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("say", {"user": "nobody", "channel": "general", "text": "x"}, "no user nobody"),
        ("say", {"user": "oncall", "channel": "nowhere", "text": "x"}, "no channel nowhere"),
        ("say", {"user": "oncall", "channel": "general"}, "Say text"),
        ("say", {"user": "oncall", "channel": "general", "text": "/x"}, "not a valid command"),
        ("press", {"user": "oncall", "channel": "general", "action_id": "x"}, "no x to press"),
        ("press", {"user": "oncall", "action_id": "x"}, "Say where"),
        ("submit", {"user": "oncall", "view_id": "V1"}, "has no view V1"),
        ("react", {"user": "oncall", "channel": "general", "ts": "1", "name": "x"}, "no message"),
        ("shortcut", {"user": "oncall", "callback_id": "x"}, "no global shortcut"),
        ("home", {"user": "helper"}, "is an app"),
    ],
)
async def test_a_mistake_gets_a_sentence(
    driver: Driver, path: str, body: Body, sentence: str
) -> None:
    status, told = await driver.post(path, **body)
    assert (status, told["ok"]) == (400, False)
    assert sentence in told["error"]


async def test_people_channels_commands_and_the_page(slack: Slack, driver: Driver) -> None:
    slack.info = {"lines": ["psql"]}
    people = await driver.get("users")
    assert [user["handle"] for user in people["users"]][:6] == [
        *("oncall", "second", "lead"),
        *("payments-oncall", "payments-lead"),
        "outsider",
    ]
    assert people["users"][0]["title"] == "On-call engineer"
    assert len(people["usergroups"]) == 6
    assert (await driver.get("commands"))["commands"][0]["command"] == "/help-me"
    assert len((await driver.get("shortcuts"))["shortcuts"]) == 2
    assert (await driver.get("info"))["lines"] == ["psql"]
    async with driver.session.get(f"{slack.url}/") as answer:
        assert await answer.text() == "<h1>page</h1>"
    async with driver.session.get(f"{slack.url}/page/index.html") as answer:
        assert answer.status == 200


async def test_unread_messages_are_counted(slack: Slack, driver: Driver) -> None:
    await slack.say("oncall", "hello", "random")

    async def unread(user: str) -> int:
        found = await driver.get("channels", user=user)
        return next(
            int(channel["unread"]) for channel in found["channels"] if channel["name"] == "random"
        )

    assert (await unread("oncall"), await unread("second")) == (0, 1)
    await driver.get("messages", channel="random", user="second")
    assert await unread("second") == 0


async def test_only_members_may_write(slack: Slack, driver: Driver) -> None:
    web = client(slack)
    made = (await web.conversations_create(name="inc-1"))["channel"]["id"]
    slack.grant("groups:write", "groups:read")
    await web.conversations_create(name="secret", is_private=True)
    await web.chat_postMessage(channel=made, text="root")
    assert (await driver.get("messages", channel="inc-1", user="outsider"))["messages"]
    assert not (await driver.get("messages", channel="secret", user="outsider"))["ok"]
    shown = await driver.get("channels", user="outsider")
    assert {channel["name"]: channel["is_member"] for channel in shown["channels"]}[
        "inc-1"
    ] is False
    for text in ("hello", "/incident"):
        _, said = await driver.post("say", user="outsider", channel="inc-1", text=text)
        assert said["error"] == "outsider is not in #inc-1: join it first."
    assert slack.user("outsider").id not in slack.channel("inc-1").members
    await driver.post("join", user="outsider", channel="inc-1")
    _, said = await driver.post("say", user="outsider", channel="inc-1", text="hello")
    assert said["ok"]


async def test_changes_are_told_as_they_happen(slack: Slack, driver: Driver) -> None:
    async with driver.session.get(f"{slack.url}/sandbox/live?user=oncall") as stream:
        await stream.content.readuntil(b"\n\n")
        await slack.say("oncall", "hello", "random")
        told = await stream.content.readuntil(b"\n\n")
    event, data = told.decode().splitlines()[:2]
    assert event == "event: change"
    change = json.loads(data.removeprefix("data: "))
    assert change == {"kind": "messages", "channel": slack.channel("random").id}


async def test_a_file_can_be_read(slack: Slack, driver: Driver) -> None:
    web = client(slack)
    channel = (await web.conversations_create(name="inc-1"))["channel"]["id"]
    await web.files_upload_v2(channel=channel, filename="a.md", content="# words")
    await slack.settled()
    (file,) = slack.messages(channel)[-1]["files"]
    async with driver.session.get(f"{slack.url}/sandbox/files/{file['id']}") as answer:
        assert (answer.content_type, await answer.text()) == ("text/markdown", "# words")
    async with driver.session.get(f"{slack.url}/sandbox/files/F0") as answer:
        assert answer.status == 404


async def first_refusal(calls: Iterable[Any]) -> Any:
    """What Slack answers to the first call that it refuses."""
    for call in calls:
        try:
            await call
        except SlackApiError as refused:
            return refused.response
    raise AssertionError("nothing was refused")


async def test_too_many_calls_must_wait(tmp_path: Path) -> None:
    async with Slack(manifest=write_manifest(tmp_path)) as slack:
        web = client(slack)
        channel = (await web.conversations_create(name="inc-1"))["channel"]["id"]

        def say(place: str) -> Any:
            return web.chat_postMessage(channel=place, text="x")

        response = await first_refusal(say(channel) for _ in range(10))
        assert (response.status_code, response["error"]) == (429, "ratelimited")
        assert response.headers["Retry-After"] == "1"
        # Another channel has a limit of its own, and another method too.
        await web.conversations_join(channel=slack.channel("incidents").id)
        await say(slack.channel("incidents").id)
        names = (f"more-{n}" for n in range(10))
        response = await first_refusal(web.conversations_create(name=name) for name in names)
        assert response.headers["Retry-After"] == "3"
        slack.core.limits.pace = 10_000
        await web.conversations_create(name="after-a-while")


async def test_a_bad_day(slack: Slack) -> None:
    web = client(slack)
    channel = (await web.conversations_create(name="inc-1"))["channel"]["id"]

    async def say(text: str) -> str:
        try:
            await web.chat_postMessage(channel=channel, text=text)
        except SlackApiError as refused:
            headers = {name.lower(): value for name, value in refused.response.headers.items()}
            return f"{refused.response.status_code} {headers.get('retry-after', '')}".strip()
        return "said"

    slack.fail("chat.postMessage", error="restricted_action", times=2)
    assert [await say("a"), await say("b"), await say("c")] == ["200", "200", "said"]
    slack.fail("chat.*", ratelimited=7)
    slack.fail("*", status=503, after=True)
    assert [await say("d"), await say("e"), await say("f")] == ["429 7", "503", "said"]
    assert slack.text(channel).split() == ["c", "e", "f"]


async def test_silence_lasts_until_it_is_healed(slack: Slack) -> None:
    fault = slack.fail("auth.test", hang=True)
    asked = asyncio.create_task(client(slack).auth_test())
    await slack.wait_for(lambda: slack.called("auth.test"))
    assert not asked.done()
    fault.heal()
    assert (await asked)["user_id"] == slack.bot_user


async def test_open_calls_are_counted(slack: Slack) -> None:
    slack.latency = 0.05
    web = client(slack)
    await asyncio.gather(*(web.auth_test() for _ in range(4)))
    assert max(call.in_flight for call in slack.called("auth.test")) == 4
    assert all(call.seconds >= 0.05 for call in slack.calls)


async def test_each_person_has_a_home(slack: Slack, driver: Driver) -> None:
    web, lead = client(slack), slack.user("lead").id
    first = await web.views_publish(user_id=lead, view={"type": "home", "blocks": [section("a")]})
    view = {"type": "home", "blocks": [section("b")]}
    await web.views_publish(user_id=lead, view=view, hash=first["view"]["hash"])
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await web.views_publish(user_id=lead, view=view, hash=first["view"]["hash"])
    shown = (await driver.get("views", user="lead"))["home"]
    assert shown["blocks"][0]["text"]["text"] == "b"
    assert slack.home("oncall") is None


async def test_direct_messages_of_the_app(slack: Slack, driver: Driver) -> None:
    lead = slack.user("lead").id
    await client(slack).chat_postMessage(channel=lead, text="only for you")
    shown = (await driver.get("channels", user="lead"))["channels"][-1]
    assert (shown["name"], shown["is_im"], shown["unread"]) == ("helper", True, 1)
    seen = await driver.get("messages", channel="helper", user="lead")
    assert [message["text"] for message in seen["messages"]] == ["only for you"]
    assert not (await driver.get("messages", channel="helper", user="second"))["messages"]
    slack.core.manifest.messages_tab = False
    with pytest.raises(SlackApiError, match="messages_tab_disabled"):
        await client(slack).chat_postMessage(channel=lead, text="again")
    assert (await driver.post("say", user="lead", channel="helper", text="x"))[0] == 400


async def test_an_app_that_takes_no_messages(slack: Slack, driver: Driver) -> None:
    await client(slack).chat_postMessage(channel=slack.user("lead").id, text="only for you")
    slack.core.manifest.messages_read_only = True

    shown = (await driver.get("channels", user="lead"))["channels"][-1]
    assert shown["is_read_only"]
    for words in ("help", "/incident help"):
        refused = await driver.post("say", user="lead", channel="helper", text=words)
        assert refused[0] == 400
    await client(slack).chat_postMessage(channel=slack.user("lead").id, text="and this")
