"""What people are told about the mistakes in their playbooks."""

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field, TypeAdapter, ValidationError, field_validator

from bot import durations
from bot.model import Model, Phase, Step
from bot.playbooks import loader, validation
from bot.playbooks.loader import PlaybookError
from tests.shop_playbooks import HEAD, SCALE_STEP


class Logs(Model):
    name: ClassVar[str] = "logs"
    selector: str
    tail: int = Field(default=100, ge=1, le=5000)


class Scale(Model):
    name: ClassVar[str] = "scale-deployment"
    playbook_only: ClassVar[frozenset[str]] = frozenset({"deployment"})
    deployment: str = Field(pattern=r"^[a-z-]+$")
    replicas: int

    @field_validator("replicas")
    @classmethod
    def even(cls, replicas: int) -> int:
        if replicas % 2:
            raise ValueError("expects an even number")
        return replicas


class Check(Model):
    host: str
    port: int


class Dependencies(Model):
    name: ClassVar[str] = "dependencies"
    checks: tuple[Check, ...]


class Freeze(Model):
    name: ClassVar[str] = "freeze"
    day: date | None = None
    begin: datetime | None = None


SOME = (Logs, Scale, Dependencies, Freeze)

# A playbook without a mistake; each bad one below differs from it in a line or two.
GOOD = f"""\
{HEAD}  - id: outage
    title: Outage
    severity: sev1
    symptoms:
      - No orders
    steps:
      - id: logs
        title: Logs
        phase: immediate
        action: logs
        params:
          selector: app=shop
          tail: 50
{SCALE_STEP}contacts:
  - role: Lead
    contact: "@lead"
"""

RESPONSE = durations.EXPECTED
ID = "text of the form ^[a-z0-9][a-z0-9-]{0,39}$"
LONG = "x" * 58
STEP_KEYS = ", ".join(Step.model_fields)

