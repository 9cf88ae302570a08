"""What happened, in the past tense: one model for the details of each kind of entry."""

from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Self

from pydantic import (
    AliasChoices,
    ConfigDict,
    Field,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
)

from bot.model.base import EntryId, ExecutionId, IncidentId, Model, OpenEnum, UserId
from bot.model.execution import Execution
from bot.model.place import Place
from bot.model.requirement import BrokenGlass, FreezeNotice


class EntryKind(OpenEnum):
    """What a timeline entry says, in the past tense."""

    DECLARED = "declared"
    SERVICE_CHOSEN = "service_chosen"
    SCENARIO_CHOSEN = "scenario_chosen"
    SERVICE_ADDED = "service_added"
    COMMAND_TAKEN = "command_taken"
    SEVERITY_CHANGED = "severity_changed"
    STATUS_CHANGED = "status_changed"
    STATUS_KEPT = "status_kept"
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
    FROZEN = "frozen"
    APPROVED = "approved"
    GLASS_BROKEN = "glass_broken"
    ASKED_TO_CONFIRM = "asked_to_confirm"
    CALLED = "called"
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
    END_ANNOUNCED = "nudged"  # stored under its old name
    EXTENDED = "extended"
    NOT_REVERTED = "not_reverted"
    ENDED = "ended"
    RESOLVED = "resolved"


class Detail(Model):
    """What an entry of one kind says besides its text; the kind belongs to the class.

    Entries are never rewritten: fields that an older version did not write have defaults, names
    that it used are aliases, and what this version does not know is passed over. `place` is where
    an execution acts, or the service of a task; without a service, the incident's own.
    """

    model_config = ConfigDict(extra="ignore", populate_by_name=True)
    kind: ClassVar[EntryKind]
    place: Place | None = None


class Declared(Detail):
    """An incident began; `severity` as people write it.

    `team_channel` is the channel where it was declared, where that proposed the service.
    `candidates` are the services that the words could mean, where nothing was sure.
    """

    kind: ClassVar = EntryKind.DECLARED
    severity: str
    symptoms: tuple[str, ...] = ()
    team_channel: str = ""
    candidates: tuple[str, ...] = ()


class ServiceChosen(Detail):
    """Somebody said which service it is; `scenario` is the playbook that its words decided on."""

    kind: ClassVar = EntryKind.SERVICE_CHOSEN
    service: str
    scenario: str = ""


class ScenarioChosen(Detail):
    """A playbook was chosen; `service` is its service, where people should read that."""

    kind: ClassVar = EntryKind.SCENARIO_CHOSEN
    scenario: str
    service: str = ""


class ServiceAdded(Detail):
    """An incident took in another service; the text is its title."""

    kind: ClassVar = EntryKind.SERVICE_ADDED
    service: str


class CommandTaken(Detail):
    """Somebody is the incident commander."""

    kind: ClassVar = EntryKind.COMMAND_TAKEN
    commander: UserId


class _Changed(Detail):
    old: str = Field(validation_alias=AliasChoices("old", "was"))
    new: str = Field(validation_alias=AliasChoices("new", "is"))


class SeverityChanged(_Changed):
    """How bad it is changed; `mismatched` is a chosen playbook that is meant for `meant_for`."""

    kind: ClassVar = EntryKind.SEVERITY_CHANGED
    mismatched: str = Field(default="", validation_alias=AliasChoices("mismatched", "misfit"))
    meant_for: str = Field(default="", validation_alias=AliasChoices("meant_for", "meant"))


class StatusChanged(_Changed):
    """Where it stands changed; `proposed` when the card proposed it."""

    kind: ClassVar = EntryKind.STATUS_CHANGED
    proposed: bool = False


class StatusKept(Detail):
    """Somebody declined the status that was proposed after the check of an execution."""

    kind: ClassVar = EntryKind.STATUS_KEPT
    status: str
    proposed: str
    execution: ExecutionId


class Updated(Detail):
    """An update was posted; the text is its current status."""

    kind: ClassVar = EntryKind.UPDATED


class Noted(Detail):
    """Somebody wrote a line."""

    kind: ClassVar = EntryKind.NOTED


class Pinned(Detail):
    """Somebody pinned a message; `author` wrote it."""

    kind: ClassVar = EntryKind.PINNED
    author: str


class ReadDone(Detail):
    """A read step was run; the text is what it found."""

    kind: ClassVar = EntryKind.READ
    step: str


