"""bookmarks.*, pins.* and reactions.*."""

import re
import time

from sandbox.slack import render
from sandbox.slack.args import Args
from sandbox.slack.core import Core
from sandbox.slack.errors import Obj, SlackError
from sandbox.slack.methods.chat import permalink
from sandbox.slack.model import Channel, Message
from sandbox.slack.workspace import APP_ID, BOT_USER_ID

MAX_BOOKMARKS, MAX_PINS, MAX_REACTIONS = 100, 100, 23


def _channel(core: Core, args: Args, name: str = "channel") -> Channel:
    return core.workspace.known_channel(args.text(name), member=True, active=True)


def _link(args: Args) -> str:
    link = args.text("link")
    if not re.fullmatch(r"https?://\S+", link) or len(link) > 3000:
        raise SlackError("invalid_link")
    return link


def _emoji(args: Args) -> str:
    emoji = args.text("emoji")
    if emoji and not re.fullmatch(r":[a-z0-9_+'-]+:", emoji):
        raise SlackError("invalid_emoji")
    return emoji


def add_bookmark(core: Core, args: Args) -> Obj:
    """bookmarks.add"""
    channel = _channel(core, args, "channel_id")
    if args.text("type") != "link":
        raise SlackError("invalid_bookmark_type")
    if len(args.text("title")) > 255:
        raise SlackError("invalid_arguments")
    if len(channel.bookmarks) >= MAX_BOOKMARKS:
        raise SlackError("too_many_bookmarks")
    now = int(time.time())
    bookmark: Obj = {
        "id": core.workspace.ids.new("Bk"),
        "channel_id": channel.id,
        "title": args.text("title"),
        "link": _link(args),
        "emoji": _emoji(args),
        "icon_url": None,
        "type": "link",
        "entity_id": None,
        "date_created": now,
        "date_updated": 0,
        "rank": str(len(channel.bookmarks)),
        "last_updated_by_user_id": BOT_USER_ID,
        "app_id": APP_ID,
    }
    channel.bookmarks.append(bookmark)
    core.workspace.changed("channels", channel.id)
    return {"bookmark": bookmark}


def _bookmark(channel: Channel, args: Args) -> Obj:
    for bookmark in channel.bookmarks:
        if bookmark["id"] == args.text("bookmark_id"):
            return bookmark
    raise SlackError("not_found")


def edit_bookmark(core: Core, args: Args) -> Obj:
    """bookmarks.edit"""
    channel = _channel(core, args, "channel_id")
    bookmark = _bookmark(channel, args)
    if args.has("title"):
        bookmark["title"] = args.text("title")
    if args.has("link"):
        bookmark["link"] = _link(args)
    if args.has("emoji"):
        bookmark["emoji"] = _emoji(args)
    bookmark["date_updated"] = int(time.time())
    core.workspace.changed("channels", channel.id)
    return {"bookmark": bookmark}


def list_bookmarks(core: Core, args: Args) -> Obj:
    """bookmarks.list"""
    channel = core.workspace.known_channel(args.text("channel_id"), member=True)
    return {"bookmarks": channel.bookmarks}


def remove_bookmark(core: Core, args: Args) -> Obj:
    """bookmarks.remove"""
    channel = _channel(core, args, "channel_id")
    channel.bookmarks.remove(_bookmark(channel, args))
    core.workspace.changed("channels", channel.id)
    return {}


def _message(core: Core, args: Args, *, active: bool = True) -> tuple[Channel, Message]:
    channel = core.workspace.known_channel(args.text("channel"), member=True, active=active)
    return channel, core.workspace.known_message(channel, args.text("timestamp"))


def add_pin(core: Core, args: Args) -> Obj:
    """pins.add"""
    channel, message = _message(core, args)
    if message.ts in channel.pins:
        raise SlackError("already_pinned")
    if message.subtype:
        raise SlackError("not_pinnable")
    if len(channel.pins) >= MAX_PINS:
        raise SlackError("too_many_pins")
    channel.pins.append(message.ts)
    core.workspace.changed("messages", channel.id)
    return {}


def list_pins(core: Core, args: Args) -> Obj:
    """pins.list"""
    channel = core.workspace.known_channel(args.text("channel"), member=True)
    pinned = [core.workspace.known_message(channel, ts) for ts in reversed(channel.pins)]
    return {"items": [_pin(core, channel, message) for message in pinned]}


def _pin(core: Core, channel: Channel, message: Message) -> Obj:
    shown = render.as_message(core.workspace, message)
    shown["permalink"] = permalink(channel, message)
    return {"type": "message", "channel": channel.id, "created_by": BOT_USER_ID, "message": shown}


def remove_pin(core: Core, args: Args) -> Obj:
    """pins.remove"""
    channel, message = _message(core, args)
    if message.ts not in channel.pins:
        raise SlackError("no_pin")
    channel.pins.remove(message.ts)
    core.workspace.changed("messages", channel.id)
    return {}


def add_reaction(core: Core, args: Args) -> Obj:
    """reactions.add"""
    channel, message = _message(core, args)
    name = args.text("name").strip(":")
    if not re.fullmatch(r"[a-z0-9_+'-]+", name):
        raise SlackError("invalid_name")
    if BOT_USER_ID in message.reactions.get(name, []):
        raise SlackError("already_reacted")
    if name not in message.reactions and len(message.reactions) >= MAX_REACTIONS:
        raise SlackError("too_many_emoji")
    message.reactions.setdefault(name, []).append(BOT_USER_ID)
    core.workspace.changed("messages", channel.id)
    return {}


def remove_reaction(core: Core, args: Args) -> Obj:
    """reactions.remove"""
    channel, message = _message(core, args)
    name = args.text("name").strip(":")
    if BOT_USER_ID not in message.reactions.get(name, []):
        raise SlackError("no_reaction")
    take_back(message, name, BOT_USER_ID)
    core.workspace.changed("messages", channel.id)
    return {}


def take_back(message: Message, name: str, user: str) -> None:
    """Remove a user's reaction, and the emoji when it was the last one."""
    message.reactions[name].remove(user)
    if not message.reactions[name]:
        del message.reactions[name]


def get_reactions(core: Core, args: Args) -> Obj:
    """reactions.get"""
    channel, message = _message(core, args, active=False)
    shown = render.as_message(core.workspace, message)
    return {"type": "message", "channel": channel.id, "message": shown}
