"""Messages, files and channels as Slack shows them to apps and users."""

from sandbox.slack.errors import Obj
from sandbox.slack.model import Channel, File, Message
from sandbox.slack.workspace import APP_ID, BOT_ID, BOT_USER_ID, TEAM_ID, Workspace

KINDS = {"md": "text/markdown", "json": "application/json", "csv": "text/csv", "png": "image/png"}


def replies(channel: Channel, ts: str) -> list[Message]:
    """The replies of a thread, without ephemeral ones."""
    return [
        message
        for message in channel.messages
        if message.thread_ts == ts and message.ts != ts and not message.ephemeral_to
    ]


def as_message(workspace: Workspace, message: Message) -> Obj:
    """A message as an app gets it."""
    channel = workspace.channels[message.channel]
    shown: Obj = {
        "type": "message",
        "user": message.user,
        "text": message.text,
        "ts": message.ts,
        "team": TEAM_ID,
    }
    if message.user == BOT_USER_ID:
        shown |= {"bot_id": BOT_ID, "app_id": APP_ID}
    optional = {
        "subtype": message.subtype or ("file_share" if message.files and not message.bot else ""),
        "blocks": message.blocks,
        "attachments": message.attachments,
        "username": message.username,
        "metadata": message.metadata,
        "files": [as_file(workspace, workspace.files[file_id]) for file_id in message.files],
        "edited": {"user": message.user, "ts": message.edited} if message.edited else None,
        "reactions": as_reactions(message),
        "pinned_to": [channel.id] if message.ts in channel.pins else None,
        "thread_ts": message.thread_ts,
    }
    shown |= {name: value for name, value in optional.items() if value}
    return shown | _thread(channel, message)


def _thread(channel: Channel, message: Message) -> Obj:
    if message.is_reply:
        return {}
    answers = replies(channel, message.ts)
    if not answers:
        return {}
    users = list(dict.fromkeys(answer.user for answer in answers))
    return {
        "thread_ts": message.ts,
        "reply_count": len(answers),
        "reply_users": users,
        "reply_users_count": len(users),
        "latest_reply": answers[-1].ts,
    }


def as_reactions(message: Message) -> list[Obj]:
    """The reactions of a message."""
    return [
        {"name": name, "users": list(users), "count": len(users)}
        for name, users in message.reactions.items()
    ]


def as_file(workspace: Workspace, file: File) -> Obj:
    """A file as an app gets it."""
    suffix = file.name.rpartition(".")[2].lower()
    return {
        "id": file.id,
        "created": file.created,
        "timestamp": file.created,
        "name": file.name,
        "title": file.title or file.name,
        "mimetype": KINDS.get(suffix, "text/plain"),
        "filetype": suffix or "text",
        "pretty_type": suffix.upper() or "Plain Text",
        "user": file.owner,
        "size": file.length,
        "mode": "hosted",
        "is_external": False,
        "is_public": file.shared,
        "url_private": f"{workspace.url}/sandbox/files/{file.id}",
        "url_private_download": f"{workspace.url}/sandbox/files/{file.id}",
        "permalink": f"{workspace.url}/sandbox/files/{file.id}",
    }


def as_channel(workspace: Workspace, channel: Channel) -> Obj:
    """A channel as `conversations.info` describes it."""
    if channel.im_with:
        return {
            "id": channel.id,
            "created": channel.created,
            "is_im": True,
            "user": channel.im_with,
        }
    topic = {"value": channel.topic, "creator": channel.topic_by, "last_set": 0}
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.private,
        "is_group": False,
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.private,
        "is_archived": channel.archived,
        "is_general": channel.name == "general",
        "is_member": workspace.has_bot(channel),
        "is_shared": False,
        "is_ext_shared": False,
        "is_org_shared": False,
        "created": channel.created,
        "creator": channel.creator,
        "context_team_id": TEAM_ID,
        "topic": topic,
        "purpose": {"value": channel.purpose, "creator": channel.creator, "last_set": 0},
        "num_members": len(channel.members),
    }


def visible_messages(workspace: Workspace, channel: Channel, user: str | None) -> list[Obj]:
    """The messages that a user sees in a channel, threads nested; without a user, all of them."""
    visible = [
        message
        for message in channel.messages
        if not message.ephemeral_to or user in (None, message.ephemeral_to)
    ]
    top = [_as_seen(workspace, message) for message in visible if not message.is_reply]
    for message in top:
        replies_shown = [
            reply for reply in visible if reply.is_reply and reply.thread_ts == message["ts"]
        ]
        if replies_shown:
            message["replies"] = [_as_seen(workspace, reply) for reply in replies_shown]
            message["reply_count"] = len(replies_shown)
    return top


def _as_seen(workspace: Workspace, message: Message) -> Obj:
    channel = workspace.channels[message.channel]
    more: Obj = {"pinned": message.ts in channel.pins, "ephemeral": bool(message.ephemeral_to)}
    if message.ephemeral_to:
        more["ephemeral_to"] = message.ephemeral_to
    if message.subtype.startswith("channel_"):
        # The client writes the person's name itself, in front of what Slack says.
        more["text"] = message.text.removeprefix(f"<@{message.user}> ")
    return as_message(workspace, message) | {"channel": channel.id} | more


def as_listed_channel(
    workspace: Workspace, channel: Channel, user: str | None, *, writable: bool
) -> Obj:
    """A channel in a user's list; `writable` says whether users may write to the app."""
    return {
        "id": channel.id,
        "name": _channel_name(workspace, channel),
        "topic": channel.topic,
        "purpose": channel.purpose,
        "bookmarks": channel.bookmarks,
        "members": channel.members,
        "is_member": user is None or user in channel.members,
        "is_archived": channel.archived,
        "is_private": channel.private,
        "is_im": bool(channel.im_with),
        "is_read_only": bool(channel.im_with) and not writable,
        "user": BOT_USER_ID if channel.im_with else None,
        "creator": channel.creator,
        "unread": _unread(channel, user),
    }


def _channel_name(workspace: Workspace, channel: Channel) -> str:
    return workspace.users[BOT_USER_ID].handle if channel.im_with else channel.name


def _unread(channel: Channel, user: str | None) -> int:
    if user is None or user not in channel.members:
        return 0
    read = channel.read.get(user, "")
    return sum(
        message.ts > read
        and not message.ephemeral_to
        and not message.subtype
        and message.user != user
        and not message.is_reply
        for message in channel.messages
    )
