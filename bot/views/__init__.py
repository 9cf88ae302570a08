"""How things look in Slack: plain values in, Block Kit out."""

from bot.views import (
    blocks,
    card,
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
    "card",
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
