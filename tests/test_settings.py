"""A bad or missing setting is a sentence that names the variable and the fix."""

import re
from datetime import time
from pathlib import Path

import pytest

from bot import config, durations, settings
from bot.actions.registry import ACTIONS
from bot.model import Risk, Severity, UserError
from tests.conftest import ROOT


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment that is complete."""
    kubeconfig, team = tmp_path / "kubeconfig", tmp_path / "runbolt.yml"
    kubeconfig.write_text("{}")
    team.write_text("approvers: {users: [U1]}")
    return {
        "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_SIGNING_SECRET": "secret",
        "DATABASE_URL": "postgresql://localhost/runbolt",
        "REDIS_URL": "redis://localhost",
        "KUBECONFIG": str(kubeconfig),
        "RUNBOLT_CONFIG": str(team),
    }


def test_environment_is_read_with_defaults(environ: dict[str, str]) -> None:
    given = settings.read(environ)
    assert given.slack_api_url == "https://slack.com/api/"
    assert given.port == 3000
    assert given.kubernetes_namespace == "default"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SLACK_BOT_TOKEN", "", "SLACK_BOT_TOKEN is missing: set it"),
        ("SLACK_BOT_TOKEN", "xoxp-1", "SLACK_BOT_TOKEN is not the bot token"),
        ("SLACK_SIGNING_SECRET", "", "SLACK_APP_TOKEN and SLACK_SIGNING_SECRET are both missing"),
        ("SLACK_APP_TOKEN", "nonsense", "SLACK_APP_TOKEN must start with xapp-"),
        ("SLACK_API_URL", "slack.com", "SLACK_API_URL is not a https:// URL"),
        ("PORT", "many", "PORT is many: set it to a number"),
        ("PORT", "70000", "PORT is 70000"),
        ("DATABASE_URL", "", "DATABASE_URL is missing"),
        ("DATABASE_URL", "mysql://x/y", "DATABASE_URL is not a postgresql:// URL"),
        ("REDIS_URL", "", "REDIS_URL is missing"),
        ("ORDERS_DATABASE_URL", "orders", "ORDERS_DATABASE_URL is not a postgresql:// URL"),
        ("ORDERS_DATABASE_ADMIN_URL", "x", "ORDERS_DATABASE_ADMIN_URL is not a postgresql://"),
        ("STRIPE_API_KEY", "pk_live_1", "STRIPE_API_KEY must start with rk_ or sk_"),
        ("STRIPE_API_URL", "stripe", "STRIPE_API_URL is not a https:// URL"),
        ("PAGERDUTY_API_URL", "pagerduty", "PAGERDUTY_API_URL is not a https:// URL"),
        ("PLAYBOOK_PROXY", "proxy:3128", "PLAYBOOK_PROXY is not a http:// URL"),
        ("KUBECONFIG", "", "KUBECONFIG is missing and the bot does not run in a cluster"),
        ("KUBECONFIG", "/nowhere/kubeconfig", "KUBECONFIG names /nowhere/kubeconfig"),
        ("RUNBOLT_CONFIG", "", "RUNBOLT_CONFIG is missing"),
        ("RUNBOLT_CONFIG", "/nowhere.yml", "RUNBOLT_CONFIG names /nowhere.yml"),
    ],
)
def test_each_mistake_names_its_variable(
    environ: dict[str, str], name: str, value: str, sentence: str
) -> None:
    with pytest.raises(UserError) as mistake:
        settings.read(environ | {name: value})

    assert sentence in str(mistake.value)
    assert "Nothing was started" in str(mistake.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(UserError) as mistake:
        settings.read({})

    told = str(mistake.value)
    names = ("SLACK_BOT_TOKEN", "DATABASE_URL", "REDIS_URL", "KUBECONFIG", "RUNBOLT_CONFIG")
    assert [name for name in names if name not in told] == []


def test_a_password_is_never_repeated(environ: dict[str, str]) -> None:
    with pytest.raises(UserError) as mistake:
        settings.read(environ | {"DATABASE_URL": "mysql://me:hunter2@host/db"})

    assert "hunter2" not in str(mistake.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", ":1:1: approvers: missing"),
        ("approvers: [", "is not YAML"),
        ("approvers: {users: [U1]}\nchanels: {}", ":2:1: chanels: unknown key"),
        (
            "approvers: {users: [U1]}\nclocks: {sev1: {update: 1 min}}",
            ':2:17: clocks.sev1.update: expects at least 5 minutes, found "1 min"',
        ),
        (
            "approvers: {users: [U1]}\nclocks: {sev9: {update: 1 h}}",
            ":2:10: clocks.sev9: expects 'sev1', 'sev2', 'sev3' or 'sev4', found \"sev9\"",
        ),
        (
            "approvers: {users: [U1]}\nclocks: {sev1: {update: soon}}",
            f':2:17: clocks.sev1.update: {durations.EXPECTED}, found "soon"',
        ),
        (
            "approvers: {users: [U1]}\npolicy:\n  undo_window: -5 min",
            f':3:3: policy.undo_window: {durations.EXPECTED}, found "-5 min"',
        ),
        (
            "approvers: {users: [U1]}\npolicy: {execution_timeout: 0 s}",
            ':2:10: policy.execution_timeout: expects more than 0 seconds, found "0 s"',
        ),
        (
            "approvers: {users: [U1]}\npolicy: {undo_window: 15}",
            f":2:10: policy.undo_window: {durations.EXPECTED}, found 15",
        ),
        (
            "approvers: {users: [U1]}\npolicy: {undo_window: 9999999999 d}",
            f':2:10: policy.undo_window: {durations.EXPECTED}, found "9999999999 d"',
        ),
        (
            "approvers: {users: [U1]}\nclocks: {sev2: {update: 1 h, approval: 0 min}}",
            ':2:30: clocks.sev2.approval: expects more than 0 seconds, found "0 s"',
        ),
        (
            "approvers: {users: [U1]}\nclocks: {sev2: {update: 1 h, approval: 8 d}}",
            ':2:30: clocks.sev2.approval: expects at most 7 days, found "8 d"',
        ),
        (
            "approvers: {users: [U1]}\npolicy: {approvals: {destructive: -1}}",
            ":2:22: policy.approvals.destructive: expects at least 0, found -1",
        ),
        (
            "approvers: {groups: [sre]}\npolicy: {approvals: {destructive: 21}}",
            ":2:22: policy.approvals.destructive: expects at most 20, found 21",
        ),
        (
            "approvers: {users: [U1]}\npolicy: {approvals: {change: true}}",
            ":2:22: policy.approvals.change: expects a whole number, found true",
        ),
        (
            "approvers: {users: [U1]}\npolicy: {approvals: {read: 2}}",
            ":2:22: policy.approvals.read: a read changes nothing and runs at once, and a manual "
            "step is done outside the bot, so neither can wait for approval; remove this line",
        ),
        (
            "approvers: {users: [U1]}\npolicy: {approvals: {manual: 1}}",
            ":2:22: policy.approvals.manual: a read changes nothing and runs at once",
        ),
        (
            "approvers: {users: [U1, U2, U2]}\npolicy: {approvals: {destructive: 3}}",
            ":2:22: policy.approvals.destructive: up to 3 people must approve, and approvers names "
            "only 2, so such a change could not run; name more people or a group under approvers, "
            "or ask for fewer",
        ),
        (
            "approvers: {users: [U1]}\npolicy: {budget: {pods: 2}}",
            ":1:1: policy.approvals.change: up to 2 people must approve, and approvers names only ",
        ),
        (
            "approvers: {groups: [sre]}\npolicy: {budget: {capacity: 101}}",
            ":2:19: policy.budget.capacity: expects at most 100, found 101",
        ),
        (
            "channels: {}\napprovers: {users: []}",
            ":2:1: policy.approvals.change: up to 1 people must approve, and approvers names only ",
        ),
    ],
)
def test_a_wrong_config_names_the_place(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "runbolt.yml"
    file.write_text(text)

    with pytest.raises(UserError) as mistake:
        config.load(file)

    assert sentence in str(mistake.value)
    assert "RUNBOLT_CONFIG" in str(mistake.value)
    assert "nothing was started" in str(mistake.value)


def test_config_changes_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "runbolt.yml"
    file.write_text("approvers: {groups: [sre]}\nclocks: {sev3: {update: 45 min}}")

    team = config.load(file).defaults

    assert team.approvers.groups == ("sre",)
    assert team.cadence(Severity("sev3")).update.total_seconds() == 45 * 60
    assert team.cadence(Severity("sev1")).update.total_seconds() == 15 * 60


def test_hours_are_times_of_day(tmp_path: Path) -> None:
    file = tmp_path / "runbolt.yml"
    file.write_text("approvers: {users: [U1]}\nhours: {begin: 10:30, end: 18:00}")

    hours = config.load(file).defaults.hours

    assert (hours.begin, hours.end) == (time(10, 30), time(18))


def test_readme_lists_approval_rules() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [named] = re.findall(r"Destructive are (.*?) \(such as", readme, re.DOTALL)
    default = config.ServiceConfig.model_validate({"approvers": {"users": ["U1"]}})

    destructive = {action.name for action in ACTIONS if action.risk is Risk.DESTRUCTIVE}
    assert set(re.findall(r"`(.+?)`", named)) == destructive
    assert {default.policy.approvals.of(risk) for risk in (Risk.CHANGE, Risk.DESTRUCTIVE)} == {1}
