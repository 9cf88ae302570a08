"""The timeline and the updates, in words."""

from collections.abc import Sequence
from datetime import UTC, datetime

from bot import rules
from bot.model import Entry, Incident, Update
from bot.views import blocks, text
from bot.views.blocks import Block
from bot.views.drawing import Message

LINES = 30
ROOM = 12_000  # characters that one message may hold


def update(incident: Incident, update: Update) -> Message:
    """An update as it was posted, however bad the incident is by now."""
    words = text.Mrkdwn(update.words) if update.words else alert(incident, update)
    return Message(f"update:{update.id}", words, blocks.sections(words))


def alert(incident: Incident, update: Update) -> text.Mrkdwn:
    """The playbook's internal alert, filled in from facts and from what the author wrote."""
    values = {
        "severity": incident.severity.label,
        "service": incident.playbook.service,
        "title": incident.title,
        "status": update.status.value.capitalize(),
        "impact": update.impact,
        # In UTC as the runbooks ask for it, and as the reader's own clock has it.
        "start_time": text.Mrkdwn(
            f"{_utc(incident.declared_at)} ({text.when(incident.declared_at)})"
        ),
        "current_status": text.listed(update.current),
        "next_update": text.when(update.next_update_at) if update.next_update_at else "none",
    }
    own = incident.playbook.internal_alert
    words = text.fill(own, **values) if own.strip() else text.render("update", **values)
    return text.Mrkdwn(f"{words}\n{text.render('update_by', update=update)}")


def customer_message(incident: Incident, update: Update | None) -> str:
    """The playbook's words to customers, filled in; people go on writing it, so it is plain."""
    values = {
        "severity": incident.severity.label,
        "service": incident.playbook.title,
        "title": incident.title,
        "status": incident.status.value.capitalize(),
        "impact": update.impact if update else "",
        "start_time": _utc(incident.declared_at),
        "current_status": text.listed(update.current) if update else "",
        "next_update": _utc(incident.next_update_at) if incident.next_update_at else "",
    }
    return text.fill_plainly(incident.playbook.customer_message, **values)


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def page(incident: Incident, entries: Sequence[Entry]) -> list[Block]:
    """The newest entries, for one person to read at once."""
    lines = [text.render("timeline_line", entry=one, detail=one.detail) for one in entries[-LINES:]]
    shown = _newest_that_fit(lines)
    words = text.render("timeline", incident=incident, all=len(entries), shown=len(shown))
    return [section for line in (words, *shown) for section in blocks.sections(line)]


def _newest_that_fit(lines: Sequence[str]) -> list[str]:
    kept: list[str] = []
    for line in reversed(lines):
        if kept and sum(map(len, kept)) + len(line) > ROOM:
            break
        kept.insert(0, line)
    return kept


def markdown(incident: Incident, entries: Sequence[Entry]) -> str:
    """The whole timeline as a Markdown file, in UTC, with people's Slack ids."""
    worst = rules.at_worst(incident, entries)
    return text.render("timeline_file", incident=incident, entries=entries, worst=worst)
