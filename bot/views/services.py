"""The services of an incident, and those that it may take in."""

from collections.abc import Sequence

from bot.model import Incident
from bot.model.text import truncate
from bot.rules.services import MAX_NAMED, ServiceName
from bot.views import action_ids, blocks, text
from bot.views.blocks import Block

MAX_OPTIONS = 100


def page(incident: Incident, addable: Sequence[ServiceName]) -> list[Block]:
    """What `/incident service` shows one person, with a menu while the incident is open."""
    mrkdwn = text.render(
        "services",
        incident=incident,
        addable=addable[:MAX_NAMED],
        more=len(addable[MAX_NAMED:]),
    )
    parts = blocks.sections(mrkdwn)
    if incident.open and 0 < len(addable) <= MAX_OPTIONS:
        options = [
            blocks.option(truncate(f"{name.title} ({name.id})", 75), name.id) for name in addable
        ]
        menu = blocks.select(action_ids.ADD_SERVICE, "Add a service", options)
        parts.append(blocks.actions("services", menu))
    return parts
