"""The severity levels: what each means, and how soon somebody has to take command."""

from collections.abc import Sequence

from bot import durations
from bot.model import Incident, Playbook, Severity, SeverityLevel
from bot.views import blocks, text
from bot.views.blocks import Block

MAX_TABLES = 5  # of different levels, in one table
MAX_TITLES = 3  # of services that have the same levels
Levels = tuple[tuple[Severity, SeverityLevel], ...]
COLUMNS = ("Level", "What it means", "First response", "Examples")


def table(playbooks: Sequence[Playbook]) -> Block:
    """Every level of every service; a column names the services where their levels differ."""
    shared = _services_by_levels(playbooks)
    several = len(shared) > 1
    rows = [
        (
            *((_together(titles),) if several else ()),
            severity.label,
            level.meaning,
            f"within {durations.describe(level.response)}",
            level.examples,
        )
        for levels, titles in shared.items()
        for severity, level in levels
    ]
    columns = (*(("Service",) if several else ()), *COLUMNS)
    # A `table`: nothing here is to be sorted, and an ephemeral message has no second try.
    return blocks.plain_table(blocks.table("Severity levels", columns, rows))


def _services_by_levels(playbooks: Sequence[Playbook]) -> dict[Levels, list[str]]:
    """The titles of the services that have the same levels."""
    shared: dict[Levels, list[str]] = {}
    for playbook in playbooks:
        titles = shared.setdefault(tuple(sorted(playbook.severities.items())), [])
        if playbook.title not in titles:
            titles.append(playbook.title)
    return shared


def _together(titles: Sequence[str]) -> str:
    """The titles, or some of them and how many more there are."""
    if len(titles) <= MAX_TITLES:
        return ", ".join(titles)
    return f"{', '.join(titles[: MAX_TITLES - 1])} and {len(titles) - MAX_TITLES + 1} more"


def summary(playbooks: Sequence[Playbook]) -> Block:
    """The table, or where it would be long, how to see that of one service."""
    if len(_services_by_levels(playbooks)) > MAX_TABLES:
        return blocks.section(text.render("severity_many"))
    return table(playbooks)


def page(incident: Incident | None, playbooks: Sequence[Playbook]) -> list[Block]:
    """The table, with the severity of this channel's incident and how to change it."""
    words = blocks.section(text.render("severity_levels", incident=incident))
    return [words, summary(playbooks)]
