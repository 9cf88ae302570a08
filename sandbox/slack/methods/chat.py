"""chat.*: messages."""

from sandbox.slack import blocks, render
from sandbox.slack.args import Args
from sandbox.slack.core import Core
from sandbox.slack.errors import Obj, SlackError, refuse_arguments
from sandbox.slack.model import Channel, Message
from sandbox.slack.workspace import BOT_USER_ID, DOMAIN

MAX_TEXT = 4_000
MAX_METADATA = 8_000


def _target_channel(core: Core, args: Args) -> Channel:
    """A channel by its id, or the direct conversation with a person."""
    channel_id = args.text("channel")
    if channel_id in core.workspace.users:
        user = core.workspace.known_user(channel_id)
        if user.kind == "bot":
            raise SlackError("cannot_dm_bot")
        if user.deactivated:
            raise SlackError("user_disabled")
        return core.workspace.im(user)
    return core.workspace.known_channel(channel_id)


def _postable_channel(core: Core, args: Args) -> Channel:
    channel = _target_channel(core, args)
    if channel.archived:
        raise SlackError("is_archived")
    if channel.im_with and not core.manifest.messages_tab:
        raise SlackError("messages_tab_disabled")
    if not core.workspace.has_bot(channel) and "chat:write.public" not in core.manifest.scopes:
        raise SlackError("not_in_channel")
    return channel


def _content(core: Core, args: Args) -> Obj:
    """The checked words, blocks and attachments that were given."""
    content: Obj = {}
    if args.has("text"):
        content["text"] = args.text("text")
        if len(content["text"]) > MAX_TEXT:
            raise SlackError("msg_too_long")
    if args.has("blocks"):
        short = core.workspace.ids.short
        sent = args.data("blocks")
        content["blocks"] = blocks.prepare(sent, blocks.MESSAGE, short, "invalid_blocks")
    if args.has("attachments"):
        content["attachments"] = _attachments(core, args)
    return content


def _attachments(core: Core, args: Args) -> list[Obj]:
    attachments = args.data("attachments")
    if not isinstance(attachments, list) or len(attachments) > 20:
        raise SlackError("invalid_attachments")
    for attachment in attachments:
        if "blocks" in attachment:
            short = core.workspace.ids.short
            attachment["blocks"] = blocks.prepare(
                attachment["blocks"], blocks.MESSAGE, short, "invalid_attachments"
            )
    return attachments


def _required_content(core: Core, args: Args) -> Obj:
    content = _content(core, args)
    if not content.get("text", "").strip() and not any(
        content.get(part) for part in ("blocks", "attachments")
    ):
        raise SlackError("no_text")
    return content


def _metadata(args: Args) -> Obj | None:
    metadata: Obj | None = args.data("metadata")
    if metadata is None:
        return None
    if set(metadata) != {"event_type", "event_payload"}:
        problem = "metadata must have event_type and event_payload"
        raise refuse_arguments("invalid_metadata_format", [problem])
    if len(str(metadata)) > MAX_METADATA:
        raise SlackError("metadata_too_large")
    return metadata


def _thread(core: Core, channel: Channel, args: Args) -> str:
    ts = args.text("thread_ts")
    if not ts:
        return ""
    for message in channel.messages:
        if message.ts == ts and not message.ephemeral_to:
            if message.is_reply:
                raise SlackError("cannot_reply_to_message")
            return ts
    raise SlackError("thread_not_found")


def post_message(core: Core, args: Args) -> Obj:
    """chat.postMessage"""
    channel = _postable_channel(core, args)
    message = Message(
        core.workspace.ids.ts(),
        channel.id,
        BOT_USER_ID,
        bot=True,
        thread_ts=_thread(core, channel, args),
        metadata=_metadata(args),
        **_required_content(core, args),
    )
    core.post(message)
    shown = render.as_message(core.workspace, message)
    return {"channel": channel.id, "ts": message.ts, "message": shown}


def post_ephemeral(core: Core, args: Args) -> Obj:
    """chat.postEphemeral"""
    channel = core.workspace.known_channel(args.text("channel"), member=True, active=True)
    user = core.workspace.known_user(args.text("user"))
    if user.id not in channel.members:
        raise SlackError("user_not_in_channel")
    message = Message(
        core.workspace.ids.ts(),
        channel.id,
        BOT_USER_ID,
        bot=True,
        ephemeral_to=user.id,
        thread_ts=_thread(core, channel, args),
        **_required_content(core, args),
    )
    core.post(message)
    return {"message_ts": message.ts}


def _own_message(core: Core, args: Args, code: str) -> tuple[Channel, Message]:
    channel = core.workspace.known_channel(args.text("channel"))
    message = core.workspace.known_message(channel, args.text("ts"))
    if message.user != BOT_USER_ID or message.subtype:
        raise SlackError(code)
    if channel.archived:
        raise SlackError("is_archived")
    if not core.workspace.has_bot(channel):
        raise SlackError("not_in_channel")
    return channel, message


def update(core: Core, args: Args) -> Obj:
    """chat.update"""
    channel, message = _own_message(core, args, "cant_update_message")
    content = _content(core, args)
    metadata = _metadata(args)
    if not content and metadata is None:
        raise SlackError("no_text")
    if "text" in content and not content["text"] and not content.get("blocks", message.blocks):
        raise SlackError("no_text")
    # As with Slack: words that are not given again are gone, blocks that are not given stay.
    if "text" not in content and content.get("blocks"):
        content["text"] = ""
    message.redraw(content)
    if metadata is not None:
        message.metadata = metadata
    message.edited = core.workspace.ids.ts()
    core.workspace.changed("messages", channel.id)
    shown = render.as_message(core.workspace, message)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": shown}


def delete(core: Core, args: Args) -> Obj:
    """chat.delete"""
    channel, message = _own_message(core, args, "cant_delete_message")
    channel.messages.remove(message)
    if message.ts in channel.pins:
        channel.pins.remove(message.ts)
    core.workspace.changed("messages", channel.id)
    return {"channel": channel.id, "ts": message.ts}


def get_permalink(core: Core, args: Args) -> Obj:
    """chat.getPermalink"""
    channel = core.workspace.known_channel(args.text("channel"))
    message = core.workspace.known_message(channel, args.text("message_ts"))
    return {"channel": channel.id, "permalink": permalink(channel, message)}


def permalink(channel: Channel, message: Message) -> str:
    """The address of a message."""
    address = f"https://{DOMAIN}.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"
    in_thread = f"?thread_ts={message.thread_ts}&cid={channel.id}" if message.is_reply else ""
    return address + in_thread
