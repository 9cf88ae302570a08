"""What the policy decides, by plan, incident, people and time."""

from datetime import timedelta
from typing import Any

import pytest

from bot import rules
from bot.config import Config, MemberSelector, Policy, ServiceConfig
from bot.model import (
    Approval,
    ApprovalReason,
    BlastRadius,
    ExecutionId,
    ExecutionState,
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
    assert rules.policy.shortages(team(destructive=3), 3) == ()
    assert rules.policy.shortages(team(destructive=3), 2) == (
        "policy.approvals.destructive is 3, and the approvers are 2 at the moment: no such "
        "change can be approved",
    )


def test_an_older_plan_is_read() -> None:
    stored = PLAN.model_dump(mode="json") | {"blast_radius": "3 pods are replaced"}

    assert Plan.model_validate(stored).blast_radius == BlastRadius(text="3 pods are replaced")