# What is written instead of what, and the line that tells the mistake.
MISTAKES = {
    "a misspelled key": (
        "title: Shop",
        "titel: Shop",
        '2:1: unknown key "titel"; did you mean "title"?',
    ),
    "a misspelled key of a level": (
        "sev2: {meaning: Broken,",
        "sev2: {meaning: Broken, exampels: Refunds,",
        '5:27: unknown key "exampels"; did you mean "examples"?',
    ),
    "a misspelled key of a contact": (
        "- role: Lead",
        "- roll: Lead",
        '29:5: unknown key "roll"; did you mean "role"?',
    ),
    "a key that is like no other": (
        "phase: immediate",
        "phase: immediate\n        weather: red",
        f'18:9: unknown key "weather"; expects one of: {STEP_KEYS}',
    ),
    "a missing key": (
        "    severity: sev1\n",
        "",
        '9:5: missing key "severity"',
    ),
    "an unknown severity in the table": (
        "  sev2:",
        "  SEV-2:",
        '5:3: unknown key "SEV-2"; did you mean "sev2"?',
    ),
    "a severity without its level": (
        "  sev3: {meaning: Slow, response: 2 hours}\n",
        "",
        '3:1: "severities" has no sev3',
    ),
    "an unknown severity of a scenario": (
        "severity: sev1",
        "severity: sev-1",
        (
            "11:15: \"severity\" expects 'sev1', 'sev2', 'sev3' or 'sev4', found \"sev-1\"; "
            'did you mean "sev1"?'
        ),
    ),
    "a time without its unit": (
        "response: 15 min",
        "response: 15",
        f'4:35: "response" {RESPONSE}, found 15',
    ),
    "a time in a unit that is none": (
        "response: 15 min",
        "response: 15 mni",
        f'4:35: "response" {RESPONSE}, found "15 mni"',
    ),
    "no time": (
        "response: 15 min",
        "response: 0 min",
        f'4:35: "response" {RESPONSE}, found "0 min"',
    ),
    "more time than there is": (
        "response: 15 min",
        "response: 99999999999999 days",
        f'4:35: "response" {RESPONSE}, found "99999999999999 days"',
    ),
    "an unknown phase": (
        "phase: immediate",
        "phase: immediat",
        (
            "17:16: \"phase\" expects 'immediate' or 'recovery', found \"immediat\"; did you "
            'mean "immediate"?'
        ),
    ),
    "an unknown action": (
        "action: logs",
        "action: log",
        '18:17: unknown action "log"; did you mean "logs"?',
    ),
    "an action like no other": (
        "action: logs",
        "action: fly",
        '18:17: unknown action "fly"; expects one of: logs, scale-deployment, dependencies, freeze',
    ),
    "an unknown param": (
        "selector: app=shop",
        "selektor: app=shop",
        '20:11: action "logs": unknown param "selektor"; did you mean "selector"?',
    ),
    "an unknown param beside all that are needed": (
        "tail: 50",
        "tial: 50",
        '21:11: action "logs": unknown param "tial"; did you mean "tail"?',
    ),
    "a missing param": (
        "          selector: app=shop\n",
        "",
        '20:11: action "logs": missing param "selector"',
    ),
    "a missing param of a step without any": (
        "        params: {deployment: shop}\n",
        "",
        '22:9: action "scale-deployment": missing param "deployment"',
    ),
    "a param of the wrong type": (
        "tail: 50",
        'tail: "50"',
        '21:17: action "logs": "tail" expects a whole number, found "50"',
    ),
    "a param that is true rather than a number": (
        "tail: 50",
        "tail: true",
        '21:17: action "logs": "tail" expects a whole number, found true',
    ),
    "a param above its bound": (
        "tail: 50",
        "tail: 50000",
        '21:17: action "logs": "tail" expects at most 5000, found 50000',
    ),
    "a param that the action itself refuses": (
        "{deployment: shop}",
        "{deployment: shop, replicas: 3}",
        '26:46: action "scale-deployment": "replicas" expects an even number, found 3',
    ),
    "a param of the wrong form": (
        "{deployment: shop}",
        "{deployment: My Shop}",
        (
            '26:30: action "scale-deployment": "deployment" expects text of the form '
            '^[a-z-]+$, found "My Shop"; did you mean "my-shop"?'
        ),
    ),
    "a param within a param": (
        "action: scale-deployment\n        params: {deployment: shop}\n        ask: [replicas]",
        "action: dependencies\n        params: {checks: [{host: a, port: b}]}",
        '26:43: action "dependencies": "port" expects a whole number, found "b"',
    ),
    "a date in another order": (
        "action: scale-deployment\n        params: {deployment: shop}\n        ask: [replicas]",
        "action: freeze\n        params: {day: 24.12.2026}",
        ('26:23: action "freeze": "day" expects a date such as 2026-12-24, found "24.12.2026"'),
    ),
    "a number instead of a date": (
        "action: scale-deployment\n        params: {deployment: shop}\n        ask: [replicas]",
        "action: freeze\n        params: {day: 24}",
        '26:23: action "freeze": "day" expects a date such as 2026-12-24, found 24',
    ),
    "a time without its date": (
        "action: scale-deployment\n        params: {deployment: shop}\n        ask: [replicas]",
        "action: freeze\n        params: {begin: 18:00}",
        (
            '26:25: action "freeze": "begin" expects a date and time such as 2026-12-24 18:00, '
            'found "18:00"'
        ),
    ),
    "a question for something that is no param": (
        "ask: [replicas]",
        "ask: [replicas, deploiment]",
        (
            '27:25: action "scale-deployment": unknown param "deploiment"; did you mean '
            '"deployment"?'
        ),
    ),
    "a question for a param that only a playbook may set": (
        "ask: [replicas]",
        "ask: [replicas, deployment]",
        (
            '27:25: action "scale-deployment": "deployment" can only be set in the playbook, not '
            "asked for"
        ),
    ),
    "a question that is a list": (
        "ask: [replicas]",
        "ask: [replicas, [deployment]]",
        '27:25: item 2 of "ask" expects text, found a list',
    ),
    "params that are a list": (
        "params: {deployment: shop}",
        "params: [shop]",
        '26:17: "params" expects keys and values, found a list',
    ),
    "a scenario's id twice": (
        "contacts:",
        "  - {id: outage, title: A, severity: sev1, symptoms: [], steps: []}\ncontacts:",
        '28:10: duplicate id "outage", first on line 9',
    ),
    "a step's id twice": (
        "- id: scale",
        "- id: logs",
        '22:13: duplicate id "logs", first on line 15',
    ),
    "an id that is none": (
        "- id: scale",
        "- id: Scale It!",
        f'22:13: "id" expects {ID}, found "Scale It!"; did you mean "scale-it"?',
    ),
    "a title that is too long": (
        "title: Scale",
        f"title: {LONG}{LONG}",
        f'23:16: "title" expects text, at most 75 long, found "{LONG}…',
    ),
    "an empty title": (
        "title: Scale",
        'title: ""',
        '23:16: "title" expects text, at least 1 long, found ""',
    ),
    "a title without words": (
        "title: Scale",
        "title:",
        '23:15: "title" expects text, found nothing',
    ),
    "a number instead of text": (
        "- No orders",
        "- Pages\n      - 500",
        '14:9: item 2 of "symptoms" expects text, found 500',
    ),
    "a word that is neither true nor false": (
        "action: logs",
        "action: logs\n        recommended: yes",
        '19:22: "recommended" expects true or false, found "yes"',
    ),
    "text instead of a list": (
        "\n      - No orders",
        " No orders",
        '12:15: "symptoms" expects a list, found "No orders"',
    ),
    "a step that is only text": (
        "contacts:",
        "      - Restart it\ncontacts:",
        '28:9: item 3 of "steps" expects keys and values, found "Restart it"',
    ),
    "an alert that fills in what is not known": (
        "title: Shop",
        "title: Shop\ninternal_alert: '{{ severty }} {{ status }}'",
        '3:17: "internal_alert" has the unknown variable "severty"; did you mean "severity"?',
    ),
    "a message that Jinja2 refuses": (
        "title: Shop",
        "title: Shop\ncustomer_message: 'Sorry {{'",
        (
            '3:19: "customer_message" is not a Jinja2 template: unexpected \'end of '
            "template', in its line 1"
        ),
    ),
    "a message with an unknown filter": (
        "title: Shop",
        "title: Shop\ncustomer_message: '{{ status | shout }}'",
        (
            "3:19: \"customer_message\" is not a Jinja2 template: No filter named 'shout', "
            "in its line 1"
        ),
    ),
}


