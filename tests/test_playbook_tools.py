"""`runbolt playbook schema` and `lint`, as people run them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from bot.authoring import cli
from tests.conftest import ROOT, SHIPPED
from tests.shop_playbooks import CARTS, SCALE_STEP

LOOK = """
import sys
import bot.__main__
heavy = {"markdown_it", "bot.authoring"} & set(sys.modules)
sys.exit(f"the bot loads {heavy}" if heavy else 0)
"""
PLAYBOOK = f"""\
{CARTS}{SCALE_STEP}post_incident:
  - Write it down
  - {{title: Tell all, due: 2 days}}
"""


@pytest.fixture
def validator() -> Draft202012Validator:
    published = json.loads((ROOT / "docs" / "playbook.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(published)
    return Draft202012Validator(published)


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    (tmp_path / "sql").mkdir()
    file = tmp_path / "shop.yml"
    file.write_text(PLAYBOOK)
    return file


def runbolt(*words: object) -> subprocess.CompletedProcess[str]:
    """In a process without any environment, as a check of a repository runs it."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *map(str, words)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )


def lint(capsys: pytest.CaptureFixture[str], *words: Path) -> tuple[int, list[str]]:
    code = cli.run(["playbook", "lint", *map(str, words)])
    return code, capsys.readouterr().out.splitlines()


def test_the_printed_schema_is_published(capsys: pytest.CaptureFixture[str]) -> None:
    """If not: runbolt playbook schema > docs/playbook.schema.json."""
    assert cli.run(["playbook", "schema"]) == 0

    published = (ROOT / "docs" / "playbook.schema.json").read_text(encoding="utf-8")
    assert capsys.readouterr().out == published


def test_every_key_and_action_is_described(validator: Draft202012Validator) -> None:
    assert isinstance(validator.schema, dict)
    step = validator.schema["$defs"]["Step"]["properties"]

    assert all(variant["description"] for variant in step["action"]["oneOf"])
    assert [name for name, item in step.items() if not item.keys() & {"description", "$ref"}] == []


@pytest.mark.parametrize("file", [*SHIPPED.parent.rglob("*.yml")], ids=lambda file: file.stem)
def test_the_shipped_files_fit_the_schema(validator: Draft202012Validator, file: Path) -> None:
    validator.validate(yaml.safe_load(file.read_text(encoding="utf-8")))


def test_a_small_file_fits_the_schema(validator: Draft202012Validator) -> None:
    validator.validate(yaml.safe_load(PLAYBOOK))


