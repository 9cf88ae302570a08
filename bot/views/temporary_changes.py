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
    """It ends soon: extend it, or end it now."""
    detail = entry.detail
    assert isinstance(detail, EndAnnounced)
    mrkdwn = text.render(
        "end_notice",
        state=entry.text,
        detail=detail,
        longest=durations.describe(rules.changes.MAX_TEMPORARY_CHANGE),
    )
    parts = [blocks.section(mrkdwn)]
    change = snapshot.change_in_force(detail.execution)
    if change is not None and change.announced_at == entry.at:
        parts.append(blocks.actions("nudge", *_buttons(change)))
    return Message(f"entry:{entry.id}", mrkdwn, parts)


def _buttons(change: TemporaryChange) -> list[Element]:
    span = durations.describe(rules.changes.EXTENSION)
    return [
        blocks.button(f"Extend {span}", action_ids.EXTEND, change.execution_id),
        blocks.button("Resume now", action_ids.UNDO, change.execution_id, style="primary"),
    ]
