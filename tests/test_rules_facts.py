"""What the draft of an update tells: the newest facts, and nothing that a change made old."""

import pytest

from bot import rules
from bot.model import Entry, EntryKind, Execution
from bot.model.entries import Failure
from tests.test_rules_changes import done as execution
from tests.test_rules_incidents import entry

TOLD = execution(9, action="customer-message")


def read(number: int, step: str = "pods") -> Entry:
    return entry(number, EntryKind.READ, step=step)


def done(number: int, plan: str | None, execution: int = 3) -> Entry:
    return entry(number, EntryKind.SUCCEEDED, plan_digest=plan, execution=execution)


def failed(number: int, plan: str | None, failure: Failure | None = None) -> Entry:
    return entry(number, EntryKind.FAILED, plan_digest=plan, failure=failure, execution=4)


def started(number: int, execution: int) -> Entry:
    return entry(number, EntryKind.STARTED, plan_digest="a", execution=execution)


def noted(number: int) -> Entry:
    return entry(number, EntryKind.NOTED)


def by_hand(number: int, kind: EntryKind = EntryKind.DONE_BY_HAND) -> Entry:
    return entry(number, kind).model_copy(update={"text": "Call them"})


def several_by_hand(count: int) -> list[Entry]:
    given = [by_hand(number) for number in range(1, count + 1)]
    return [each.model_copy(update={"text": f"Call {each.id}"}) for each in given]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], []),
        ([noted(1), noted(2)], [2, 1]),
        ([read(1), read(2, "logs"), read(3)], [3, 2]),
        ([noted(1), read(2), done(3, "a"), read(4, "logs")], [4, 3, 1]),
        # Whatever a change did, what was read before and while it ran may be no longer so.
        ([read(1), failed(2, "a", Failure.CHECK_FAILED)], [2]),
        ([read(1), started(2, 4), read(3), failed(4, "a", Failure.OVERTAKEN)], [4]),
        ([read(1), started(2, 4), read(3, "logs")], [3]),
        ([read(1), started(2, 4), failed(3, "a", Failure.NOT_DONE)], [3, 1]),
        ([read(1), entry(2, EntryKind.ENDED, execution=3)], []),
        # Customers were told something: nothing has changed.
        ([read(1), started(2, 9), done(3, "b", 9)], [1]),
        ([failed(1, "a"), done(2, "a")], [2]),
        ([done(1, "a"), failed(2, "a"), done(3, "b")], [3, 2]),
        ([done(1, None), done(2, None)], [2, 1]),
        ([noted(number) for number in range(1, 13)], list(range(12, 2, -1))),
        ([by_hand(1), noted(2)], [2, 1]),
        ([by_hand(1), by_hand(2, EntryKind.REOPENED)], []),
        ([done(1, "a"), *[each for each in several_by_hand(20) if each.id > 1]], [20, 19, 18, 1]),
    ],
)
def test_the_latest_facts(entries: list[Entry], expected: list[int]) -> None:
    executions: list[Execution] = [execution(3), TOLD]
    assert [fact.id for fact in rules.facts.latest(entries, executions)] == expected
