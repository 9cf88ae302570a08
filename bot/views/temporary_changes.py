"""Temporary changes: how long they last, and the notice before they end."""

from bot import durations, rules
from bot.model import ACTIVE, Entry, Execution, TemporaryChange
from bot.model.entries import EndAnnounced
from bot.views import action_ids, blocks, text
from bot.views.blocks import Block, Element
from bot.views.slack_items import Message
from bot.views.snapshot import IncidentSnapshot


def lines(snapshot: IncidentSnapshot) -> list[Block]:
    """One line for each temporary change that is in force, or whose outcome is not known."""
    executions = {execution.id: execution for execution in snapshot.executions}
    shown = [(change, executions[change.execution_id]) for change in snapshot.temporary_changes]
    return [
        blocks.section(_line(change, execution))
        for change, execution in shown
        if change.in_force or (change.may_be_in_force and execution.state not in ACTIVE)
    ]


def _line(change: TemporaryChange, execution: Execution) -> str:
    needs_approval = rules.changes.undo_needs_approval(change, execution)
    return text.render(
        "temporary_change", change=change, execution=execution, needs_approval=needs_approval
    )


def end_notice(snapshot: IncidentSnapshot, entry: Entry) -> Message:
    """It ends soon: extend it, or end it now. A past notice shows the present end, or none."""
    detail = entry.detail
    assert isinstance(detail, EndAnnounced)
    change = snapshot.change_in_force(detail.execution)
    execution = next(each for each in snapshot.executions if each.id == detail.execution)
    is_current = change is not None and change.announced_at == entry.at
    mrkdwn = text.render(
        "end_notice",
        state=entry.text,
        detail=detail,
        change=change,
        is_current=is_current,
        needs_approval=change is not None and rules.changes.undo_needs_approval(change, execution),
        longest=durations.describe(rules.changes.MAX_TEMPORARY_CHANGE),
    )
    parts = [blocks.section(mrkdwn)]
    if change is not None and is_current and change.overdue_reason is None:
        parts.append(blocks.actions("nudge", _extend(change), undo_button(snapshot, execution)))
    return Message(f"entry:{entry.id}", mrkdwn, parts)


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


def undo_button(snapshot: IncidentSnapshot, execution: Execution) -> Element:
    """*Undo*, which says first what it does."""
    assert execution.plan is not None
    assert execution.plan.undo is not None
    summary = execution.plan.undo.summary
    if changes := snapshot.changes_ended_by(execution):
        summary += f" ({text.render_unescaped('in_force_again', changes=changes, now=None)})"
    for alarm in rules.changes.undo_alarms(execution):
        summary += f"\n:red_circle: {alarm}"
    confirm = blocks.confirm_dialog(f"Undo “{execution.title}”?", summary, "Undo")
    return blocks.button("Undo", action_ids.UNDO, execution.id, confirm=confirm)
