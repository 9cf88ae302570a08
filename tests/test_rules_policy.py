"""What the policy decides, by plan, incident, people and time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot import rules
from bot.config import Config, MemberSelector, Policy, ServiceConfig
from bot.model import (
    Amounts,
    AppliedRule,
    Approval,
    ApprovalReason,
    BlastRadius,
    BudgetUse,
    ExecutionId,
    ExecutionState,
    FreezeNotice,
    Person,
    Plan,
    Requirement,
    Risk,
    Severity,
    UserId,
)
from bot.rules.policy import ProposedChange
from tests.test_rules import ALICE, BOB, CAROL, NOW, incident, request
from tests.test_rules_changes import PLAN, done, told

MINUTE = timedelta(minutes=1)
SELECTOR = MemberSelector(users=(ALICE, BOB, CAROL), groups=("sre",))
DIGEST = PLAN.digest
OTHER = PLAN.model_copy(update={"summary": "Scale down"})


def team(**approvals: int) -> ServiceConfig:
    return ServiceConfig(approvers=SELECTOR, policy=Policy.model_validate({"approvals": approvals}))


def change(**values: Any) -> ProposedChange:
    given: dict[str, Any] = {"plan": PLAN, "risk": Risk.DESTRUCTIVE, "requested_by": ALICE}
    return ProposedChange(**given | values)


def undo(**values: Any) -> ProposedChange:
    """The undo that an approver asks for while its approval counts, but for these values."""
    given = {"undoes": done(undo_until=NOW + MINUTE, undo_digest=DIGEST), "may_use_approval": True}
    return change(**{"requested_by": BOB} | given | values)


@pytest.mark.parametrize(
    ("approvals", "risk", "needed"),
    [
        ({}, Risk.CHANGE, 1),
        ({}, Risk.DESTRUCTIVE, 1),
        ({"destructive": 2}, Risk.DESTRUCTIVE, 2),
        ({"destructive": 2}, Risk.CHANGE, 1),
        ({"change": 0}, Risk.CHANGE, 0),
    ],
)
def test_the_policy_decides_by_risk(approvals: dict[str, int], risk: Risk, needed: int) -> None:
    decided = rules.policy.decide(team(**approvals), incident(), change(risk=risk), NOW)

    assert decided == Requirement(
        approvals=needed,
        groups=("sre",),
        users=(ALICE, BOB, CAROL),
        requesters=(ALICE,),
        until=NOW + 10 * MINUTE,
        reasons=(ApprovalReason.POLICY,),
        severity=Severity.SEV1,
        undo_window=15 * MINUTE,
    )


@pytest.mark.parametrize(
    ("severity", "minutes"),
    [(Severity.SEV1, 10), (Severity.SEV2, 15), (Severity.SEV3, 30), (Severity.SEV4, 30)],
)
def test_severe_incidents_wait_less(severity: Severity, minutes: int) -> None:
    decided = rules.policy.decide(team(), incident(severity=severity), change(), NOW)

    assert decided.until == NOW + minutes * MINUTE


@pytest.mark.parametrize(
    ("undoing", "reason"),
    [
        (undo(), None),
        (undo(undoes=done(undo_until=NOW, undo_digest=DIGEST)), ApprovalReason.UNDO_TOO_LATE),
        (undo(undoes=done(undo_until=None, undo_digest=DIGEST)), ApprovalReason.UNDO_TOO_LATE),
        (undo(undoes=done(undo_until=NOW, undo_digest=DIGEST), in_force=True), None),
        (undo(plan=OTHER), ApprovalReason.TARGET_CHANGED),
        (undo(plan=OTHER, in_force=True), ApprovalReason.TARGET_CHANGED),
        (
            undo(undoes=done(undo_until=NOW + MINUTE, undo_digest=None)),
            ApprovalReason.UNDO_NOT_PLANNED,
        ),
        (undo(may_use_approval=False), ApprovalReason.NOT_AN_APPROVER),
        (undo(may_use_approval=False, requested_by=None), ApprovalReason.TRIED_BEFORE),
        (
            undo(
                undoes=done(undo_until=NOW + MINUTE, undo_digest=DIGEST, undo_of=ExecutionId(1)),
                in_force=True,
            ),
            ApprovalReason.UNDO_OF_UNDO,
        ),
    ],
)
def test_when_an_undo_is_approved(undoing: ProposedChange, reason: ApprovalReason | None) -> None:
    decided = rules.policy.decide(team(destructive=2), incident(), undoing, NOW)

    if reason is None:
        assert (decided.approvals, decided.reasons) == (0, (ApprovalReason.APPROVED_WITH_CHANGE,))
    else:
        assert (decided.approvals, decided.reasons) == (2, (ApprovalReason.POLICY, reason))


@pytest.mark.parametrize(
    ("radius", "over"),
    [
        ({}, False),
        ({"pods": 2, "capacity": 50, "sessions": 5}, False),
        ({"pods": 3}, True),
        ({"capacity": 51}, True),
        ({"sessions": 6}, True),
    ],
)
def test_what_takes_away_more_needs_more(radius: dict[str, int], over: bool) -> None:
    budget = {"pods": 2, "capacity": 50, "sessions": 5}
    config = ServiceConfig(approvers=SELECTOR, policy=Policy.model_validate({"budget": budget}))
    wide = PLAN.model_copy(update={"blast_radius": BlastRadius(text="", **radius)})

    decided = rules.policy.decide(config, incident(), change(plan=wide), NOW)

    assert decided.approvals == 1 + over
    assert (ApprovalReason.OVER_BUDGET in decided.reasons) is over
    assert rules.policy.decide(team(), incident(), change(plan=wide), NOW).approvals == 1


HOLIDAYS = {"from": "2026-11-24 02:00", "until": "2026-11-24 04:00", "reason": "Holidays"}
NOTICE = FreezeNotice(reason="Holidays", until=datetime(2026, 11, 24, 4, tzinfo=UTC))
LATE = {"undoes": done(undo_until=NOW, undo_digest=DIGEST)}


def with_policy(**policy: Any) -> ServiceConfig:
    return ServiceConfig(approvers=SELECTOR, policy=Policy.model_validate(policy))


@pytest.mark.parametrize(
    ("asked", "base", "needed", "freeze"),
    [
        (change(), 1, 2, NOTICE),
        (change(), 0, 1, NOTICE),
        (change(action="customer-message", risk=Risk.CHANGE), 1, 1, None),
        # An undo that was approved along with its change stays approved, as was said then.
        (undo(), 1, 0, None),
        (undo(**LATE), 1, 2, NOTICE),
        # The end of a temporary change is never held up by a freeze, wherever approval is needed.
        (undo(**LATE, in_force=True), 1, 0, None),
        (undo(plan=OTHER, in_force=True), 1, 1, None),
    ],
)
def test_a_freeze_asks_for_one_more(
    asked: ProposedChange, base: int, needed: int, freeze: FreezeNotice | None
) -> None:
    config = with_policy(freezes=[HOLIDAYS], approvals={"destructive": base})

    decided = rules.policy.decide(config, incident(), asked, NOW)

    assert (decided.approvals, decided.freeze) == (needed, freeze)
    assert (ApprovalReason.FREEZE in decided.reasons) is (freeze is not None)


@pytest.mark.parametrize(
    ("now", "needed"),
    [(NOTICE.until - timedelta(seconds=1), 2), (NOTICE.until, 1), (NOW - timedelta(hours=2), 1)],
)
def test_a_freeze_may_begin_meanwhile(now: datetime, needed: int) -> None:
    config = with_policy(freezes=[HOLIDAYS | {"from": "2026-11-24 03:01"}])
    asked = rules.policy.decide(config, incident(), change(), NOW)
    assert asked.approvals == 1

    later = rules.policy.in_freeze(config, request(requirement=asked), now) or asked

    assert (later.approvals, later.freeze) == (needed, NOTICE if needed == 2 else None)


@pytest.mark.parametrize("asked", [change(), undo(), change(action="customer-message")])
def test_a_freeze_adds_once(asked: ProposedChange) -> None:
    config = with_policy(freezes=[HOLIDAYS])
    decided = rules.policy.decide(config, incident(), asked, NOW)

    assert rules.policy.in_freeze(config, request(requirement=decided), NOW) is None


def wide(**radius: int) -> ProposedChange:
    return change(
        plan=PLAN.model_copy(update={"blast_radius": BlastRadius(text="", **radius)}),
        used=Amounts(pods=8, capacity=150, sessions=25),
    )


@pytest.mark.parametrize(
    ("asked", "base", "needed", "over"),
    [
        (wide(pods=2, capacity=50), 1, 1, ()),
        (wide(pods=3), 1, 2, (BudgetUse(what="pods", used=8, added=3, limit=10),)),
        (wide(pods=3), 0, 2, (BudgetUse(what="pods", used=8, added=3, limit=10),)),
        (wide(pods=3), 2, 3, (BudgetUse(what="pods", used=8, added=3, limit=10),)),
        (wide(capacity=51), 1, 2, (BudgetUse(what="capacity", used=150, added=51, limit=200),)),
        # What is used up already stops nothing that adds nothing to it.
        (wide(sessions=0), 1, 1, ()),
        (wide(sessions=1), 1, 2, (BudgetUse(what="sessions", used=25, added=1, limit=20),)),
    ],
)
def test_an_incident_has_a_budget(
    asked: ProposedChange, base: int, needed: int, over: tuple[BudgetUse, ...]
) -> None:
    budget = {"pods": 10, "capacity": 200, "sessions": 20}
    config = with_policy(incident_budget=budget, approvals={"destructive": base})

    decided = rules.policy.decide(config, incident(), asked, NOW)

    assert (decided.approvals, decided.over) == (needed, over)
    assert (ApprovalReason.OVER_INCIDENT_BUDGET in decided.reasons) is bool(over)


def test_both_budgets_ask_for_one() -> None:
    config = with_policy(
        incident_budget={"pods": 10}, budget={"pods": 1}, freezes=[HOLIDAYS], approvals={}
    )

    decided = rules.policy.decide(config, incident(), wide(pods=3), NOW)

    assert decided.approvals == 3  # one by policy, one for what it takes away, one in the freeze


@pytest.mark.parametrize(
    ("severity", "needed", "instead_of", "groups"),
    [(Severity.SEV1, 1, 2, ("sre",)), (Severity.SEV2, 3, 2, ("leads",))],
)
def test_a_rule_is_named(
    severity: Severity, needed: int, instead_of: int, groups: tuple[str, ...]
) -> None:
    config = with_policy(
        approvals={"destructive": 2},
        rules=[
            {"severity": ["sev1"], "approvals": 1, "lowers": True},
            {"severity": ["sev2"], "approvals": 3, "approvers": {"groups": ["leads"]}},
        ],
    )

    decided = rules.policy.decide(config, incident(severity=severity), change(), NOW)

    assert (decided.approvals, decided.groups) == (needed, groups)
    assert decided.reasons == (ApprovalReason.RULE,)
    assert decided.rule == AppliedRule(
        severity=(severity,), approvals=needed, instead_of=instead_of
    )


LEADS = MemberSelector(groups=("leads",))


@pytest.mark.parametrize(
    ("severity", "action", "approvers"),
    [
        (Severity.SEV1, "rollback", LEADS),
        (Severity.SEV2, "rollback", SELECTOR),
        (Severity.SEV1, "set-env", SELECTOR),
        # What was requested before the upgrade, or by an older replica.
        (None, "rollback", SELECTOR),
    ],
)
def test_who_approves_is_read_anew(
    severity: Severity | None, action: str, approvers: MemberSelector
) -> None:
    rule = {"severity": ["sev1"], "action": ["rollback"], "approvers": LEADS}
    asked = Requirement(approvals=1, until=NOW, reasons=(), severity=severity)

    found = rules.policy.approvers_of(
        with_policy(rules=[rule]), request(requirement=asked, action=action)
    )

    assert found == approvers


def requested(*requesters: UserId) -> Requirement:
    return Requirement(approvals=1, requesters=requesters, until=NOW, reasons=())


@pytest.mark.parametrize(
    ("undoes", "requester", "requesters"),
    [
        (None, ALICE, (ALICE,)),
        (done(), BOB, (BOB,)),
        (done(), None, (ALICE,)),
        (done(requested_by=None, requirement=requested(CAROL)), None, (CAROL,)),
        (done(requested_by=None), None, ()),
    ],
)
def test_the_scheduler_asks_in_their_stead(
    undoes: Any, requester: UserId | None, requesters: tuple[UserId, ...]
) -> None:
    asked = change(undoes=undoes, requested_by=requester)

    assert rules.policy.decide(team(), incident(), asked, NOW).requesters == requesters


def test_nobody_approves_in_their_own_stead() -> None:
    execution = request(requested_by=None, requirement=requested(ALICE))
    check = rules.permissions.check_may_approve

    person = Person(id=ALICE, name="Alice")
    assert told(check, execution, person, {ALICE, BOB}, NOW) == (
        "You requested the change that this undoes, so you cannot approve it. Another approver "
        "has to."
    )


def approved(*users: UserId, digest: str = DIGEST) -> tuple[Approval, ...]:
    return tuple(Approval(by=user, at=NOW, plan_digest=digest) for user in users)


@pytest.mark.parametrize(
    ("needed", "approvals", "expected"),
    [
        (0, (), ExecutionState.APPROVED),
        (1, (), ExecutionState.PROPOSED),
        (1, approved(BOB), ExecutionState.APPROVED),
        (2, approved(BOB), ExecutionState.PROPOSED),
        (2, approved(BOB, BOB), ExecutionState.PROPOSED),
        (2, approved(BOB, CAROL), ExecutionState.APPROVED),
        (2, approved(ALICE, BOB), ExecutionState.PROPOSED),
        (1, approved(BOB, digest="another plan"), ExecutionState.PROPOSED),
        # Given before approvals kept a digest.
        (2, (*approved(BOB, digest=""), *approved(CAROL)), ExecutionState.APPROVED),
    ],
)
def test_what_counts_as_approved(
    needed: int, approvals: tuple[Approval, ...], expected: ExecutionState
) -> None:
    execution = request(approvals_needed=needed, plan=PLAN, plan_digest=DIGEST)

    assert rules.policy.state_after(execution, approvals) is expected


@pytest.mark.parametrize(
    ("approvals", "loud"),
    [
        ({}, []),
        ({"change": 0}, ["change"]),
        ({"destructive": 0, "change": 0}, ["change", "destructive"]),
    ],
)
def test_no_approval_is_loud(approvals: dict[str, int], loud: list[str]) -> None:
    assert rules.policy.loud_warnings(Config(defaults=team(**approvals))) == tuple(
        f"policy.approvals.{risk} is 0: such a change runs as soon as somebody requests it, "
        "without any approval"
        for risk in loud
    )


def test_a_budget_is_an_exception() -> None:
    policy = Policy.model_validate({"approvals": {"change": 0}, "budget": {"pods": 2}})

    assert rules.policy.loud_warnings(
        Config(defaults=ServiceConfig(approvers=SELECTOR, policy=policy))
    ) == (
        "policy.approvals.change is 0: such a change runs as soon as somebody requests it, "
        "without any approval, unless it is over the budget",
    )


def test_too_few_approvers_are_said() -> None:
    assert rules.policy.shortages(team(destructive=3), lambda _: 3) == ()
    assert rules.policy.shortages(team(destructive=3), lambda _: 2) == (
        "policy.approvals.destructive is 3, and the approvers are 2 at the moment: no such "
        "change can be approved",
    )


def test_an_older_plan_is_read() -> None:
    stored = PLAN.model_dump(mode="json") | {"blast_radius": "3 pods are replaced"}

    assert Plan.model_validate(stored).blast_radius == BlastRadius(text="3 pods are replaced")
