"""The severity levels: what each means, and how soon somebody has to take command."""

from collections.abc import Sequence

from bot import durations
from bot.model import Incident, Playbook
from bot.views import blocks, text
from bot.views.blocks import Block

COLUMNS = ("Level", "What it means", "First response", "Examples")


def table(playbooks: Sequence[Playbook]) -> Block:
    """Every level of every service; a column names the service where there are several."""
    # Several playbooks may be about one service.
    services = dict.fromkeys(
        (playbook.title, tuple(sorted(playbook.severities.items()))) for playbook in playbooks
    )
    several = len(services) > 1
    rows = [
        (
            *((title,) if several else ()),
            severity.label,
            level.meaning,
            f"within {durations.describe(level.response)}",
            level.examples,
        )
        for title, levels in services
        for severity, level in levels
    ]
    columns = (*(("Service",) if several else ()), *COLUMNS)
    # A `table`: nothing here is to be sorted, and an ephemeral message has no second try.
    return blocks.plain_table(blocks.table("Severity levels", columns, rows))


def page(incident: Incident | None, playbooks: Sequence[Playbook]) -> list[Block]:
    """The table, with the severity of this channel's incident and how to change it."""
    return [blocks.section(text.render("severity_levels", incident=incident)), table(playbooks)]
