"""Which changes are unverified, can be undone, extended or denied, and by whom."""

from datetime import timedelta
from typing import Any

import pytest

from bot import rules
from bot.model import (
    Approval,
    BlastRadius,
    Evidence,
    Execution,
    ExecutionId,
    ExecutionState,
    IncidentId,
    Observation,
    Plan,
    Severity,
    SeverityLevel,
    Sighting,
    Status,
    Task,
    TaskId,
    TaskKind,
    TaskState,
    TemporaryChange,
    Undo,
    UserError,
    UserId,
)
from bot.model.person import Person
from tests.test_rules import ALICE, APPROVERS, BOB, CAROL, NOW, incident, person, request

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
UNDO = Undo(summary="Scale back", action="scale", params={"replicas": 3})
PLAN = Plan(
    target="deployment/order-service",
    summary="Scale up",
    blast_radius=BlastRadius(text="3 pods", pods=3),
    check="6 of 6 are ready",
    undo=UNDO,
)
OUTSIDER = UserId("UNOBODY")


def done(number: int = 3, **changes: Any) -> Execution:
    values = {
        "id": ExecutionId(number),
        "state": ExecutionState.SUCCEEDED,
        "check_passed": True,
        "plan": PLAN,
    }
    return request(**values | changes)


def temporary(**changes: Any) -> TemporaryChange:
    values = {
        "execution_id": ExecutionId(3),
        "incident_id": IncidentId(7),
        "state": "Checkout is paused",
        "started_at": NOW,
        "ends_at": NOW + HOUR,
        "next_check_at": NOW + 55 * MINUTE,
        "announced_at": None,
        "touched_by": None,
        "ended_at": None,
        "overdue_reason": None,
        "applied": True,
        "last_seen": None,
        "as_left": None,
        "retry_at": None,
    }
    return TemporaryChange.model_validate(values | changes)


FAILED = done(1, state=ExecutionState.FAILED, check_passed=False)
UNKNOWN = done(2, state=ExecutionState.INTERRUPTED, check_passed=None)
GOOD = done(4)
NOT_RUN = done(5, state=ExecutionState.FAILED, check_passed=None)


@pytest.mark.parametrize(
    ("executions", "expected"),
    [
        ([], []),
        ([GOOD, NOT_RUN], []),
        ([FAILED], [1]),
        ([UNKNOWN], [2]),
        ([UNKNOWN, GOOD, FAILED], [1, 2]),
        ([FAILED, done(9, undo_of=ExecutionId(1))], []),
        ([UNKNOWN, done(9, undo_of=ExecutionId(2))], [2]),
        ([FAILED, done(9, undo_of=ExecutionId(4))], [1]),
        ([FAILED, done(9, undo_of=ExecutionId(1), state=ExecutionState.RUNNING)], [1]),
        (
            [
                FAILED,
                done(9, undo_of=ExecutionId(1), state=ExecutionState.FAILED, check_passed=False),
            ],
            [1, 9],
        ),
    ],
)
def test_what_is_unverified(executions: list[Execution], expected: list[int]) -> None:
    assert [found.id for found in rules.changes.unverified(executions)] == expected


LATER, EARLIER = NOW + MINUTE, NOW - MINUTE
POD = {"fingerprint": {"pods": {"order-service-1": "u1"}, "of": 3}}
ROLLBACK = {"fingerprint": {"to_template": "abc"}}
ENDED = done(1, state=ExecutionState.FAILED, check_passed=False, finished_at=NOW)
SESSIONS = PLAN.model_copy(update={"target": "database/orders"})


@pytest.mark.parametrize(
    ("failed", "other", "mended"),
    [
        ({}, {"finished_at": LATER}, True),
        ({}, {"finished_at": EARLIER}, False),
        ({}, {"finished_at": LATER, "state": ExecutionState.FAILED, "check_passed": False}, False),
        (
            {},
            {"finished_at": LATER, "plan": PLAN.model_copy(update={"target": "deployment/a"})},
            False,
        ),
        # Its check looked at one of three pods.
        ({}, {"finished_at": LATER, "plan": PLAN.model_copy(update=POD)}, False),
        # Other sessions were ended, or the same ones.
        ({"plan": SESSIONS}, {"finished_at": LATER, "plan": SESSIONS}, False),
        ({"plan": SESSIONS}, {"finished_at": LATER, "plan": SESSIONS, "params": {}}, True),
        # Somebody put it back, and only the same change brings it again.
        ({"evidence": Evidence(undone_outside=True)}, {"finished_at": LATER}, False),
        ({"evidence": Evidence(undone_outside=True)}, {"finished_at": LATER, "params": {}}, True),
        # A rollback chooses all that runs, also in place of what somebody else rolled out.
        (
            {"evidence": Evidence(undone_outside=True)},
            {"finished_at": LATER, "plan": PLAN.model_copy(update=ROLLBACK)},
            True,
        ),
    ],
)
def test_what_mends_a_failed_check(
    failed: dict[str, Any], other: dict[str, Any], mended: bool
) -> None:
    first = ENDED.model_copy(update={"params": {}} | failed)
    second = done(2, **{"params": {"replicas": 4}} | other)

    assert (rules.changes.mended_by(first, [first, second]) == second) is mended
    assert (rules.changes.unverified([first, second])[:1] == ()) is mended


