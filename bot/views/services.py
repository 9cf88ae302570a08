"""The services of an incident, and those that it may take in."""

from collections.abc import Sequence

from bot.model import Incident, ServiceName
from bot.views import action_ids, blocks, choosing, text
from bot.views.blocks import Block

MAX_NAMED = 20  # services that a sentence lists


def page(incident: Incident, addable: Sequence[ServiceName]) -> list[Block]:
    """What `/incident service` shows one person, with a menu while the incident is open."""
    more = len(addable[MAX_NAMED:])
    mrkdwn = text.render(
        "incident_services", incident=incident, addable=addable[:MAX_NAMED], more=more
    )
    parts = blocks.sections(mrkdwn)
    if incident.open and addable:
        menu = choosing.service_menu(action_ids.ADD_SERVICE, addable)
        parts.append(blocks.actions("services", menu))
    return parts
