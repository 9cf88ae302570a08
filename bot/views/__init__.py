"""What people see in Slack: plain values in, Block Kit out."""

from bot.views import (
    action_ids,
    blocks,
    card,
    channel,
    contacts,
    execution,
    home,
    modals,
    severity_table,
    slack_items,
    tasks,
    text,
    timeline,
)

__all__ = [
    "action_ids",
    "blocks",
    "card",
    "channel",
    "contacts",
    "execution",
    "home",
    "modals",
    "severity_table",
    "slack_items",
    "tasks",
    "text",
    "timeline",
]
