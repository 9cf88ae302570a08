"""What people do by hand."""

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from bot.model.base import IncidentId, Model, OpenEnum, TaskId, UserId
from bot.model.place import Place


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


class TickVerb(StrEnum):
    """What people do with several tasks of a list at once."""

    DONE = "done"
    TAKE = "take"
    ESCALATE = "escalate"
    SKIP = "skip"


class TaskList(NamedTuple):
    """One list of tasks: the rows of a step's query, or what is left to do after an incident."""

    incident_id: IncidentId
    kind: TaskKind
    step_id: str

    def has(self, task: "Task") -> bool:
        """Whether the task is on it."""
        return (task.incident_id, task.kind, task.step_id) == self


class Task(Model):
    """Something that a person does by hand; `step_id` is the step it comes from, if any.

    `since` is since when what it is about lasts, `missing_since` since when the query that found it
    no longer does.
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
    since: datetime | None = None

    @property
    def place(self) -> Place:
        """The service that its step belongs to: empty for the incident's own."""
        prefix, slash, _ = self.step_id.partition("/")
        return Place(service=prefix if slash else "")

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return self.state in (TaskState.OPEN, TaskState.ESCALATED)


class Unfinished(Model):
    """A list of which something is still to be done: how many of how many."""

    title: str
    open: int
    all: int
