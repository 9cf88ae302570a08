"""The decisions, by themselves: plain values in, plain values out."""

from datetime import UTC, datetime, timedelta

import pytest

from bot import rules
from bot.config import MemberSelector, ServiceConfig
from bot.model import (
    Approval,
    BlastRadius,
    Execution,
    ExecutionId,
    ExecutionState,
    Incident,
    IncidentId,
    Membership,
    Person,
    Plan,
    Playbook,
    Risk,
    Scenario,
    Severity,
    SeverityLevel,
    Status,
    UserError,
    UserId,
)

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
ALICE, BOB, CAROL = UserId("UALICE"), UserId("UBOB"), UserId("UCAROL")
APPROVERS = Membership(users=frozenset({ALICE, BOB, CAROL}))
CONFIG = ServiceConfig(approvers=MemberSelector(users=(ALICE, BOB, CAROL)))


def scenario(scenario_id: str, severity: Severity) -> Scenario:
    return Scenario(id=scenario_id, title=scenario_id, severity=severity, symptoms=(), steps=())


BOOK = Playbook(
    service="order-service",
    title="Order Service",
    severities={Severity.SEV1: SeverityLevel(meaning="Critical", response=timedelta(minutes=15))},
    scenarios=(
        scenario("outage", Severity.SEV1),
        scenario("refunds", Severity.SEV2),
        scenario("disputes", Severity.SEV2),
    ),
)


def incident(title: str = "Orders are failing", **changes: object) -> Incident:
    values: dict[str, object] = {
        "id": IncidentId(7),
        "title": title,
        "severity": Severity.SEV1,
        "status": Status.INVESTIGATING,
        "playbook": BOOK,
        "scenario_id": "outage",
        "channel_id": None,
        "channel_name": None,
        "declared_by": ALICE,
        "declared_at": NOW,
        "source_link": None,
        "commander": None,
        "commanded_at": None,
        "last_update_at": None,
        "next_update_at": None,
        "resolved_by": None,
        "resolved_at": None,
        "resolution": None,
    }
    return Incident.model_validate(values | changes)


def request(**changes: object) -> Execution:
    values: dict[str, object] = dict.fromkeys(Execution.model_fields)
    values |= {
        "id": ExecutionId(3),
        "incident_id": IncidentId(7),
        "place": {"service": "order-service"},
        "step_id": "roll-back",
        "title": "Roll back",
        "action": "rollback",
        "params": {},
        "risk": Risk.DESTRUCTIVE,
        "state": ExecutionState.PROPOSED,
        "requested_by": ALICE,
        "requested_at": NOW,
        "reason": "it crash-loops",
        "approvals_needed": 1,
        "approvals": (),
        "evidence": {},
        "holds_target": False,
        "edited": False,
        "called": (),
        "expires_at": NOW + timedelta(minutes=10),
    }
    return Execution.model_validate(values | changes)


def person(user_id: UserId = BOB, **changes: bool) -> Person:
    return Person(id=user_id, name=user_id.title(), **changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sev1", Severity.SEV1),
        ("SEV-1", Severity.SEV1),
        ("Sev 2", Severity.SEV2),
        ("sev_3", Severity.SEV3),
        ("4", Severity.SEV4),
        ("5", None),
        ("sev0", None),
        ("sev11", None),
        ("severe", None),
        ("", None),
    ],
)
def test_spellings_of_a_severity(text: str, expected: Severity | None) -> None:
    assert rules.incidents.parse_severity(text) is expected


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Orders are failing", "inc-7-orders-are-failing"),
        ("Größe & «Ärger»!", "inc-7-groe-arger"),
        ("🔥🔥🔥", "inc-7-sev1"),
        ("الطلبات تفشل", "inc-7-sev1"),
        ("--__--", "inc-7-sev1"),
        ("<!channel> ping", "inc-7-channel-ping"),
    ],
)
def test_channel_names_are_safe(title: str, name: str) -> None:
    assert rules.incidents.channel_name(incident(title)) == name


