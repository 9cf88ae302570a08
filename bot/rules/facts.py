"""Decisions about the draft of an update: which entries are facts that are still true."""

from collections.abc import Sequence
from operator import attrgetter

from bot.model import Entry, EntryKind, Execution
from bot.model.entries import ExecutionDetail, Failed, Failure, ReadDone
from bot.rules.customers import is_about_customers

FACTS = (
    EntryKind.SUCCEEDED,
    EntryKind.FAILED,
    EntryKind.READ,
    EntryKind.NOTED,
    EntryKind.PINNED,
    EntryKind.DONE_BY_HAND,
)
# What changes production, or shows that something did.
CHANGES = (EntryKind.STARTED, EntryKind.SUCCEEDED, EntryKind.FAILED, EntryKind.ENDED)
MAX_FACT_LENGTH, MAX_FACTS = 200, 10  # together shorter than the form's field
MAX_BY_HAND = 3  # of a list there may be many


def latest(entries: Sequence[Entry], executions: Sequence[Execution]) -> tuple[Entry, ...]:
    """The latest fact about each step, plan or task, the newest first, at most ten.

    What was read before the last change may be no longer so; what customers were told is no fact.
    """
    told = {each.id for each in executions if is_about_customers(each)}
    production = [entry for entry in entries if _execution_id(entry) not in told]
    changed = _last_change(production)
    facts = {_subject(entry): entry for entry in production}.values()
    newest = sorted((each for each in facts if each.kind in FACTS), key=attrgetter("id"))[::-1]
    by_hand = [entry for entry in newest if entry.kind is EntryKind.DONE_BY_HAND][MAX_BY_HAND:]
    fresh = [entry for entry in newest if entry.kind is not EntryKind.READ or entry.id > changed]
    return tuple(entry for entry in fresh if entry not in by_hand)[:MAX_FACTS]


def _last_change(entries: Sequence[Entry]) -> int:
    """The id of the entry about the last change; what was not done changed nothing."""
    idle = {
        _execution_id(entry)
        for entry in entries
        if isinstance(entry.detail, Failed) and entry.detail.failure is Failure.NOT_DONE
    }
    changes = [entry for entry in entries if entry.kind in CHANGES]
    return max((entry.id for entry in changes if _execution_id(entry) not in idle), default=0)


def _execution_id(entry: Entry) -> int | None:
    return entry.detail.execution if isinstance(entry.detail, ExecutionDetail) else None


def _subject(entry: Entry) -> str:
    """What an entry is about: a step, a plan, a task, or only itself."""
    match entry:
        case Entry(detail=ReadDone(step=step, place=place)):
            return f"{step} {place}"
        case Entry(kind=EntryKind.SUCCEEDED | EntryKind.FAILED, detail=detail) if (
            isinstance(detail, ExecutionDetail) and detail.plan_digest
        ):
            return detail.plan_digest
        case Entry(kind=EntryKind.DONE_BY_HAND | EntryKind.REOPENED):
            return f"task {entry.text} {entry.detail.place}"
    return str(entry.id)
