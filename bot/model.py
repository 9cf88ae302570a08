"""The nouns, frozen: the same classes read YAML, JSONB, rows and forms."""

import hashlib
import json
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, NewType

from pydantic import BaseModel, ConfigDict, Field

IncidentId = NewType("IncidentId", int)
ExecutionId = NewType("ExecutionId", int)
EntryId = NewType("EntryId", int)
UpdateId = NewType("UpdateId", int)
ReminderId = NewType("ReminderId", int)
TaskId = NewType("TaskId", int)
UserId = NewType("UserId", str)
ChannelId = NewType("ChannelId", str)


class UserError(Exception):
    """A sentence for people: what happened, what was not done, what to do next.

    `unsure` says that what was asked may have been done all the same: it has to be looked at.
    """

    def __init__(self, sentence: str, *, unsure: bool = False) -> None:
        super().__init__(sentence)
        self.unsure = unsure


class Noun(BaseModel):
    """Frozen, and strict about what it is made from."""

    # Defaults are validated too, or a default of 300 and a stored 300.0 would be two digests.
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class Severity(StrEnum):
    """How bad it is; sev1 is the worst."""

    SEV1 = "sev1"
    SEV2 = "sev2"
    SEV3 = "sev3"
    SEV4 = "sev4"

    @property
    def label(self) -> str:
        """As people write it: SEV-1."""
        return f"SEV-{self.value[-1]}"


class Status(StrEnum):
    """Where an incident stands."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Risk(StrEnum):
    """What an action may do to production."""

    MANUAL = "manual"
    READ = "read"
    CHANGE = "change"
    DESTRUCTIVE = "destructive"


class State(StrEnum):
    """Where an execution stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DENIED = "denied"
    EXPIRED = "expired"
    VOIDED = "voided"
    INTERRUPTED = "interrupted"


LIVE = (State.PROPOSED, State.APPROVED, State.RUNNING)


class Phase(StrEnum):
    """Which part of a playbook a step belongs to."""

    IMMEDIATE = "immediate"
    RECOVERY = "recovery"


# What ids look like: they are in buttons, forms and file names.
ID = r"^[a-z0-9][a-z0-9-]{0,39}$"


class Level(Noun):
    """One row of a playbook's severity table."""

    meaning: str = Field(description="What is broken then.")
    response: timedelta = Field(description="How soon somebody takes command.")
    examples: str = Field(default="", description="Such as: complete outage.")
    customers: bool = Field(default=False, description="Whether customers are told.")


class Step(Noun):
    """One line of a scenario: an action, its parameters, and which of them people fill in."""

    id: str = Field(pattern=ID, description="Unique in its scenario.")
    title: str = Field(min_length=1, max_length=75, description="The words beside the button.")
    phase: Phase
    action: str = Field(description="What the button does.")
    params: dict[str, Any] = Field(default={}, description="The action's parameters.")
    ask: tuple[str, ...] = Field(
        default=(), description="Parameters that people fill in or may change before it runs."
    )
    hint: str = Field(default="", description="When to use it.")
    command: str = Field(default="", description="What a person would type instead.")
    correction: str = Field(
        default="",
        description="Where it differs from the document it was written from, and why.",
    )
    recommended: bool = Field(
        default=False, description="The step to prefer among those that do the same."
    )


class Scenario(Noun):
    """One kind of incident a playbook knows: its symptoms and its steps."""

    id: str = Field(pattern=ID, description="Unique for its service.")
    title: str = Field(min_length=1, max_length=75, description="What people choose it by.")
    severity: Severity = Field(description="How bad an incident is that it is offered for.")
    symptoms: tuple[str, ...] = Field(description="How people know it.")
    steps: tuple[Step, ...]

    def step(self, id: str) -> Step | None:
        """The step of that id, or None."""
        return next((step for step in self.steps if step.id == id), None)


class Contact(Noun):
    """Whom to ask for what."""

    role: str
    contact: str


class OnCall(Noun):
    """Who is on call, as the paging service says: by which policy, and until when, if it ends."""

    name: str
    page: str | None
    policy: str
    until: datetime | None


