"""The rules of a policy: what they change, in which order, and which are refused, and where."""

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import config
from bot.actions.registry import ACTIONS
from bot.config import Config, MemberSelector, Policy, ServiceConfig
from bot.model import Risk, Severity, UserError

RISKS = {action.name: action.risk for action in ACTIONS}
SEV1, SEV3 = Severity.SEV1, Severity.SEV3
LONG = "clocks: {sev1: {update: 15 min, approval: 20 min}}\n"


def load(folder: Path, text: str) -> Config:
    (folder / "runbolt.yml").write_text(text)
    return config.load(folder / "runbolt.yml", None, RISKS)


def mistakes(folder: Path, text: str) -> list[str]:
    """What is told of a wrong file, line by line, without its name and the sentence on top."""
    with pytest.raises(UserError) as refused:
        load(folder, text)
    return [line.split("runbolt.yml")[1] for line in str(refused.value).splitlines()[1:]]


def policy(*rules: Any, **values: Any) -> ServiceConfig:
    return ServiceConfig(policy=Policy.model_validate({"rules": rules, **values}))


@pytest.mark.parametrize(
    ("rules", "severity", "action", "expected"),
    [
        ([], SEV1, "rollback", 2),
        ([{"approvals": 3}], SEV1, "rollback", 3),
        ([{"approvals": 1}], SEV1, "rollback", 2),  # it only raises
        ([{"approvals": 1, "lowers": True}], SEV1, "rollback", 1),
        ([{"severity": ["sev1"], "approvals": 1, "lowers": True}], SEV3, "rollback", 2),
        ([{"action": ["rollback"], "approvals": 3}], SEV1, "rollback", 3),
        ([{"action": ["rollback"], "approvals": 3}], SEV1, "set-env", 2),
        ([{"risk": ["change"], "approvals": 3}], SEV1, "rollback", 2),
        ([{"approvals": 3}, {"approvals": 1, "lowers": True}], SEV1, "rollback", 1),
        ([{"approvals": 1, "lowers": True}, {"approvals": 3}], SEV1, "rollback", 3),
        ([{"service": ["shop"], "approvals": 3}], SEV1, "rollback", 2),
    ],
)
def test_later_rules_decide(
    rules: list[Any], severity: Severity, action: str, expected: int
) -> None:
    service = policy(*rules, approvals={"destructive": 2})

    assert service.terms(severity, action, Risk.DESTRUCTIVE).approvals == expected


RULES = st.fixed_dictionaries(
    {"approvals": st.integers(0, 4), "lowers": st.booleans()},
    optional={
        "severity": st.lists(st.sampled_from(["sev1", "sev2"]), min_size=1),
        "action": st.lists(st.sampled_from(["rollback", "set-env"]), min_size=1),
        "risk": st.lists(st.sampled_from(["change", "destructive"]), min_size=1),
    },
)


@given(
    rules=st.lists(RULES, max_size=5),
    base=st.integers(0, 4),
    severity=st.sampled_from(Severity),
    action=st.sampled_from(["rollback", "set-env"]),
)
def test_only_a_rule_that_says_so_lowers(
    rules: list[dict[str, Any]], base: int, severity: Severity, action: str
) -> None:
    service = policy(*rules, approvals={"destructive": base})
    matching = [
        rule
        for rule in service.policy.rules
        if rule.matches(severity, action, Risk.DESTRUCTIVE) and rule.approvals is not None
    ]
    lowering = [place for place, rule in enumerate(matching) if rule.lowers]
    counted = matching[lowering[-1] :] if lowering else matching
    strictest = max(rule.approvals or 0 for rule in counted) if counted else 0

    needed = service.terms(severity, action, Risk.DESTRUCTIVE).approvals

    assert needed == (strictest if lowering else max(base, strictest))


def test_a_rule_says_only_what_it_says() -> None:
    leads = {"groups": ["sre-leads"]}
    service = ServiceConfig(
        approvers=MemberSelector(groups=("sre",)),
        policy=Policy.model_validate(
            {
                "rules": [
                    {"risk": ["destructive"], "approvers": leads},
                    {"action": ["rollback"], "expires_after": "5 min", "undo_window": "30 min"},
                ]
            }
        ),
    )

    terms = service.terms(SEV1, "rollback", Risk.DESTRUCTIVE)

    assert terms.approvers == MemberSelector.model_validate(leads)
    minutes = [span.total_seconds() / 60 for span in (terms.expires_after, terms.undo_window)]
    assert (terms.approvals, minutes) == (1, [5, 30])
    other = service.terms(SEV1, "rolling-restart", Risk.CHANGE)
    assert (other.approvers.groups, other.expires_after.total_seconds()) == (("sre",), 600)


def test_a_team_adds_to_rules_and_freezes(tmp_path: Path) -> None:
    given_config = load(
        tmp_path,
        """\
approvers: {groups: [sre]}
policy:
  rules: [{approvals: 2}]
  freezes: [{weekly: [fri 16:00, mon 08:00], reason: Weekend}]
services:
  shop:
    policy:
      rules: [{action: [rollback], approvals: 1, lowers: true}]
      freezes: [{weekly: [tue 22:00, wed 06:00], reason: Batch}]
  search: {}
""",
    )

    shop, search = given_config.of("shop"), given_config.of("search")
    assert [freeze.reason for freeze in shop.policy.freezes] == ["Weekend", "Batch"]
    assert shop.terms(SEV1, "rollback", Risk.DESTRUCTIVE).approvals == 1
    assert shop.terms(SEV1, "set-env", Risk.DESTRUCTIVE).approvals == 2
    assert search.terms(SEV1, "rollback", Risk.DESTRUCTIVE).approvals == 2


