"""`runbolt playbook import`: a runbook in Markdown becomes a playbook."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from bot import durations
from bot.actions.registry import ACTIONS
from bot.authoring import cli, render
from bot.model import Playbook, Risk, Step
from bot.playbooks import loader
from tests.conftest import ROOT, SHIPPED
from tests.test_playbook_render import SOURCE

RISKS = {action.name: action.risk for action in ACTIONS}

# What the shipped playbook has of its own, by hand: these steps, and of the others these keys.
# An id, a title and a hint in place of the title are by hand everywhere.
ADDED = {"undelivered-webhooks", "memory-limit", "rolling-restart", "resume-orders"}
CHOSEN = {"params.file", "params.says", "params.none"}
BY_HAND = {
    "roll-back": {"ask"},
    "stripe-dashboard": {"params.link"},
    "idempotency": {*CHOSEN, "params.alarm"},
    "replay-webhooks": {"params.link"},
    "stuck-orders": {*CHOSEN, "params.alarm", "params.tasks"},
    "pause-orders": {"ask", "params.state", "params.effect", "params.revert_after"},
    "review-orders": CHOSEN,
    "block-users": {"params.choose_from"},
    "dispute-evidence": {"params.link"},
    "long-queries": {*CHOSEN, "params.alarm"},
    "scale-up": {"ask"},
    "end-queries": {"ask", "command", "correction", "params.database"},
    "missing-indexes": {"action", "params.instructions", "params.alarm", *CHOSEN},
}
# What a document that is rendered from it keeps of that, so that an import finds it again.
KEPT = {"params.link", "correction", "recommended", "command"}
BY_HAND_OF_ADDED = {
    "undelivered-webhooks": {"action", "params.instructions"},
    "memory-limit": {"ask"},
    "resume-orders": {"params.effect", "params.unless", "params.none"},
}


def imported(runbook: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Playbook, str]:
    """The playbook, which is one, and what was said on stderr."""
    file = runbook.parent / "made" / "playbook.yml"
    code = cli.run(["playbook", "import", str(runbook), "-o", str(file)])
    told = capsys.readouterr()
    assert code == 0, told.err
    [book] = loader.load(file, ACTIONS)
    return book, told.err


@pytest.fixture
def runbook(tmp_path: Path) -> Path:
    file = tmp_path / "runbook.md"
    file.write_text(SOURCE.read_text(encoding="utf-8"), encoding="utf-8")
    return file


@pytest.fixture
def shipped() -> Playbook:
    [book] = loader.load(SHIPPED, ACTIONS)
    return book


def flat(step: Step) -> dict[str, Any]:
    """Whatever a step has, by key; `text` is what a document says of it."""
    params = {f"params.{key}": value for key, value in step.params.items() if key != "sql"}
    found: dict[str, Any] = {
        "phase": step.phase,
        "action": step.action,
        "text": step.hint or step.params.get("instructions") or step.title,
        "command": " ".join(step.command.split()),
        "correction": " ".join(step.correction.split()),
        "ask": step.ask,
        "recommended": step.recommended,
        **params,
    }
    if "params.longer_than" in found:
        found["params.longer_than"] = durations.parse(found["params.longer_than"])
    return found


def differences(book: Playbook, other: Playbook, without: set[str]) -> dict[str, set[str]]:
    """The keys in which each step differs from the one in its place."""
    found: dict[str, set[str]] = {}
    for scenario, its in zip(book.scenarios, other.scenarios, strict=True):
        steps = [step for step in scenario.steps if step.id not in without]
        for step, made in zip(steps, its.steps, strict=True):
            ours, theirs = flat(step), flat(made)
            keys = {key for key in ours | theirs if ours.get(key) != theirs.get(key)}
            found |= {step.id: keys} if keys else {}
    return found


def rest(book: Playbook) -> dict[str, Any]:
    """All but the steps."""
    scenarios = tuple(scenario.model_copy(update={"steps": ()}) for scenario in book.scenarios)
    return book.model_copy(update={"scenarios": scenarios}).model_dump()


def test_source_gives_the_shipped_playbook(
    runbook: Path, shipped: Playbook, capsys: pytest.CaptureFixture[str]
) -> None:
    book, said = imported(runbook, capsys)

    assert said == ""
    assert rest(book) == rest(shipped)
    assert differences(shipped, book, ADDED) == BY_HAND


def test_every_source_command_becomes_action(
    runbook: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book, _ = imported(runbook, capsys)

    steps = [step for scenario in book.scenarios for step in scenario.steps]
    assert len([step for step in steps if step.command]) == 16
    assert [step.title for step in steps if step.action == "manual" and step.command] == []


def test_rendered_playbook_comes_back_unchanged(
    runbook: Path, shipped: Playbook, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run(["playbook", "render", str(SHIPPED)])
    runbook.write_text(capsys.readouterr().out, encoding="utf-8")

    book, said = imported(runbook, capsys)

    by_hand = {step_id: keys - KEPT for step_id, keys in {**BY_HAND, **BY_HAND_OF_ADDED}.items()}
    assert said == ""
    assert rest(book) == rest(shipped)
    assert differences(shipped, book, set()) == {
        step_id: keys for step_id, keys in by_hand.items() if keys
    }


def test_source_statements_become_files(runbook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book, _ = imported(runbook, capsys)

    step = next(step for step in book.scenarios[1].steps if step.action == "query")
    assert step.params["file"] == "check-for-idempotency-issues.sql"
    file = runbook.parent / "made" / "sql" / "check-for-idempotency-issues.sql"
    assert file.read_text() == step.params["sql"]
    assert step.params["sql"].startswith("SELECT * FROM webhook_events\nWHERE processed_at IS NULL")


BEGINNING = """\
# Shop - Runbook