class HandedOut(Detail):
    """Findings of an execution were put on a list to work through."""

    kind: ClassVar = EntryKind.HANDED_OUT
    count: int
    execution: ExecutionId


class Taken(Detail):
    """Somebody took a task, from `previous_owner` where there was one."""

    kind: ClassVar = EntryKind.TAKEN
    previous_owner: UserId | None = Field(
        default=None, validation_alias=AliasChoices("previous_owner", "was")
    )


class DoneByHand(Detail):
    """Somebody marked a task as done."""

    kind: ClassVar = EntryKind.DONE_BY_HAND
    note: str = ""


class Skipped(Detail):
    """Somebody skipped a task; the note says why."""

    kind: ClassVar = EntryKind.SKIPPED
    note: str = ""


class Escalated(Detail):
    """Somebody calls others to decide about tasks: `people` and user `groups` by their ids."""

    kind: ClassVar = EntryKind.ESCALATED
    count: int = 1
    note: str = ""
    link: str = ""
    people: tuple[UserId, ...] = ()
    groups: tuple[str, ...] = ()


class Reopened(Detail):
    """A task is to be done after all."""

    kind: ClassVar = EntryKind.REOPENED
    note: str = ""


class Unknown(Detail):
    """What a newer version wrote into an entry of a kind that this one does not know."""

    model_config = ConfigDict(extra="allow")


class ExecutionDetail(Detail):
    """What became of an execution, and what it was bound to: its plan's digest and live state."""

    execution: ExecutionId | None = None
    plan_digest: str | None = Field(
        default=None, validation_alias=AliasChoices("plan_digest", "plan")
    )
    fingerprint: dict[str, Any] | None = None

    def of(self, execution: Execution) -> Self:
        """The same about this execution."""
        plan = execution.plan
        return self.model_copy(
            update={
                "execution": execution.id,
                "place": execution.place,
                "plan_digest": execution.plan_digest,
                "fingerprint": None if plan is None else plan.fingerprint,
            }
        )


class Proposed(ExecutionDetail):
    """Somebody, or the scheduler, requested a change."""

    kind: ClassVar = EntryKind.PROPOSED
    reason: str = ""
    freeze: FreezeNotice | None = None


class Frozen(ExecutionDetail):
    """A freeze began while it waited; `waits_again` where enough people had approved it before."""

    kind: ClassVar = EntryKind.FROZEN
    freeze: FreezeNotice
    waits_again: bool = False


class Approved(ExecutionDetail):
    """Somebody approved it, as a member of the user group with the id `group`, if of one.

    `second_step` says how they confirmed it outside Slack.
    """

    kind: ClassVar = EntryKind.APPROVED
    group: str = ""
    second_step: str = ""


class AskedToConfirm(ExecutionDetail):
    """Somebody approved it in Slack; it counts once they confirm it outside."""

    kind: ClassVar = EntryKind.ASKED_TO_CONFIRM


class Called(ExecutionDetail):
    """Nobody else was on call, so the next level was asked: these `people`, for the `duty`."""

    kind: ClassVar = EntryKind.CALLED
    people: tuple[UserId, ...] = ()
    duty: str = ""


class GlassBroken(ExecutionDetail):
    """The commander had it run though nobody had approved it; `people` and `groups` are called."""

    kind: ClassVar = EntryKind.GLASS_BROKEN
    broken: BrokenGlass
    requested_by: UserId | None = None
    people: tuple[UserId, ...] = ()
    groups: tuple[str, ...] = ()


class Refused(ExecutionDetail):
    """Somebody was refused; `refusal` is the sentence that they read."""

    kind: ClassVar = EntryKind.REFUSED
    refusal: str = ""


class Denied(ExecutionDetail):
    """Somebody denied it; `withdrawn` when it was their own request, `edited` to replace it."""

    kind: ClassVar = EntryKind.DENIED
    reason: str = ""
    withdrawn: bool = Field(default=False, validation_alias=AliasChoices("withdrawn", "own"))
    edited: bool = False


class Expired(ExecutionDetail):
    """Nobody approved it in time."""

    kind: ClassVar = EntryKind.EXPIRED


class Voided(ExecutionDetail):
    """The incident was resolved before it was done."""

    kind: ClassVar = EntryKind.VOIDED


class Started(ExecutionDetail):
    """It began."""

    kind: ClassVar = EntryKind.STARTED


