"""The one door from Slack: acknowledge first, then answer; nobody is left without an answer."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError
from slack_bolt.async_app import AsyncAck

from bot import slack
from bot.model import ChannelId, UserError, UserId
from bot.views import blocks, text
from bot.views.blocks import Block
from bot.views.modals import View
from bot.world import World

log = logging.getLogger(__name__)

Body = dict[str, Any]
Form = TypeVar("Form", bound=BaseModel)


@dataclass(frozen=True)
class Ask:
    """Who says what, where; and the ways to answer that one person."""

    world: World
    who: UserId
    channel: ChannelId | None
    source: str
    text: str = ""
    value: str = ""
    trigger_id: str = ""
    response_url: str = ""
    kept: Mapping[str, Any] = field(default_factory=dict)
    message: Mapping[str, Any] = field(default_factory=dict)

    async def reply(self, sentence: str) -> None:
        """Tell the person, and nobody else."""
        words = text.reply(sentence)
        await self.show(words, [blocks.section(words)])

    async def show(self, words: str, parts: list[Block]) -> None:
        """Show the person something, by whichever way still reaches them."""
        said = {"text": blocks.cut(words, blocks.SECTION), "blocks": parts}
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


Handler = Callable[[World, Ask], Awaitable[None]]
FormHandler = Callable[[World, Ask, Form], Awaitable[None]]
Shape = Callable[[World, Ask, dict[str, Any]], Form]
Listener = Callable[..., Awaitable[None]]


def listener(world: World, handler: Handler) -> Listener:
    """What Bolt calls for a command, a press, a choice, a shortcut or an event."""

    async def listen(ack: AsyncAck, body: Body) -> None:
        await ack()
        world.work.start(_answer(world, handler, _ask(world, body)), handler.__name__)

    return listen


def form(world: World, shape: Shape[Form], handler: FormHandler[Form]) -> Listener:
    """What Bolt calls for a form: mistakes are shown in it, else it closes and is worked on."""

    async def listen(ack: AsyncAck, body: Body) -> None:
        ask = _ask(world, body)
        try:
            filled = shape(world, ask, _filled(body["view"]))
        except ValidationError as error:
            await ack(response_action="errors", errors=mistakes(error))
            return
        await ack()

        async def handle(world: World, ask: Ask) -> None:
            await handler(world, ask, filled)

        world.work.start(_answer(world, handle, ask), handler.__name__)

    return listen


def filled_as(noun: type[Form]) -> Shape[Form]:
    """The form whose fields are the noun's."""

    def shape(world: World, ask: Ask, values: dict[str, Any]) -> Form:
        return noun.model_validate(values)

    return shape


def mistakes(error: ValidationError) -> dict[str, str]:
    """A sentence for each field that is not right."""
    found = {}
    for mistake in error.errors():
        name = str(mistake["loc"][0]) if mistake["loc"] else "reason"
        found[name] = mistake["msg"].removeprefix("Value error, ")
    return found


def link(world: World) -> Listener:
    """A button that only opens a page: Slack tells of it, and wants an answer."""

    async def listen(ack: AsyncAck) -> None:
        await ack()

    return listen


async def _answer(world: World, handler: Handler, ask: Ask) -> None:
    if not await world.cache.first_time(ask.source):
        log.info("a repeated delivery was dropped: %s", ask.source)
        return
    try:
        await handler(world, ask)
    except UserError as error:
        await ask.reply(str(error))
    except Exception:  # the one door: whatever it is, the person gets an answer
        reference = uuid4().hex[:8]
        log.exception("reference %s", reference)
        await ask.reply(
            "Something went wrong in the bot, and what you asked for may be half done. Look at "
            f"the incident's card, then try again. Reference for the log: {reference}."
        )


def _ask(world: World, body: Body) -> Ask:
    if "command" in body:
        return _from_command(world, body)
    if "event" in body:
        return _from_event(world, body)
    if "view" in body and body["type"].startswith("view_"):
        return _from_form(world, body)
    return _from_press(world, body)


def _from_command(world: World, body: Body) -> Ask:
    # A declaration said twice is answered with the incident that exists; the database settles it.
    return Ask(
        world=world,
        who=UserId(body["user_id"]),
        channel=ChannelId(body["channel_id"]),
        source=f"command:{body['trigger_id']}:{uuid4()}",
        text=body.get("text", "").strip(),
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
    kept = json.loads(view.get("private_metadata") or "{}")
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
    )


def _filled(view: Body) -> dict[str, Any]:
    """What people filled in, by block id; what they left empty is left out."""
    values = view.get("state", {}).get("values", {})
    filled = {name: _value(next(iter(block.values()))) for name, block in values.items()}
    return {name: value for name, value in filled.items() if value not in (None, "")}


def _value(element: Body) -> Any:
    chosen = element.get("selected_option")
    return chosen["value"] if chosen else element.get("value")
