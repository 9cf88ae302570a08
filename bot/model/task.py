"""What people do by hand."""

from datetime import datetime

from bot.model.base import IncidentId, Model, OpenEnum, TaskId, UserId


class TaskKind(OpenEnum):
    """Where a task comes from: a manual step, a row that a query found, the end of the incident."""

    STEP = "step"
    FINDING = "finding"
    FOLLOW_UP = "follow_up"


class TaskState(OpenEnum):
    """Where a task stands."""

    OPEN = "open"
    ESCALATED = "escalated"
    DONE = "done"
    SKIPPED = "skipped"


class Task(Model):
    """Something that a person does by hand; `step_id` is the step it comes from, if any.

    `missing_since` is since when the query that found it no longer does.
    """

    id: TaskId
    incident_id: IncidentId
    kind: TaskKind
    step_id: str
    title: str
    link: str
    due_at: datetime | None
    state: TaskState
    owner: UserId | None
    owned_at: datetime | None
    note: str
    added_by: UserId | None
    added_at: datetime
    decided_by: UserId | None
    decided_at: datetime | None
    missing_since: datetime | None

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return self.state in (TaskState.OPEN, TaskState.ESCALATED)


class Unfinished(Model):
    """A list of which something is still to be done: how many of how many."""

    title: str
    open: int
    all: int
