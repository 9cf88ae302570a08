"""Who says what, where, and the ways to answer that one person: Slack's payloads as one noun."""

import asyncio
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from bot import slack
from bot.model import ChannelId, UserError, UserId
from bot.views import blocks, text
from bot.views.blocks import Block
from bot.views.modals import View
from bot.world import World

log = logging.getLogger(__name__)

Body = dict[str, Any]

MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
REFERENCE = re.compile(r"<([@#!]|https?://|mailto:)([^<>|]+)(?:\|([^<>]*))?>")
# A form must be opened within three seconds of the press.
NAMES_SECONDS = 1.0
FORM_SECONDS = 3600


@dataclass(frozen=True)
class Ask:
    """Who says what, where; and the ways to answer that one person."""

    world: World
    who: UserId
    channel: ChannelId | None
    source: str
    text: str = ""
    mentions: tuple[UserId, ...] = ()
    value: str = ""
    trigger_id: str = ""
    response_url: str = ""
    kept: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)
    view: Mapping[str, Any] = field(default_factory=dict)

    async def reply(self, sentence: str) -> None:
        """Tell the person, and nobody else."""
        words = text.reply(sentence)
        await self.show(words, [blocks.section(words)])

    async def show(self, words: str, parts: list[Block]) -> None:
        """Show the person something, by whichever way still reaches them."""
        said = {"text": blocks.truncate(words, blocks.SECTION), "blocks": parts}
        for way in (self._by_response_url, self._by_ephemeral, self._by_direct_message):
            try:
                if await way(said):
                    return
            except slack.Refused as refused:
                log.info("an answer did not reach %s by one way: %s", self.who, refused.code)
        log.warning("an answer reached %s by no way", self.who)

    async def open(self, view: View) -> None:
        """Open a form; raises UserError when the click is too old."""
        try:
            call = self.world.slack.views_open(trigger_id=self.trigger_id, view=view)
            await slack.answer(call)
        except slack.Refused as refused:
            raise UserError(
                f"Slack did not open the form ({refused.code}), so nothing was done. Press again."
            ) from refused

    async def redraw(self, view: View) -> None:
        """Draw the open form anew: of two clicks in a row the later one has the last word."""
        id, newest = self.view["id"], f"drawn:{self.view['id']}"
        await self.world.cache.remember(newest, self.trigger_id, FORM_SECONDS)
        update = self.world.slack.views_update
        try:
            try:
                await slack.answer(update(view_id=id, hash=self.view["hash"], view=view))
            except slack.Refused as refused:
                # Drawn by an earlier click while this one was on its way, or by a later one?
                last = await self.world.cache.recall(newest)
                if refused.code != "hash_conflict" or last != self.trigger_id:
                    raise
                await slack.answer(update(view_id=id, view=view))
        except slack.Refused as refused:
            log.info("a form of %s was not drawn anew: %s", self.who, refused.code)

    async def publish_home(self, view: View) -> None:
        """Show the App Home."""
        await slack.answer(self.world.slack.views_publish(user_id=self.who, view=view))

    async def permalink(self) -> str | None:
        """The address of the message that a form was opened from, if it was."""
        ts = self.kept.get("message_ts")
        if not ts or self.channel is None:
            return None
        try:
            call = self.world.slack.chat_getPermalink(channel=self.channel, message_ts=ts)
            return str((await slack.answer(call))["permalink"])
        except slack.Refused:
            return None  # a private channel: the incident does not need the link

    async def fetch(self) -> Mapping[str, Any]:
        """The message that something was put on; raises UserError when it cannot be read."""
        ts = self.message["ts"]
        calls = (
            self.world.slack.conversations_history,
            self.world.slack.conversations_replies,
        )
        for call in calls:
            more = {"ts": ts} if call is calls[1] else {"latest": ts, "oldest": ts}
            found = await slack.answer(
                call(channel=str(self.channel), inclusive=True, limit=1, **more)
            )
            for message in found["messages"]:
                if message["ts"] == ts:
                    return dict(message)
        raise UserError("Slack did not show that message, so it is not in the timeline.")

    async def words(self, message: Mapping[str, Any]) -> str:
        """What a message says, in plain words."""
        written = str(message.get("text") or "")
        ids = tuple(dict.fromkeys(MENTION.findall(written)))
        try:
            async with asyncio.timeout(NAMES_SECONDS):
                return plain(written, await self.world.people.names(ids))
        except TimeoutError:
            return plain(written)

    def metadata(self, **more: Any) -> str:
        """What a form has to remember so that its sender can be answered."""
        kept = {"channel": self.channel, "response_url": self.response_url, **more}
        return json.dumps(kept, separators=(",", ":"))

    async def _by_response_url(self, said: Body) -> bool:
        if not self.response_url:
            return False
        await slack.respond(self.world.slack, self.response_url, said)
        return True

    async def _by_ephemeral(self, said: Body) -> bool:
        if self.channel is None:
            return False
        call = self.world.slack.chat_postEphemeral(channel=self.channel, user=self.who, **said)
        await slack.answer(call)
        return True

    async def _by_direct_message(self, said: Body) -> bool:
        await slack.answer(self.world.slack.chat_postMessage(channel=self.who, **said))
        return True


