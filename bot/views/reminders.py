"""Reminders: one message for what is due, edited as it repeats, so that one has live buttons.

Slack notifies nobody of an edit. So each repetition is also one line in the message's thread, which
mentions the people who are asked.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bot.model import EntryKind, Incident, Reminder, ReminderKind, UserId
from bot.model.entries import CommandTaken
from bot.views import action_ids, blocks, tasks, text
from bot.views.blocks import Element
from bot.views.slack_items import Message
from bot.views.snapshot import IncidentSnapshot


class FiredReminder(NamedTuple):
    """A reminder that was sent, and when."""

    reminder: Reminder
    at: datetime


def messages(snapshot: IncidentSnapshot) -> list[tuple[datetime, Message]]:
    """For each thing that is due its message, then its repetitions, each with its time."""
    shown = []
    for fired in _by_subject(snapshot.reminders):
        first, *again = fired
        message = _message(snapshot, [each.reminder for each in fired])
        shown.append((first.at, message))
        for number, repeated in enumerate(again, 2):
            line = _repetition(snapshot, repeated.reminder, number)
            reply = Message(
                _key(repeated.reminder), line, [blocks.section(line)], thread=message.key
            )
            shown.append((repeated.at, reply))
    return shown


def _by_subject(reminders: Sequence[Reminder]) -> list[list[FiredReminder]]:
    """The reminders that were sent, by what they are about; all tasks are one subject."""
    subjects: dict[object, list[FiredReminder]] = {}
    for reminder in reminders:
        is_shown = reminder.kind.known and reminder.kind is not ReminderKind.HEADS_UP
        if reminder.fired_at is None or not is_shown:
            continue
        is_task = reminder.kind is ReminderKind.TASKS
        subject = reminder.kind if is_task else (reminder.kind, reminder.due_originally_at)
        subjects.setdefault(subject, []).append(FiredReminder(reminder, reminder.fired_at))
    return list(subjects.values())


def _key(reminder: Reminder) -> str:
    return f"reminder:{reminder.id}"


def _message(snapshot: IncidentSnapshot, fired: Sequence[Reminder]) -> Message:
    """What is due, and how often people were reminded; the buttons are those of the latest."""
    first, latest, incident = fired[0], fired[-1], snapshot.incident
    if first.kind is ReminderKind.TASKS:
        return tasks.reminder(snapshot, _key(first), fired)
    mrkdwn = text.render(
        "reminder",
        incident=incident,
        reminder=latest,
        asked=_asked(snapshot, latest),
        times=len(fired),
        snoozed=next((each for each in reversed(fired) if each.snoozed_until), None),
        groups=snapshot.all_responder_groups,
        answered_at=_answered_at(snapshot, latest),
        will_fire_again=snapshot.will_fire_again(latest),
    )
    parts = [blocks.section(mrkdwn)]
    if latest.settled_at is None and incident.open:
        parts.append(blocks.actions("reminder", *_buttons(incident, latest)))
    return Message(_key(first), mrkdwn, parts)


def _repetition(snapshot: IncidentSnapshot, reminder: Reminder, number: int) -> str:
    if reminder.kind is ReminderKind.TASKS:
        return tasks.repeated_reminder(snapshot, reminder)
    return text.render(
        "reminder_again",
        incident=snapshot.incident,
        reminder=reminder,
        asked=_asked_then(snapshot, reminder),
        groups=snapshot.all_responder_groups,
        answered_at=_answered_at(snapshot, reminder),
        number=number,
    )


def _asked(snapshot: IncidentSnapshot, reminder: Reminder) -> UserId:
    """Who is to answer a reminder now; once it is settled, who was."""
    incident = snapshot.incident
    if reminder.settled_at is None and incident.open:
        return incident.commander or incident.declared_by
    return _asked_then(snapshot, reminder)


def _asked_then(snapshot: IncidentSnapshot, reminder: Reminder) -> UserId:
    """Whom a reminder notified: nobody who took command later."""
    commanders = [
        entry.detail.commander
        for entry in snapshot.entries
        if isinstance(entry.detail, CommandTaken)
        and reminder.fired_at
        and entry.at < reminder.fired_at
    ]
    return commanders[-1] if commanders else snapshot.incident.declared_by


def _answered_at(snapshot: IncidentSnapshot, reminder: Reminder) -> datetime | None:
    """When somebody did what a reminder asks for; None where it ended otherwise, or goes on."""
    times = [update.at for update in snapshot.updates]
    if reminder.kind is ReminderKind.FIRST_RESPONSE:
        entries = snapshot.entries
        times = [entry.at for entry in entries if entry.kind is EntryKind.COMMAND_TAKEN]
    return next((at for at in times if reminder.fired_at and at >= reminder.fired_at), None)


def _buttons(incident: Incident, reminder: Reminder) -> list[Element]:
    if reminder.kind is ReminderKind.FIRST_RESPONSE:
        answer = blocks.button(
            "Take command", action_ids.TAKE_COMMAND, incident.id, style="primary"
        )
    else:
        answer = blocks.button("Post update", action_ids.POST_UPDATE, incident.id, style="primary")
    snoozes = [
        blocks.button(f"Snooze {action_id.rsplit('.', 1)[1]} min", action_id, reminder.id)
        for action_id in action_ids.SNOOZES
    ]
    return [answer, *snoozes]
