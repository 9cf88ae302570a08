"""Interactions: what arrives from Slack as one type, with the ways to answer the person."""

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot import slack
from bot.cache import Cache
from bot.model import ChannelId, UserError, UserId
from bot.model.text import printable
from bot.redaction import redact_typed
from bot.slack.directory import Directory
from bot.views import blocks, text
from bot.views.blocks import Block
from bot.views.modals import View
from bot.world import World
from commands import markup

log = logging.getLogger(__name__)

Body = dict[str, Any]

# How long the look-up of names may take: a form must be opened within three seconds of the press.
NAMES_SECONDS = 1.0
# How long the cache keeps which press last redrew a form.
FORM_SECONDS = 3600


@dataclass(frozen=True)
class Interaction:
    """A command, event, press or form that arrived from Slack, and the ways to answer it.

    `delivery_id` is the same when Slack delivers it again. `text` is what follows a command.
    `action_id` is the id of the button or menu, `value` its value or the option that was chosen,
    `block_id` the block that it stands in. The name of a private channel is unknown.
    `view` is the open form that was pressed in. A form that was sent has `private_metadata`, which
    it was opened with.
    """

    slack: AsyncWebClient
    cache: Cache
    user_id: UserId
    channel_id: ChannelId | None
    delivery_id: str
    channel_name: str = ""
    text: str = ""
    mentions: tuple[UserId, ...] = ()
    action_id: str = ""
    block_id: str = ""
    value: str = ""
    trigger_id: str = ""
    response_url: str = ""
    private_metadata: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)
    view: Mapping[str, Any] = field(default_factory=dict)

    async def reply(self, sentence: str) -> None:
        """Send a sentence that only this person sees."""
        mrkdwn = text.to_person(sentence)
        await self.show(mrkdwn, [blocks.section(mrkdwn)])

    async def show(self, summary: str, message_blocks: list[Block]) -> None:
        """Send a message that only this person sees, by the first way that works.

        `summary` is what a notification shows. If no way works, only the log says so.
        """
        message = {
            "text": blocks.truncate(summary, blocks.SECTION_LENGTH),
            "blocks": message_blocks,
        }
        for send in (self._by_response_url, self._by_ephemeral, self._by_direct_message):
            try:
                if await send(message):
                    return
            except slack.client.SlackError as refused:
                log.info("one way to answer %s failed: %s", self.user_id, refused.reason)
        log.warning("no answer reached %s", self.user_id)

    async def open(self, view: View) -> None:
        """Open a form; raises UserError when Slack refuses, as it does seconds after the press."""
        try:
            await slack.client.call(self.slack.views_open(trigger_id=self.trigger_id, view=view))
        except slack.client.SlackError as refused:
            sentence = f"Slack did not open the form ({refused.code}), so nothing was done."
            raise refused.about(sentence) from refused

    async def update_view(self, view: View) -> None:
        """Replace what the open form shows; of two presses in a row, the later one wins."""
        key = f"drawn:{self.view['id']}"
        await self.cache.set(key, self.trigger_id, FORM_SECONDS)
        try:
            if await self._update_if_unchanged(view):
                return
            # It was redrawn since this press: by an earlier press that was slow, or a later one.
            if await self.cache.get(key) == self.trigger_id:
                await slack.client.call(self.slack.views_update(view_id=self.view["id"], view=view))
        except slack.client.SlackError as refused:
            log.info("a form of %s was not redrawn: %s", self.user_id, refused.reason)

    async def _update_if_unchanged(self, view: View) -> bool:
        """Update the form if it is as it was at the press; False when not. Raises SlackError."""
        view_id, view_hash = self.view["id"], self.view["hash"]
        call = self.slack.views_update(view_id=view_id, hash=view_hash, view=view)
        try:
            await slack.client.call(call)
        except slack.client.SlackError as refused:
            if refused.code != "hash_conflict":
                raise
            return False
        return True

    async def publish_home(self, view: View) -> None:
        """Show the App Home; raises SlackError."""
        await slack.client.call(self.slack.views_publish(user_id=self.user_id, view=view))

    async def permalink(self) -> str | None:
        """The address of the message that a form was opened from; None without one."""
        ts = self.private_metadata.get("message_ts")
        if not ts or self.channel_id is None:
            return None
        try:
            call = self.slack.chat_getPermalink(channel=self.channel_id, message_ts=ts)
            return str((await slack.client.call(call))["permalink"])
        except slack.client.SlackError:
            return None  # a private channel: the incident does not need the link

    async def fetch_message(self) -> Mapping[str, Any]:
        """The message that was reacted to, from its channel or thread.

        Raises UserError when Slack does not return it, and SlackError.
        """
        ts = self.message["ts"]
        methods = (
            partial(self.slack.conversations_history, latest=ts, oldest=ts),
            partial(self.slack.conversations_replies, ts=ts),
        )
        for method in methods:
            call = method(channel=str(self.channel_id), inclusive=True, limit=1)
            for message in (await slack.client.call(call))["messages"]:
                if message["ts"] == ts:
                    return dict(message)
        raise UserError("Slack did not return that message. It was not added to the timeline.")

    def metadata(self, **fields: Any) -> str:
        """The private metadata of a form, as JSON: the fields, and where to answer its sender."""
        metadata = {"channel": self.channel_id, "response_url": self.response_url, **fields}
        return json.dumps(metadata, separators=(",", ":"))

    async def _by_response_url(self, message: Body) -> bool:
        if not self.response_url:
            return False
        await slack.client.respond(self.slack, self.response_url, message)
        return True

    async def _by_ephemeral(self, message: Body) -> bool:
        if self.channel_id is None:
            return False
        call = self.slack.chat_postEphemeral(channel=self.channel_id, user=self.user_id, **message)
        await slack.client.call(call)
        return True

    async def _by_direct_message(self, message: Body) -> bool:
        await slack.client.call(self.slack.chat_postMessage(channel=self.user_id, **message))
        return True


