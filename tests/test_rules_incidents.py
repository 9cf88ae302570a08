"""What a timeline says of an incident: its worst severity."""

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
