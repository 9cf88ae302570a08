"""A team's own .sql files: found beside its playbook, kept with its incidents."""

import json
from pathlib import Path

import pytest

from bot.actions.database.queries import RunQuery
from bot.actions.registry import ACTIONS
from bot.model import Playbook
from bot.playbooks import loader as loading
from bot.playbooks import validation
from bot.playbooks.loader import PlaybookError
from bot.views import action_ids
from tests.conftest import Walk
from tests.shop_playbooks import CARTS

SCENARIO = "order-service/payment-refund-failures"


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "carts.sql").write_text("SELECT 1 AS cart\n")
    file = tmp_path / "shop.yml"
    file.write_text(CARTS)
    return file


def load(file: Path) -> Playbook:
    [book] = loading.load(file, ACTIONS)
    return book


def mistakes(file: Path) -> list[str]:
    with pytest.raises(PlaybookError) as caught:
        load(file)
    return [str(diagnostic).removeprefix(f"{file}:") for diagnostic in caught.value.diagnostics]


def test_own_file_is_kept_with_playbook(playbook: Path) -> None:
    [step] = load(playbook).scenarios[0].steps

    assert step.params == {"file": "carts.sql", "sql": "SELECT 1 AS cart\n"}


def test_own_file_replaces_shipped_one(playbook: Path) -> None:
    playbook.write_text(CARTS.replace("carts.sql", "stuck-orders.sql"))
    assert "FROM orders" in load(playbook).scenarios[0].steps[0].params["sql"]

    (playbook.parent / "sql" / "stuck-orders.sql").write_text("SELECT 2")
    assert load(playbook).scenarios[0].steps[0].params["sql"] == "SELECT 2"


def test_missing_file_lists_known_files(playbook: Path) -> None:
    playbook.write_text(CARTS.replace("carts.sql", "cards.sql\n          alarm: maybe"))

    assert mistakes(playbook) == [
        '19:17: action "query": "file" expects one of: carts.sql, idempotency.sql, '
        "long-queries.sql, missing-indexes.sql, review-orders.sql, stuck-orders.sql, "
        'found "cards.sql"',
        '20:18: action "query": "alarm" expects true or false, found "maybe"',
    ]


@pytest.mark.parametrize("name", ["../carts.sql", "/etc/passwd", "Carts.sql", "carts"])
def test_a_name_leads_nowhere_else(playbook: Path, name: str) -> None:
    playbook.write_text(CARTS.replace("carts.sql", name))

    [mistake] = mistakes(playbook)
    assert '"file" expects text of the form' in mistake


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (b"\xff", "expects a file in UTF-8"),
        (b" \n", "expects a file with a SELECT"),
        (b"SELECT '\x00'", "expects a file with a SELECT"),
        (b"-" * 33_000, "expects a file of at most 32 KiB"),
    ],
)
def test_a_file_that_cannot_be_kept(playbook: Path, found: bytes, said: str) -> None:
    (playbook.parent / "sql" / "carts.sql").write_bytes(found)

    assert mistakes(playbook) == [f'19:17: action "query": "file" {said}, found "carts.sql"']


def test_sql_is_no_param(playbook: Path) -> None:
    given = "carts.sql\n          sql: SELECT 3\n        ask: [sql]"
    playbook.write_text(CARTS.replace("carts.sql", given))

    known = "expects one of: " + ", ".join(validation.settable_fields(RunQuery))
    assert mistakes(playbook) == [
        f'20:11: action "query": unknown param "sql"; {known}',
        f'21:15: action "query": unknown param "sql"; {known}',
    ]


@pytest.fixture
def playbooks(playbooks: Path) -> Path:
    """The shipped playbook, with a query of the team's own beside it."""
    (playbooks / "sql").mkdir()
    (playbooks / "sql" / "stuck-orders.sql").write_text(
        "SELECT * FROM (VALUES ('the old way')) AS found (id)"
    )
    return playbooks


async def test_incident_keeps_its_first_query(walk: Walk, playbooks: Path) -> None:
    channel = await walk.declare(severity="sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, SCENARIO)
    (playbooks / "sql" / "stuck-orders.sql").write_text(
        "SELECT * FROM (VALUES ('the new way')) AS found (id)"
    )

    await walk.press_step("oncall", "stuck-orders", channel)

    assert "1 order stuck in PENDING" in walk.text(channel)
    assert "the old way" in json.dumps(walk.slack.messages(channel, "oncall"))
