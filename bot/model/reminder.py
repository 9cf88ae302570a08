"""What is due."""

from datetime import datetime

from bot.model.base import IncidentId, Model, OpenEnum, ReminderId, UserId


class ReminderKind(OpenEnum):
    """What a reminder is about."""

    FIRST_RESPONSE = "first_response"
    HEADS_UP = "heads_up"
    UPDATE = "update"
    TASKS = "tasks"


class Reminder(Model):
    """It is sent at `due_at`, and again while nobody did what it reminds of."""

    id: ReminderId
    incident_id: IncidentId
    kind: ReminderKind
    due_at: datetime
    fired_at: datetime | None
    settled_at: datetime | None
    snoozes: int
    nags: int
    deadline: datetime | None
    snoozed_by: UserId | None
    snoozed_until: datetime | None

    @property
    def due_originally_at(self) -> datetime:
        """When the thing itself was due, however often people were reminded since."""
        return self.deadline or self.due_at

    @property
    def is_pending(self) -> bool:
        """Whether it is still to ring."""
        return self.fired_at is None and self.settled_at is None
