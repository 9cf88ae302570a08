"""Who may do what: each cell's answer is written out, and no cell is missing.

A new kind of person, deed, state, severity or risk without its answers fails here.
"""

import itertools
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from bot import rules
from bot.config import GuestRights, Policy, ServiceConfig
from bot.model import (
    Approval,
    BlastRadius,
    ExecutionState,
    GroupMembers,
    Incident,
    Membership,
    OnCallMember,
    Person,
    Risk,
    Severity,
    UserError,
    UserId,
)
from bot.rules import permissions
from tests.test_rules import NOW, incident, request
from tests.test_rules_changes import PLAN
from tests.test_rules_policy import SELECTOR, change

# What somebody may do in an open incident of order-service, to a destructive change of
# order-service that "requester" asked for. The approvers, the responders and the on-call people are
# of order-service, "other" ones of another service.
PEOPLE = """
                  declare  read  approve  deny  withdraw  sit down  take over  resolve
approver          yes      yes   yes      yes   no        yes       yes        yes
approver on call  yes      yes   yes      yes   no        yes       no         no
other approver    yes      yes   no       no    no        yes       no         no
responder         yes      yes   no       no    no        yes       yes        yes
other responder   yes      yes   no       no    no        yes       no         no
requester         yes      yes   no       yes   yes       yes       yes        yes
commander         yes      yes   no       no    no        yes       yes        no
appointed         yes      yes   no       no    no        yes       yes        yes
declarer          yes      yes   no       no    no        yes       no         yes
member            yes      yes   no       no    no        yes       no         no
guest             no       no    no       no    no        no        no         no
stranger          no       no    no       no    no        no        no         no
bot               no       no    no       no    no        no        no         no
former employee   no       no    no       no    no        no        no         no
"""
# What an approver may do to a request in each state.
STATES = """
             approve  deny
proposed     yes      yes
approved     no       yes
running      no       no
succeeded    no       no
failed       no       no
denied       no       no
expired      no       no
voided       no       no
interrupted  no       no
"""
# How many other people must approve, by policy, risk and severity.
POLICIES: Mapping[str, Mapping[str, object]] = {
    "default": {},
    "two": {"approvals": {"change": 2, "destructive": 2}},
    "none": {"approvals": {"change": 0, "destructive": 0}},
    "budget": {"budget": {"pods": 0}},
    "milder": {
        "approvals": {"destructive": 2},
        "rules": [{"severity": ["sev1"], "approvals": 1, "lowers": True}],
    },
    "stricter": {"rules": [{"risk": ["destructive"], "approvals": 3}]},
}
APPROVALS = """
                      sev1  sev2  sev3  sev4
default change        1     1     1     1
default destructive   1     1     1     1
two change            2     2     2     2
two destructive       2     2     2     2
none change           0     0     0     0
none destructive      0     0     0     0
budget change         2     2     2     2
budget destructive    2     2     2     2
milder change         1     1     1     1
milder destructive    1     2     2     2
stricter change       1     1     1     1
stricter destructive  3     3     3     3
"""


def table(text: str) -> dict[tuple[str, str], str]:
    """The cells of a table by row and column; columns are two spaces and more apart."""
    head, *lines = [line for line in text.splitlines() if line.strip()]
    columns = [part.strip() for part in head.split("  ") if part.strip()]
    cells: dict[tuple[str, str], str] = {}
    for line in lines:
        row, *values = [part.strip() for part in line.split("  ") if part.strip()]
        assert len(values) == len(columns), line
        cells |= {(row, column): cell for column, cell in zip(columns, values, strict=True)}
    return cells


def user(kind: str) -> UserId:
    return UserId(f"U{kind.upper().replace(' ', '')}")


KINDS: Mapping[str, Mapping[str, bool]] = {
    **{
        kind: {}
        for kind in (
            *("approver", "approver on call", "other approver", "responder", "other responder"),
            *("requester", "commander", "appointed", "declarer", "member"),
        )
    },
    "guest": {"guest": True},
    "stranger": {"external": True},
    "bot": {"bot": True},
    "former employee": {"deactivated": True},
}
# Whoever may do nothing is in all groups, and still may do nothing.
NOBODIES = tuple(kind for kind, marks in KINDS.items() if marks)
APPROVERS = Membership(
    users=frozenset(map(user, ("requester", *NOBODIES))),
    groups={"leads": GroupMembers(id="S1", members=frozenset({user("approver")}))},
    on_call=(OnCallMember(user=user("approver on call"), duty="the schedule P1"),),
)
TEAM = frozenset(map(user, ("approver", "responder", "requester", *NOBODIES)))
ONE_POD = PLAN.model_copy(update={"blast_radius": BlastRadius(text="1 pod", pods=1)})
REQUEST = request(
    requested_by=user("requester"),
    requirement=None,
    expires_at=NOW + timedelta(minutes=10),
)


