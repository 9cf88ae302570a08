"""Temporary changes: how long they last, and the notice before they end."""

from datetime import datetime

from bot import durations, rules
from bot.model import (
    ACTIVE,
    LONGEST_TEMPORARY,
    Entry,
    Execution,
    ExecutionId,
    ExecutionState,
    TemporaryChange,
)
from bot.model.entries import EndAnnounced, NotReverted
from bot.views import action_ids, blocks, text
from bot.views.blocks import Block, Element
from bot.views.slack_items import Message
from bot.views.snapshot import IncidentSnapshot


def lines(snapshot: IncidentSnapshot) -> list[Block]:
    """One line for each temporary change that is in force, or whose outcome is not known."""
    executions = {execution.id: execution for execution in snapshot.executions}
    shown = [(change, executions[change.execution_id]) for change in snapshot.temporary_changes]
    return [
        blocks.section(_line(snapshot, change, execution))
        for change, execution in shown
        if change.in_force
        or _is_being_checked(change, execution)
        or (change.may_be_in_force and execution.state not in ACTIVE)
    ]


def _line(snapshot: IncidentSnapshot, change: TemporaryChange, execution: Execution) -> str:
    undo = snapshot.latest_undo(execution)
    return text.render(
        "temporary_change",
        change=change,
        execution=execution,
        needs_approval=rules.changes.undo_needs_approval(change, execution),
        checking=_is_being_checked(change, execution),
        undoing=undo is not None and undo.state is ExecutionState.RUNNING,
    )


def _is_being_checked(change: TemporaryChange, execution: Execution) -> bool:
    """Whether its write was answered, so that people notice it, and its check is not over."""
    is_running = execution.state is ExecutionState.RUNNING
    return is_running and change.may_be_in_force and bool(execution.evidence.answers)


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
        longest=durations.describe(LONGEST_TEMPORARY),
    )
    parts = [blocks.section(mrkdwn)]
    if change is not None and is_current and change.overdue_reason is None:
        parts.append(blocks.actions("nudge", _extend(change), undo_button(snapshot, execution)))
    return Message(_entry_key(entry), mrkdwn, parts)


def overdue_notices(snapshot: IncidentSnapshot) -> list[tuple[datetime, Message]]:
    """For each change that is overdue one message, with the latest news, and its times.

    Slack notifies nobody of an edit, so each repetition is also a line in its thread.
    """
    overdue: dict[ExecutionId, list[Entry]] = {}
    for entry in snapshot.entries:
        if isinstance(entry.detail, NotReverted):
            overdue.setdefault(entry.detail.execution, []).append(entry)
    notices = []
    for execution_id, (first, *again) in overdue.items():
        latest, key = [first, *again][-1], _entry_key(first)
        is_over = snapshot.change_in_force(execution_id) is None
        notices.append((first.at, _overdue(latest, key, is_over=is_over)))
        notices += [
            (entry.at, _overdue(entry, _entry_key(entry), key, is_over=is_over)) for entry in again
        ]
    return notices


def _overdue(entry: Entry, key: str, thread: str | None = None, *, is_over: bool) -> Message:
    mrkdwn = text.render("entry", entry=entry, detail=entry.detail, is_over=is_over)
    return Message(key, mrkdwn, blocks.sections(mrkdwn), thread=thread)


def _entry_key(entry: Entry) -> str:
    return f"entry:{entry.id}"


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