## Severity Levels

| Level | Description | Response Time | Examples |
|-------|-------------|---------------|----------|
| SEV-1 | Down | 15 min | |
| SEV-2 | Broken | 30 min | |
| SEV-3 | Slow | 2 hours | |
| SEV-4 | Ugly | 1 day | |

## SEV-1: Outage

### Symptoms
- No orders

### Immediate Actions
1. **Look** at it:
"""


def one_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, language: str = "bash"
) -> tuple[Step, str]:
    file = tmp_path / "shop.md"
    file.write_text(f"{BEGINNING}```{language}\n{command}\n```\n", encoding="utf-8")
    book, said = imported(file, capsys)
    [step] = book.scenarios[0].steps
    return step, said.replace(str(file), "shop.md")


UNDERSTOOD: dict[str, tuple[str, dict[str, Any]]] = {
    "kubectl get pods -l app=shop -o wide": ("pods", {"selector": "app=shop"}),
    "$ kubectl get pods -l app=shop": ("pods", {"selector": "app=shop"}),
    "kubectl get pod --selector=app=shop": ("pods", {"selector": "app=shop"}),
    "kubectl logs -l app=shop": ("logs", {"selector": "app=shop"}),
    "kubectl logs deployment/shop --tail 50": ("logs", {"selector": "app=shop", "tail": 50}),
    "kubectl logs shop-6d4f9c7b8-x2x4q": ("logs", {"selector": "app=shop"}),
    "kubectl logs -l app=shop | grep -E 'a+|b'": (
        "logs",
        {"selector": "app=shop", "match": "a+|b"},
    ),
    r"kubectl logs -l app=shop | grep 'a+\(b\|c\)'": (
        "logs",
        {"selector": "app=shop", "match": r"a\+(b|c)"},
    ),
    "kubectl logs -l app=shop | grep -F 'a.b'": (
        "logs",
        {"selector": "app=shop", "match": r"a\.b"},
    ),
    "kubectl top pods -l app=shop": ("usage", {"selector": "app=shop"}),
    "kubectl exec deploy/shop -c web -- nc -z -w 2 redis 6379": (
        "dependencies",
        {"selector": "app=shop", "container": "web", "checks": ["redis:6379"], "timeout": 2},
    ),
    "nc -zv redis 6379\nnc -zv postgres 5432": (
        "dependencies",
        {"selector": "app=shop", "checks": ["redis:6379", "postgres:5432"]},
    ),
    "psql -U me -c \"SELECT count(*) FROM pg_stat_activity WHERE datname='shop'\"": (
        "database-connections",
        {"database": "shop"},
    ),
    "curl -sf -m 3 https://shop.example/health": (
        "http",
        {"url": "https://shop.example/health", "timeout": 3},
    ),
    "kubectl rollout undo deployment shop --to-revision=3": (
        "rollback",
        {"deployment": "shop", "to_revision": 3},
    ),
    "kubectl rollout restart deploy/shop": ("rolling-restart", {"deployment": "shop"}),
    "kubectl rollout history deployment/shop": ("rollout-history", {"deployment": "shop"}),
    "kubectl delete pods -l app=shop": ("delete-pods", {"selector": "app=shop"}),
    "kubectl scale --replicas=5 \\\n  deployment/shop": (
        "scale-deployment",
        {"deployment": "shop", "replicas": 5},
    ),
    "kubectl set env deployment/shop PAUSED=true": (
        "set-env",
        {"deployment": "shop", "variable": "PAUSED", "value": "true"},
    ),
    "kubectl set env deployment/shop PAUSED-": (
        "set-env",
        {"deployment": "shop", "variable": "PAUSED"},
    ),
    "kubectl set resources deployment/shop --limits=memory=1Gi -c web": (
        "memory-limit",
        {"deployment": "shop", "limit": "1Gi", "container": "web"},
    ),
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'active'\n"
    "AND datname = 'shop' AND now() - query_start > interval '2 minutes';": (
        "end-queries",
        {"database": "shop", "longer_than": "2 min"},
    ),
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity\n"
    "WHERE duration > interval '30 seconds' AND state = 'active';": (
        "end-queries",
        {"longer_than": "30 s"},
    ),
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity\n"
    "WHERE duration > interval '90 seconds' AND state = 'active';": (
        "end-queries",
        {"longer_than": "90 s"},
    ),
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity\n"
    "WHERE duration > interval '3601 seconds' AND state = 'active';": (
        "end-queries",
        {"longer_than": "3601 seconds"},
    ),
    "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a\n"
    "WHERE current_timestamp - a.query_start > interval '1 minute'": (
        "end-queries",
        {"longer_than": "1 min"},
    ),
}


@pytest.mark.parametrize("command", UNDERSTOOD)
def test_commands_become_actions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    step, said = one_step(tmp_path, capsys, command)

    assert (step.action, step.params) == UNDERSTOOD[command]
    assert (step.title, step.hint, step.command) == ("Look", "Look at it", command)
    assert said == ""


def test_psql_select_becomes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    step, _ = one_step(tmp_path, capsys, "psql shop -c 'SELECT 1'")

    assert step.action == "query"
    assert step.params == {"file": "look.sql", "sql": "SELECT 1\n"}


def test_several_commands_are_several_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.md"
    script = "# All of it\nkubectl get pods -l app=shop\n\nkubectl top pods -l app=shop\n# Done"
    file.write_text(f"{BEGINNING}```bash\n{script}\n```\n```sql\nSELECT 1;\nSELECT 2;\n```\n")

    book, _ = imported(file, capsys)

    assert [(step.id, step.action, step.command) for step in book.scenarios[0].steps] == [
        ("pods", "pods", "# All of it\nkubectl get pods -l app=shop"),
        ("usage", "usage", "kubectl top pods -l app=shop\n# Done"),
        ("query", "query", "SELECT 1;"),
        ("query-2", "query", "SELECT 2;"),
    ]
    assert [step.params["file"] for step in book.scenarios[0].steps[2:]] == [
        "query.sql",
        "query-2.sql",
    ]


ACTS = "pg_terminate_backend() isn't a function that is known to only read"
NOT_UNDERSTOOD = {
    "rm -rf /var/cache": "no action does what rm does",
    "kubectl drain node-1": "no action does what kubectl drain node-1 does",
    "kubectl get pods -l app=shop -n other": "unrecognized arguments: -n",
    "kubectl get pods": "expects a label selector (-l)",
    "kubectl delete pod shop-1": "expects a label selector (-l)",
    "kubectl logs -l app=shop -f": "unrecognized arguments: -f",
    "kubectl logs -l app=shop | tail -5": "only one grep can follow in a pipeline",
    "kubectl logs -l app=shop | grep -v ok": "unrecognized arguments: -v",
    "kubectl get pods -l app=shop && kubectl top pods -l app=shop": (
        "it is more than one command (&&)"
    ),
    "kubectl logs $(kubectl get pods)": "it is more than one command",
    "kubectl set env deployment/shop A=$B": "it depends on the shell (A=$B)",
    "kubectl logs -l 'app=`x`'": "it depends on the shell (app=`x`)",
    "kubectl exec shop-1 -- sh -c 'rm /tmp/x'": "no action does what sh does inside a pod",
    "kubectl scale statefulset/shop --replicas=2": "expects one deployment/NAME",
    "kubectl scale deployment/shop --replicas=many": "expects a whole number, found many",
    "kubectl set env deployment/shop A=1 B=2": "expects one deployment/NAME",
    "kubectl set resources deployment/shop --limits=cpu=2": "only the memory limit can be set",
    "curl -X POST https://shop.example/restart": "unrecognized arguments: -X",
    "curl shop.example/health": "url: expects text of the form",
    "nc -l 80": "unrecognized arguments: -l",
    "psql -f all.sql": "unrecognized arguments: -f",
    "psql -c 'DELETE FROM carts'": "expects a SELECT, found DELETE: a query step only reads",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity\n"
    "WHERE usename = 'bob' AND now() - query_start > interval '1 minute'": ACTS,
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity\n"
    "WHERE state = 'active' OR now() - query_start > interval '1 minute'": ACTS,
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity\n"
    "WHERE now() - backend_start > interval '1 minute'": ACTS,
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity\n"
    "WHERE query_start - now() > interval '1 minute'": ACTS,
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity\n"
    "WHERE now() - state_change > interval '1 minute'": ACTS,
    "SELECT pg_terminate_backend(client_port) FROM pg_stat_activity\n"
    "WHERE now() - query_start > interval '1 minute'": ACTS,
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity\n"
    "WHERE now() - query_start > interval '1 minute'": (
        "pg_cancel_backend() isn't a function that is known to only read"
    ),
    "SELECT pg_terminate_backend(42)": ACTS,
    "SELECT FROM WHERE": "it is not valid PostgreSQL",
    "echo 'open": "the shell cannot parse it (No closing quotation)",
}


@pytest.mark.parametrize("command", NOT_UNDERSTOOD)
def test_unknown_command_becomes_manual_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    step, said = one_step(tmp_path, capsys, command)

    assert (step.action, step.params) == ("manual", {"instructions": "Look at it"})
    assert step.command == command
    assert said.startswith(f"shop.md:18: {command.splitlines()[0]}: ")
    assert NOT_UNDERSTOOD[command] in said
    assert said.endswith("; kept as a manual step\n")


def test_changes_never_become_reads() -> None:
    """Whatever is imported as an action has the risk of that action, approval and all."""
    changes = {name for name, _ in UNDERSTOOD.values() if RISKS[name] is not Risk.READ}

    assert changes == {
        *("rollback", "rolling-restart", "delete-pods", "scale-deployment"),
        *("set-env", "memory-limit", "end-queries"),
    }


def test_unknown_sections_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shop.md"
    file.write_text(f"{BEGINNING}\n### Afterwards\nRest.\n\n## History\nIt was new once.\n")

    _, said = imported(file, capsys)

    assert said == (
        f"{file}:20: the section “Afterwards” is left out\n"
        f"{file}:23: the section “History” is left out\n"
    )


def test_other_section_names_are_understood(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shop.md"
    parts = (
        "### Diagnosis\n- Look again\n\n### Mitigation\n- Turn it off\n\n### Resolution\n- Mend it"
    )
    file.write_text(f"{BEGINNING}\n{parts}\n")

    book, said = imported(file, capsys)

    assert said == ""
    assert [(step.phase.value, step.title) for step in book.scenarios[0].steps] == [
        ("immediate", "Look"),
        ("immediate", "Look again"),
        ("recovery", "Turn it off"),
        ("recovery", "Mend it"),
    ]


def test_imported_file_fits_the_schema(runbook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(runbook, capsys)
    published = json.loads((ROOT / "docs" / "playbook.schema.json").read_text(encoding="utf-8"))
    made = (runbook.parent / "made" / "playbook.yml").read_text(encoding="utf-8")

    Draft202012Validator(published).validate(yaml.safe_load(made))


def test_page_without_scenarios_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shop.md"
    file.write_text("# Shop\n\nCall Bob.\n")

    code = cli.run(["playbook", "import", str(file)])

    said = capsys.readouterr().err
    assert code == 1
    assert f"{file}:1: no heading has the form “SEV-1: What is wrong”\n" in said
    assert f"{file}:1: no table of severities has a row for sev1, sev2, sev3, sev4\n" in said
    assert f'{tmp_path / "shop.yml"}:1:1: missing key "scenarios"\n' in said


def test_nothing_is_overwritten(runbook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = runbook.parent / "sql" / "review-recent-orders.sql"
    kept.parent.mkdir()
    kept.write_text("SELECT 'mine'")

    assert cli.run(["playbook", "import", str(runbook)]) == 1

    assert f"{kept}: exists already. Nothing was written." in capsys.readouterr().err
    assert kept.read_text() == "SELECT 'mine'"
    assert not runbook.with_suffix(".yml").exists()


def test_a_page_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["playbook", "import", str(tmp_path / "no.md")]) == 1

    assert "no.md cannot be read" in capsys.readouterr().err


def test_special_characters_survive_a_document(
    tmp_path: Path, shipped: Playbook, capsys: pytest.CaptureFixture[str]
) -> None:
    """What looks like markup, quotes or YAML is text, on the way out and back."""
    odd = "# 1. *Bold* [a](b) <c> | \\d `e` — yes: \"f\" 'g' @h"
    first, *others = shipped.scenarios
    step = first.steps[0].model_copy(
        update={"title": "no", "params": {"instructions": odd}, "command": "", "hint": ""}
    )
    scenario = first.model_copy(update={"symptoms": (odd, "010"), "steps": (step,)})
    contact = shipped.contacts[0].model_copy(update={"role": "on", "contact": odd})
    book = shipped.model_copy(
        update={"scenarios": (scenario, *others), "contacts": (contact,), "overview": odd}
    )
    file = tmp_path / "odd.md"
    file.write_text(render.render(book), encoding="utf-8")

    again, _ = imported(file, capsys)

    assert rest(again) == rest(book)
    assert again.scenarios[0].steps[0].params == {"instructions": odd}
