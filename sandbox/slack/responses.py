"""Answers outside of the Web API: in the acknowledgement, or later at a response_url."""

import time
from typing import Any

from aiohttp import web

from sandbox.slack import blocks
from sandbox.slack.args import Args
from sandbox.slack.core import RESPONSE_URL_SECONDS, RESPONSE_URL_USES, Core
from sandbox.slack.errors import Obj, SlackError, refuse_arguments
from sandbox.slack.methods.chat import MAX_TEXT
from sandbox.slack.model import Channel, Message, ResponseUrl
from sandbox.slack.workspace import BOT_USER_ID

KNOWN = {
    "text",
    "blocks",
    "attachments",
    "response_type",
    "replace_original",
    "delete_original",
    "thread_ts",
    "unfurl_links",
    "unfurl_media",
    "metadata",
}


def content(core: Core, body: Any) -> Obj:
    """The validated text and blocks of an answer; raises SlackError."""
    if not isinstance(body, dict):
        raise SlackError("invalid_payload")
    if unknown := sorted(body.keys() - KNOWN):
        problems = [f"unknown argument: {name}" for name in unknown]
        raise refuse_arguments("invalid_arguments", problems)
    text, answer_blocks = Args(body).text("text"), body.get("blocks") or []
    if len(text) > MAX_TEXT:
        raise SlackError("msg_too_long")
    if not text.strip() and not answer_blocks and not body.get("attachments"):
        raise SlackError("no_text")
    kind = body.get("response_type", "ephemeral")
    if kind not in ("ephemeral", "in_channel"):
        raise SlackError("invalid_response_type")
    prepared = blocks.prepare(
        answer_blocks, blocks.MESSAGE, core.workspace.ids.short, "invalid_blocks"
    )
    return {"text": text, "blocks": prepared, "attachments": body.get("attachments") or []}


def post_answer(core: Core, channel: Channel, user: str, body: Obj, thread_ts: str = "") -> Message:
    """Post an answer, ephemeral or in the channel; raises SlackError."""
    checked = content(core, body)
    ephemeral = body.get("response_type", "ephemeral") == "ephemeral"
    message = Message(
        core.workspace.ids.ts(),
        channel.id,
        BOT_USER_ID,
        bot=True,
        ephemeral_to=user if ephemeral else "",
        thread_ts=str(body.get("thread_ts") or thread_ts),
        **checked,
    )
    return core.post(message)


async def receive(core: Core, request: web.Request) -> web.Response:
    """Answer a `POST` to a response_url."""
    try:
        url = _usable(core, request.path)
        body = await request.json()
        _apply(core, url, body)
    except ValueError:
        return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
    except SlackError as refused:
        unusable = refused.code in ("used_url", "expired_url")
        return web.json_response(refused.answer, status=404 if unusable else 400)
    return web.json_response({"ok": True})


def _usable(core: Core, path: str) -> ResponseUrl:
    url = core.workspace.response_urls.get(path)
    if url is None or time.monotonic() - url.made > RESPONSE_URL_SECONDS:
        raise SlackError("expired_url")
    if url.uses >= RESPONSE_URL_USES:
        raise SlackError("used_url")
    url.uses += 1
    return url


def _apply(core: Core, url: ResponseUrl, body: Any) -> None:
    channel = core.workspace.channels[url.channel]
    original = next((message for message in channel.messages if message.ts == url.ts), None)
    if isinstance(body, dict) and body.get("delete_original"):
        _delete(core, channel, original)
    elif isinstance(body, dict) and body.get("replace_original") and original is not None:
        _replace(core, channel, original, body)
    else:
        if channel.archived:
            raise SlackError("is_archived")
        post_answer(core, channel, url.user, body)


def _delete(core: Core, channel: Channel, original: Message | None) -> None:
    if original is None:
        raise SlackError("message_not_found")
    channel.messages.remove(original)
    core.workspace.changed("messages", channel.id)


def _replace(core: Core, channel: Channel, original: Message, body: Obj) -> None:
    if original.user != BOT_USER_ID:
        raise SlackError("cant_update_message")
    original.redraw(content(core, body))
    if not original.ephemeral_to:
        original.edited = core.workspace.ids.ts()
    core.workspace.changed("messages", channel.id)
