"""A small app in a simulated Slack: its manifest, its client, and Bolt behind a real port."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack import Slack

Body = dict[str, Any]

SCOPES = [
    "app_mentions:read",
    "bookmarks:read",
    "bookmarks:write",
    "channels:history",
    "channels:join",
    "channels:manage",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "im:write",
    "pins:read",
    "pins:write",
    "reactions:read",
    "reactions:write",
    "usergroups:read",
    "users:read",
]


def write_manifest(folder: Path, **settings: Any) -> Path:
    """An app with a command, two shortcuts, a Home and a few events."""
    manifest = {
        "display_information": {"name": "Helper"},
        "features": {
            "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
            "bot_user": {"display_name": "helper"},
            "shortcuts": [
                {"name": "Begin", "type": "global", "callback_id": "begin", "description": "-"},
                {"name": "Keep", "type": "message", "callback_id": "keep", "description": "-"},
            ],
            "slash_commands": [
                {"command": "/help-me", "description": "-", "should_escape": True},
                {"command": "/plain", "description": "-"},
            ],
        },
        "oauth_config": {"scopes": {"bot": settings.pop("scopes", SCOPES)}},
        "settings": {
            "event_subscriptions": {
                "bot_events": [
                    "app_home_opened",
                    "app_mention",
                    "message.channels",
                    "reaction_added",
                ]
            },
            "interactivity": {"is_enabled": True},
            "socket_mode_enabled": True,
            **settings,
        },
    }
    path = folder / "manifest.yml"
    path.write_text(yaml.safe_dump(manifest), encoding="utf-8")
    return path


def client(slack: Slack, token: str | None = None) -> AsyncWebClient:
    """The real client, pointed at the simulation."""
    return AsyncWebClient(token=token or slack.bot_token, base_url=slack.api_url)


def bolt(slack: Slack) -> AsyncApp:
    """An app of the real framework."""
    return AsyncApp(
        client=client(slack), signing_secret=slack.signing_secret, process_before_response=True
    )


@asynccontextmanager
async def serving(app: AsyncApp, slack: Slack) -> AsyncIterator[None]:
    """The app behind a port of its own, and Slack knowing where."""

    async def handle(request: web.Request) -> web.Response:
        answer = await app.async_dispatch(await to_bolt_request(request))
        return await to_aiohttp_response(answer)

    async with listening(handle, slack):
        yield


@asynccontextmanager
async def listening(handle: Any, slack: Slack) -> AsyncIterator[None]:
    """Any handler behind a port of its own, and Slack knowing where."""
    server = web.Application()
    server.router.add_post("/slack/events", handle)
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    slack.request_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    yield
    await runner.cleanup()


def plain(text: str) -> dict[str, Any]:
    """Words without marks."""
    return {"type": "plain_text", "text": text}


def section(text: str, **more: Any) -> dict[str, Any]:
    """A paragraph."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(action_id: str, value: str = "1", **more: Any) -> dict[str, Any]:
    """A button."""
    return {
        "type": "button",
        "action_id": action_id,
        "text": plain("Press"),
        "value": value,
        **more,
    }


def actions(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A row of elements."""
    return {"type": "actions", "elements": list(elements), **more}


def input_block(name: str, element: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One field of a form."""
    element = {"action_id": name, **element}
    return {
        "type": "input",
        "block_id": name,
        "label": plain(name),
        "element": element,
        **more,
    }


def modal(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A form."""
    outside = {"type": "modal", "callback_id": "form", "title": plain("A form")}
    return {**outside, "submit": plain("Send"), "blocks": list(blocks), **more}


async def channel_of(slack: Slack, *members: str) -> str:
    """A channel that the app made and these people joined."""
    channel = await client(slack).conversations_create(name="inc-1")
    for member in members:
        slack.join(member, "inc-1")
    await slack.settled()
    return str(channel["channel"]["id"])


def collect_payloads(app: AsyncApp, register: Any) -> list[Body]:
    """Acknowledge everything, and keep what came."""
    bodies: list[Body] = []

    async def listen(ack: Any, body: Body) -> None:
        bodies.append(body)
        await ack()

    register(listen)
    return bodies


OPTIONS = [{"text": plain(name), "value": name} for name in ("red", "green")]
FORM = modal(
    input_block("words", {"type": "plain_text_input", "max_length": 5}),
    input_block("colour", {"type": "static_select", "options": OPTIONS}, optional=True),
    input_block("boxes", {"type": "checkboxes", "options": OPTIONS}, optional=True),
    input_block("who", {"type": "multi_users_select"}, optional=True),
    input_block("where", {"type": "conversations_select"}, optional=True),
    input_block(
        "many",
        {"type": "number_input", "is_decimal_allowed": False, "max_value": "9"},
        optional=True,
    ),
    private_metadata="kept",
)


async def open_form(slack: Slack, view: Body = FORM) -> str:
    """A form that the app opened for the person on call."""
    trigger = slack.core.trigger(slack.user("oncall"))
    opened = await client(slack).views_open(trigger_id=trigger, view=view)
    return str(opened["view"]["id"])


@pytest.fixture
async def slack(tmp_path: Path) -> AsyncIterator[Slack]:
    """A workspace whose clock for retries and limits runs a thousand times faster."""
    async with Slack(manifest=write_manifest(tmp_path), pace=1000) as workspace:
        yield workspace


@pytest.fixture
async def app(slack: Slack) -> AsyncIterator[AsyncApp]:
    """An app that is reached over HTTP."""
    bolt_app = bolt(slack)
    async with serving(bolt_app, slack):
        yield bolt_app
