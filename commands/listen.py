"""The one door from Slack: acknowledge first, then answer; nobody is left without an answer."""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar
from uuid import uuid4

from pydantic import BaseModel, StringConstraints, ValidationError
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
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]

MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
REFERENCE = re.compile(r"<([@#!]|https?://|mailto:)([^<>|]+)(?:\|([^<>]*))?>")
# A form must be opened within three seconds of the press.
NAMES_SECONDS = 1.0


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


Handler = Callable[[World, Ask], Awaitable[None]]
FormHandler = Callable[[World, Ask, Form], Awaitable[None]]
Shape = Callable[[World, Ask, dict[str, Any]], Form]
Listener = Callable[..., Awaitable[None]]


def listener(world: World, handler: Handler, *, anybody: bool = False) -> Listener:
    """What Bolt calls for a press, a choice, a shortcut or an event; for members, or anybody."""

    async def listen(ack: AsyncAck, body: Body) -> None:
        await ack()
        answer = _answer(world, handler, _ask(world, body), anybody=anybody)
        world.work.start(answer, handler.__name__)

    return listen


def command(
    world: World, words: Mapping[str, Handler], unknown: Handler, *, anybody: Container[object]
) -> Listener:
    """What Bolt calls for a slash command: its first word says who answers, and to what."""

    async def listen(ack: AsyncAck, body: Body) -> None:
        await ack()
        ask = _ask(world, body)
        word, rest = first_word(ask.text)
        handler = words.get(word.lower(), unknown)
        said = ask if handler is unknown else replace(ask, text=rest)
        answer = _answer(world, handler, said, anybody=handler in anybody)
        world.work.start(answer, handler.__name__)

    return listen


def first_word(text: str) -> tuple[str, str]:
    """The first word, and what follows it after any white space."""
    word, *rest = text.split(maxsplit=1) or [""]
    return word, "".join(rest).strip()


def form(
    world: World, shape: Shape[Form], handler: FormHandler[Form], *, anybody: bool = False
) -> Listener:
    """What Bolt calls for a form: mistakes are shown in it, else it closes and is worked on."""

    async def listen(ack: AsyncAck, body: Body) -> None:
        ask = _ask(world, body)
        try:
            filled = shape(world, ask, _filled(body["view"]))
        except ValidationError as error:
            await _show_mistakes(world, ask, ack, body["view"], mistakes(error))
            return
        await ack()

        async def handle(world: World, ask: Ask) -> None:
            await handler(world, ask, filled)

        world.work.start(_answer(world, handle, ask, anybody=anybody), handler.__name__)

    return listen


async def _show_mistakes(
    world: World, ask: Ask, ack: AsyncAck, view: Body, found: Mapping[str, str]
) -> None:
    """Beside their fields; an old form may lack the field, then it closes and is answered."""
    fields = {block.get("block_id") for block in view.get("blocks", [])}
    shown = {name: sentence for name, sentence in found.items() if name in fields}
    if shown:
        await ack(response_action="errors", errors=shown)
        return
    await ack()
    wrong = "; ".join(f"{name}: {sentence}" for name, sentence in found.items())
    reply = ask.reply(f"This form no longer fits, so nothing was done ({wrong}). Open it again.")
    world.work.start(reply, "mistakes")


def filled_as(noun: type[Form]) -> Shape[Form]:
    """The form whose fields are the noun's."""

    def shape(world: World, ask: Ask, values: dict[str, Any]) -> Form:
        return noun.model_validate(values)

    return shape


SENTENCES = {
    "missing": "Fill this in.",
    "string_too_short": "Write something here; spaces alone say nothing.",
    "string_too_long": "Write at most {max_length} characters.",
    "string_pattern_mismatch": "This is not written as it has to be.",
    "int_type": "Write a whole number.",
    "int_parsing": "Write a whole number.",
    "int_parsing_size": "That number is too large.",
    "int_from_float": "Write a whole number.",
    "float_parsing": "Write a number.",
    "bool_parsing": "Write yes or no.",
    "greater_than": "Write a number above {gt}.",
    "greater_than_equal": "Write {ge} or more.",
    "less_than": "Write a number below {lt}.",
    "less_than_equal": "Write {le} or less.",
    "enum": "Choose one of {expected}.",
    "literal_error": "Choose one of {expected}.",
    "extra_forbidden": "This version of the bot does not ask for this any more.",
    "no_such_attribute": "This version of the bot does not ask for this any more.",
}


def mistakes(error: ValidationError) -> dict[str, str]:
    """A sentence for each field that is not right."""
    found = {}
    for mistake in error.errors():
        name = str(mistake["loc"][0]) if mistake["loc"] else "reason"
        known = SENTENCES.get(mistake["type"])
        own = mistake["msg"].removeprefix("Value error, ")
        found[name] = known.format_map(mistake.get("ctx", {})) if known else own
    return found


def plain(written: str, names: Mapping[str, str] | None = None) -> str:
    """What Slack wrote down with marks and escapes, in plain words that ping nobody."""
    words = REFERENCE.sub(lambda found: _word(found, names or {}), written)
    return words.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


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


def heard(world: World) -> Listener:
    """What only has to be acknowledged: a button that opens a page, a reaction of no meaning."""

    async def listen(ack: AsyncAck) -> None:
        await ack()

    return listen


async def _answer(world: World, handler: Handler, ask: Ask, *, anybody: bool) -> None:
    if not await world.cache.first_time(ask.source):
        log.info("a repeated delivery was dropped: %s", ask.source)
        return
    try:
        if not anybody:
            await world.people.check_may_act(ask.who)
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
    written = body.get("text", "")
    return Ask(
        world=world,
        who=UserId(body["user_id"]),
        channel=ChannelId(body["channel_id"]),
        source=f"command:{body['trigger_id']}:{uuid4()}",
        text=plain(written).strip(),
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
    )


def _filled(view: Body) -> dict[str, Any]:
    """What people filled in, by block id; what they left empty is left out."""
    values = view.get("state", {}).get("values", {})
    filled = {name: _value(next(iter(block.values()))) for name, block in values.items()}
    return {name: value for name, value in filled.items() if value not in (None, "")}


def _value(element: Body) -> Any:
    chosen = element.get("selected_option")
    return chosen["value"] if chosen else element.get("value")
