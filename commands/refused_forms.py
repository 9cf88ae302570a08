"""Forms that were refused: what was typed is not lost."""

import asyncio
import json
from typing import Any
from uuid import uuid4

from bot import redaction
from bot.model import UserError
from bot.views import action_ids, blocks, text
from bot.views.blocks import Element
from bot.views.modals import View
from bot.world import World
from commands.interactions import Body, Interaction

# How long the cache keeps what was typed.
KEPT_SECONDS = 3600
# What Slack lets a view be opened with; it adds others when it sends one.
VIEW_KEYS = ("type", "title", "blocks", "close", "submit", "private_metadata", "callback_id")


class SentForm:
    """A form that somebody sent; while it is open, an error can stand beside one of its fields."""

    def __init__(self, view: Body) -> None:
        self.view = view
        self._refusal: asyncio.Future[UserError | None] = asyncio.Future()

    def has(self, field: str) -> bool:
        """Whether it has an input of this name."""
        return any(
            block["type"] == "input" and block["block_id"] == field for block in self.view["blocks"]
        )

    def refuse(self, error: UserError) -> bool:
        """Show an error beside its field; False where it is closed, or has no such field."""
        if self._refusal.done() or not self.has(error.field):
            return False
        self._refusal.set_result(error)
        return True

    def close(self) -> None:
        """Let it close, unless an error is shown."""
        if not self._refusal.done():
            self._refusal.set_result(None)

    async def wait(self, seconds: float) -> UserError | None:
        """The error to show, once it is known; after so many seconds the form closes."""
        await asyncio.wait([self._refusal], timeout=seconds)
        self.close()
        return self._refusal.result()


async def reply(interaction: Interaction, sentence: str, view: Body) -> None:
    """Send the error, with a button that opens the form again as it was filled in."""
    key = uuid4().hex
    kept = {"user": interaction.user_id, "view": filled(view)}
    await interaction.cache.set(_cache_key(key), json.dumps(kept), KEPT_SECONDS)
    mrkdwn = text.to_person(sentence)
    parts = [blocks.section(mrkdwn)]
    if await interaction.cache.get(_cache_key(key)) is not None:  # Redis may be away
        button = blocks.button("Open the form again", action_ids.REOPEN_FORM, key)
        parts.append(blocks.actions("form", button))
    await interaction.show(mrkdwn, parts)


async def reopen(world: World, interaction: Interaction) -> None:
    """*Open the form again* was pressed; raises UserError where it is not kept any more."""
    kept = json.loads(await world.cache.get(_cache_key(interaction.value)) or "{}")
    if kept.get("user") != interaction.user_id:
        raise UserError("What you typed is not kept any more. Open the form anew.")
    await interaction.open(kept["view"])


def _cache_key(key: str) -> str:
    return f"form:{key}"


def filled(view: Body) -> View:
    """The form with what was typed and chosen in it; secrets are masked, as when it is sent."""
    values = view.get("state", {}).get("values", {})
    shown = [_filled_block(block, values) for block in view["blocks"]]
    return {key: view[key] for key in VIEW_KEYS if key in view} | {"blocks": shown}


def _filled_block(block: Body, values: Body) -> Body:
    if block["type"] != "input":
        return block
    state = values.get(block["block_id"], {}).get(block["element"]["action_id"], {})
    element = {
        key: value for key, value in block["element"].items() if not key.startswith("initial_")
    }
    return block | {"element": element | _initial(state)}


def _initial(state: Body) -> Element:
    """What an element begins with, from what people left in it."""
    found: dict[str, Any] = {
        "initial_value": redaction.redact(state.get("value") or ""),
        "initial_option": state.get("selected_option"),
        "initial_options": state.get("selected_options"),
    }
    return {key: value for key, value in found.items() if value}
