"""`runbolt playbook …`: the commands for people who write playbooks."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bot import playbooks
from bot.authoring import draft, files, lint, render, schema
from bot.model import UserError
from commands.actions import ACTIONS

DESCRIPTION = """\
Without arguments, serve: connect to Slack and run incidents. What it is told comes from the
environment (SLACK_BOT_TOKEN, DATABASE_URL and others, see the README)."""

IMPORT = """\
Commands become the actions that do the same; what none does becomes a manual step, is kept as it
is, and is listed. Nothing is overwritten."""


def run(words: Sequence[str]) -> int:
    """Do what the words of a command line say, and return the exit code."""
    given = _parser().parse_args(words)
    try:
        return int(given.run(given))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="runbolt",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    playbook = top.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "playbook",
        help="check, describe, print and import playbook files",
        description="Work on playbook files. Needs no environment, no database and no Slack.",
    )
    _add_commands(playbook.add_subparsers(required=True, metavar="COMMAND"))
    return top


def _add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    words = "print the JSON Schema of the file, for editors and other checks"
    one = commands.add_parser("schema", help=words, description=words.capitalize())
    one.set_defaults(run=_schema)

    words = "list every mistake in files, or in folders of them, and in the SQL that they name"
    one = commands.add_parser(
        "lint", help=words, description=f"{words.capitalize()}. Exits with 1 if there are any."
    )
    one.add_argument("files", nargs="+", type=Path, metavar="FILE")
    one.set_defaults(run=_lint)

    words = "print a playbook as a Markdown document"
    one = commands.add_parser("render", help=words, description=words.capitalize())
    one.add_argument("file", type=Path, metavar="FILE")
    one.set_defaults(run=_render)

    words = "draft a playbook, and its SQL files, from a runbook in Markdown"
    one = commands.add_parser("import", help=words, description=f"{words.capitalize()}. {IMPORT}")
    one.add_argument("runbook", type=Path, metavar="RUNBOOK.md")
    one.add_argument("-o", type=Path, metavar="FILE", help="where to; else beside it, as .yml")
    one.set_defaults(run=_import)


def _schema(_: argparse.Namespace) -> int:
    print(json.dumps(schema.schema(ACTIONS), indent=2, ensure_ascii=False))
    return 0


def _lint(given: argparse.Namespace) -> int:
    found = lint.lint(given.files, ACTIONS)
    for mistake in found:
        print(mistake)
    if not found:
        print("No mistakes.")
    return 1 if found else 0


def _render(given: argparse.Namespace) -> int:
    for playbook in playbooks.load([given.file], ACTIONS):
        print(render.render(playbook), end="")
    return 0


def _import(given: argparse.Namespace) -> int:
    file = given.o or given.runbook.with_suffix(".yml")
    made = draft.draft(_text(given.runbook), ACTIONS)
    files.write(made, file)
    for line, words in made.problems:
        print(f"{given.runbook}:{line}: {words}", file=sys.stderr)
    mistakes = lint.lint([file], ACTIONS)
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    print(f"Written: {file} and {len(made.files)} SQL files beside it.")
    return 1 if mistakes else 0


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read ({error}). Nothing was written.") from error