class Link(Noun):
    """A page that belongs to the service."""

    title: str
    url: str


class FollowUp(Noun):
    """Something to do after the incident; `due` is counted from when it was resolved."""

    title: str = Field(min_length=1, max_length=150)
    due: timedelta | None = None


class Playbook(Noun):
    """What one service's team does when it breaks."""

    service: str = Field(description="The service, as the cluster calls it.")
    title: str = Field(description="The service, as people call it.")
    overview: str = Field(default="", description="A sentence or two.")
    severities: dict[Severity, Level]
    scenarios: tuple[Scenario, ...]
    internal_alert: str = Field(
        default="", description="Template (Jinja2) of an update to colleagues."
    )
    customer_message: str = Field(
        default="", description="Template (Jinja2) of what customers are told."
    )
    contacts: tuple[Contact, ...] = ()
    links: tuple[Link, ...] = ()
    post_incident: tuple[FollowUp, ...] = ()

    def scenario(self, id: str | None) -> Scenario | None:
        """The scenario of that id, or None."""
        return next((scenario for scenario in self.scenarios if scenario.id == id), None)


class Incident(Noun):
    """Something is wrong, and people are on it."""

    id: IncidentId
    title: str
    severity: Severity
    status: Status
    playbook: Playbook
    scenario_id: str | None
    channel_id: ChannelId | None
    channel_name: str | None
    declared_by: UserId
    declared_at: datetime
    source_link: str | None
    commander: UserId | None
    commanded_at: datetime | None
    last_update_at: datetime | None
    next_update_at: datetime | None
    resolved_by: UserId | None
    resolved_at: datetime | None
    resolution: str | None

    @property
    def name(self) -> str:
        """As people write it: INC-7."""
        return f"INC-{self.id}"

    @property
    def open(self) -> bool:
        """Whether anybody still works on it."""
        return self.status is not Status.RESOLVED

    @property
    def scenario(self) -> Scenario | None:
        """The scenario people chose, or None while they have not."""
        return self.playbook.scenario(self.scenario_id)


class Undo(Noun):
    """The inverse of a plan, known before anything runs: itself an action with parameters."""

    summary: str
    action: str
    params: dict[str, Any]


class Temporary(Noun):
    """A change that is undone by itself after a while; `state` is what people call it meanwhile."""

    state: str
    lasts: timedelta


class Plan(Noun):
    """Exactly what would be done; only things that stay equal while nobody touches the target.

    `target` is unique (`deployment/order-service`): one plan at a time runs per target.
    `fingerprint` is the live state that the plan was made from: any difference is drift.
    """

    target: str
    summary: str
    blast_radius: str
    check: str
    diff: str = ""
    dry_run: str = ""
    warnings: tuple[str, ...] = ()
    undo: Undo | None = None
    temporary: Temporary | None = None
    fingerprint: dict[str, Any] = {}

    @property
    def digest(self) -> str:
        """SHA-256 of the plan's canonical JSON: what people approve."""
        canonical = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


class Verdict(Noun):
    """What the check after a change found; `done` says whether the change is there at all."""

    ok: bool
    text: str
    done: bool = True


class Cell(Noun):
    """A value in words, and what it is besides: a number to sort by, a page to open, a moment."""

    text: str
    number: float | None = None
    link: str | None = None
    at: datetime | None = None

    def __str__(self) -> str:
        return self.text


class Table(Noun):
    """Rows of words under column names; `total` counts the rows that there are, if more."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell | str, ...], ...]
    total: int | None = None


class Attachment(Noun):
    """A text too long for a message."""

    name: str
    text: str


class Series(Noun):
    """One line of a chart, or one colour of its bars: a value for each category."""

    name: str
    values: tuple[float, ...]


class Chart(Noun):
    """Numbers to look at, in a few series over the same categories; views cut what is too much."""

    title: str
    kind: Literal["bar", "line"]
    categories: tuple[str, ...]
    series: tuple[Series, ...]


class Reading(Noun):
    """What a read step saw: a verdict of at most two lines, and the details behind it.

    `ok` is None when nothing was there to judge by; `link` is where people can look themselves.
    """

    ok: bool | None
    text: str
    link: Link | None = None
    table: Table | None = None
    charts: tuple[Chart, ...] = ()
    excerpt: str = ""
    notes: tuple[str, ...] = ()
    attachment: Attachment | None = None


class Approval(Noun):
    """One person's yes to one plan."""

    by: UserId
    at: datetime


