"""Keys that got another name: the old one is read for a while, and the new one is told."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from bot import config
from bot.config import Cadence
from bot.config.service import ServiceSettings
from bot.model import Model, Playbook, Scenario, Severity
from bot.playbooks import loader
from bot.playbooks.loader import PlaybookError
from tests.shop_playbooks import HEAD


class Logs(Model):
    name: ClassVar[str] = "logs"
    old_keys: ClassVar = {"labels": "selector", "lines": "tail"}
    selector: str
    tail: int = 100


OLD = f"""\
{HEAD.replace("title", "name")}  - id: outage
    title: Outage
    severity: sev1
    signs: [No orders]
    steps:
      - id: logs
        title: Logs
        phase: immediate
        action: logs
        params:
          labels: app=shop
        ask: [lines]
"""


@pytest.fixture(autouse=True)
def renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that have always had their names, as if they once had others."""
    monkeypatch.setattr(Playbook, "old_keys", {"name": "title"})
    monkeypatch.setattr(Scenario, "old_keys", {"signs": "symptoms"})
    monkeypatch.setattr(ServiceSettings, "old_keys", {"cadence": "clocks"})
    monkeypatch.setattr(Cadence, "old_keys", {"every": "update"})


def load(file: Path, text: str) -> Sequence[Playbook]:
    file.write_text(text)
    return loader.load(file, [Logs])


def test_a_playbook_with_old_keys(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "shop.yml"

    [read] = load(file, OLD)

    assert read.title == "Shop"
    assert read.scenarios[0].symptoms == ("No orders",)
    assert read.scenarios[0].steps[0].params == {"selector": "app=shop"}
    assert read.scenarios[0].steps[0].ask == ("tail",)
    assert caplog.messages == [
        f'{file}:2:1: key "name" is called "title" now; the old name will stop working',
        f'{file}:12:5: key "signs" is called "symptoms" now; the old name will stop working',
        f'{file}:19:11: key "labels" is called "selector" now; the old name will stop working',
        f'{file}:20:15: key "lines" is called "tail" now; the old name will stop working',
    ]


def test_new_keys_give_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    new = OLD.replace("name:", "title:").replace("signs:", "symptoms:")

    load(tmp_path / "shop.yml", new.replace("labels:", "selector:").replace("lines", "tail"))

    assert caplog.messages == []


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        (
            "    signs: [No orders]",
            "    signs: []\n    symptoms: [No orders]",
            '12:5: unknown key "signs"; expects one of: id, title, severity, symptoms, steps',
        ),
        ("name: Shop", "name: [Shop]", '2:7: "title" expects text, found a list'),
        (
            "labels: app=shop",
            "labels: 3",
            '19:19: action "logs": "selector" expects text, found 3',
        ),
    ],
    ids=["both names", "a wrong value", "a wrong param"],
)
def test_a_mistake_at_an_old_key(tmp_path: Path, old: str, new: str, mistake: str) -> None:
    file = tmp_path / "shop.yml"

    with pytest.raises(PlaybookError) as caught:
        load(file, OLD.replace(old, new))

    assert [str(told) for told in caught.value.diagnostics] == [f"{file}:{mistake}"]


def test_a_config_with_old_keys(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "runbolt.yml"
    file.write_text("approvers: {users: [U1]}\ncadence:\n  sev1:\n    every: 20 min\n")

    team = config.load(file).defaults

    assert team.cadence(Severity.SEV1).update.total_seconds() == 20 * 60
    assert caplog.messages == [
        f'{file}:4:5: key "every" is called "update" now; the old name will stop working',
        f'{file}:2:1: key "cadence" is called "clocks" now; the old name will stop working',
    ]