def plain(written: str, names: Mapping[str, str] | None = None) -> str:
    """What Slack wrote down with marks and escapes, in plain words that ping nobody."""
    words = unmarked(written, names)
    return words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def unmarked(written: str, names: Mapping[str, str] | None = None) -> str:
    """The same without escapes: Slack marks people in a command, and leaves its characters."""
    return REFERENCE.sub(lambda found: _word(found, names or {}), _storable(written))


def _storable(written: str) -> str:
    """PostgreSQL keeps every character but this one."""
    return written.replace("\0", "")


def _word(found: re.Match[str], names: Mapping[str, str]) -> str:
    mark, id, label = found.groups()
    if mark == "@":
        return f"@{label or names.get(id, id)}"
    if mark == "#":
        return f"#{label or id}"
    if mark == "!":  # everybody here, a group, or a date
        return str(label) if label and "^" in id else f"@{id.rpartition('^')[2]}"
    if mark == "mailto:":
        return str(label or id)
    address = f"{mark}{id}"
    if not label:
        return address
    shown = label.strip("/") in (id.strip("/"), address.strip("/"))
    return str(label) if shown else f"{label} ({address})"


def read(world: World, body: Body) -> Ask:
    if "command" in body:
        return _from_command(world, body)
    if "event" in body:
        return _from_event(world, body)
    if "view" in body and body["type"].startswith("view_"):
        return _from_form(world, body)
    return _from_press(world, body)


def _from_command(world: World, body: Body) -> Ask:
    # A declaration said twice is answered with the incident that exists; the database settles it.
    written = body.get("text", "")
    return Ask(
        world=world,
        who=UserId(body["user_id"]),
        channel=ChannelId(body["channel_id"]),
        source=f"command:{body['trigger_id']}:{uuid4()}",
        text=unmarked(written).strip(),
        mentions=tuple(map(UserId, MENTION.findall(written))),
        value=body["trigger_id"],
        trigger_id=body["trigger_id"],
        response_url=body.get("response_url", ""),
    )


def _from_event(world: World, body: Body) -> Ask:
    event = body["event"]
    item = event.get("item", {})
    channel = event.get("channel") or item.get("channel")
    return Ask(
        world=world,
        who=UserId(event["user"]),
        channel=ChannelId(channel) if channel else None,
        source=f"event:{body['event_id']}",
        text=event.get("text", ""),
        value=event.get("reaction", ""),
        message=item,
    )


def _from_form(world: World, body: Body) -> Ask:
    view = body["view"]
    kept = _kept(view)
    channel = kept.get("channel")
    return Ask(
        world=world,
        who=UserId(body["user"]["id"]),
        channel=ChannelId(channel) if channel else None,
        source=f"form:{view['id']}:{view.get('hash', '')}",
        trigger_id=body.get("trigger_id", ""),
        response_url=kept.get("response_url", ""),
        kept=kept,
    )


def _kept(view: Body) -> dict[str, Any]:
    """What a form remembers; nothing, where it is none of ours."""
    try:
        kept = json.loads(view.get("private_metadata") or "{}")
    except ValueError:
        return {}
    return kept if isinstance(kept, dict) else {}


def _from_press(world: World, body: Body) -> Ask:
    pressed = (body.get("actions") or [{}])[0]
    channel = (body.get("channel") or {}).get("id")
    chosen = pressed.get("selected_option") or {}
    return Ask(
        world=world,
        who=UserId(body["user"]["id"]),
        channel=ChannelId(channel) if channel else None,
        source=f"press:{body.get('trigger_id', '')}",
        text=pressed.get("action_id", ""),
        value=pressed.get("value") or chosen.get("value", ""),
        trigger_id=body.get("trigger_id", ""),
        response_url=body.get("response_url", ""),
        message=body.get("message") or {},
        view=body.get("view") or {},
    )


def filled(view: Body) -> dict[str, Any]:
    """What people filled in, by block id; what they left empty is left out."""
    values = view.get("state", {}).get("values", {})
    filled = {name: _value(next(iter(block.values()))) for name, block in values.items()}
    return {name: value for name, value in filled.items() if value not in (None, "", [])}


def _value(element: Body) -> Any:
    if "selected_options" in element:
        return [option["value"] for option in element["selected_options"]]
    if chosen := element.get("selected_option"):
        return chosen["value"]
    return _storable(element.get("value") or "")
