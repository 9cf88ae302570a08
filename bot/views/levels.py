"""The severity table: how bad things can be, and how soon somebody has to take command."""

from collections.abc import Sequence

from bot import durations
from bot.model import Incident, Playbook
from bot.views import blocks, text
from bot.views.blocks import Block

COLUMNS = ("Level", "What it means", "First response", "Examples")


def table(playbooks: Sequence[Playbook]) -> Block:
    """Every level of every service; the service is named where there are several."""
    # Several files may be about one service.
    services = dict.fromkeys(
        (book.title, tuple(sorted(book.severities.items()))) for book in playbooks
    )
    several = len(services) > 1
    rows = [
        (
            *((title,) if several else ()),
            severity.label,
            level.meaning,
            f"within {durations.words(level.response)}",
            level.examples,
        )
        for title, levels in services
        for severity, level in levels
    ]
    columns = (*(("Service",) if several else ()), *COLUMNS)
    # There is nothing to sort, and what one person is told has no second try with other blocks.
    return blocks.plain_table(blocks.table("Severity levels", columns, rows))


def page(incident: Incident | None, playbooks: Sequence[Playbook]) -> list[Block]:
    """The table, how bad the incident of this channel is, and how to say otherwise."""
    return [blocks.section(text.render("levels", incident=incident)), table(playbooks)]
