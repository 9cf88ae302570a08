"""`runbolt policy`: the effective policy as a table that every terminal can print."""

from pathlib import Path

import pytest

from bot.authoring import cli

TEAM = """\
approvers: {groups: [sre]}
hours: {timezone: Europe/Berlin}
clocks: {sev1: {update: 15 min, approval: 20 min}}
policy:
  approvals: {change: 1, destructive: 2}
  budget: {capacity: 50}
  incident_budget: {pods: 10, capacity: 200, sessions: 20}
  freezes:
    - {from: 2026-12-23 18:00, until: 2027-01-02 08:00, reason: Weihnachtsgrüße}
    - {weekly: [fri 16:00, mon 08:00], timezone: UTC}
services:
  checkout:
    policy:
      rules:
        - {severity: [sev1], approvals: 1, lowers: true}
        - {action: [rollback], expires_after: 5 min, undo_window: 30 min}
        - {risk: [destructive], approvers: {groups: [sre-leads], users: [U1]}}
      break_glass: {after: 4 min, announce: {groups: [escalation]}}
  search:
    approvers: {users: [U1, U2, U3, U4]}
    policy: {approvals: {change: 0}}
"""

CHECKOUT = """\
checkout, at 2026-12-24 10:00 UTC
FREEZE "Weihnachtsgr??e" until 2027-01-02 07:00 UTC: one more approval
change       severity       approvals       from            expires after  undo within  rule
-----------  -------------  --------------  --------------  -------------  -----------  -------
change       SEV-1          2 (1 + freeze)  @sre            20 min         15 min       0
change       SEV-2          2 (1 + freeze)  @sre            15 min         15 min       -
change       SEV-3 to 4     2 (1 + freeze)  @sre            30 min         15 min       -
destructive  SEV-1          2 (1 + freeze)  @sre-leads, U1  20 min         15 min       0, 2
destructive  SEV-2          3 (2 + freeze)  @sre-leads, U1  15 min         15 min       2
destructive  SEV-3 to 4     3 (2 + freeze)  @sre-leads, U1  30 min         15 min       2
rollback     SEV-1          2 (1 + freeze)  @sre-leads, U1  5 min          30 min       0, 1, 2
rollback     SEV-2 to 4     3 (2 + freeze)  @sre-leads, U1  5 min          30 min       1, 2
budget of a change: 50 % of the capacity; one more approval above
budget of an incident: 10 pods, 200 % of the capacity, 20 sessions; one more approval above
freeze: 2026-12-23 18:00 to 2027-01-02 08:00 Europe/Berlin "Weihnachtsgr??e"; one more approval
freeze: every week from fri 16:00 to mon 08:00 UTC; one more approval
break-glass: the commander, SEV-1, 4 min without an answer, not for own requests; tells @escalation
"""


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """What the teams decided."""
    file = tmp_path / "runbolt.yml"
    file.write_text(TEAM)
    return file


def squeezed(text: str) -> list[str]:
    """The lines with single spaces and no rules of dashes."""
    return [" ".join(line.split()) for line in text.splitlines() if not line.startswith("--")]


def test_a_service_in_a_freeze(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["policy", "--config", str(team), "--service", "checkout", "--at", "2026-12-24T10:00"]

    assert cli.run(words) == 0

    printed = capsys.readouterr()
    assert squeezed(printed.out) == squeezed(CHECKOUT)
    assert printed.out.isascii()
    assert printed.err.splitlines()[0] == (
        "warning: policy.rules.0 of checkout lowers the approvals to 1: every change in SEV-1"
    )


def test_all_services_at_another_time(
    team: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOLT_CONFIG", str(team))

    assert cli.run(["policy", "--at", "2026-12-16T11:00+01:00"]) == 0

    lines = squeezed(capsys.readouterr().out)
    assert lines[0] == "checkout, at 2026-12-16 10:00 UTC"
    assert "search, at 2026-12-16 10:00 UTC" in lines
    assert "change SEV-1 0: AT ONCE U1, U2, U3, U4 20 min 15 min -" in lines
    assert lines[-1] == "break-glass: off"
    assert not any(line.startswith("FREEZE") for line in lines)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--service", "chekout"], 'lists no service "chekout"; did you mean "checkout"?'),
        ([], 'action "rolbak"; did you mean'),
    ],
)
def test_a_mistake_is_exit_code_one(
    team: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    if not words:
        team.write_text(TEAM.replace("[rollback]", "[rolbak]"))

    assert cli.run(["policy", "--config", str(team), *words]) == 1

    printed = capsys.readouterr()
    assert (told in printed.err, printed.out) == (True, "")


def test_the_file_must_be_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNBOLT_CONFIG", raising=False)

    assert cli.run(["policy"]) == 1

    assert capsys.readouterr().err == (
        "Name the configuration: set RUNBOLT_CONFIG, or add --config PATH.\n"
    )
