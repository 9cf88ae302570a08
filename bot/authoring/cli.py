"""`runbolt playbook …`: the commands for people who write playbooks."""

import json
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

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

Commands = Any  # argparse's own class for them has no public name


def run(words: Sequence[str]) -> int:
    """Do what the words of a command line say, and return the exit code."""
    given = _parser().parse_args(words)
    try:
        return int(given.run(given))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> ArgumentParser:
    top = ArgumentParser(
        prog="runbolt",
        description=DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    playbook = top.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "playbook",
        help="check, print and import playbook files, and print their schema",
        description="Work on playbook files. Needs no environment, no database and no Slack.",
    )
    _add_commands(playbook.add_subparsers(required=True, metavar="COMMAND"))
    return top


def _add_commands(commands: Commands) -> None:
    _add(commands, "schema", _schema, "print the JSON Schema of the file, for editors")

    words = "list every mistake in files, or in folders of them, and in the SQL that they name"
    one = _add(commands, "lint", _lint, words, "Exits with 1 if there are any.")
    one.add_argument("files", nargs="+", type=Path, metavar="FILE")

    one = _add(commands, "render", _render, "print a playbook as a Markdown document")
    one.add_argument("file", type=Path, metavar="FILE")

    words = "draft a playbook, and its SQL files, from a runbook in Markdown"
    one = _add(commands, "import", _import, words, IMPORT)
    one.add_argument("runbook", type=Path, metavar="RUNBOOK.md")
    one.add_argument("-o", type=Path, metavar="FILE", help="where to; else beside it, as .yml")


def _add(
    commands: Commands, name: str, run: Callable[[Namespace], int], words: str, more: str = ""
) -> ArgumentParser:
    sentence = f"{words[0].upper()}{words[1:]}. {more}"
    one: ArgumentParser = commands.add_parser(name, help=words, description=sentence)
    one.set_defaults(run=run)
    return one


def _schema(_: Namespace) -> int:
    print(json.dumps(schema.schema(ACTIONS), indent=2, ensure_ascii=False))
    return 0


def _lint(given: Namespace) -> int:
    found = lint.lint(given.files, ACTIONS)
    for mistake in found:
        print(mistake)
    if not found:
        print("No mistakes.")
    return 1 if found else 0


def _render(given: Namespace) -> int:
    for playbook in playbooks.load([given.file], ACTIONS):
        print(render.render(playbook), end="")
    return 0


def _import(given: Namespace) -> int:
    file = given.o or given.runbook.with_suffix(".yml")
    made = draft.draft(_text(given.runbook), ACTIONS)
    files.write(made, file)
    for line, words in sorted(made.problems):
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
