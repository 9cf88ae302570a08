"""How things look: plain values in, Block Kit out."""

from bot.views import (
    blocks,
    channel,
    contacts,
    drawing,
    execution,
    home,
    levels,
    modals,
    presses,
    tasks,
    text,
    timeline,
)

__all__ = [
    "blocks",
    "channel",
    "contacts",
    "drawing",
    "execution",
    "home",
    "levels",
    "modals",
    "presses",
    "tasks",
    "text",
    "timeline",
]
