"""The base classes of actions: what one step of a playbook can do, and what it may reach.

The fields of an action are its parameters in the YAML file.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar, Self

from pydantic import Field

from bot.model import (
    Difference,
    Evidence,
    Execution,
    ExecutionId,
    Model,
    Observation,
    Plan,
    ReadResult,
    Risk,
    UserError,
    Verdict,
)
from bot.model.choices import Options
from bot.model.findings import Template
from bot.systems import ChangingSystems, PlanningSystems, ReadingSystems

# The `place_keys` of actions on a cluster, and of those on the service's database.
IN_CLUSTER = frozenset({"cluster", "namespace"})
IN_DATABASE = frozenset({"database"})


class Progress:
    """The execution under way: shows people how far it is, and keeps what it sent as evidence.

    `report` shows a text. `record` writes the evidence down, before something is sent or after an
    answer; before, it raises UserError where nothing may be sent any more.
    """

    def __init__(
        self,
        execution_id: ExecutionId,
        report: Callable[[str], Awaitable[None]],
        record: Callable[[Evidence, bool], Awaitable[None]],
        evidence: Evidence,
    ) -> None:
        self.execution_id = execution_id
        self.report = report
        self.evidence = evidence
        self._record = record
        self._lock = asyncio.Lock()  # two that record at once must not overtake each other

    async def sending(self, preconditions: Mapping[str, str], now: datetime) -> None:
        """Record what is sent next, each with what the system demands of it.

        Raises UserError, and then nothing may be sent: another process took this execution over, or
        the database is away. Whoever took it over makes what is demanded false, so read that first.
        """
        async with self._lock:
            sent = (self.evidence.sent or {}) | dict(preconditions)
            self.evidence = self.evidence.model_copy(update={"sent": sent, "sent_at": now})
            await self._record(self.evidence, True)

    async def answered(self, answers: Mapping[str, str]) -> None:
        """Record what was answered, by the names of `sending`, and what else shows it."""
        async with self._lock:
            known = self.evidence.answers | dict(answers)
            self.evidence = self.evidence.model_copy(update={"answers": known})
            await self._record(self.evidence, False)


class OutcomeLost(UserError):
    """What was sent was not found in time, and can be neither stopped nor asked about.

    Its outcome stays unknown, and others may change its target: they would wait for ever.
    """


class AlreadyApplied(UserError):
    """There is nothing to do: the target is in the requested state already."""


class Action(Model):
    """What a playbook step does; the fields are the params in the YAML file.

    `name` is its name there. The params in `playbook_only` come from the file alone: no form offers
    them. `place_keys` are those of PLACE_KEYS that a step may have with it.
    """

    name: ClassVar[str]
    risk: ClassVar[Risk]
    playbook_only: ClassVar[frozenset[str]] = frozenset()
    place_keys: ClassVar[frozenset[str]] = frozenset()


class Read(Action, ABC):
    """An action that changes nothing, and so runs at once, without approval."""

    risk: ClassVar = Risk.READ

    @abstractmethod
    async def read(self, systems: ReadingSystems) -> ReadResult:
        """Read the live state. Raises UserError when it cannot be read."""


class Change(Action, ABC):
    """An action that changes production; it runs only as the plan that people approved."""

    async def pin_targets(self, systems: PlanningSystems) -> Self:
        """A copy whose targets are fixed as they are now, for targets that come and go.

        People then approve a change of exactly these, even if others appear before it runs. The
        fields filled in here are marked SkipJsonSchema: a playbook cannot set them. Raises
        UserError when there is no target, or it cannot be read.
        """
        return self

    async def parameter_options(self, systems: PlanningSystems, field: str) -> Options | None:
        """What a form offers for one parameter, from the live state; None for a plain input.

        Raises UserError when the live state cannot be read.
        """
        return None

    def is_served_by(self, undo: "Change") -> bool:
        """Whether the undo of a temporary change does all that this is meant to do.

        Then that undo, which was approved along with its change, runs instead.
        """
        return False

    def makes_same_state(self, other: "Change") -> bool:
        """Whether another change leaves its target as this one would, for however long."""
        return False

    @abstractmethod
    async def plan(self, systems: PlanningSystems) -> Plan:
        """Describe the change from the live state, without making it.

        Raises UserError when it is not possible, and AlreadyApplied when there is nothing to do.
        """

    async def differences(
        self, systems: ReadingSystems, approved: Plan, executions: Sequence[Execution]
    ) -> tuple[Difference, ...]:
        """What is not as a plan of this found it, and who changed that, on evidence.

        `executions` are those that changed its target since, in order. Empty where nothing is known
        beyond what the plans themselves say. Raises UserError when the live state cannot be read.
        """
        return ()

    def as_left(self, plan: Plan, evidence: Evidence) -> Plan | None:
        """The plan with the fingerprint of what this change left; None where nothing tells it."""
        return None

    async def observe(self, systems: ReadingSystems) -> Observation:
        """Whether a temporary change is in force now; for actions whose plan is temporary.

        Raises UserError when it cannot be seen, which is no end of it.
        """
        raise NotImplementedError(f"{self.name} makes no temporary changes")

    @abstractmethod
    async def execute(self, systems: ChangingSystems, plan: Plan, progress: Progress) -> None:
        """Make the change once, if the live state is still the one of the plan.

        Whatever is sent goes through `progress.sending` first, and each answer through
        `progress.answered`. Raises UserError, with `unsure` set when it is not known whether
        something was changed.
        """

    @abstractmethod
    async def settle(
        self, systems: ChangingSystems, plan: Plan, progress: Progress
    ) -> Verdict | None:
        """Find out whether this execution made the change; None where it did, or some of it.

        Told from evidence of this execution, not from how things look: somebody else may have done
        the same. A verdict of "not done" only when what was sent can no longer arrive. Raises
        UserError while that is not known.
        """

    @abstractmethod
    async def verify(self, systems: ReadingSystems, plan: Plan, progress: Progress) -> Verdict:
        """Wait until the change has worked or a deadline has passed, and say which.

        Compares with what was approved until the end. Raises UserError when the live state cannot
        be read.
        """


class RowChoice(Model):
    """The query step whose latest rows people choose from when they are done.

    `title` is the text of each row, with its columns in braces.
    """

    step: str
    title: Annotated[Template, Field(min_length=1)]


class Manual(Action):
    """A step that a person does by hand, and then marks as done or as skipped with a reason."""

    name: ClassVar = "manual"
    risk: ClassVar = Risk.MANUAL
    instructions: str = ""
    link: str = ""
    choose_from: RowChoice | None = None