def test_long_channel_names_keep_their_suffix() -> None:
    long = incident("word " * 100)

    names = [rules.incidents.channel_name(long, attempt) for attempt in range(3)]

    assert all(len(name) <= 80 for name in names)
    assert names[1].endswith("-2")
    assert names[2].endswith("-3")
    assert not names[0].endswith("-")


def test_a_title_fits_a_header() -> None:
    assert (
        rules.incidents.incident_title("  it   broke\nand more", Severity.SEV1, None) == "it broke"
    )
    assert rules.incidents.incident_title("", Severity.SEV2, BOOK.scenarios[1]) == "refunds"
    assert rules.incidents.incident_title("", Severity.SEV4, None) == "SEV-4 incident"
    assert (
        len(rules.incidents.incident_title("x" * 5000, Severity.SEV1, None))
        == rules.incidents.TITLE_LENGTH
    )


def test_scenarios_of_a_severity() -> None:
    def names(severity: Severity) -> list[str]:
        return [play.scenario.id for play in rules.incidents.scenarios_for([BOOK], severity)]

    assert names(Severity.SEV1) == ["outage"]
    assert names(Severity.SEV2) == ["refunds", "disputes"]
    assert names(Severity.SEV4) == ["outage", "refunds", "disputes"]


@pytest.mark.parametrize(
    ("severity", "status", "minutes"),
    [
        (Severity.SEV1, Status.INVESTIGATING, 15),
        (Severity.SEV1, Status.IDENTIFIED, 15),
        (Severity.SEV1, Status.MONITORING, 30),
        (Severity.SEV2, Status.INVESTIGATING, 30),
        (Severity.SEV2, Status.MONITORING, 60),
        (Severity.SEV3, Status.INVESTIGATING, 60),
        (Severity.SEV3, Status.MONITORING, 120),
        (Severity.SEV4, Status.INVESTIGATING, 24 * 60),
        (Severity.SEV4, Status.MONITORING, None),
        (Severity.SEV1, Status.RESOLVED, None),
    ],
)
def test_the_cadence_of_updates(severity: Severity, status: Status, minutes: int | None) -> None:
    expected = None if minutes is None else timedelta(minutes=minutes)
    assert rules.deadlines.update_interval(CONFIG, severity, status) == expected


def test_a_late_update_is_due_now() -> None:
    late = rules.deadlines.next_update_at(
        CONFIG, Severity.SEV1, Status.INVESTIGATING, NOW - timedelta(hours=3), NOW
    )
    assert late == NOW


SOON, LATER = NOW + timedelta(minutes=5), NOW + timedelta(minutes=40)


@pytest.mark.parametrize(
    ("promise", "severity", "status", "due"),
    [
        (SOON, Severity.SEV2, Status.INVESTIGATING, SOON),
        (SOON, Severity.SEV1, Status.MONITORING, SOON),
        (SOON, Severity.SEV4, Status.INVESTIGATING, SOON),
        (LATER, Severity.SEV1, Status.IDENTIFIED, LATER),
        (LATER, Severity.SEV2, Status.INVESTIGATING, NOW + timedelta(minutes=30)),
    ],
)
def test_a_change_puts_off_no_promise(
    promise: datetime, severity: Severity, status: Status, due: datetime
) -> None:
    was = incident(last_update_at=NOW, next_update_at=promise)

    assert (
        rules.deadlines.update_due_after_change(CONFIG, was, severity, status, promise, NOW) == due
    )


def test_late_after_a_change_too() -> None:
    was = incident(severity=Severity.SEV2, next_update_at=NOW + timedelta(minutes=30))
    after = NOW + timedelta(minutes=40)

    due = rules.deadlines.update_due_after_change(
        CONFIG, was, Severity.SEV1, was.status, None, after
    )

    assert due == was.next_update_at


def test_how_far_a_promise_reaches() -> None:
    assert rules.deadlines.promised_update_at(CONFIG, incident(), None, NOW) == NOW + timedelta(
        minutes=15
    )
    assert rules.deadlines.promised_update_at(CONFIG, incident(), 20, NOW) == NOW + timedelta(
        minutes=20
    )
    assert rules.deadlines.promised_update_at(CONFIG, incident(), 500, NOW) == NOW + timedelta(
        minutes=30
    )


