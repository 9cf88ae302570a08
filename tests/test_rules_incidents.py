"""What a timeline says of an incident: its worst severity, and the facts for an update."""

from typing import Any

import pytest

from bot import rules
from bot.model import Entry, EntryId, EntryKind, IncidentId, Severity
from tests.test_rules import BOOK, NOW, incident


def entry(number: int, kind: EntryKind, **detail: Any) -> Entry:
    return Entry(
        id=EntryId(number),
        incident_id=IncidentId(7),
        at=NOW,
        kind=kind,
        by=None,
        text="",
        detail=detail,
        source=None,
    )


def declared(severity: str) -> Entry:
    return entry(1, EntryKind.DECLARED, severity=severity)


def changed(old: str, new: str) -> Entry:
    return entry(2, EntryKind.SEVERITY_CHANGED, old=old, new=new)


@pytest.mark.parametrize(
    ("now", "entries", "expected"),
    [
        (Severity.SEV3, [], Severity.SEV3),
        (Severity.SEV3, [declared("SEV-2")], Severity.SEV2),
        (Severity.SEV1, [declared("SEV-2")], Severity.SEV1),
        (Severity.SEV3, [declared("SEV-3"), changed("SEV-3", "SEV-1")], Severity.SEV1),
        (Severity.SEV4, [changed("SEV-2", "SEV-4")], Severity.SEV2),
        (
            Severity.SEV4,
            [entry(2, EntryKind.SEVERITY_CHANGED, was="sev1", **{"is": "sev4"})],
            Severity.SEV1,
        ),
        (Severity.SEV3, [declared("unknown")], Severity.SEV3),
        (Severity.SEV3, [entry(2, EntryKind.STATUS_CHANGED, old="1", new="2")], Severity.SEV3),
    ],
)
def test_the_worst_it_was(now: Severity, entries: list[Entry], expected: Severity) -> None:
    assert rules.incidents.peak_severity(incident(severity=now), entries) is expected


def read(number: int, step: str) -> Entry:
    return entry(number, EntryKind.READ, step=step)


def done(number: int, plan: str | None) -> Entry:
    return entry(number, EntryKind.SUCCEEDED, plan_digest=plan)


def failed(number: int, plan: str | None) -> Entry:
    return entry(number, EntryKind.FAILED, plan_digest=plan)


def noted(number: int) -> Entry:
    return entry(number, EntryKind.NOTED)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ([], []),
        ([noted(1), noted(2)], [1, 2]),
        ([read(1, "pods"), read(2, "logs"), read(3, "pods")], [2, 3]),
        ([noted(1), read(2, "pods"), done(3, "a")], [3, 2, 1]),
        ([failed(1, "a"), done(2, "a")], [2]),
        ([done(1, "a"), failed(2, "a"), done(3, "b")], [3, 2]),
        ([done(1, None), done(2, None)], [1, 2]),
        ([noted(number) for number in range(1, 13)], list(range(3, 13))),
        ([done(1, "a"), *[noted(number) for number in range(2, 12)]], list(range(2, 12))),
    ],
)
def test_the_latest_facts(facts: list[Entry], expected: list[int]) -> None:
    assert [fact.id for fact in rules.incidents.latest_facts(facts)] == expected


@pytest.mark.parametrize(
    ("ticked", "worst", "chosen"),
    [
        ({}, None, None),
        ({"order-service/refunds": ["a"]}, Severity.SEV2, "refunds"),
        ({"order-service/refunds": ["a"], "order-service/disputes": ["b"]}, Severity.SEV2, None),
        (
            {"order-service/refunds": ["a", "b"], "order-service/disputes": ["b"]},
            Severity.SEV2,
            "refunds",
        ),
        ({"order-service/outage": ["a"], "order-service/refunds": ["b"]}, Severity.SEV1, "outage"),
        (
            {"order-service/outage": ["a"], "order-service/refunds": ["b", "c"]},
            Severity.SEV1,
            "refunds",
        ),
    ],
)
def test_what_symptoms_mean(
    ticked: dict[str, list[str]], worst: Severity | None, chosen: str | None
) -> None:
    matches = rules.incidents.best_matches([BOOK], ticked)
    found = rules.incidents.unambiguous(matches)

    assert rules.incidents.worst_severity([BOOK], ticked) == worst
    assert (found.scenario.id if found else None) == chosen
