"""Everything that is true about one incident, read in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.model import (
    Entry,
    Execution,
    ExecutionId,
    Hold,
    Incident,
    Reminder,
    State,
    Step,
    Task,
    TaskKind,
    Update,
)
from bot.model.entries import Declared
from bot.rules import Play

# What a request came to that nobody carried out.
NOTHING = (State.DENIED, State.EXPIRED, State.VOIDED)


@dataclass(frozen=True)
class Scene:
    """What the channel, the announcement and the files are drawn from."""

    incident: Incident
    executions: tuple[Execution, ...]
    entries: tuple[Entry, ...]
    updates: tuple[Update, ...]
    reminders: tuple[Reminder, ...]
    tasks: tuple[Task, ...]
    attached: Mapping[ExecutionId, str]
    plays: tuple[Play, ...]
    responder_groups: tuple[str, ...]
    approver_groups: tuple[str, ...]
    approvers: tuple[str, ...]  # those who are named one by one
    trouble: str | None
    runbooks: str = ""
    holds: tuple[Hold, ...] = ()
    # The keys of what Slack shows for good: it is not read again, and not drawn again.
    final: frozenset[str] = frozenset()

    @property
    def seen(self) -> tuple[str, ...]:
        """The symptoms that were ticked when it was declared."""
        details = [entry.detail for entry in self.entries]
        declared = [detail for detail in details if isinstance(detail, Declared)]
        return tuple(symptom for detail in declared for symptom in detail.symptoms)

    @property
    def waits(self) -> bool:
        """Whether something needs somebody's approval now."""
        return any(run.state is State.PROPOSED for run in self.executions)

    def task(self, step: Step) -> Task | None:
        """The task that a manual step is; another playbook's step may have the same id."""
        tasks = [one for one in self.tasks if one.kind is TaskKind.STEP and one.step_id == step.id]
        return next((one for one in tasks if one.title == step.title), None)

    def latest(self, step: Step) -> Execution | None:
        """What a step came to last, not counting undos, nor what only has the same id.

        A request that came to nothing counts only where nothing else is.
        """
        runs = [run for run in self.executions if run.step_id == step.id and run.undo_of is None]
        runs = [run for run in runs if run.action == step.action]
        found = [run for run in runs if run.state not in NOTHING] or runs
        return found[-1] if found else None

    def hold(self, id: ExecutionId | None) -> Hold | None:
        """The hold of an execution while it is in force."""
        found = [hold for hold in self.in_force if hold.execution_id == id]
        return found[0] if found else None

    def ended_by(self, run: Execution) -> tuple[Hold, ...]:
        """What a run has ended, and what is in force again once that is undone."""
        touched = [hold for hold in self.holds if hold.touched_by == run.id]
        return tuple(hold for hold in touched if not hold.in_force)

    @property
    def in_force(self) -> tuple[Hold, ...]:
        """What is temporary and has not ended."""
        return tuple(hold for hold in self.holds if hold.in_force)

    def undo(self, run: Execution) -> Execution | None:
        """The newest undo of an execution."""
        undos = [other for other in self.executions if other.undo_of == run.id]
        return undos[-1] if undos else None