NO_UNDO = PLAN.model_copy(update={"undo": None})


@pytest.mark.parametrize(
    ("execution", "undo", "expected"),
    [
        (GOOD, None, True),
        (FAILED, None, True),
        (NOT_RUN, None, False),
        (UNKNOWN, None, False),
        (done(plan=NO_UNDO), None, False),
        (done(plan=None), None, False),
        (done(undo_of=ExecutionId(1)), None, False),
        (done(undo_of=ExecutionId(1), check_passed=False), None, True),
        (done(evidence=Evidence(undone_outside=True)), None, True),
        (done(evidence=Evidence(undone_outside=True, gone=True)), None, False),
        (GOOD, request(state=ExecutionState.PROPOSED), False),
        (GOOD, request(state=ExecutionState.APPROVED), False),
        (GOOD, request(state=ExecutionState.RUNNING), False),
        (GOOD, request(state=ExecutionState.DENIED), True),
        (GOOD, request(state=ExecutionState.EXPIRED), True),
        (GOOD, request(state=ExecutionState.FAILED), True),
        (GOOD, request(state=ExecutionState.FAILED, check_passed=False), False),
        (GOOD, request(state=ExecutionState.SUCCEEDED, check_passed=True), False),
    ],
)
def test_what_can_be_undone(execution: Execution, undo: Execution | None, expected: bool) -> None:
    assert rules.changes.can_undo(execution, undo) is expected


def test_temporary_changes_undo_themselves() -> None:
    lasting, paused = done(3), done(4)
    changes = [temporary(execution_id=ExecutionId(4))]

    assert rules.changes.must_undo_before_resolving([lasting, paused], changes) == (lasting,)


def test_an_undone_change_is_left_out() -> None:
    first, second = done(3), done(4)
    undo = done(5, undo_of=ExecutionId(3), plan=NO_UNDO)

    assert rules.changes.must_undo_before_resolving([first, second, undo], []) == (second,)


LAST_SEEN = Sighting(fingerprint={"spec": "s1", "revision": 7}, execution="3")


def ended(**changes: Any) -> Observation:
    """What is seen once execution 9 has ended the temporary change of execution 3."""
    values = {"in_force": False, "sighting": sighting()}
    return Observation.model_validate(values | changes)


def sighting(revision: int = 8, execution: str = "9") -> Sighting:
    return Sighting(fingerprint={"spec": "s2", "revision": revision}, execution=execution)


