"""An execution of an action: its plan, its approvals, its outcome, and how long it lasts."""

import hashlib
import json
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from bot.masking.rules import mask
from bot.model.availability import Availability
from bot.model.base import ExecutionId, IncidentId, Model, OpenEnum, Risk, Severity, UserId
from bot.model.confirmation import SecondStep
from bot.model.person import Duty
from bot.model.place import Place
from bot.model.read_result import ReadResult, Table
from bot.model.requirement import AppliedRule, BrokenGlass, BudgetUse, FreezeNotice

# How long a temporary change may last, its extensions included.
LONGEST_TEMPORARY = timedelta(hours=4)
# Masked when it is made, so that what is stored, shown and planned again has one digest.
Prose = Annotated[str, AfterValidator(mask)]


class ExecutionState(OpenEnum):
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


ACTIVE = (ExecutionState.PROPOSED, ExecutionState.APPROVED, ExecutionState.RUNNING)


class PlanPart(Model):
    """A plan, or a part of it; what only a newer version knows is kept, and belongs to the digest.

    So this version does not carry out less than was approved: to it, such a plan has drifted.
    """

    model_config = ConfigDict(extra="allow")
    # What came later, and is left out where it is empty: so older versions know the plan whole.
    later: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_empty(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = serialize(self)
        return {key: value for key, value in fields.items() if value or key not in self.later}


class Undo(PlanPart):
    """What undoes a plan, known before anything runs: itself an action with parameters."""

    summary: Prose
    action: str
    params: dict[str, Any]


class Temporary(PlanPart):
    """A change that is undone by itself after a while; `state` is what people call it meanwhile."""

    state: Prose
    lasts: timedelta


class BlastRadius(PlanPart):
    """How much a change takes away at most, in numbers that people approve along with it.

    So many `pods` are missing at the same time, or this share of the `capacity` in percent,
    whichever is more, until new ones are ready; so many `sessions` are ended. `text` says it as it
    is now: it may count what moves by itself, such as pods under an autoscaler. `effect` is what
    else people notice meanwhile, as the playbook has it.
    """

    later: ClassVar = frozenset({"effect"})

    text: Prose
    effect: Prose = ""
    pods: int = 0
    capacity: int = 0
    sessions: int = 0


def _parse_blast_radius(value: Any) -> Any:
    """What older versions stored was the text alone."""
    return {"text": value} if isinstance(value, str) else value


class Plan(PlanPart):
    """Exactly what would be done; only things that stay equal while nobody touches the target.

    `target` is unique over all systems, such as `deployment/orders in shop of 10.0.0.1:6443`: one
    plan at a time runs per target.
    `fingerprint` is the live state that the plan was made from: any difference is drift.
    `check`, `warnings`, `alarms`, `table` and the words of `blast_radius` may count what moves by
    itself; of that, what must stop it is in the fingerprint too. `alarms` are warnings in strong
    words. `failing_before` says what failed before the change, which its undo leads back to, or is
    empty. `table` has what is hit, where that is much.
    """

    later: ClassVar = frozenset({"alarms", "failing_before", "table"})

    target: str
    summary: Prose
    blast_radius: Annotated[BlastRadius, BeforeValidator(_parse_blast_radius)]
    check: Prose
    diff: Prose = ""
    dry_run: Prose = ""
    warnings: tuple[Prose, ...] = ()
    alarms: tuple[Prose, ...] = ()
    failing_before: Prose = ""
    table: Table | None = None
    undo: Undo | None = None
    temporary: Temporary | None = None
    fingerprint: dict[str, Any] = Field(default_factory=dict)

    @property
    def approved_content(self) -> dict[str, Any]:
        """What people approve, as JSON: all but the words that may count what moves by itself."""
        words = ("check", "warnings", "alarms", "failing_before", "table")
        counting: dict[str, Any] = {"blast_radius": {"text", "effect"}}
        counting |= dict.fromkeys(words, True)
        return self.model_dump(mode="json", exclude=counting)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of what people approve."""
        canonical = json.dumps(self.approved_content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


class Verdict(Model):
    """What became of a change; `was_applied` says whether the execution made it at all.

    `undone_outside` says that somebody else put it back, or changed it, before the check ended;
    `gone` that nothing is left to undo: it was put back, or its target deleted.
    """

    ok: bool
    text: str
    was_applied: bool = True
    undone_outside: bool = False
    gone: bool = False


class Evidence(Model):
    """What an execution sent and what was answered, each under a name that its action chooses.

    The values of `sent` are what the system demanded at that time, such as a version: what was sent
    can no longer arrive once that is false. None: the execution began under a version of the bot
    that did not keep it. `sent_at` is when something was sent last. `replanned` says that nothing
    was sent, because another plan fits what is there by now.
    """

    # What a newer version keeps besides is carried along.
    model_config = ConfigDict(extra="allow")

    sent: dict[str, str] | None = None
    answers: dict[str, str] = Field(default_factory=dict)
    sent_at: datetime | None = None
    undone_outside: bool = False
    gone: bool = False
    replanned: bool = False

    @property
    def unanswered(self) -> dict[str, str]:
        """What was sent and has no answer."""
        sent = self.sent or {}
        return {name: value for name, value in sent.items() if name not in self.answers}


class ApprovalReason(OpenEnum):
    """Why a request needs as many approvals as it does."""

    POLICY = "policy"
    RULE = "rule"
    OVER_BUDGET = "over_budget"
    OVER_INCIDENT_BUDGET = "over_incident_budget"
    FREEZE = "freeze"
    APPROVED_WITH_CHANGE = "approved_with_change"
    UNDO_OF_UNDO = "undo_of_undo"
    UNDO_TOO_LATE = "undo_too_late"
    UNDO_NOT_PLANNED = "undo_not_planned"
    TARGET_CHANGED = "target_changed"
    NOT_AN_APPROVER = "not_an_approver"
    TRIED_BEFORE = "tried_before"


class Requirement(Model):
    """What a request needs before it runs, decided once, when it was made.

    So many `approvals` of people who are named in `users` or belong to one of `groups` (handles or
    ids, as the configuration has them), before `until`. None of `requesters` counts: they asked for
    it, or the scheduler asked in their stead. `reasons` say why; `rule`, `freeze` and `over` with
    what. One that is `outside_freezes` needs no more approvals in a freeze that begins later.
    `severity` is that of its incident then, and `undo_window` how long its undo is approved with
    it. After the time `break_glass_after` without an answer, the commander may have it run.
    """

    approvals: int
    groups: tuple[str, ...] = ()
    users: tuple[UserId, ...] = ()
    requesters: tuple[UserId, ...] = ()
    until: datetime
    reasons: tuple[ApprovalReason, ...]
    severity: Severity | None = None
    rule: AppliedRule | None = None
    freeze: FreezeNotice | None = None
    over: tuple[BudgetUse, ...] = ()
    outside_freezes: bool = False
    undo_window: timedelta | None = None
    break_glass_after: timedelta | None = None


class ShortageKind(OpenEnum):
    """Why nobody can approve a request, or too few can."""

    NO_MEMBERS = "no_members"
    NOBODY_MAY = "nobody_may"
    ONLY_REQUESTERS = "only_requesters"
    TOO_FEW = "too_few"
    UNREADABLE = "unreadable"


class Shortage(Model):
    """A request that cannot get its approvals, as it was at a time.

    `count` people could approve it. `refusal` says why the approvers could not be read.
    """

    kind: ShortageKind
    at: datetime
    count: int = 0
    refusal: str = ""


class Approval(Model):
    """One person's yes to one plan.

    `group` is the id of the user group that made them an approver then; it is empty for somebody
    whom the configuration names, and in what older versions stored, as is `plan_digest`.
    """

    by: UserId
    at: datetime
    plan_digest: str = ""
    group: str = ""


class NewExecution(Model):
    """What is known of an execution at its request; `requested_by` is None for the scheduler.

    With a `second_step` an approval counts only once it is confirmed outside Slack.
    """

    incident_id: IncidentId
    place: Place
    step_id: str
    title: str
    action: str
    params: dict[str, Any]
    risk: Risk
    plan: Plan | None = None
    state: ExecutionState = ExecutionState.PROPOSED
    requested_by: UserId | None
    requested_at: datetime
    reason: str = ""
    approvals_needed: int = 0
    expires_at: datetime | None = None
    requirement: Requirement | None = None
    undo_of: ExecutionId | None = None
    second_step: SecondStep | None = None


class Execution(NewExecution):
    """One run of one step, from request to outcome.

    One that was `edited` is denied, because another request replaced it. Whoever is on call for
    what is `called` counts as an approver of it, because nobody else was on call.
    """

    id: ExecutionId
    plan_digest: str | None
    approvals: tuple[Approval, ...]
    started_at: datetime | None
    heartbeat_at: datetime | None
    interrupted_at: datetime | None
    finished_at: datetime | None
    progress: str | None
    outcome: str | None
    check_passed: bool | None
    read_result: ReadResult | None
    decided_by: UserId | None
    undo_until: datetime | None
    undo_digest: str | None
    evidence: Evidence = Evidence()
    holds_target: bool = False
    edited: bool = False
    nudged_at: datetime | None = None
    shortage: Shortage | None = None
    broken_glass: BrokenGlass | None = None
    available: Availability | None = None
    called: tuple[Duty, ...] = ()

    @property
    def denial(self) -> str:
        """How a denied request was denied: edited, withdrawn by who requested it, or denied."""
        if self.edited:
            return "edited"
        is_own = self.decided_by is not None and self.decided_by == self.requested_by
        return "withdrawn" if is_own else "denied"

    @property
    def requesters(self) -> tuple[UserId, ...]:
        """Whose approval does not count: they asked for it, or it was asked for in their stead."""
        if self.requirement is not None:
            return self.requirement.requesters
        return () if self.requested_by is None else (self.requested_by,)


class Difference(Model):
    """One thing that is not as a plan found it: `what`, and who made it so.

    That is the execution `by`, or else a field `manager`. Where neither is told, `outside` says
    that it was at least no execution.
    """

    what: str
    by: Execution | None = None
    manager: str = ""
    outside: bool = False
    at: datetime | None = None


class Sighting(Model):
    """What a target was: what plans call its fingerprint, and the execution that wrote it last."""

    fingerprint: dict[str, Any]
    execution: str


class Observation(Model):
    """What an action sees of its temporary change: whether it is in force, or else the `fact`.

    `manager` is the field manager that wrote what is there now, empty where that is not noted.
    `settled` says that the target's controller has seen its newest spec, so its revision is known.
    """

    in_force: bool
    fact: str = ""
    manager: str = ""
    sighting: Sighting | None = None
    settled: bool = True


class TemporaryChange(Model):
    """A temporary change: when it ends, and when the scheduler looks at it next.

    It is recorded before it is written; `applied` says that it was. `overdue_reason` says why its
    undo is late and `retry_at` when it is tried again, `touched_by` is the execution that ended it,
    `last_seen` is what its target was when it was last seen in force, `as_left` its fingerprint
    when the undo was planned. `unseen_since` is since when it cannot be seen, and `unseen_reason`
    why not, once that has lasted for a while.
    """

    execution_id: ExecutionId
    incident_id: IncidentId
    state: str
    started_at: datetime
    ends_at: datetime
    next_check_at: datetime
    announced_at: datetime | None
    touched_by: ExecutionId | None
    ended_at: datetime | None
    overdue_reason: str | None
    applied: bool
    last_seen: Sighting | None
    as_left: dict[str, Any] | None
    retry_at: datetime | None
    unseen_since: datetime | None = None
    unseen_reason: str | None = None

    @property
    def in_force(self) -> bool:
        """Whether it is still as the change made it, as far as is known."""
        return self.applied and self.ended_at is None

    @property
    def has_drifted(self) -> bool:
        """Whether its target has changed since its undo was planned: that undo was not approved."""
        if self.last_seen is None or self.as_left is None:
            return False
        return self.last_seen.fingerprint != self.as_left

    @property
    def may_be_in_force(self) -> bool:
        """Whether it is in force, or nobody knows yet whether it was written."""
        return self.ended_at is None
