"""Which settings and configurations are taken, as what, and the whole answer to the others."""

from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import config, rules, settings
from bot.config import ServiceConfig
from bot.model import Playbook, Risk, Scenario, Severity, UserError
from tests.test_rules import BOOK, incident
from tests.test_settings import environ

__all__ = ["environ"]


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("PORT", "1", "port", 1),
        ("PORT", "65535", "port", 65_535),
        ("PORT", " 8080 ", "port", 8080),
        ("PORT", "", "port", 3000),
        ("HOST", "", "host", "0.0.0.0"),
        ("HOST", "::1", "host", "::1"),
        ("SLACK_BOT_TOKEN", " xoxb-9\n", "slack_bot_token", "xoxb-9"),
        ("SLACK_APP_TOKEN", "xapp-1", "slack_app_token", "xapp-1"),
        ("SLACK_APP_TOKEN", "  ", "slack_app_token", None),
        ("DATABASE_URL", "postgres://h/d", "database_url", "postgres://h/d"),
        ("DATABASE_URL", "postgresql:///d?host=/run", "database_url", "postgresql:///d?host=/run"),
        ("REDIS_URL", "rediss://h:6379/1", "redis_url", "rediss://h:6379/1"),
        ("REDIS_URL", "unix:///run/redis.sock", "redis_url", "unix:///run/redis.sock"),
        ("ORDERS_DATABASE_URL", "", "orders_database_url", None),
        ("KUBERNETES_NAMESPACE", "shop", "kubernetes_namespace", "shop"),
        ("PLAYBOOK_PROXY", "https://p:3128", "playbook_proxy", "https://p:3128"),
        ("STRIPE_API_KEY", "rk_live_1", "stripe_api_key", "rk_live_1"),
        ("STRIPE_API_KEY", "sk_test_1", "stripe_api_key", "sk_test_1"),
        ("STRIPE_API_URL", "", "stripe_api_url", "https://api.stripe.com"),
        ("PAGERDUTY_API_URL", "", "pagerduty_api_url", "https://api.pagerduty.com"),
        ("PAGERDUTY_TOKEN", " t ", "pagerduty_token", "t"),
    ],
)
def test_what_a_variable_becomes(
    environ: dict[str, str], name: str, value: str, field: str, expected: object
) -> None:
    assert getattr(settings.read(environ | {name: value}), field) == expected


BEGINNING = "Nothing was started, because these environment variables are missing or invalid:"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "0", "PORT is 0: set it to a number from 1 to 65535."),
        ("PORT", "65536", "PORT is 65536: set it to a number from 1 to 65535."),
        ("PORT", "-1", "PORT is -1: set it to a number from 1 to 65535."),
        ("PORT", "3000.5", "PORT is 3000.5: set it to a number from 1 to 65535."),
        ("DATABASE_URL", "postgresql:", "DATABASE_URL is not a postgresql:// URL: correct it."),
        ("REDIS_URL", "http://[::1", "REDIS_URL is not a redis:// URL: correct it."),
        ("SLACK_API_URL", "ftp://x", "SLACK_API_URL is not a https:// URL: correct it."),
        (
            "SLACK_APP_TOKEN",
            "xoxb-1",
            "SLACK_APP_TOKEN must start with xapp-: copy it again, or unset it.",
        ),
        (
            "STRIPE_API_KEY",
            "whsec_1",
            "STRIPE_API_KEY must start with rk_ or sk_: copy it again, or unset it.",
        ),
        (
            "SLACK_BOT_TOKEN",
            "secret",
            "SLACK_BOT_TOKEN is not the bot token of the app: it must start with xoxb-.",
        ),
    ],
)
def test_a_wrong_variable_alone(
    environ: dict[str, str], name: str, value: str, expected: str
) -> None:
    with pytest.raises(UserError) as refused:
        settings.read(environ | {name: value})

    assert str(refused.value) == f"{BEGINNING}\n  {expected}"


def test_one_way_to_slack_is_enough(environ: dict[str, str]) -> None:
    del environ["SLACK_SIGNING_SECRET"]

    given = settings.read(environ | {"SLACK_APP_TOKEN": "xapp-1"})

    assert (given.slack_app_token, given.slack_signing_secret) == ("xapp-1", None)


