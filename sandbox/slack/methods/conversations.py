"""conversations.*: channels, members and messages."""

import re
import time
from typing import TypeVar

from sandbox.slack import render
from sandbox.slack.args import Args
from sandbox.slack.core import Core
from sandbox.slack.errors import Obj, SlackError
from sandbox.slack.model import Channel, Message, User
from sandbox.slack.workspace import BOT_USER_ID

T = TypeVar("T")

MAX_NAME = 80
MAX_TOPIC = 250
MAX_INVITED = 100


def _name(core: Core, args: Args) -> str:
    name = args.text("name")
    if not name.strip():
        raise SlackError("invalid_name_required")
    if len(name) > MAX_NAME:
        raise SlackError("invalid_name_maxlength")
    if not re.search(r"[^\W_]", name):
        raise SlackError("invalid_name_punctuation")
    if not re.fullmatch(r"[a-z0-9_-]+", name):
        raise SlackError("invalid_name_specials")
    if any(channel.name == name for channel in core.workspace.channels.values()):
        raise SlackError("name_taken")
    return name


def _channel(core: Core, args: Args, *, member: bool = True, active: bool = True) -> Channel:
    channel = core.workspace.known_channel(args.text("channel"), member=member, active=active)
    if channel.im_with:
        raise SlackError("method_not_supported_for_channel_type")
    return channel


def _channel_answer(core: Core, channel: Channel) -> Obj:
    return {"channel": render.as_channel(core.workspace, channel)}


def create(core: Core, args: Args) -> Obj:
    """conversations.create"""
    private = args.flag("is_private")
    if private and "groups:write" not in core.manifest.scopes:
        provided = ",".join(sorted(core.manifest.scopes))
        raise SlackError("missing_scope", needed="groups:write", provided=provided)
    workspace = core.workspace
    channel = Channel(
        workspace.ids.new("C"),
        _name(core, args),
        BOT_USER_ID,
        int(time.time()),
        private=private,
    )
    workspace.channels[channel.id] = channel
    core.join(channel, BOT_USER_ID)
    event = {"type": "channel_created", "channel": {"id": channel.id, "name": channel.name}}
    core.announce("channel_created", event)
    return _channel_answer(core, channel)


def _invite_error(core: Core, channel: Channel, user_id: str) -> str | None:
    if user_id == BOT_USER_ID:
        return "cant_invite_self"
    user = core.workspace.users.get(user_id)
    if user is None or user.deactivated:
        return "user_not_found"
    if user.kind == "bot":
        return "cant_invite"
    if user.kind == "stranger":
        return "user_team_not_in_channel"
    if user.kind == "single_channel_guest":
        return "ura_max_channels"
    return "already_in_channel" if user_id in channel.members else None


def invite(core: Core, args: Args) -> Obj:
    """conversations.invite"""
    channel = _channel(core, args)
    user_ids = args.ids("users")
    if not user_ids:
        raise SlackError("no_user")
    if len(user_ids) > MAX_INVITED:
        raise SlackError("too_many_users")
    refusals = {
        user_id: code for user_id in user_ids if (code := _invite_error(core, channel, user_id))
    }
    errors = [{"ok": False, "user": user_id, "error": code} for user_id, code in refusals.items()]
    named: Obj = {"errors": errors} if errors and core.names_refused else {}
    invited = [user_id for user_id in dict.fromkeys(user_ids) if user_id not in refusals]
    forced = args.flag("force") and not core.ignores_force
    if refusals and not (forced and invited):
        raise SlackError(next(iter(refusals.values())), **named)
    for user_id in invited:
        core.join(channel, user_id)
    return _channel_answer(core, channel) | named


def kick(core: Core, args: Args) -> Obj:
    """conversations.kick"""
    channel = _channel(core, args)
    user: User = core.workspace.known_user(args.text("user"))
    if user.id == BOT_USER_ID:
        raise SlackError("cant_kick_self")
    if channel.name == "general":
        raise SlackError("cant_kick_from_general")
    if user.id not in channel.members:
        raise SlackError("not_in_channel")
    core.leave(channel, user.id)
    return {"errors": {}}