class Execution(Noun):
    """One run of one step, from request to outcome."""

    id: ExecutionId
    incident_id: IncidentId
    step_id: str
    title: str
    action: str
    params: dict[str, Any]
    risk: Risk
    plan: Plan | None
    plan_digest: str | None
    state: State
    requested_by: UserId | None  # None is the clock
    requested_at: datetime
    reason: str
    approvals_needed: int
    approvals: tuple[Approval, ...]
    expires_at: datetime | None
    started_at: datetime | None
    heartbeat_at: datetime | None
    finished_at: datetime | None
    progress: str | None
    outcome: str | None
    checked: bool | None
    reading: Reading | None
    decided_by: UserId | None
    undo_of: ExecutionId | None
    undo_until: datetime | None
    undo_digest: str | None


class TaskKind(StrEnum):
    """Where a task comes from: a manual step, a row that a query found, the end of the incident."""

    STEP = "step"
    FINDING = "finding"
    FOLLOW_UP = "follow_up"


class TaskState(StrEnum):
    """Where a task stands."""

    OPEN = "open"
    ESCALATED = "escalated"
    DONE = "done"
    SKIPPED = "skipped"


class Task(Noun):
    """Something that a person does by hand; `step_id` is the step it comes from, if any."""

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

    @property
    def open(self) -> bool:
        """Whether it is still to be done."""
        return self.state in (TaskState.OPEN, TaskState.ESCALATED)


class Hold(Noun):
    """A temporary change in force; `trouble` says why its undo is late, `due_at` is the clock's."""

    execution_id: ExecutionId
    incident_id: IncidentId
    state: str
    since: datetime
    until: datetime
    due_at: datetime
    nudged_at: datetime | None
    touched_by: ExecutionId | None
    ended_at: datetime | None
    trouble: str | None

    @property
    def in_force(self) -> bool:
        """Whether it is still as the change made it, as far as is known."""
        return self.ended_at is None


class EntryKind(StrEnum):
    """What a timeline entry tells, in the past tense."""

    DECLARED = "declared"
    SCENARIO_CHOSEN = "scenario_chosen"
    COMMAND_TAKEN = "command_taken"
    SEVERITY_CHANGED = "severity_changed"
    STATUS_CHANGED = "status_changed"
    UPDATED = "updated"
    NOTED = "noted"
    PINNED = "pinned"
    READ = "read"
    HANDED_OUT = "handed_out"
    TAKEN = "taken"
    DONE_BY_HAND = "done_by_hand"
    SKIPPED = "skipped"
    ESCALATED = "escalated"
    REOPENED = "reopened"
    PROPOSED = "proposed"
    APPROVED = "approved"
    REFUSED = "refused"
    DENIED = "denied"
    EXPIRED = "expired"
    VOIDED = "voided"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CHECKED = "checked"
    REMINDED = "reminded"
    SNOOZED = "snoozed"
    NUDGED = "nudged"
    EXTENDED = "extended"
    NOT_REVERTED = "not_reverted"
    ENDED = "ended"
    RESOLVED = "resolved"


class Entry(Noun):
    """One line of an incident's timeline, never changed once written."""

    id: EntryId
    incident_id: IncidentId
    at: datetime
    kind: EntryKind
    by: UserId | None
    text: str
    detail: dict[str, Any]
    source: str | None


class Update(Noun):
    """What the commander tells everybody, in the words of the internal alert."""

    id: UpdateId
    incident_id: IncidentId
    at: datetime
    by: UserId
    status: Status
    impact: str
    current: str
    next_update_at: datetime | None


class Draft(Noun):
    """What an update form is filled in with; `minutes` to the next update, if one is due."""

    impact: str
    happened: tuple[str, ...]
    minutes: int | None


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
