"""All that is known about one incident, read in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.model import (
    Confirmation,
    Entry,
    Execution,
    ExecutionId,
    ExecutionState,
    Incident,
    Reminder,
    ScenarioRef,
    ServiceName,
    Step,
    Task,
    TaskKind,
    TemporaryChange,
    Update,
)
from bot.model.entries import Declared, EndAnnounced

# The final states of a request that was never carried out.
NOT_CARRIED_OUT = (ExecutionState.DENIED, ExecutionState.EXPIRED, ExecutionState.VOIDED)


@dataclass(frozen=True)
class IncidentSnapshot:
    """What the channel, the announcement and the files are made from.

    `known_groups` are the ids of user groups by their names in the configuration, and `services`
    all that there are. By service of the incident: `scenarios` that fit its severity (under its own
    those of all, while nobody said which it is), `responder_groups`, `runbooks_base_urls`, the
    addresses that relative links belong to, and `own_clusters`, the clusters in which its steps act
    unless they name another. `sent_keys` are the keys of all that Slack shows already.
    `set_aside` and `unreadable` name rows that this version cannot act on, or not even read.
    `to_confirm` are approvals that count once they are confirmed outside Slack.
    `changed_since` is what other incidents changed of the last change's target after it.
    `final_keys` has the keys of the messages that never change again: these are not read and not
    sent again. Among the `entries` of an open incident, notes with such a message are missing.
    """

    incident: Incident
    executions: tuple[Execution, ...]
    entries: tuple[Entry, ...]
    updates: tuple[Update, ...]
    reminders: tuple[Reminder, ...]
    tasks: tuple[Task, ...]
    attachment_names: Mapping[ExecutionId, str]
    scenarios: Mapping[str, tuple[ScenarioRef, ...]]
    responder_groups: Mapping[str, tuple[str, ...]]
    known_groups: Mapping[str, str]
    publish_error: str | None
    runbooks_base_urls: Mapping[str, str]
    own_clusters: Mapping[str, str]
    services: tuple[ServiceName, ...] = ()
    temporary_changes: tuple[TemporaryChange, ...] = ()
    final_keys: frozenset[str] = frozenset()
    set_aside: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    sent_keys: frozenset[str] = frozenset()
    changed_since: tuple[Execution, ...] = ()
    to_confirm: tuple[Confirmation, ...] = ()

    @property
    def ticked_symptoms(self) -> tuple[str, ...]:
        """The symptoms that were ticked in the declare form."""
        details = [entry.detail for entry in self.entries]
        declared = [detail for detail in details if isinstance(detail, Declared)]
        return tuple(symptom for detail in declared for symptom in detail.symptoms)

    @property
    def all_responder_groups(self) -> tuple[str, ...]:
        """The groups of responders of all its services."""
        groups = (group for each in self.responder_groups.values() for group in each)
        return tuple(dict.fromkeys(groups))

    @property
    def awaits_approval(self) -> bool:
        """Whether a request waits for approval."""
        return bool(self.awaiting_approval)

    @property
    def awaiting_approval(self) -> tuple[Execution, ...]:
        """The requests that wait for approval, the oldest first."""
        return tuple(each for each in self.executions if each.state is ExecutionState.PROPOSED)

    @property
    def latest_update(self) -> Update | None:
        """The latest update, or None before the first one."""
        return self.updates[-1] if self.updates else None

    @property
    def changes_in_force(self) -> tuple[TemporaryChange, ...]:
        """The temporary changes that have not ended."""
        return tuple(change for change in self.temporary_changes if change.in_force)

    def alternatives(self, step: Step) -> tuple[str, ...]:
        """The titles of the other steps for the same case, which they tell in the same hint."""
        scenario = self.incident.playbook_of_step(step.id).scenario
        others = [each for each in scenario.steps if each.id != step.id] if scenario else []
        return tuple(each.title for each in others if step.hint and each.hint == step.hint)

    def task_of(self, step: Step) -> Task | None:
        """The task of a manual step; the title tells it from another playbook's step."""
        tasks = [task for task in self.tasks if task.kind is TaskKind.STEP]
        same_id = [task for task in tasks if task.step_id == step.id]
        return next((task for task in same_id if task.title == step.title), None)

    def latest_execution(self, step: Step) -> Execution | None:
        """The latest execution of a step, without its undos and other playbooks' steps of that id.

        A request that was not carried out counts only where there is nothing else.
        """
        executions = [
            execution
            for execution in self.executions
            if execution.step_id == step.id
            and execution.action == step.action
            and not self._is_undo_of(execution, step)
        ]
        carried_out = [each for each in executions if each.state not in NOT_CARRIED_OUT]
        candidates = carried_out or executions
        return candidates[-1] if candidates else None

    def _is_undo_of(self, execution: Execution, step: Step) -> bool:
        """Whether it undoes an execution of this step, instead of doing the step's work."""
        undone = [each for each in self.executions if each.id == execution.undo_of]
        return any(each.step_id == step.id for each in undone)

    def temporary_change(self, execution_id: ExecutionId) -> TemporaryChange | None:
        """The temporary change that an execution made, in force or not."""
        return next(
            (each for each in self.temporary_changes if each.execution_id == execution_id), None
        )

    def change_in_force(self, execution_id: ExecutionId | None) -> TemporaryChange | None:
        """The temporary change that an execution made, while it is in force."""
        return next(
            (change for change in self.changes_in_force if change.execution_id == execution_id),
            None,
        )

    def changes_ended_by(self, execution: Execution) -> tuple[TemporaryChange, ...]:
        """The temporary changes that an execution ended: its undo puts them in force again."""
        touched = [change for change in self.temporary_changes if change.touched_by == execution.id]
        return tuple(change for change in touched if not change.in_force)

    def latest_undo(self, execution: Execution) -> Execution | None:
        """The latest undo of an execution."""
        undos = [other for other in self.executions if other.undo_of == execution.id]
        return undos[-1] if undos else None

    def will_fire_again(self, reminder: Reminder) -> bool:
        """Whether a snoozed reminder is still to be sent again; an update makes it needless."""
        pending = [
            other for other in self.reminders if other.is_pending and other.kind is reminder.kind
        ]
        return any(other.due_at == reminder.snoozed_until for other in pending)


def without_orphans(snapshot: IncidentSnapshot) -> IncidentSnapshot:
    """The same without temporary changes whose execution cannot be read; they are named instead."""
    known = {execution.id for execution in snapshot.executions}
    changes = [change for change in snapshot.temporary_changes if change.execution_id in known]
    lost = [change.state for change in snapshot.changes_in_force if change not in changes]
    entries = [
        entry
        for entry in snapshot.entries
        if not isinstance(entry.detail, EndAnnounced) or entry.detail.execution in known
    ]
    return replace(
        snapshot,
        temporary_changes=tuple(changes),
        entries=tuple(entries),
        unreadable=(*snapshot.unreadable, *lost),
    )
