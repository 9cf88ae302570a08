"""Everything from Slack comes in here: acknowledge first, then answer; nobody waits in vain."""

import logging
from collections.abc import Awaitable, Callable, Container, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from pydantic import BaseModel, ValidationError
from slack_bolt.async_app import AsyncAck

from bot import flows, slack
from bot.flows.transactions import retry_unwritten
from bot.model import UserError, UserId
from bot.model.text import printable_values
from bot.views import blocks
from bot.views.blocks import Element
from bot.world import World
from commands import form_errors, interactions, refused_forms
from commands.interactions import Body, Interaction
from commands.refused_forms import SentForm

log = logging.getLogger(__name__)

Form = TypeVar("Form", bound=BaseModel)

Handler = Callable[[World, Interaction], Awaitable[None]]
FormHandler = Callable[[World, Interaction, Form], Awaitable[None]]
# Makes a form of the values by block id; raises ValidationError.
Parser = Callable[[World, Interaction, dict[str, Any]], Form]
Listener = Callable[..., Awaitable[None]]
# Finds the options for what somebody types in a search.
Finder = Callable[[World, str], list[Element]]

# Slack waits three seconds for the answer to a form.
REFUSAL_SECONDS = 2.0


def interaction_listener(world: World, handler: Handler, *, open_to_all: bool = False) -> Listener:
    """Bolt's listener for a button, a menu, a shortcut or an event.

    Only members of the workspace may use it, unless it is open to all.
    """

    async def listen(ack: AsyncAck, body: Body) -> None:
        await ack()
        interaction = interactions.parse(world, printable_values(body))
        _start(world, handler, interaction, open_to_all=open_to_all)

    return listen


def command_listener(
    world: World,
    subcommands: Mapping[str, Handler],
    unknown: Handler,
    *,
    open_to_all: Container[object],
) -> Listener:
    """Bolt's listener for a slash command: its first word chooses the handler of the rest."""

    async def listen(ack: AsyncAck, body: Body) -> None:
        await ack()
        interaction = interactions.parse(world, printable_values(body))
        word, rest = first_word(interaction.text)
        handler = subcommands.get(word.lower(), unknown)
        if handler is not unknown:
            interaction = replace(interaction, text=rest)
        _start(world, handler, interaction, open_to_all=handler in open_to_all)

    return listen


def first_word(text: str) -> tuple[str, str]:
    """The first word, and what follows it after any white space."""
    word, *rest = text.split(maxsplit=1) or [""]
    return word, "".join(rest).strip()


def form_listener(
    world: World,
    parser: Parser[Form],
    handler: FormHandler[Form],
    *,
    open_to_all: bool = False,
    may_refuse: bool = False,
) -> Listener:
    """Bolt's listener for a form: errors are shown beside their fields, else the form closes.

    One that `may_refuse` a field stays open a moment longer, until the handler has looked at it.
    """

    async def listen(ack: AsyncAck, body: Body) -> None:
        body = printable_values(body)
        interaction = interactions.parse(world, body)
        try:
            parsed = parser(world, interaction, interactions.form_values(body["view"]))
        except ValidationError as error:
            await _show_errors(
                world, interaction, ack, body["view"], form_errors.field_errors(error)
            )
            return

        async def handle(world: World, interaction: Interaction) -> None:
            await handler(world, interaction, parsed)

        form = SentForm(body["view"])
        if not may_refuse:
            form.close()
            await ack()
        name = handler.__name__
        _start(world, handle, interaction, open_to_all=open_to_all, name=name, form=form)
        if may_refuse:
            await _close_or_refuse(form, ack)

    return listen


async def _close_or_refuse(form: SentForm, ack: AsyncAck) -> None:
    refusal = await form.wait(REFUSAL_SECONDS)
    if refusal is None:
        await ack()
    else:
        await ack(response_action="errors", errors={refusal.field: str(refusal)})


async def _show_errors(
    world: World, interaction: Interaction, ack: AsyncAck, view: Body, errors: Mapping[str, str]
) -> None:
    """Show errors beside their fields; an old form that lacks the fields closes with a reply."""
    fields = {block.get("block_id") for block in view.get("blocks", [])}
    shown = {name: sentence for name, sentence in errors.items() if name in fields}
    if shown:
        await ack(response_action="errors", errors=shown)
        return
    await ack()
    details = "; ".join(f"{name}: {sentence}" for name, sentence in errors.items())
    reply = interaction.reply(
        f"This form is out of date ({details}). Nothing was done; open it again."
    )
    world.background.start(reply, "form errors")


def model_parser(model: type[Form]) -> Parser[Form]:
    """The parser of a form whose block ids are the model's fields."""

    def parse(world: World, interaction: Interaction, values: dict[str, Any]) -> Form:
        return model.model_validate(values)

    return parse


def find_nothing(world: World, typed: str) -> list[Element]:
    """The options of a search that only another version of the bot knows."""
    return []


def options_listener(world: World, finder: Finder) -> Listener:
    """Bolt's listener for a search: Slack waits three seconds for the options.

    Whoever may not declare finds nothing.
    """

    async def listen(ack: AsyncAck, body: Body) -> None:
        body = printable_values(body)
        try:
            await flows.guests.check_may_declare(world, UserId(body["user"]["id"]))
        except UserError:
            await ack(options=[])
            return
        await ack(options=finder(world, body.get("value", ""))[: blocks.MAX_OPTIONS])

    return listen


async def ack_only(ack: AsyncAck) -> None:
    """Only acknowledge: a button that opens a page, or a reaction without a meaning here."""
    await ack()


def _start(
    world: World,
    handler: Handler,
    interaction: Interaction,
    *,
    open_to_all: bool,
    name: str = "",
    form: SentForm | None = None,
) -> None:
    answer = _answer(world, handler, interaction, open_to_all=open_to_all, form=form)
    world.background.start(answer, name or handler.__name__)


async def _answer(
    world: World,
    handler: Handler,
    interaction: Interaction,
    *,
    open_to_all: bool,
    form: SentForm | None,
) -> None:
    """Handle an interaction once; an error of any kind is a reply to the person."""
    try:
        claim = partial(flows.deliveries.claim, world, interaction.delivery_id)
        if not await retry_unwritten(world, claim):
            log.info("a repeated delivery was dropped: %s", interaction.delivery_id)
            return
        if not open_to_all:
            await world.directory.check_may_act(interaction.user_id)
        if form is None:
            await retry_unwritten(world, partial(handler, world, interaction))
        else:
            await _handle_form(world, handler, interaction, form)
    except UserError as error:
        if isinstance(error, slack.client.SlackError):  # who reads it can seldom mend it
            log.warning("Slack refused: %s. %s", error.reason, error.fix)
        await interaction.reply(str(error))
    except Exception:  # the outermost place: whatever it is, the person gets an answer
        reference = uuid4().hex[:8]
        log.exception("reference %s", reference)
        await interaction.reply(
            "Something went wrong in the bot. Your request may be half done: look at the "
            f"incident's card, then try again. Reference for the log: {reference}."
        )
    finally:
        if form is not None:
            form.close()


async def _handle_form(
    world: World, handler: Handler, interaction: Interaction, form: SentForm
) -> None:
    """What is refused comes back with all that was typed: in the form, else behind a button."""
    try:
        await retry_unwritten(world, partial(handler, world, interaction))
    except UserError as error:
        if form.has(error.field):
            # Sent again with another value, it is the same delivery to Slack.
            await flows.deliveries.release(world, interaction.delivery_id)
        if not form.refuse(error):
            await refused_forms.reply(interaction, str(error), form.view)