def led_by(kind: str) -> Incident:
    """The incident; `commander` took the chair, `appointed` was put there by somebody."""
    leads = kind in ("commander", "appointed")
    commander = user(kind) if leads else user("somebody else")
    return incident(commander=commander, commanded_at=NOW, declared_by=user("declarer"))


def deeds(kind: str, person: Person) -> dict[str, Callable[[], object]]:
    """What this person does, each raising UserError where it is refused."""
    opened = led_by(kind)
    appointed_by = user("declarer") if kind == "appointed" else opened.commander
    commander = opened.commander
    assert commander is not None

    def take_over() -> None:
        if person.id != commander:
            permissions.check_may_take_over(opened, commander, person, TEAM)
        permissions.check_may_act(person)

    return {
        "declare": lambda: permissions.check_may_declare(person, GuestRights()),
        "read": lambda: _check(permissions.may_read(person, GuestRights())),
        "approve": lambda: permissions.check_may_approve(REQUEST, person, APPROVERS, NOW),
        "deny": lambda: permissions.check_may_deny(REQUEST, person, APPROVERS),
        "withdraw": lambda: permissions.check_may_withdraw(REQUEST, person.id),
        "sit down": lambda: permissions.check_may_act(person),
        "take over": take_over,
        "resolve": lambda: permissions.check_may_resolve(opened, person, TEAM, appointed_by),
    }


def _check(may: bool) -> None:
    if not may:
        raise UserError("No. Nothing was done.")


def is_done(deed: Callable[[], object]) -> str:
    try:
        deed()
    except UserError:
        return "no"
    return "yes"


def test_what_each_person_may_do() -> None:
    found = {
        (kind, name): is_done(deed)
        for kind, marks in KINDS.items()
        for name, deed in deeds(
            kind, Person.model_validate({"id": user(kind), "name": kind, **marks})
        ).items()
    }

    assert found == table(PEOPLE)


def test_what_each_state_allows() -> None:
    approver = Person(id=user("approver"), name="Ana")
    given = (Approval(by=user("somebody else"), at=NOW),)
    found = {}
    for state in ExecutionState:
        execution = REQUEST.model_copy(update={"state": state, "approvals": given})
        found[state.value, "approve"] = is_done(
            lambda asked=execution: permissions.check_may_approve(asked, approver, APPROVERS, NOW)  # type: ignore[misc]
        )
        found[state.value, "deny"] = is_done(
            lambda asked=execution: permissions.check_may_deny(asked, approver, APPROVERS)  # type: ignore[misc]
        )

    assert found == table(STATES)


def test_how_many_approve() -> None:
    changing = (Risk.CHANGE, Risk.DESTRUCTIVE)
    found = {
        (f"{name} {risk.value}", severity.value): str(
            rules.policy.decide(
                _config(policy), incident(severity=severity), change(risk=risk, plan=ONE_POD), NOW
            ).approvals
        )
        for (name, policy), risk, severity in itertools.product(
            POLICIES.items(), changing, Severity
        )
    }

    assert found == table(APPROVALS)


@pytest.mark.parametrize("risk", set(Risk) - {Risk.CHANGE, Risk.DESTRUCTIVE})
def test_the_other_risks_wait_for_nobody(risk: Risk) -> None:
    assert {_config(policy).policy.approvals.of(risk) for policy in POLICIES.values()} == {0}


def _config(policy: Mapping[str, object]) -> ServiceConfig:
    return ServiceConfig(approvers=SELECTOR, policy=Policy.model_validate(policy))


def test_a_row_too_few_is_seen() -> None:
    assert table("   a  b\nx  1  2\n") == {("x", "a"): "1", ("x", "b"): "2"}
    with pytest.raises(AssertionError):
        table("   a  b\nx  1\n")