@pytest.mark.parametrize(
    ("seen", "number", "spec", "expected"),
    [
        (ended(), 9, "s1", True),
        (ended(sighting=sighting(revision=9)), 9, "s1", False),  # somebody changed it afterwards
        (ended(sighting=sighting(revision=7)), 9, "s1", False),  # it did not change the template
        (ended(settled=False), 9, "s1", False),
        (ended(sighting=None), 9, "s1", False),
        (ended(), 9, "s0", False),  # something else came before it
    ],
)
def test_what_proves_an_end(seen: Observation, number: int, spec: str, expected: bool) -> None:
    plan = PLAN.model_copy(update={"fingerprint": {"spec": spec, "revision": 7}})
    change = temporary(last_seen=LAST_SEEN)
    assert rules.changes.proves_end(change, seen, done(number, plan=plan)) is expected
    assert not rules.changes.proves_end(temporary(), seen, done(number, plan=plan))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (ended(), False),
        (ended(sighting=sighting(execution="3")), True),
        (ended(manager="kubectl-set"), True),
        (ended(sighting=None), True),
    ],
)
def test_what_is_outside(seen: Observation, expected: bool) -> None:
    assert rules.changes.was_outside(temporary(last_seen=LAST_SEEN), seen) is expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"uid": "a"}, {"uid": "a"}, ()),
        ({"uid": "a"}, {"uid": "b"}, ("uid",)),
        ({"uid": "a"}, {}, ("uid",)),
        ({}, {"to_revision": 1, "from_revision": 2}, ("from revision", "to revision")),
        ({"uid": "a", "replicas": 3}, {"uid": "a", "replicas": 4}, ("replicas",)),
        ({"replicas": 3}, {"replicas": "3"}, ("replicas",)),
    ],
)
def test_what_drifted(
    before: dict[str, Any], after: dict[str, Any], expected: tuple[str, ...]
) -> None:
    old = PLAN.model_copy(update={"fingerprint": before})
    new = PLAN.model_copy(update={"fingerprint": after})
    assert rules.changes.drifted_fields(old, new) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"summary": "Scale down"}, ("summary",)),
        ({"target": "deployment/cart"}, ("target",)),
        ({"dry_run": "other"}, ("dry run",)),
        ({"undo": None}, ("undo",)),
        ({"summary": "Scale down", "diff": "-3"}, ("diff", "summary")),
        ({"warnings": ("Look out",), "check": "5 of 6"}, ()),
        ({"blast_radius": BlastRadius(text="3 of them", pods=3)}, ()),
        ({"blast_radius": BlastRadius(text="3 pods", pods=4)}, ("blast radius",)),
        ({"blast_radius": BlastRadius(text="3 pods", pods=3, sessions=1)}, ("blast radius",)),
    ],
)
def test_words_drift_too(changes: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert rules.changes.drifted_fields(PLAN, PLAN.model_copy(update=changes)) == expected


def told(call: Any, *args: Any) -> str:
    """What a refused person reads; empty where nobody is refused."""
    try:
        call(*args)
    except UserError as error:
        return str(error)
    return ""


NOT_AN_APPROVER = (
    "You are not an approver of order-service. Nothing was {}; ask one of its approvers: <@UBOB> "
    "or <@UCAROL>."
)


@pytest.mark.parametrize(
    ("change", "who", "expected"),
    [
        (temporary(), person(BOB), ""),
        (None, person(BOB), "This has already ended. Nothing was extended."),
        (temporary(ended_at=NOW), person(BOB), "This has already ended. Nothing was extended."),
        (
            temporary(ends_at=NOW),
            person(BOB),
            "The time of “Checkout is paused” is over. Nothing was extended; request it again.",
        ),
        (
            temporary(),
            person(ALICE),
            "You requested this yourself, so you cannot extend it. Another approver has to.",
        ),
        (temporary(), person(OUTSIDER), NOT_AN_APPROVER.format("extended")),
        (
            temporary(),
            person(BOB, guest=True),
            "Guests may not do this. Nothing was done; ask a full member.",
        ),
        (temporary(ends_at=NOW + 3.5 * HOUR), person(BOB), ""),
        (
            temporary(ends_at=NOW + 3.5 * HOUR + MINUTE),
            person(BOB),
            "“Checkout is paused” would last longer than 4 h. Nothing was extended; "
            "request it again once it has ended.",
        ),
    ],
)
def test_who_may_extend(change: TemporaryChange | None, who: Person, expected: str) -> None:
    check = rules.permissions.check_may_extend
    seen_end = NOW if change is None else change.ends_at
    assert told(check, change, request(), who, APPROVERS, NOW, seen_end) == expected


@pytest.mark.parametrize(
    ("execution", "who", "expected"),
    [
        (request(), person(BOB), ""),
        (request(), person(ALICE), ""),
        (request(state=ExecutionState.APPROVED), person(BOB), ""),
        (
            request(),
            person(OUTSIDER),
            NOT_AN_APPROVER.format("denied"),
        ),
        (
            request(),
            person(ALICE, deactivated=True),
            "This account is deactivated. Nothing was done.",
        ),
        (
            request(state=ExecutionState.RUNNING, approvals=(Approval(by=BOB, at=NOW),)),
            person(CAROL),
            "Already approved by <@UBOB> at 2026-11-24 03:00:00 UTC. Nothing was denied.",
        ),
        (
            request(state=ExecutionState.SUCCEEDED),
            person(CAROL),
            "This request is already succeeded. Nothing was denied.",
        ),
        (
            request(state=ExecutionState.DENIED, decided_by=ALICE),
            person(BOB),
            "Already withdrawn by <@UALICE>. Nothing was denied.",
        ),
        (
            request(state=ExecutionState.DENIED, decided_by=BOB),
            person(BOB),
            "Already denied by <@UBOB>. Nothing was denied.",
        ),
        (
            request(state=ExecutionState.EXPIRED),
            person(BOB),
            "This request has expired. Nothing was denied.",
        ),
        (
            request(state=ExecutionState.VOIDED),
            person(BOB),
            "This request is void, because the incident was resolved. Nothing was denied.",
        ),
    ],
)
def test_who_may_deny(execution: Execution, who: Person, expected: str) -> None:
    assert told(rules.permissions.check_may_deny, execution, who, APPROVERS) == expected


@pytest.mark.parametrize(
    ("state", "approvals", "expected"),
    [
        (
            ExecutionState.APPROVED,
            (Approval(by=BOB, at=NOW), Approval(by=CAROL, at=NOW + MINUTE)),
            "Already approved by <@UCAROL> at 2026-11-24 03:01:00 UTC. Nothing more was approved.",
        ),
        (
            ExecutionState.FAILED,
            (Approval(by=BOB, at=NOW),),
            "Already approved by <@UBOB> at 2026-11-24 03:00:00 UTC. Nothing more was approved.",
        ),
        (
            ExecutionState.RUNNING,
            (),
            "This request is already running. Nothing more was approved.",
        ),
    ],
)
def test_a_late_approval_names_the_last(
    state: ExecutionState, approvals: tuple[Approval, ...], expected: str
) -> None:
    late = request(state=state, approvals=approvals)
    check = rules.permissions.check_may_approve
    assert told(check, late, person(BOB), APPROVERS, NOW) == expected


def test_the_last_moment_counts() -> None:
    open_until = request(expires_at=NOW + timedelta(microseconds=1))
    forever = request(expires_at=None)

    for execution in (open_until, forever):
        rules.permissions.check_may_approve(execution, person(), APPROVERS, NOW)


def task(**changes: Any) -> Task:
    values = dict.fromkeys(Task.model_fields) | {
        "id": TaskId(1),
        "incident_id": IncidentId(7),
        "kind": TaskKind.STEP,
        "step_id": "call",
        "title": "Call the bank",
        "link": "",
        "state": TaskState.OPEN,
        "note": "",
        "added_at": NOW,
    }
    return Task.model_validate(values | changes)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            task(state=TaskState.DONE, decided_by=BOB, decided_at=NOW),
            "<@UBOB> already marked “Call the bank” as done at 03:00:00 UTC. Nothing was changed.",
        ),
        (
            task(state=TaskState.DONE, kind=TaskKind.FINDING, decided_by=BOB, decided_at=NOW),
            "<@UBOB> already marked “Call the bank” as handled at 03:00:00 UTC. "
            "Nothing was changed.",
        ),
        (
            task(state=TaskState.SKIPPED, kind=TaskKind.FINDING, decided_by=BOB, decided_at=NOW),
            "<@UBOB> already marked “Call the bank” as skipped at 03:00:00 UTC. "
            "Nothing was changed.",
        ),
        (
            task(state=TaskState.ESCALATED, decided_by=BOB, decided_at=NOW),
            "<@UBOB> already marked “Call the bank” as escalated at 03:00:00 UTC. "
            "Nothing was changed.",
        ),
        (
            task(owner=CAROL, owned_at=NOW),
            "<@UCAROL> took “Call the bank” at 03:00:00 UTC. Nothing was changed; "
            "press again to take it over.",
        ),
        (task(), "“Call the bank” is already open. Nothing was changed."),
    ],
)
def test_who_was_faster(given: Task, expected: str) -> None:
    assert str(rules.changes.task_conflict(given)) == expected


LEVEL = SeverityLevel(meaning="Bad", response=HOUR, customers=True)


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((), "This playbook informs customers of nothing, and INC-7 is SEV-3."),
        (
            (Severity.SEV2, Severity.SEV1),
            "This playbook informs customers of SEV-1 and SEV-2, and INC-7 is SEV-3.",
        ),
    ],
)
def test_customers_hear_of_severe_ones(levels: tuple[Severity, ...], expected: str) -> None:
    book = incident().playbook.model_copy(update={"severities": dict.fromkeys(levels, LEVEL)})
    given = incident(severity=Severity.SEV3, playbook=book)

    assert told(rules.permissions.check_informs_customers, given) == (
        f"{expected} Nothing was done. If it is worse, raise it first with `/incident severity`."
    )


def test_customers_hear_of_open_ones() -> None:
    book = incident().playbook.model_copy(update={"severities": {Severity.SEV1: LEVEL}})
    check = rules.permissions.check_informs_customers

    assert told(check, incident(playbook=book)) == ""
    assert told(check, incident(playbook=book, status=Status.RESOLVED)) == (
        "INC-7 is resolved. Nothing was done. If the problem is back, declare a new incident "
        "with `/incident declare`."
    )