def test_a_folder_is_no_file(environ: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UserError) as refused:
        settings.read(environ | {"KUBECONFIG": str(tmp_path)})

    assert str(refused.value) == (
        f"{BEGINNING}\n  KUBECONFIG names {tmp_path}, which does not exist: correct the path."
    )


def load(folder: Path, text: str) -> ServiceConfig:
    file = folder / "team.yml"
    file.write_text(text)
    return config.load(file).defaults


def mistakes(folder: Path, text: str) -> list[str]:
    """What is told of a wrong file, line by line, without its name and the sentence on top."""
    with pytest.raises(UserError) as refused:
        load(folder, text)
    first, *lines = str(refused.value).splitlines()
    file = folder / "team.yml"
    assert first == (f"RUNBOLT_CONFIG ({file}) has mistakes, so nothing was started. Correct:")
    return [line.removeprefix(f"  {file}") for line in lines]


TEAM = "approvers: {users: [U1, U2]}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", [":1:1: the file: expects keys and values, found a list"]),
        ("approvers: U1", [':1:1: approvers: expects keys and values, found "U1"']),
        (
            f"{TEAM}hours: {{timezone: Mars/Base}}",
            [':2:9: hours.timezone: expects a time zone such as Europe/Berlin, found "Mars/Base"'],
        ),
        (
            f"{TEAM}hours: {{begin: 18:00, end: 9:00}}",
            [':2:23: hours.end: expects a time of day such as 09:30, found "9:00"'],
        ),
        (
            f"{TEAM}hours: {{begin: 18:00, end: 09:00}}",
            [":2:1: hours: “begin” must be before “end”"],
        ),
        (
            f"{TEAM}hours: {{begin: late}}",
            [':2:9: hours.begin: expects a time of day such as 09:30, found "late"'],
        ),
        (
            f"{TEAM}hours: {{severities: [sev7]}}",
            [":2:22: hours.severities.0: expects 'sev1', 'sev2', 'sev3' or 'sev4', found \"sev7\""],
        ),
        (
            f"{TEAM}policy: {{approvals: {{change: two}}}}",
            [':2:22: policy.approvals.change: expects a whole number, found "two"'],
        ),
        (
            f"{TEAM}chanels: {{}}\nrunbook: x",
            [":2:1: chanels: unknown key", ":3:1: runbook: unknown key"],
        ),
        (f"{TEAM}{TEAM}", [':2:1: duplicate key "approvers", first on line 1']),
    ],
)
def test_a_wrong_file_alone(tmp_path: Path, text: str, expected: list[str]) -> None:
    assert mistakes(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "found", "expected"),
    [
        ("", lambda team: team.channels.incidents, "incidents"),
        ("channels: {customers: C9}", lambda team: team.channels.customers, "C9"),
        ("", lambda team: (team.hours.begin, team.hours.end), (time(9), time(18))),
        ("hours: {timezone: Europe/Berlin}", lambda team: team.hours.timezone.key, "Europe/Berlin"),
        ("hours: {severities: []}", lambda team: team.hours.severities, ()),
        (
            "clocks: {sev1: {update: 5 min}}",
            lambda team: team.cadence(Severity.SEV1).monitoring,
            None,
        ),
        (
            "clocks: {sev1: {update: 5 min}}",
            lambda team: team.cadence(Severity.SEV1).approval,
            timedelta(minutes=30),
        ),
        (
            "clocks: {sev1: {update: 5 min}}",
            lambda team: team.cadence(Severity.SEV2).update,
            timedelta(minutes=30),
        ),
        (
            "policy: {approvals: {destructive: 2}}",
            lambda team: team.policy.approvals.of(Risk.DESTRUCTIVE),
            2,
        ),
        ("policy: {undo_window: 1 h}", lambda team: team.policy.undo_window, timedelta(hours=1)),
        ("", lambda team: team.policy.execution_timeout, timedelta(minutes=10)),
        ("pagerduty: {schedule: P1}", lambda team: team.pagerduty.schedule, "P1"),
    ],
)
def test_what_a_file_becomes(tmp_path: Path, text: str, found: Any, expected: object) -> None:
    assert found(load(tmp_path, TEAM + text)) == expected


def test_where_the_playbooks_are(tmp_path: Path) -> None:
    file = tmp_path / "team.yml"
    file.write_text(f"{TEAM}playbooks: books")

    assert config.load(file).playbooks == Path("books")