def join(core: Core, args: Args) -> Obj:
    """conversations.join"""
    channel = _channel(core, args, member=False)
    if core.workspace.has_bot(channel):
        known = {"warnings": ["already_in_channel"]}
        return _channel_answer(core, channel) | {
            "warning": "already_in_channel",
            "response_metadata": known,
        }
    core.join(channel, BOT_USER_ID)
    return _channel_answer(core, channel)


def leave(core: Core, args: Args) -> Obj:
    """conversations.leave"""
    channel = _channel(core, args, member=False)
    if not core.workspace.has_bot(channel):
        return {"not_in_channel": True}
    core.leave(channel, BOT_USER_ID)
    return {}


def archive(core: Core, args: Args) -> Obj:
    """conversations.archive"""
    channel = _channel(core, args, active=False)
    if channel.archived:
        raise SlackError("already_archived")
    if channel.name == "general":
        raise SlackError("cant_archive_general")
    close_channel(core, channel, BOT_USER_ID)
    return {}


def close_channel(core: Core, channel: Channel, user: str) -> None:
    """Archive a channel as a user."""
    core.post_system_message(channel, user, "channel_archive", f"<@{user}> archived the channel")
    channel.archived = True
    event = {"type": "channel_archive", "channel": channel.id, "user": user}
    core.announce("channel_archive", event, channel)
    core.workspace.changed("channels", channel.id)


def unarchive(core: Core, args: Args) -> Obj:
    """conversations.unarchive"""
    channel = _channel(core, args, active=False)
    if not channel.archived:
        raise SlackError("not_archived")
    channel.archived = False
    text = f"<@{BOT_USER_ID}> unarchived the channel"
    core.post_system_message(channel, BOT_USER_ID, "channel_unarchive", text)
    event = {"type": "channel_unarchive", "channel": channel.id, "user": BOT_USER_ID}
    core.announce("channel_unarchive", event, channel)
    core.workspace.changed("channels", channel.id)
    return {}


def rename(core: Core, args: Args) -> Obj:
    """conversations.rename"""
    channel = _channel(core, args)
    if channel.creator != BOT_USER_ID:
        raise SlackError("not_authorized")
    before, channel.name = channel.name, _name(core, args)
    text = f'<@{BOT_USER_ID}> has renamed the channel from "{before}" to "{channel.name}"'
    core.post_system_message(channel, BOT_USER_ID, "channel_name", text)
    event = {"type": "channel_rename", "channel": {"id": channel.id, "name": channel.name}}
    core.announce("channel_rename", event, channel)
    core.workspace.changed("channels", channel.id)
    return _channel_answer(core, channel)


def set_topic(core: Core, args: Args) -> Obj:
    """conversations.setTopic"""
    channel = _channel(core, args)
    topic = args.text("topic")
    if len(topic) > MAX_TOPIC:
        raise SlackError("too_long")
    if topic != channel.topic:
        channel.topic, channel.topic_by = topic, BOT_USER_ID
        text = f"set the channel topic: {topic}" if topic else "cleared the channel topic"
        core.post_system_message(channel, BOT_USER_ID, "channel_topic", f"<@{BOT_USER_ID}> {text}")
        core.workspace.changed("channels", channel.id)
    return _channel_answer(core, channel)


def set_purpose(core: Core, args: Args) -> Obj:
    """conversations.setPurpose"""
    channel = _channel(core, args)
    purpose = args.text("purpose")
    if len(purpose) > MAX_TOPIC:
        raise SlackError("too_long")
    if purpose != channel.purpose:
        channel.purpose = purpose
        text = f"<@{BOT_USER_ID}> set the channel description: {purpose}"
        core.post_system_message(channel, BOT_USER_ID, "channel_purpose", text)
        core.workspace.changed("channels", channel.id)
    return {"purpose": purpose}


def page(items: list[T], args: Args, default: int = 100) -> tuple[list[T], Obj]:
    """One page of a list, and the cursor of the next."""
    limit = args.number("limit", default, 1000)
    cursor = args.text("cursor")
    if cursor and not re.fullmatch(r"at:\d+", cursor):
        raise SlackError("invalid_cursor")
    start = int(cursor.removeprefix("at:") or 0)
    next_cursor = f"at:{start + limit}" if start + limit < len(items) else ""
    return items[start : start + limit], {"response_metadata": {"next_cursor": next_cursor}}


