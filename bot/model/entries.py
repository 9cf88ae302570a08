"""What happened, in the past tense."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from bot.model.nouns import EntryId, IncidentId, Noun, UserId


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