# What is written instead of what, and so fits neither the schema nor the bot.
BROKEN = {
    "a misspelled key": ("title: Shop", "titel: Shop"),
    "no sev4": ("  sev4: {meaning: Ugly, response: 1 d}\n", ""),
    "a sev5": ("  sev4:", "  sev5: {meaning: Odd, response: 1 d}\n  sev4:"),
    "no time": ("response: 15 min", "response: soon"),
    "a time without words": ("due: 2 days", "due: P2D"),
    "an unknown action": ("action: query", "action: ask"),
    "a param of another action": ("file: carts.sql", "selector: app=shop"),
    "a param that is not given": ("file: carts.sql", "alarm: true"),
    "a param that is neither given nor asked": ("ask: [replicas]", "ask: [watch_seconds]"),
    "a question that the action does not know": ("ask: [replicas]", "ask: [replicas, sql]"),
    "the statement itself": ("file: carts.sql", "file: carts.sql\n          sql: SELECT 1"),
    "a number as text": ("{deployment: shop}", "{deployment: shop, replicas: '4'}"),
    "a number out of bounds": ("{deployment: shop}", "{deployment: shop, replicas: 51}"),
    "an id with capitals": ("id: scale", "id: Scale"),
    "an unknown phase": ("phase: recovery", "phase: later"),
    "an empty line": ("  - Write it down", "  - ''"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_do_not_fit(
    validator: Draft202012Validator,
    playbook: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    old, new = BROKEN[name]
    assert old in PLAYBOOK
    (playbook.parent / "sql" / "carts.sql").write_text("SELECT 1")
    assert lint(capsys, playbook) == (0, ["No mistakes."])
    playbook.write_text(PLAYBOOK.replace(old, new))

    assert not validator.is_valid(yaml.safe_load(playbook.read_text()))
    assert lint(capsys, playbook)[0] == 1


def test_lint_says_what_to_search_for_instead(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    shutil.copytree(SHIPPED.parent, tmp_path / "playbooks")
    playbook = tmp_path / "playbooks" / SHIPPED.name
    playbook.write_text(SHIPPED.read_text().replace("match: ", "match: (?<=stripe )", 1))

    code, [told] = lint(capsys, playbook)

    assert code == 1
    assert told.endswith(
        "(RE2 has no look-ahead and no look-behind: search for the words themselves, such as "
        '`refund failed` for `(?<=refund )failed`), found "(?<=stripe )stripe|webhook|payment"'
    )


def test_the_shipped_playbooks_are_right() -> None:
    done = runbolt("playbook", "lint", SHIPPED.parent)

    assert (done.returncode, done.stdout, done.stderr) == (0, "No mistakes.\n", "")


def test_every_mistake_is_told(playbook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    statement = playbook.parent / "sql" / "carts.sql"
    statement.write_text("WITH gone AS (\n  DELETE FROM carts RETURNING *\n)\nSELECT * FROM gone")
    playbook.write_text(
        PLAYBOOK.replace("scale-deployment", "scale-deploymnet").replace("title: Carts", "titel: C")
    )
    other = playbook.parent / "other.yml"
    other.write_text("- 1")

    code, told = lint(capsys, playbook.parent)

    assert code == 1
    assert told == [
        f"{other}:1:1: a playbook expects keys and values, found a list",
        f'{playbook}:10:5: unknown key "titel"; did you mean "title"?',
        f'{playbook}:15:9: unknown key "titel"; did you mean "title"?',
        f'{playbook}:23:17: unknown action "scale-deploymnet"; did you mean "scale-deployment"?',
        f"{statement}:2:3: expects a SELECT, found DELETE: a query step only reads",
    ]


@pytest.mark.parametrize(
    "params",
    [
        "{sql: DELETE FROM a}",
        "{file: 5, sql: x}",
        "{file: no.sql, sql: x}",
        "[]",
        "carts.sql",
        "{}",
    ],
)
def test_a_missing_query_file(
    playbook: Path, capsys: pytest.CaptureFixture[str], params: str
) -> None:
    playbook.write_text(PLAYBOOK.replace("\n          file: carts.sql", f" {params}"))

    code, told = lint(capsys, playbook)

    assert code == 1
    assert all(line.startswith(f"{playbook}:18:") for line in told)


def test_an_empty_folder_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(capsys, tmp_path) == (1, [f"{tmp_path}: expects .yml files, found none"])


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "no.yml"

    assert lint(capsys, file) == (1, [f"{file}: cannot be read: No such file or directory"])


SELECT = "expects a SELECT, found"
READS = ": a query step only reads"
ACTS = "isn't a function that is known to only read"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("INSERT INTO a VALUES (1)", [f"1:1: {SELECT} INSERT{READS}"]),
        ("-- It says\n UPDATE a SET b = 1", [f"2:2: {SELECT} UPDATE{READS}"]),
        ("DELETE FROM a", [f"1:1: {SELECT} DELETE{READS}"]),
        (
            "MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DELETE",
            [f"1:1: {SELECT} MERGE{READS}"],
        ),
        ("WITH x AS (SELECT 1)\nINSERT INTO b SELECT * FROM x", [f"2:1: {SELECT} INSERT{READS}"]),
        (
            "WITH x AS (\n  UPDATE a SET b = 1 RETURNING *\n) SELECT * FROM x",
            [f"2:3: {SELECT} UPDATE{READS}"],
        ),
        ("CREATE TABLE a AS SELECT 1", [f"1:1: {SELECT} CREATE{READS}"]),
        ("DROP TABLE a", [f"1:1: {SELECT} DROP{READS}"]),
        ("ALTER TABLE a ADD b int", [f"1:1: {SELECT} ALTER{READS}"]),
        ("TRUNCATE a", [f"1:1: {SELECT} TRUNCATE{READS}"]),
        ("COPY a TO '/tmp/a'", [f"1:1: {SELECT} COPY{READS}"]),
        ("CALL a()", [f"1:1: {SELECT} CALL{READS}"]),
        ("DO $$ BEGIN END $$", [f"1:1: {SELECT} DO{READS}"]),
        ("SET statement_timeout = 0", [f"1:1: {SELECT} SET{READS}"]),
        ("EXPLAIN ANALYZE DELETE FROM a", [f"1:1: {SELECT} EXPLAIN{READS}"]),
        ("VACUUM", [f"1:1: {SELECT} VACUUM{READS}"]),
        ("LISTEN a", [f"1:1: {SELECT} LISTEN{READS}"]),
        ("SELECT *\n  INTO a FROM b", [f"2:3: {SELECT} SELECT … INTO{READS}"]),
        (
            "SELECT * FROM a\nFOR UPDATE",
            ["2:1: expects a SELECT without locks, found FOR UPDATE or SHARE"],
        ),
        (
            "(SELECT 1) UNION (SELECT 2 FROM a FOR KEY SHARE)",
            ["1:35: expects a SELECT without locks, found FOR UPDATE or SHARE"],
        ),
        (
            "SELECT\n  pg_terminate_backend(pid) FROM pg_stat_activity",
            [f"2:3: pg_terminate_backend() {ACTS}; use the action end-queries"],
        ),
        ("SELECT pg_catalog.pg_sleep(9)", [f"1:8: pg_sleep() {ACTS}"]),
        ('SELECT * FROM "pg_sleep"(9)', [f"1:15: pg_sleep() {ACTS}"]),
        (
            "SELECT nextval('a'), LO_IMPORT('/etc/passwd')",
            [
                f"1:8: nextval() {ACTS}",
                f"1:22: lo_import() {ACTS}",
            ],
        ),
        (
            "WITH a AS (\n  WITH b AS (DELETE FROM c RETURNING 1) SELECT 1\n) SELECT 1",
            [f"2:14: {SELECT} DELETE{READS}"],
        ),
        ("SELECT 1 UNION\nSELECT 2 INTO a", [f"2:10: {SELECT} SELECT … INTO{READS}"]),
        (
            "SELECT 1 ORDER BY array_agg(setval('a', 1))",
            [f"1:29: setval() {ACTS}"],
        ),
        ("SELECT * FROM dblink('a', 'b') AS c(d int)", [f"1:15: dblink() {ACTS}"]),
        (
            "SELECT query_to_xml('DELETE FROM a', true, true, '')",
            [f"1:8: query_to_xml() {ACTS}"],
        ),
        ('SELECT U&"pg\\005fsleep"(9)', [f"1:8: pg_sleep() {ACTS}"]),
        ("SELECT pg_stat_statements_reset()", [f"1:8: pg_stat_statements_reset() {ACTS}"]),
        ("SELECT pg_prewarm('carts')", [f"1:8: pg_prewarm() {ACTS}"]),
        ("SELECT pg_buffercache_evict_all()", [f"1:8: pg_buffercache_evict_all() {ACTS}"]),
        ("SELECT pg_cancel_backend(42)", [f"1:8: pg_cancel_backend() {ACTS}"]),
        ("SELECT 1;\nSELECT 2", ["2:1: expects one statement, found another"]),
        ("SELECT 1; DELETE FROM a", ["1:11: expects one statement, found another"]),
        ("SELECT *\nFROM a WHERE", ["2:13: is not valid PostgreSQL: syntax error at end of input"]),
        ("SELEC 1", ['1:1: is not valid PostgreSQL: syntax error at or near "SELEC"']),
        ("-- Nothing", ["1:1: expects a SELECT, found nothing"]),
        (
            "SELECT 5 % 2 WHERE %(a)s",
            ["1:10: write %% for a percent sign in a file with parameters"],
        ),
    ],
)
def test_statements_that_are_refused(
    playbook: Path, capsys: pytest.CaptureFixture[str], text: str, told: list[str]
) -> None:
    statement = playbook.parent / "sql" / "carts.sql"
    statement.write_text(text)
    if "%(a)s" in text:
        playbook.write_text(PLAYBOOK.replace("carts.sql", "carts.sql\n          params: {a: true}"))

    assert lint(capsys, playbook) == (1, [f"{statement}:{line}" for line in told])


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1;",
        "SELECT 1; -- and no more",
        "SELECT 1; /* and no more */",
        "TABLE carts",
        "VALUES (1)",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION SELECT i + 1 FROM n WHERE i < 5) SELECT * FROM n",
        "(SELECT 1) UNION ALL (SELECT 2)",
        "SELECT 'DELETE FROM a; FOR UPDATE' AS \"update\", 5 % 2",
        "SELECT now(), random(), count(*) FILTER (WHERE a) OVER w FROM b WINDOW w AS (ORDER BY c)",
    ],
)
def test_statements_that_only_read(
    playbook: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (playbook.parent / "sql" / "carts.sql").write_text(text)

    assert lint(capsys, playbook) == (0, ["No mistakes."])


def test_parameters_are_no_mistake(playbook: Path, capsys: pytest.CaptureFixture[str]) -> None:
    playbook.write_text(PLAYBOOK.replace("carts.sql", "carts.sql\n          params: {a: 5}"))
    file = playbook.parent / "sql" / "carts.sql"
    file.write_text("SELECT 5 %% 2 FROM b WHERE c > %(a)s AND d LIKE 'x%%'")

    assert lint(capsys, playbook) == (0, ["No mistakes."])


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        cli.run(["playbook", "--help"])

    told = capsys.readouterr().out
    assert done.value.code == 0
    assert [name for name in ("schema", "lint", "render", "import") if name not in told] == []


def test_an_unknown_command_is_told() -> None:
    done = runbolt("playbok")

    assert done.returncode == 2
    assert "invalid choice: 'playbok'" in done.stderr


def test_the_bot_loads_none_of_it() -> None:
    done = subprocess.run([sys.executable, "-c", LOOK], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
