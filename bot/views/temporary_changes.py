"""Temporary changes: how long they last, and the notice before they end."""

from bot import durations, rules
from bot.model import Entry, TemporaryChange
from bot.model.entries import EndAnnounced
from bot.views import action_ids, blocks, text
from bot.views.blocks import Block, Element
from bot.views.slack_items import Message
from bot.views.snapshot import IncidentSnapshot


def lines(snapshot: IncidentSnapshot) -> list[Block]:
    """One line for each temporary change in force."""
    return [blocks.section(_line(snapshot, change)) for change in snapshot.changes_in_force]


def _line(snapshot: IncidentSnapshot, change: TemporaryChange) -> str:
    execution = next(each for each in snapshot.executions if each.id == change.execution_id)
    return text.render("temporary_change", change=change, execution=execution)


def end_notice(snapshot: IncidentSnapshot, entry: Entry) -> Message:
    """It ends soon: extend it, or end it now. A notice that is past says no time of its own."""
    detail = entry.detail
    assert isinstance(detail, EndAnnounced)
    change = snapshot.change_in_force(detail.execution)
    is_current = change is not None and change.announced_at == entry.at
    mrkdwn = text.render(
        "end_notice",
        state=entry.text,
        detail=detail,
        change=change,
        is_current=is_current,
        longest=durations.describe(rules.changes.MAX_TEMPORARY_CHANGE),
    )
    parts = [blocks.section(mrkdwn)]
    if change is not None and is_current and change.overdue_reason is None:
        parts.append(blocks.actions("nudge", *_buttons(change)))
    return Message(f"entry:{entry.id}", mrkdwn, parts)


def _buttons(change: TemporaryChange) -> list[Element]:
    return [
        _extend(change),
        blocks.button("Resume now", action_ids.UNDO, change.execution_id, style="primary"),
    ]


def _extend(change: TemporaryChange) -> Element:
    """Its value has the end that people see, so that of two presses one extends."""
    span = durations.describe(rules.changes.EXTENSION)
    until = change.ends_at + rules.changes.EXTENSION
    question = f"It then ends at {until:%H:%M} UTC instead of {change.ends_at:%H:%M} UTC."
    confirm = blocks.confirm_dialog(
        f"Extend “{change.state}” by {span}?", question, "Extend", style="primary"
    )
    value = f"{change.execution_id}@{change.ends_at.isoformat()}"
    return blocks.button(f"Extend {span}", action_ids.EXTEND, value, confirm=confirm)
