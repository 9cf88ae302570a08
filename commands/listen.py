"""The one door from Slack: acknowledge first, then answer; nobody is left without an answer."""

import logging
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import replace
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError
from slack_bolt.async_app import AsyncAck

from bot.model import UserError
from bot.world import World
from commands import asks, mistakes
from commands.asks import Ask, Body

log = logging.getLogger(__name__)

Form = TypeVar("Form", bound=BaseModel)

Handler = Callable[[World, Ask], Awaitable[None]]
FormHandler = Callable[[World, Ask, Form], Awaitable[None]]
Shape = Callable[[World, Ask, dict[str, Any]], Form]
Listener = Callable[..., Awaitable[None]]


def listener(world: World, handler: Handler, *, anybody: bool = False) -> Listener:
    """What Bolt calls for a press, a choice, a shortcut or an event; for members, or anybody."""

    async def listen(ack: AsyncAck, body: Body) -> None:
        await ack()
        answer = _answer(world, handler, asks.read(world, body), anybody=anybody)
        world.work.start(answer, handler.__name__)

    return listen


def command(
    world: World, words: Mapping[str, Handler], unknown: Handler, *, anybody: Container[object]
) -> Listener:
    """What Bolt calls for a slash command: its first word says who answers, and to what."""

    async def listen(ack: AsyncAck, body: Body) -> None:
        await ack()
        ask = asks.read(world, body)
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
        ask = asks.read(world, body)
        try:
            filled = shape(world, ask, asks.filled(body["view"]))
        except ValidationError as error:
            await _show_mistakes(world, ask, ack, body["view"], mistakes.told(error))
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