def test_when_the_first_response_is_due() -> None:
    assert rules.deadlines.first_response_at(CONFIG, incident()) == NOW + timedelta(minutes=15)
    assert rules.deadlines.first_response_at(CONFIG, incident(severity=Severity.SEV4)) is None


def test_a_second_approver_may_approve() -> None:
    rules.permissions.check_may_approve(request(), person(), APPROVERS, NOW)


@pytest.mark.parametrize(
    ("run", "who", "sentence"),
    [
        (request(), person(ALICE), "requested this yourself"),
        (request(), person(UserId("UNOBODY")), "You are not an approver"),
        (request(), person(guest=True), "Guests may not"),
        (request(), person(bot=True), "Bots may not"),
        (request(), person(deactivated=True), "deactivated"),
        (request(), person(external=True), "another workspace"),
        (request(expires_at=NOW), person(), "has expired"),
        (request(state=ExecutionState.EXPIRED), person(), "has expired"),
        (request(state=ExecutionState.VOIDED), person(), "is void"),
        (
            request(state=ExecutionState.DENIED, decided_by=CAROL),
            person(),
            "Already denied by <@UCAROL>",
        ),
        (request(state=ExecutionState.INTERRUPTED), person(), "already interrupted"),
        (
            request(state=ExecutionState.RUNNING, approvals=(Approval(by=CAROL, at=NOW),)),
            person(),
            "Already approved by <@UCAROL> at 2026-11-24 03:00:00 UTC",
        ),
        (
            request(approvals_needed=2, approvals=(Approval(by=BOB, at=NOW),)),
            person(),
            "already approved this",
        ),
    ],
)
def test_everybody_else_is_refused(run: Execution, who: Person, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        rules.permissions.check_may_approve(run, who, APPROVERS, NOW)


def test_who_may_deny_or_withdraw() -> None:
    rules.permissions.check_may_deny(request(), person(ALICE), Membership())
    with pytest.raises(UserError, match="Nothing was denied"):
        rules.permissions.check_may_deny(request(), person(), Membership())


@pytest.mark.parametrize("told", [(), (Severity.SEV1,), (Severity.SEV2, Severity.SEV4)])
def test_when_customers_are_told(told: tuple[Severity, ...]) -> None:
    levels = {
        level: SeverityLevel(meaning="Bad", response=timedelta(minutes=15), customers=level in told)
        for level in Severity
    }
    book = BOOK.model_copy(update={"severities": levels})

    assert rules.permissions.customer_severities(book) == told
    assert [
        level
        for level in Severity
        if rules.permissions.informs_customers(incident(severity=level, playbook=book))
    ] == list(told)


def test_customers_of_a_missing_severity() -> None:
    assert not rules.permissions.informs_customers(incident(severity=Severity.SEV3))


def test_changed_fields_are_named() -> None:
    same = {"target": "deployment/order-service", "check": "3 of 3 are ready"}
    radius = BlastRadius(text="3 pods")
    old = Plan(**same, summary="Roll back", blast_radius=radius, fingerprint={"uid": "a"})
    louder = old.model_copy(update={"warnings": ("The nodes are full.",)})
    counted = radius.model_copy(update={"text": "4 pods"})
    wider = old.model_copy(update={"blast_radius": counted, "check": "4 of 4 are ready"})
    deeper = old.model_copy(update={"diff": "-image: v2"})
    other = deeper.model_copy(update={"fingerprint": {"to_revision": 6, "uid": "a"}})

    assert old.digest == louder.digest == wider.digest != deeper.digest
    assert rules.changes.drifted_fields(old, louder) == ()
    assert rules.changes.drifted_fields(old, wider) == ()
    assert rules.changes.drifted_fields(old, deeper) == ("diff",)
    assert rules.changes.drifted_fields(old, other) == ("to revision",)
