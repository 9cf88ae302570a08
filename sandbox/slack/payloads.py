"""The payloads that Slack sends for what users do."""

from typing import Any

from sandbox.slack import render, views
from sandbox.slack.core import Core
from sandbox.slack.errors import Obj
from sandbox.slack.model import Channel, Message, User, View
from sandbox.slack.workspace import APP_ID, DOMAIN, TEAM_ID, identity


def _common(core: Core, user: User) -> Obj:
    return {
        "token": core.verification_token,
        "api_app_id": APP_ID,
        "team": {"id": TEAM_ID, "domain": DOMAIN},
        "user": {
            "id": user.id,
            "username": user.handle,
            "name": user.handle,
            "team_id": user.team_id,
        },
        "enterprise": None,
        "is_enterprise_install": False,
    }


def command(
    core: Core, user: User, channel: Channel, name: str, text: str, client: str = ""
) -> Obj:
    """A slash command."""
    return {
        "token": core.verification_token,
        "team_id": TEAM_ID,
        "team_domain": DOMAIN,
        "channel_id": channel.id,
        "channel_name": _channel_reference(channel)["name"],
        "user_id": user.id,
        "user_name": user.handle,
        "command": name,
        "text": text,
        "api_app_id": APP_ID,
        "is_enterprise_install": "false",
        "response_url": core.response_url(user, channel),
        "trigger_id": core.trigger(user, client=client),
    }


def _channel_reference(channel: Channel) -> Obj:
    """A channel as payloads name it: only public channels show their name."""
    if channel.im_with:
        return {"id": channel.id, "name": "directmessage"}
    return {"id": channel.id, "name": "privategroup" if channel.private else channel.name}


def message_press(
    core: Core,
    user: User,
    channel: Channel,
    message: Message,
    action: Obj,
    state: Obj,
    client: str = "",
) -> Obj:
    """A block action in a message; ephemeral messages are sent without content."""
    ephemeral = bool(message.ephemeral_to)
    container: Obj = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    payload = {
        "type": "block_actions",
        **_common(core, user),
        "container": container,
        "trigger_id": core.trigger(user, client=client),
        "channel": _channel_reference(channel),
        "state": {"values": state},
        "response_url": core.response_url(user, channel, message),
        "actions": [action],
    }
    if not ephemeral:
        payload["message"] = render.as_message(core.workspace, message)
    return payload


def view_press(core: Core, user: User, view: View, action: Obj, client: str = "") -> Obj:
    """A block action in a modal or in a Home."""
    modal = view.spec["type"] == "modal"
    place = (view.id, view.client) if modal else (None, client)
    return {
        "type": "block_actions",
        **_common(core, user),
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": core.trigger(user, *place),
        "view": views.as_view(view, identity()),
        "actions": [action],
    }


def suggestion(core: Core, user: User, block_id: str, element: Obj, typed: str, where: Obj) -> Obj:
    """What was typed in a select whose options the app looks up; nothing can be opened by it."""
    return {
        "type": "block_suggestion",
        **_common(core, user),
        **where,
        "action_id": element["action_id"],
        "block_id": block_id,
        "value": typed,
    }


def in_view(view: View) -> Obj:
    """Where a suggestion is asked for: in a modal or in a Home."""
    return {
        "container": {"type": "view", "view_id": view.id},
        "view": views.as_view(view, identity()),
    }


def in_message(core: Core, channel: Channel, message: Message) -> Obj:
    """Where a suggestion is asked for: in a message."""
    where: Obj = {
        "container": {
            "type": "message",
            "message_ts": message.ts,
            "channel_id": channel.id,
            "is_ephemeral": bool(message.ephemeral_to),
        },
        "channel": _channel_reference(channel),
    }
    if not message.ephemeral_to:
        where["message"] = render.as_message(core.workspace, message)
    return where


def submission(core: Core, user: User, view: View, urls: list[Obj]) -> Obj:
    """The submission of a modal."""
    return {
        "type": "view_submission",
        **_common(core, user),
        "trigger_id": core.trigger(user, view.id, view.client),
        "view": views.as_view(view, identity()),
        "response_urls": urls,
    }


def closed(core: Core, user: User, view: View, *, cleared: bool) -> Obj:
    """The closing of a modal."""
    described = views.as_view(view, identity())
    return {
        "type": "view_closed",
        **_common(core, user),
        "view": described,
        "is_cleared": cleared,
    }


def global_shortcut(core: Core, user: User, callback_id: str, client: str = "") -> Obj:
    """A shortcut from anywhere: it knows no channel."""
    return {
        "type": "shortcut",
        **_common(core, user),
        "callback_id": callback_id,
        "trigger_id": core.trigger(user, client=client),
        "action_ts": core.workspace.ids.ts(),
    }


def message_shortcut(
    core: Core, user: User, callback_id: str, channel: Channel, message: Message, client: str = ""
) -> Obj:
    """A shortcut on a message."""
    return {
        "type": "message_action",
        **_common(core, user),
        "callback_id": callback_id,
        "trigger_id": core.trigger(user, client=client),
        "action_ts": core.workspace.ids.ts(),
        "message_ts": message.ts,
        "channel": _channel_reference(channel),
        "message": render.as_message(core.workspace, message),
        "response_url": core.response_url(user, channel, message),
    }


def action(core: Core, block_id: str, element: Obj, choice: Obj) -> Obj:
    """One entry of `actions`."""
    entry: dict[str, Any] = {
        "type": element["type"],
        "action_id": element["action_id"],
        "block_id": block_id,
        "action_ts": core.workspace.ids.ts(),
        **choice,
    }
    for name in ("text", "value", "style", "placeholder", "url"):
        if name in element and name not in entry:
            entry[name] = element[name]
    entry |= {name: value for name, value in element.items() if name.startswith("initial_")}
    return entry