async def message_text(directory: Directory, message: Mapping[str, Any]) -> str:
    """A message's plain text; with ids instead of names where Slack takes too long to tell them."""
    text = str(message.get("text") or "")
    user_ids = dict.fromkeys(markup.mentioned_ids(text))
    try:
        async with asyncio.timeout(NAMES_SECONDS):
            plain = markup.plain_text(text, await directory.display_names(user_ids))
    except TimeoutError:
        plain = markup.plain_text(text)
    return printable(plain)


def parse(world: World, body: Body) -> Interaction:
    """The interaction in the body of any request from Slack."""
    if "command" in body:
        return _parse_command(world, body)
    if "event" in body:
        return _parse_event(world, body)
    if "view" in body and body["type"].startswith("view_"):
        return _parse_submission(world, body)
    return _parse_press(world, body)


def _parse_command(world: World, body: Body) -> Interaction:
    text = body.get("text", "")
    return Interaction(
        slack=world.slack,
        cache=world.cache,
        user_id=UserId(body["user_id"]),
        channel_id=ChannelId(body["channel_id"]),
        channel_name=body.get("channel_name", ""),
        delivery_id=f"command:{body['trigger_id']}",
        text=redact_typed(markup.plain_command_text(text).strip()),
        mentions=tuple(map(UserId, markup.mentioned_ids(text))),
        trigger_id=body["trigger_id"],
        response_url=body.get("response_url", ""),
    )


def _parse_event(world: World, body: Body) -> Interaction:
    event = body["event"]
    item = event.get("item", {})
    channel = event.get("channel") or item.get("channel")
    return Interaction(
        slack=world.slack,
        cache=world.cache,
        user_id=UserId(event["user"]),
        channel_id=ChannelId(channel) if channel else None,
        delivery_id=f"event:{body['event_id']}",
        text=event.get("text", ""),
        message=item,
    )


def _parse_submission(world: World, body: Body) -> Interaction:
    view = body["view"]
    metadata = _private_metadata(view)
    channel = metadata.get("channel")
    return Interaction(
        slack=world.slack,
        cache=world.cache,
        user_id=UserId(body["user"]["id"]),
        channel_id=ChannelId(channel) if channel else None,
        delivery_id=f"form:{view['id']}:{view.get('hash', '')}",
        trigger_id=body.get("trigger_id", ""),
        response_url=metadata.get("response_url", ""),
        private_metadata=metadata,
    )


def _private_metadata(view: Body) -> dict[str, Any]:
    """What a form was opened with; empty for a form that this bot did not open."""
    try:
        metadata = json.loads(view.get("private_metadata") or "{}")
    except ValueError:
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _parse_press(world: World, body: Body) -> Interaction:
    """A button, a menu, a tick box, or a shortcut, which has no actions."""
    action = (body.get("actions") or [{}])[0]
    place = body.get("channel") or {}
    channel = place.get("id")
    option = action.get("selected_option") or {}
    return Interaction(
        slack=world.slack,
        cache=world.cache,
        user_id=UserId(body["user"]["id"]),
        channel_id=ChannelId(channel) if channel else None,
        channel_name=place.get("name", ""),
        delivery_id=f"press:{body.get('trigger_id', '')}",
        action_id=action.get("action_id", ""),
        block_id=action.get("block_id", ""),
        value=action.get("value") or option.get("value", ""),
        trigger_id=body.get("trigger_id", ""),
        response_url=body.get("response_url", ""),
        message=body.get("message") or {},
        view=body.get("view") or {},
    )


def form_values(view: Body) -> dict[str, Any]:
    """What people filled in, by block id, without the fields that they left empty."""
    fields = view.get("state", {}).get("values", {})
    values = {name: _value(next(iter(field.values()))) for name, field in fields.items()}
    return {name: value for name, value in values.items() if value not in (None, "", [])}


def _value(element: Body) -> Any:
    if "selected_options" in element:
        return [option["value"] for option in element["selected_options"]]
    if option := element.get("selected_option"):
        return option["value"]
    return redact_typed(element.get("value") or "")