BASE = "approvers: {groups: [sre]}\npolicy:\n  approvals: {destructive: 2}\n  rules:\n"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (
            "{action: [rolback], approvals: 2}",
            ':5:17: policy.rules.0.action.0: there is no action "rolback"; did you mean '
            '"rollback"?',
        ),
        (
            "{action: [pods], approvals: 2}",
            ":5:17: policy.rules.0.action.0: pods changes nothing, so it needs no approval",
        ),
        (
            "{severity: [sev9], approvals: 2}",
            ":5:19: policy.rules.0.severity.0: expects 'sev1', 'sev2', 'sev3' or 'sev4', found "
            '"sev9"',
        ),
        (
            "{risk: [read], approvals: 2}",
            ":5:15: policy.rules.0.risk.0: expects change or destructive: nothing else waits for "
            'approval, found "read"',
        ),
        (
            "{service: [shop], approvals: 2}",
            ':5:18: policy.rules.0.service.0: there is no service "shop"',
        ),
        (
            "{risk: [destructive], approvals: 1}",
            ":5:29: policy.rules.0.approvals: 2 must approve rollback in SEV-1 without this rule, "
            "and a rule only raises the number; write “lowers: true” if you mean 1",
        ),
        (
            "{action: [rollback], risk: [change], approvals: 2}",
            ":5:7: policy.rules.0: no action is of this risk, so it is about nothing",
        ),
        (
            "{action: [rollback]}",
            ":5:7: policy.rules.0: says nothing: add approvals, approvers, expires_after or "
            "undo_window",
        ),
        (
            "{action: [], approvals: 2}",
            ":5:8: policy.rules.0.action: is empty: name at least one, or leave it out to mean all",
        ),
        (
            "{lowers: true, undo_window: 5 min}",
            ":5:7: policy.rules.0: lowers nothing: add approvals",
        ),
        (
            "{approvers: {users: [U1]}}",
            ":5:8: policy.rules.0.approvers: up to 2 people must approve rollback in SEV-1, and "
            "its approvers are only 1, so such a change could not run; name more people or a "
            "group, or ask for fewer",
        ),
        ("{expires: 5 min}", ":5:8: policy.rules.0.expires: unknown key"),
    ],
)
def test_a_wrong_rule_names_its_place(tmp_path: Path, rule: str, expected: str) -> None:
    assert mistakes(tmp_path, f"{BASE}    - {rule}\n") == [expected]


def test_a_team_reads_its_own_place(tmp_path: Path) -> None:
    text = (
        f"{BASE}    - {{action: [rollback], approvals: 3}}\n"
        "services:\n  shop:\n    policy:\n      rules: [{action: [set-evn], approvals: 2}]\n"
    )

    assert mistakes(tmp_path, text) == [
        ':9:25: policy.rules.0.action.0 of shop: there is no action "set-evn"; did you mean '
        '"set-env"?'
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "break_glass: {after: 10 min, announce: {groups: [leads]}}",
            ":2:24: policy.break_glass.after: a request of rollback in SEV-1 expires after 10 min, "
            "so nobody could break the glass after 10 min; let it wait for a shorter time, or let "
            "requests wait longer (clocks.sev1.approval)",
        ),
        (
            "break_glass: {after: 5 min}",
            ":2:23: policy.break_glass.announce: missing",
        ),
        (
            "break_glass: {after: 5 min, announce: {}}",
            ":2:10: policy.break_glass: its announce names nobody: say who is told, such as an "
            "escalation",
        ),
        (
            "break_glass: {after: 5 min, announce: {groups: [a]}, severities: [sev3]}",
            ":2:10: policy.break_glass: its severities can only be sev1 and sev2: the others can "
            "wait",
        ),
    ],
)
def test_a_wrong_glass_names_its_place(tmp_path: Path, line: str, expected: str) -> None:
    text = f"approvers: {{groups: [sre]}}\npolicy: {{{line}}}\n"

    assert mistakes(tmp_path, text) == [expected]


def test_longer_clocks_leave_time(tmp_path: Path) -> None:
    glass = "policy: {break_glass: {after: 10 min, announce: {groups: [leads]}}}"

    loaded = load(tmp_path, f"approvers: {{groups: [sre]}}\n{LONG}{glass}")

    assert loaded.defaults.policy.break_glass is not None


@pytest.mark.parametrize(
    "line",
    [
        "budget: {pods: 5}",
        "incident_budget: {pods: 5}",
        "freezes: [{weekly: [fri 16:00, mon 08:00]}]",
    ],
)
def test_what_adds_one_must_have_people(tmp_path: Path, line: str) -> None:
    found = mistakes(tmp_path, f"approvers: {{users: [U1]}}\npolicy: {{{line}}}\n")

    assert {mistake.split(" must")[0] for mistake in found} == {
        f":1:1: policy.approvals.{risk}: up to 2 people" for risk in ("change", "destructive")
    }


def test_every_kind_of_change_is_listed() -> None:
    from bot.config.policy_checks import kinds

    changing = [(name, risk) for name, risk in RISKS.items() if risk in config.CHANGING]
    unnamed = [("", risk) for risk in config.CHANGING]
    expected = {(severity, *each) for severity, each in product(Severity, changing + unnamed)}
    assert set(kinds(RISKS)) == expected
