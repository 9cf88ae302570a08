"""files.*: uploads in three steps, and files."""

import asyncio

from aiohttp import web

from sandbox.slack import blocks, render
from sandbox.slack.args import Args
from sandbox.slack.core import Core
from sandbox.slack.errors import Obj, SlackError
from sandbox.slack.model import Channel, File, Message
from sandbox.slack.workspace import BOT_USER_ID

MAX_BYTES = 20 * 1024 * 1024


def get_upload_url(core: Core, args: Args) -> Obj:
    """files.getUploadURLExternal"""
    length = args.number("length", 0, MAX_BYTES)
    if not length:
        raise SlackError("invalid_arguments")
    ids = core.workspace.ids
    file = File(ids.new("F"), args.text("filename"), length, BOT_USER_ID, secret=ids.secret(40))
    core.workspace.files[file.id] = file
    return {"upload_url": f"{core.url}/upload/v1/{file.secret}", "file_id": file.id}


async def receive(core: Core, request: web.Request) -> web.Response:
    """The upload itself, as a raw body or as a form."""
    secret = request.match_info["secret"]
    file = next(
        (candidate for candidate in core.workspace.files.values() if candidate.secret == secret),
        None,
    )
    if file is None or file.content is not None:
        return web.Response(status=404, text="not found")
    content = await _content(request)
    if len(content) != file.length:
        return web.Response(status=400, text=f"expected {file.length} bytes, got {len(content)}")
    file.content = content
    return web.Response(text=f"OK - {len(content)}")


async def _content(request: web.Request) -> bytes:
    if request.content_type != "multipart/form-data":
        return await request.read()
    form = await request.post()
    for part in form.values():
        if isinstance(part, web.FileField):
            return part.file.read()
    return b""


def _channel(core: Core, channel_id: str) -> Channel:
    channel = core.workspace.channels.get(channel_id)
    if channel is None:
        raise SlackError("channel_not_found")
    if not core.workspace.has_bot(channel):
        raise SlackError("not_in_channel")
    if channel.archived:
        raise SlackError("is_archived")
    return channel


def _thread(channel: Channel, ts: str) -> str:
    if ts and not any(message.ts == ts and not message.is_reply for message in channel.messages):
        raise SlackError("invalid_thread_ts")
    return ts


def _uploaded(core: Core, args: Args) -> list[File]:
    uploads = args.data("files")
    if not isinstance(uploads, list) or not all(isinstance(upload, dict) for upload in uploads):
        raise SlackError("invalid_arguments")
    files = []
    for upload in uploads:
        file = core.workspace.known_file(str(upload.get("id")))
        if file.content is None or file.shared:
            raise SlackError("file_not_found")
        file.title = upload.get("title") or file.name
        files.append(file)
    return files


def complete_upload(core: Core, args: Args) -> Obj:
    """files.completeUploadExternal: the message with the files follows a moment later"""
    files = _uploaded(core, args)
    channel_ids = [args.text("channel_id"), *args.ids("channels")]
    channels = [_channel(core, channel_id) for channel_id in channel_ids if channel_id]
    messages = [_message(core, channel, files, args) for channel in channels]
    for file in files:
        file.shared = bool(channels)
    for message in messages:
        core.deliveries.background(_share(core, message))
    return {"files": [render.as_file(core.workspace, file) for file in files]}


def _message(core: Core, channel: Channel, files: list[File], args: Args) -> Message:
    message = Message("", channel.id, BOT_USER_ID, args.text("initial_comment"), bot=True)
    message.thread_ts = _thread(channel, args.text("thread_ts"))
    message.files = [file.id for file in files]
    if args.has("blocks"):
        short = core.workspace.ids.short
        message.blocks = blocks.prepare(
            args.data("blocks"), blocks.MESSAGE, short, "invalid_blocks"
        )
    return message


async def _share(core: Core, message: Message) -> None:
    await asyncio.sleep(core.file_seconds / core.pace)
    message.ts = core.workspace.ids.ts()
    core.post(message)


def info(core: Core, args: Args) -> Obj:
    """files.info"""
    return {"file": render.as_file(core.workspace, core.workspace.known_file(args.text("file")))}


def delete(core: Core, args: Args) -> Obj:
    """files.delete"""
    file = core.workspace.known_file(args.text("file"))
    if file.owner != BOT_USER_ID:
        raise SlackError("cant_delete_file")
    del core.workspace.files[file.id]
    for channel in core.workspace.channels.values():
        _remove_file(channel, file.id)
        core.workspace.changed("messages", channel.id)
    return {}


def _remove_file(channel: Channel, file_id: str) -> None:
    for message in list(channel.messages):
        if file_id in message.files:
            message.files.remove(file_id)
            if not (message.files or message.text or message.blocks):
                channel.messages.remove(message)
