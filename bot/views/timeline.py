"""The timeline and the updates."""

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from bot import rules
from bot.model import Entry, Incident, Status, Update
from bot.model.text import listed
from bot.views import blocks, text
from bot.views.blocks import Block
from bot.views.slack_items import Message

log = logging.getLogger(__name__)

STATUS_VARIABLES = {"status", "current_status"}
MAX_LINES = 30
MESSAGE_LENGTH = 12_000  # characters


def update(incident: Incident, update: Update) -> Message:
    """An update with the text that was posted, whatever has changed since."""
    mrkdwn = text.Mrkdwn(update.posted_text) if update.posted_text else alert(incident, update)
    return Message(f"update:{update.id}", mrkdwn, blocks.sections(mrkdwn))


def alert(incident: Incident, update: Update) -> text.Mrkdwn:
    """The playbook's internal alert, filled in for an update.

    Raises one of text.TEMPLATE_ERRORS where the playbook's template fails.
    """
    values = {
        "severity": incident.severity.label,
        "service": listed(incident.services),
        "title": incident.title,
        "status": update.status.value.capitalize(),
        "impact": update.impact,
        # In UTC, as runbooks have it, and in the reader's own time zone.
        "start_time": text.Mrkdwn(
            f"{_utc(incident.declared_at)} ({text.local_time(incident.declared_at)})"
        ),
        "current_status": text.as_bullets(update.current),
        "next_update": text.local_time(update.next_update_at) if update.next_update_at else "none",
    }
    template = text.bold_labels(incident.playbook.internal_alert)
    mrkdwn = text.fill(template, **values) if template.strip() else text.render("update", **values)
    mrkdwn = text.local_clocks(mrkdwn, update.at)
    return text.Mrkdwn(f"{mrkdwn}\n{text.render('update_by', update=update)}")


def customer_message(incident: Incident, update: Update | None) -> str:
    """The playbook's message to customers, filled in, as plain text for people to edit.

    While the incident is only watched, a message that does not name the status would tell the state
    of before: then it is ours. Raises one of text.TEMPLATE_ERRORS where the template fails.
    """
    values = _customer_values(incident, update)
    is_watched = incident.status is Status.MONITORING
    if is_watched and not STATUS_VARIABLES & text.variables(incident.playbook.customer_message):
        return text.render_unescaped("customers_while_watched", **values)
    return text.fill_unescaped(incident.playbook.customer_message, **values)


def all_clear(incident: Incident, update: Update | None) -> str:
    """The playbook's words that it is over, or ours where it has none or they fail."""
    values = _customer_values(incident, update) | {"status": "Resolved", "next_update": ""}
    try:
        words = text.fill_unescaped(incident.playbook.all_clear, **values)
    except text.TEMPLATE_ERRORS as error:
        log.warning("the all-clear of %s was not filled in: %s", incident.name, error)
        words = ""
    return words or text.render_unescaped("all_clear", **values)


def _customer_values(incident: Incident, update: Update | None) -> dict[str, str]:
    """What a playbook's template of a message to customers may name."""
    return {
        "severity": incident.severity.label,
        "service": incident.playbook.title,
        "title": incident.title,
        "status": incident.status.value.capitalize(),
        "impact": update.impact if update else "",
        "start_time": _utc(incident.declared_at),
        "current_status": text.as_list(update.current) if update else "",
        "next_update": _utc(incident.next_update_at) if incident.next_update_at else "",
    }


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def page(
    incident: Incident, entries: Sequence[Entry], own_clusters: Mapping[str, str]
) -> list[Block]:
    """The newest entries, for one person."""
    lines = [
        text.render(
            "timeline_line",
            incident=incident,
            entry=entry,
            detail=entry.detail,
            own_clusters=own_clusters,
        )
        for entry in entries[-MAX_LINES:]
    ]
    shown = _newest_that_fit(lines)
    title = text.render("timeline", incident=incident, total=len(entries), shown=len(shown))
    return [section for line in (title, *shown) for section in blocks.sections(line)]


def _newest_that_fit(lines: Sequence[str]) -> list[str]:
    """The last lines that fit into one message; at least one."""
    newest: list[str] = []
    for line in reversed(lines):
        if newest and sum(map(len, newest)) + len(line) > MESSAGE_LENGTH:
            break
        newest.insert(0, line)
    return newest


def markdown(incident: Incident, entries: Sequence[Entry], own_clusters: Mapping[str, str]) -> str:
    """The whole timeline as a Markdown file, in UTC, with people's Slack ids."""
    peak_severity = rules.incidents.peak_severity(incident, entries)
    return text.render(
        "timeline_file",
        incident=incident,
        entries=entries,
        peak_severity=peak_severity,
        own_clusters=own_clusters,
    )
