"""What a playbook says about tasks: its mistakes are told at the start, old incidents are kept."""

from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from bot import durations, store
from bot.actions.registry import ACTIONS
from bot.model import IncidentId, Table, TaskState, findings
from bot.model.findings import Finding, RowTemplate
from bot.playbooks import loader
from bot.playbooks.loader import PlaybookError
from bot.store import db
from tests.conftest import SHIPPED

MIGRATIONS = files("bot.store") / "migrations"

MISTAKES = {
    "a column that the query does not have": (
        "order {id}",
        "order {number}",
        "expects columns of stuck-orders.sql in braces, which has no number",
    ),
    "braces around no name": (
        "order {id}",
        "order {id",
        "expects names of columns in braces, such as {id}",
    ),
    "a step that is not there": (
        "step: review-orders",
        "step: review-order",
        'expects a query step of this scenario, found "review-order"; did you mean "review-ord',
    ),
    "a step that is no query": (
        "step: review-orders",
        "step: dispute-evidence",
        'expects a query step of this scenario, found "dispute-evidence"',
    ),
    "no duration": (
        "due: 48 h",
        "due: soon",
        f'"due" {durations.EXPECTED}, found "soon"',
    ),
    "a misspelled key": (
        "due: 48 h",
        "duo: 48 h",
        'unknown key "duo"; did you mean "due"?',
    ),
    "a number for a line": (
        "  - Document root cause and fixes",
        "  - 7",
        'item 3 of "post_incident" expects keys and values, found 7',
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_told_at_the_start(tmp_path: Path, mistake: str) -> None:
    right, wrong, told = MISTAKES[mistake]
    words = SHIPPED.read_text(encoding="utf-8")
    assert right in words
    file = tmp_path / "order-service.yml"
    file.write_text(words.replace(right, wrong), encoding="utf-8")

    with pytest.raises(PlaybookError) as error:
        loader.load(file, ACTIONS)

    assert told in str(error.value)
    assert len(error.value.diagnostics) == 1


def test_both_kinds_of_line(tmp_path: Path) -> None:
    [book] = loader.load(SHIPPED, ACTIONS)

    assert {follow_up.due for follow_up in book.post_incident} == {None, timedelta(hours=48)}


def test_rows_with_one_name() -> None:
    table = Table(columns=("id", "of"), rows=(("1", "a b"), ("1", "a b"), ("2", "–")))
    each = RowTemplate(title="No. {id}", link="https://x.example/{of}")

    assert findings.from_table(each, table) == (
        Finding(title="No. 1", link="https://x.example/a%20b"),
        Finding(title="No. 2"),
    )


async def test_older_incidents_keep_ticked_rows(database: str) -> None:
    book = await _before(database)

    await db.migrate(database)

    async with await AsyncConnection.connect(database) as conn:
        incident = await store.incidents.get(conn, IncidentId(1))
        tasks = await store.tasks.of_incident(conn, IncidentId(1))
    assert incident is not None
    first, *_, long = [follow_up.title for follow_up in incident.playbook.post_incident]
    assert (first, long) == (book["post_incident"][0], "x" * 150)
    assert [(task.step_id, task.state, task.decided_by) for task in tasks] == [
        ("stripe-dashboard", TaskState.DONE, "U2"),
        ("replay-webhooks", TaskState.OPEN, None),
    ]


async def _before(database: str) -> dict[str, Any]:
    """An incident as it was kept before there were tasks: one step ticked off, twice."""
    [shipped] = loader.load(SHIPPED, ACTIONS)
    book = shipped.model_dump(mode="json")
    book["post_incident"] = ["Write it down", "", "x" * 300]
    async with await AsyncConnection.connect(database, row_factory=dict_row) as conn:
        await conn.execute(
            "CREATE TABLE migrations (name text PRIMARY KEY, applied_at timestamptz)"
        )
        for name in ("0001_start.sql", "0002_refused_version.sql"):
            await conn.execute((MIGRATIONS / name).read_text(encoding="utf-8").encode())
            await conn.execute("INSERT INTO migrations (name) VALUES (%s)", [name])
        await conn.execute(
            "INSERT INTO incidents (title, severity, status, playbook, scenario_id, declared_by,"
            " declared_at) VALUES ('Slow', 'sev2', 'investigating', %s,"
            " 'payment-refund-failures', 'U1', now())",
            [Jsonb(book)],
        )
        for who in ("U1", "U2"):
            await conn.execute(
                "INSERT INTO executions (incident_id, step_id, title, action, params, risk, state,"
                " requested_by, requested_at) VALUES (1, 'stripe-dashboard', 'Stripe Dashboard',"
                " 'manual', '{}', 'manual', 'succeeded', %s, now())",
                [who],
            )
    return book