def written(folder: Path, text: str, name: str = "shop.yml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def told(where: Path | list[Path]) -> list[str]:
    """The lines of the error, but for its head."""
    with pytest.raises(PlaybookError) as raised:
        loader.load(where, SOME)
    return str(raised.value).splitlines()[1:]


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistake_is_told_with_place(tmp_path: Path, kind: str) -> None:
    old, new, mistake = MISTAKES[kind]
    assert GOOD.count(old) == 1
    file = written(tmp_path, GOOD.replace(old, new))

    assert told(file) == [f"{file}:{mistake}"]


def test_all_files_mistakes_are_told(tmp_path: Path) -> None:
    first = written(
        tmp_path, GOOD.replace("title: Shop", "titel: Shop").replace("50", "0"), "a.yml"
    )
    second = written(tmp_path, "[", "b.yaml")
    third = written(tmp_path, "a: &a\n- *a", "c.yml")

    with pytest.raises(PlaybookError) as raised:
        loader.load(tmp_path, SOME)

    head, *lines = str(raised.value).splitlines()
    assert head == "No playbook was loaded: 4 mistakes. Correct these and start again."
    assert [line.split(": ")[0] for line in lines] == [
        f"{first}:2:1",
        f"{first}:21:17",
        f"{second}:1:2",
        f"{third}:2:3",
    ]
    assert [mistake.line for mistake in raised.value.diagnostics] == [2, 21, 1, 2]


def test_same_scenario_twice_is_refused(tmp_path: Path) -> None:
    first = written(tmp_path, GOOD, "a.yml")
    second = written(tmp_path, GOOD, "b.yml")

    assert told(tmp_path) == [f'{second}:9:9: duplicate id "outage" of shop, first in {first}']


def test_more_steps_than_a_message_holds(tmp_path: Path) -> None:
    more = "".join(
        f"      - {{id: s{at}, title: S, phase: recovery, action: logs, ask: [selector]}}\n"
        for at in range(39)
    )
    file = written(tmp_path, GOOD.replace("contacts:", f"{more}contacts:"))

    assert told(file) == [f'{file}:14:5: "steps" expects at most 40 in the list']


@pytest.mark.parametrize("text", ["", "# nothing\n", "shop", "- shop"])
def test_a_file_that_is_no_playbook(tmp_path: Path, text: str) -> None:
    [line] = told(written(tmp_path, text))

    assert "a playbook expects keys and values, found" in line


def test_correct_file_is_read_completely(tmp_path: Path) -> None:
    [playbook] = loader.load([written(tmp_path, GOOD)], SOME)

    assert [level.response for level in playbook.severities.values()] == [
        timedelta(minutes=15),
        timedelta(minutes=30),
        timedelta(hours=2),
        timedelta(days=1),
    ]
    assert playbook.scenarios[0].steps[0] == Step(
        id="logs",
        title="Logs",
        phase=Phase.IMMEDIATE,
        action="logs",
        params={"selector": "app=shop", "tail": 50},
    )
    assert playbook.scenarios[0].steps[1].ask == ("replicas",)


def test_a_folder_without_playbooks(tmp_path: Path) -> None:
    written(tmp_path, "Read me", "README.md")

    assert told(tmp_path) == [f"{tmp_path}: expects .yml files, found none"]


@pytest.mark.parametrize(
    ("model", "value", "expected"),
    [
        (date, "24.12.2026", 'expects a date such as 2026-12-24, found "24.12.2026"'),
        (date, "2026-12-24 18:00", 'expects a date such as 2026-12-24, found "2026-12-24 18:00"'),
        (datetime, "18:00", 'expects a date and time such as 2026-12-24 18:00, found "18:00"'),
        (datetime, True, "expects a date and time such as 2026-12-24 18:00, found true"),
    ],
)
def test_dates_in_the_configuration(model: type, value: object, expected: str) -> None:
    with pytest.raises(ValidationError) as mistake:
        TypeAdapter(model).validate_python(value)

    assert validation.explain_error(mistake.value.errors()[0]) == expected
