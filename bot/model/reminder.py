"""What is due."""

from datetime import datetime
from enum import StrEnum

from bot.model.nouns import IncidentId, Noun, ReminderId


class ReminderKind(StrEnum):
    """What a reminder asks for."""

    FIRST_RESPONSE = "first_response"
    HEADS_UP = "heads_up"
    UPDATE = "update"
    TASKS = "tasks"


class Reminder(Noun):
    """Something is due at a time, and nags when nobody did it."""

    id: ReminderId
    incident_id: IncidentId
    kind: ReminderKind
    due_at: datetime
    fired_at: datetime | None
    settled_at: datetime | None
    snoozes: int
    nags: int