def list_all(core: Core, args: Args) -> Obj:
    """conversations.list"""
    kinds = set(args.ids("types") or ["public_channel"])
    if unknown := kinds - {"public_channel", "private_channel", "im", "mpim"}:
        raise SlackError("invalid_types", types=sorted(unknown))
    channels = [
        channel
        for channel in core.workspace.channels.values()
        if _kind(channel) in kinds
        and (_kind(channel) == "public_channel" or core.workspace.has_bot(channel))
        and not (channel.archived and args.flag("exclude_archived"))
    ]
    shown, more = page(channels, args)
    return {"channels": [render.as_channel(core.workspace, channel) for channel in shown], **more}


def _kind(channel: Channel) -> str:
    if channel.im_with:
        return "im"
    return "private_channel" if channel.private else "public_channel"


def info(core: Core, args: Args) -> Obj:
    """conversations.info"""
    return _channel_answer(core, core.workspace.known_channel(args.text("channel")))


def members(core: Core, args: Args) -> Obj:
    """conversations.members"""
    channel = core.workspace.known_channel(args.text("channel"))
    shown, more = page(channel.members, args)
    return {"members": shown, **more}


def _between(messages: list[Message], args: Args) -> list[Message]:
    oldest, latest = args.text("oldest", "0"), args.text("latest", "99999999999")
    inclusive = args.flag("inclusive")
    if not all(re.fullmatch(r"\d+(\.\d+)?", ts) for ts in (oldest, latest)):
        raise SlackError("invalid_ts_oldest")
    low, high = _number(oldest), _number(latest)
    return [
        message
        for message in messages
        if low < _number(message.ts) < high or (inclusive and _number(message.ts) in (low, high))
    ]


def _number(ts: str) -> int:
    """A timestamp in microseconds; a float would round the last digits."""
    seconds, _, rest = ts.partition(".")
    return int(seconds) * 1_000_000 + int((rest or "0").ljust(6, "0")[:6])


def history(core: Core, args: Args) -> Obj:
    """conversations.history: newest first, without threads and ephemeral messages"""
    channel = core.workspace.known_channel(args.text("channel"), member=True)
    messages = [
        message for message in channel.messages if not message.is_reply and not message.ephemeral_to
    ]
    newest = list(reversed(_between(messages, args)))
    return _messages(core, newest, args) | {"pin_count": len(channel.pins)}


def replies(core: Core, args: Args) -> Obj:
    """conversations.replies: a message and its thread, oldest first"""
    channel = core.workspace.known_channel(args.text("channel"), member=True)
    ts = args.text("ts")
    known = {message.ts: message for message in channel.messages if not message.ephemeral_to}
    if ts not in known:
        raise SlackError("thread_not_found")
    root = known[ts].thread_ts or ts
    thread = [
        message for message in known.values() if message.ts == root or message.thread_ts == root
    ]
    return _messages(core, _between(thread, args), args)


def _messages(core: Core, messages: list[Message], args: Args) -> Obj:
    shown, more = page(messages, args)
    return {
        "messages": [_message(core, message, args) for message in shown],
        "has_more": bool(more["response_metadata"]["next_cursor"]),
        **more,
    }


def _message(core: Core, message: Message, args: Args) -> Obj:
    shown = render.as_message(core.workspace, message)
    if not args.flag("include_all_metadata"):
        shown.pop("metadata", None)
    return shown


def open_direct(core: Core, args: Args) -> Obj:
    """conversations.open"""
    users = args.ids("users")
    if len(users) != 1:
        raise SlackError("users_list_not_supplied" if not users else "not_enough_users")
    user = core.workspace.known_user(users[0])
    if user.kind == "bot":
        raise SlackError("cannot_dm_bot")
    if user.deactivated:
        raise SlackError("user_disabled")
    return {"channel": {"id": core.workspace.im(user).id}}