class Succeeded(ExecutionDetail):
    """It was done, and its check passed."""

    kind: ClassVar = EntryKind.SUCCEEDED
    outcome: str = ""


class Failure(OpenEnum):
    """What became of a change that is not done and checked; OVERTAKEN: others changed it since."""

    NOT_DONE = "not_done"
    CHECK_FAILED = "check_failed"
    OVERTAKEN = "overtaken"


class Failed(ExecutionDetail):
    """It was not done, its check failed, or it did not last; None: an older version wrote it."""

    kind: ClassVar = EntryKind.FAILED
    outcome: str = ""
    failure: Failure | None = None


class Interrupted(ExecutionDetail):
    """The process that ran it ended before it did."""

    kind: ClassVar = EntryKind.INTERRUPTED


class Checked(ExecutionDetail):
    """Somebody, or the scheduler, checked what became of it after an interruption."""

    kind: ClassVar = EntryKind.CHECKED


class Reminded(Detail):
    """A reminder was posted; `what` is what people were reminded of."""

    kind: ClassVar = EntryKind.REMINDED
    what: str


class Snoozed(Detail):
    """Somebody put a reminder off, `until` when; None: an older version wrote it."""

    kind: ClassVar = EntryKind.SNOOZED
    minutes: int
    until: datetime | None = None


class TemporaryDetail(Detail):
    """What became of a temporary change; the text is what people call it."""

    execution: ExecutionId


class EndAnnounced(TemporaryDetail):
    """People were reminded that it ends soon."""

    kind: ClassVar = EntryKind.END_ANNOUNCED
    until: datetime
    who: tuple[UserId, ...] = ()


class Extended(TemporaryDetail):
    """It lasts longer; `span` in words."""

    kind: ClassVar = EntryKind.EXTENDED
    span: str


class NotReverted(TemporaryDetail):
    """Its time is over and it could not be undone."""

    kind: ClassVar = EntryKind.NOT_REVERTED
    who: tuple[UserId, ...] = ()
    reason: str


class Ended(TemporaryDetail):
    """Something else ended it: the change of that title, or (`by_hand`) something outside Runbolt.

    `manager` is the field manager that did, where that is noted; `fact` is what is there instead.
    """

    kind: ClassVar = EntryKind.ENDED
    by_hand: bool = False
    manager: str = ""
    fact: str = ""
    change: str = ""
    who: UserId | None = None
    incident: str = ""


class Resolved(Detail):
    """The incident is over; `despite` says why, where a check had failed."""

    kind: ClassVar = EntryKind.RESOLVED
    despite: str = ""


DETAILS: tuple[type[Detail], ...] = (
    Declared,
    ServiceChosen,
    ScenarioChosen,
    ServiceAdded,
    CommandTaken,
    SeverityChanged,
    StatusChanged,
    StatusKept,
    Updated,
    Noted,
    Pinned,
    ReadDone,
    HandedOut,
    Taken,
    DoneByHand,
    Skipped,
    Escalated,
    Reopened,
    Proposed,
    Frozen,
    Approved,
    GlassBroken,
    AskedToConfirm,
    Called,
    Refused,
    Denied,
    Expired,
    Voided,
    Started,
    Succeeded,
    Failed,
    Interrupted,
    Checked,
    Reminded,
    Snoozed,
    EndAnnounced,
    Extended,
    NotReverted,
    Ended,
    Resolved,
)
BY_KIND = {detail.kind: detail for detail in DETAILS}


def _detail(kind: EntryKind, values: dict[str, Any]) -> Detail:
    return BY_KIND.get(kind, Unknown).model_validate(values)


@cache
def _empty_detail(kind: EntryKind) -> Detail:
    """One for all entries of a kind: notes may be thousands, and half of each was its detail."""
    return _detail(kind, {})


class Entry(Model):
    """One line of an incident's timeline, never changed once written."""

    id: EntryId
    incident_id: IncidentId
    at: datetime
    kind: EntryKind
    by: UserId | None
    text: str
    detail: SerializeAsAny[Detail]
    source: str | None

    @field_validator("detail", mode="before")
    @classmethod
    def _of_its_kind(cls, value: Any, info: ValidationInfo) -> Any:
        """The row's JSON becomes the model of the row's kind."""
        if isinstance(value, dict) and "kind" in info.data:
            kind = info.data["kind"]
            return _detail(kind, value) if value else _empty_detail(kind)
        return value
