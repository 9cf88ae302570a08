"""The help and the App Home: the commands and the open incidents."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.model import OpenIncidents, Playbook
from bot.views import action_ids, blocks, severity_table, text
from bot.views.blocks import Block
from bot.views.card import heading


def help_page(playbooks: Sequence[Playbook], listed: OpenIncidents | None) -> list[Block]:
    """The commands, the severity levels and the open incidents, unless they may not be read."""
    return [
        blocks.section(text.render("help")),
        severity_table.table(playbooks),
        blocks.divider(),
        *_open_incidents(listed),
    ]


def home_view(listed: OpenIncidents | None, now: datetime) -> dict[str, Any]:
    """The App Home; it stays as it is until it is opened again, so it says of when it is."""
    declare = blocks.button("Declare an incident", action_ids.OPEN_DECLARE, style="primary")
    parts = [
        blocks.header("Runbolt"),
        blocks.section(text.render("home"), declare, block_id="declare"),
        blocks.divider(),
        *_open_incidents(listed),
        blocks.context(text.render("home_as_of", now=now)),
        blocks.divider(),
        blocks.section(text.render("help")),
    ]
    return {"type": "home", "blocks": parts}


def _open_incidents(listed: OpenIncidents | None) -> list[Block]:
    if listed is None:
        return [blocks.section(text.render("no_titles"))]
    lines = [
        text.render(
            "open_incident",
            incident=incident,
            heading=heading(incident),
            error=listed.publish_errors.get(incident.id),
        )
        for incident in listed.incidents
    ]
    mrkdwn = text.render(
        "open_incidents", total=listed.total, shown=len(lines), unreadable=listed.unreadable
    )
    return [blocks.section(mrkdwn), *(blocks.section(line) for line in lines)]
