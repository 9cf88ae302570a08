"""Temporary changes: how long they last, and the notice before they end."""

from bot import durations, rules
from bot.model import ACTIVE, Entry, TemporaryChange
from bot.model.entries import EndAnnounced
from bot.views import action_ids, blocks, text
from bot.views.blocks import Block, Element
from bot.views.slack_items import Message
from bot.views.snapshot import IncidentSnapshot


def lines(snapshot: IncidentSnapshot) -> list[Block]:
    """One line for each temporary change that is in force, or of which nobody knows."""
    executions = {execution.id: execution for execution in snapshot.executions}
    shown = [(change, executions[change.execution_id]) for change in snapshot.temporary_changes]
    return [
        blocks.section(text.render("temporary_change", change=change, execution=execution))
        for change, execution in shown
        if change.in_force or (change.may_be_in_force and execution.state not in ACTIVE)
    ]


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
