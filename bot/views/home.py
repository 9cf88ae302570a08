"""The help and the App Home: the commands and the open incidents."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.model import Incident, IncidentId, Playbook
from bot.views import blocks, levels, presses, text
from bot.views.blocks import Block
from bot.views.card import heading

SHOWN = 20


def help(
    playbooks: Sequence[Playbook],
    incidents: Sequence[Incident],
    troubles: Mapping[IncidentId, str],
) -> list[Block]:
    """The commands, the severity levels and the open incidents."""
    return [
        blocks.section(text.render("help")),
        levels.table(playbooks),
        blocks.divider(),
        *_open_incidents(incidents, troubles),
    ]


def home(incidents: Sequence[Incident], troubles: Mapping[IncidentId, str]) -> dict[str, Any]:
    """The App Home."""
    declare = blocks.button("Declare an incident", presses.OPEN_DECLARE, style="primary")
    parts = [
        blocks.header("Runbolt"),
        blocks.section(text.render("home"), declare, name="declare"),
        blocks.divider(),
        *_open_incidents(incidents, troubles),
        blocks.divider(),
        blocks.section(text.render("help")),
    ]
    return {"type": "home", "blocks": parts}


def _open_incidents(
    incidents: Sequence[Incident], troubles: Mapping[IncidentId, str]
) -> list[Block]:
    lines = [
        text.render(
            "open_incident",
            incident=incident,
            heading=heading(incident),
            error=troubles.get(incident.id),
        )
        for incident in incidents[:SHOWN]
    ]
    words = text.render("open_incidents", total=len(incidents), shown=len(lines))
    return [blocks.section(words), *(blocks.section(line) for line in lines)]
