"""The timeline and the updates, in words."""

from collections.abc import Sequence

from bot.model import Entry, Incident, Update
from bot.views import blocks, text
from bot.views.blocks import Block
from bot.views.drawing import Message

LINES = 30


def update(incident: Incident, update: Update) -> Message:
    """An update, in the words of the playbook's internal alert."""
    words = alert(incident, update)
    return Message(f"update:{update.id}", words, blocks.sections(words))


def alert(incident: Incident, update: Update) -> text.Mrkdwn:
    """The internal alert, filled in from facts and from what the author wrote."""
    values = {
        "severity": incident.severity.label,
        "service": incident.playbook.service,
        "title": incident.title,
        "status": update.status.value.capitalize(),
        "impact": update.impact,
        "start_time": text.when(incident.declared_at),
        "current_status": update.current,
        "next_update": text.when(update.next_update_at) if update.next_update_at else "none",
    }
    own = incident.playbook.internal_alert
    words = text.fill(own, **values) if own.strip() else text.render("update", **values)
    return text.Mrkdwn(f"{words}\n{text.render('update_by', update=update)}")


def page(incident: Incident, entries: Sequence[Entry]) -> list[Block]:
    """The newest entries, for one person to read at once."""
    shown = entries[-LINES:]
    lines = [text.render("timeline_line", entry=entry, detail=entry.detail) for entry in shown]
    parts = [
        blocks.section(
            text.render("timeline", incident=incident, all=len(entries), shown=len(shown))
        )
    ]
    return parts + [blocks.section(line) for line in lines]


def markdown(incident: Incident, entries: Sequence[Entry]) -> str:
    """The whole timeline as a Markdown file, in UTC, with people's Slack ids."""
    return text.render("timeline_file", incident=incident, entries=entries)