@pytest.mark.parametrize(
    ("title", "attempt", "expected"),
    [
        ("Orders", 0, "inc-7-orders"),
        ("Orders", 1, "inc-7-orders-2"),
        ("a" * 100, 0, "inc-7-" + "a" * 74),
        ("a" * 100, 9, "inc-7-" + "a" * 71 + "-10"),
        ("a" * 70 + " bcdef", 0, "inc-7-" + "a" * 70),
        ("a" * 68 + " bcdef", 0, "inc-7-" + "a" * 68 + "-bcdef"),
        ("ab " + "c" * 90, 0, "inc-7-ab-" + "c" * 71),
    ],
)
def test_the_name_of_a_channel(title: str, attempt: int, expected: str) -> None:
    assert rules.incidents.channel_name(incident(title), attempt) == expected


@pytest.mark.parametrize(
    ("text", "scenario", "expected"),
    [
        ("  two   words ", 0, "two words"),
        ("first\nsecond", 0, "first"),
        ("\n\n", 0, "outage"),
        ("\n\n", None, "SEV-2 incident"),
        ("x" * 120, None, "x" * 120),
        ("x" * 121, None, "x" * 119 + "…"),
        ("x" * 118 + " yz", None, "x" * 118 + "…"),
    ],
)
def test_the_title_of_an_incident(text: str, scenario: int | None, expected: str) -> None:
    chosen = None if scenario is None else BOOK.scenarios[scenario]
    assert rules.incidents.incident_title(text, Severity.SEV2, chosen) == expected


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ""),
        (1, " (open: INC-1 in <#C1>)"),
        (2, " (open: INC-1 in <#C1>, INC-2 in <#C2>)"),
        (5, " (open: " + ", ".join(f"INC-{n} in <#C{n}>" for n in range(1, 6)) + ")"),
        (7, " (open: " + ", ".join(f"INC-{n} in <#C{n}>" for n in range(1, 6)) + " and 2 more)"),
    ],
)
def test_where_the_incidents_are(count: int, expected: str) -> None:
    some = [incident(id=number, channel_id=f"C{number}") for number in range(1, count + 1)]
    unplaced = incident(id=99)

    assert rules.incidents.wrong_channel_message([unplaced, *some]) == (
        "This is not an incident's channel. Nothing was done. Use the incident's own channel"
        f"{expected}, or declare one with `/incident declare`."
    )


CART = Playbook(
    service="cart",
    title="Cart",
    severities={},
    scenarios=(
        Scenario(id="slow", title="Slow", severity=Severity.SEV3, symptoms=(), steps=()),
        Scenario(id="down", title="Down", severity=Severity.SEV1, symptoms=(), steps=()),
    ),
)


def test_the_worst_come_first() -> None:
    assert [ref.name for ref in rules.incidents.all_scenarios([CART, BOOK])] == [
        "cart/down",
        "order-service/outage",
        "order-service/refunds",
        "order-service/disputes",
        "cart/slow",
    ]


@pytest.mark.parametrize(
    ("ticked", "expected"),
    [
        ({}, []),
        ({"cart/slow": []}, []),
        ({"cart/slow": ["a"]}, ["cart/slow"]),
        ({"cart/slow": ["a"], "cart/down": ["a", "b"]}, ["cart/down"]),
        (
            {"cart/slow": ["a"], "order-service/outage": ["b"]},
            ["order-service/outage", "cart/slow"],
        ),
        ({"cart/gone": ["a"]}, []),
    ],
)
def test_symptoms_choose_scenarios(ticked: dict[str, list[str]], expected: list[str]) -> None:
    found = rules.incidents.best_matches([CART, BOOK], ticked)
    assert [ref.name for ref in found] == expected


@pytest.mark.parametrize(
    ("scenario", "severity", "expected"),
    [
        ("outage", Severity.SEV1, None),
        ("outage", Severity.SEV2, "outage"),
        ("outage", Severity.SEV4, None),
        ("refunds", Severity.SEV1, "refunds"),
        (None, Severity.SEV1, None),
    ],
)
def test_a_scenario_for_another_severity(
    scenario: str | None, severity: Severity, expected: str | None
) -> None:
    given = incident(scenario_id=scenario, severity=severity)
    found = rules.incidents.mismatched_scenario([BOOK], given)
    assert (found.id if found else None) == expected
