"""`runbolt playbook …`: the commands for people who write playbooks."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.authoring import lint, schema
from bot.model import UserError
from commands.actions import ACTIONS

DESCRIPTION = """\
Without arguments, serve: connect to Slack and run incidents. What it is told comes from the
environment (SLACK_BOT_TOKEN, DATABASE_URL and others, see the README)."""


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
