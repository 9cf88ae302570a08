"""`runbolt playbook …`, `runbolt services` and `runbolt policy`: the commands for teams."""

import json
import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot import config, rules
from bot.actions.registry import ACTIONS
from bot.authoring import draft, files, lint, policy_table, render, schema, services
from bot.model import UserError
from bot.playbooks import loader

DESCRIPTION = """\
Without arguments, start the bot: connect to Slack and run incidents. Its settings are environment
variables (SLACK_BOT_TOKEN, DATABASE_URL and others, see the README)."""

IMPORT = """\
Commands become the actions that do the same. A command that no action can do is listed, and becomes
a manual step. No file is overwritten."""

POLICY = """\
Reads the configuration and needs no other settings. Exits with 1 and lists the mistakes if there
are any."""

SERVICES = """\
Reads RUNBOLT_CONFIG, KUBECONFIG and KUBERNETES_NAMESPACE, and connects to nothing. Secrets are left
out: the configuration only names the variables and files that have them. Exits with 1 and the
mistakes if there are any."""

LINT = """\
Exits with 1 if there are any. A file for several services is checked for each of them, with its
values from the configuration. Without a configuration, what needs these is not checked."""

Subparsers = Any  # argparse has no public name for the class


def run(words: Sequence[str]) -> int:
    """Run a command line, without the program's name, and return the exit code."""
    arguments = _parser().parse_args(words)
    try:
        return int(arguments.run(arguments))
    except UserError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> ArgumentParser:
    top = ArgumentParser(
        prog="runbolt",
        description=DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    playbook = commands.add_parser(
        "playbook",
        help="check, render and import playbook files, and print their schema",
        description="Work on playbook files. Needs no settings, no database and no Slack.",
    )
    _add_commands(playbook.add_subparsers(required=True, metavar="COMMAND"))
    summary = "print what the configuration says of each service, with the defaults filled in"
    services_command = _add(commands, "services", _services, summary, SERVICES)
    services_command.add_argument("names", nargs="*", metavar="SERVICE", help="all about these")
    services_command.add_argument(
        "--config", type=Path, metavar="PATH", help="instead of what RUNBOLT_CONFIG names"
    )
    _add_policy(commands)
    return top


def _add_policy(commands: Subparsers) -> None:
    summary = "print what each change needs: approvals, approvers, freezes, budgets"
    policy = _add(commands, "policy", _policy, summary, POLICY)
    policy.add_argument("--service", metavar="SERVICE", help="only this one")
    policy.add_argument(
        "--config", type=Path, metavar="PATH", help="instead of what RUNBOLT_CONFIG names"
    )
    policy.add_argument(
        "--at", type=_time, metavar="TIME", help="as it is then, such as 2026-12-24T10:00 (UTC)"
    )


def _time(text: str) -> datetime:
    """A time in UTC, or with an offset of its own; raises ValueError."""
    at = datetime.fromisoformat(text)
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _add_commands(commands: Subparsers) -> None:
    _add(commands, "schema", _schema, "print the JSON Schema of playbook files, for editors")

    summary = "list the mistakes in files or folders of playbooks, and in their SQL files"
    lint_command = _add(commands, "lint", _lint, summary, LINT)
    lint_command.add_argument("files", nargs="+", type=Path, metavar="FILE")
    _add_config(lint_command)

    render_command = _add(commands, "render", _render, "print a playbook as a Markdown document")
    render_command.add_argument("file", type=Path, metavar="FILE")
    _add_config(render_command)

    summary = "draft a playbook, and its SQL files, from a runbook in Markdown"
    import_command = _add(commands, "import", _import, summary, IMPORT)
    import_command.add_argument("runbook", type=Path, metavar="RUNBOOK.md")
    import_command.add_argument(
        "-o", type=Path, metavar="FILE", help="the file to write; by default RUNBOOK.yml"
    )


def _add_config(command: ArgumentParser) -> None:
    """Add the option that names the configuration, which has the values of services."""
    command.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=os.environ.get("RUNBOLT_CONFIG") or None,
        help="the team's configuration, or its folder; by default RUNBOLT_CONFIG, if it is set",
    )


def _add(
    commands: Subparsers,
    name: str,
    run: Callable[[Namespace], int],
    summary: str,
    details: str = "",
) -> ArgumentParser:
    """Add a command that calls `run`; its description is the summary and the details."""
    description = f"{summary[0].upper()}{summary[1:]}. {details}"
    command: ArgumentParser = commands.add_parser(name, help=summary, description=description)
    command.set_defaults(run=run)
    return command


def _schema(_: Namespace) -> int:
    print(json.dumps(schema.schema(ACTIONS), indent=2, ensure_ascii=False))
    return 0


def _lint(arguments: Namespace) -> int:
    team_config = config.load(arguments.config) if arguments.config else None
    mistakes, unchecked = lint.lint(arguments.files, ACTIONS, team_config)
    for mistake in mistakes:
        print(mistake)
    if not mistakes:
        print("No mistakes.")
    for sentence in [] if team_config else unchecked:
        print(f"{sentence}; --config FILE checks them for each service.", file=sys.stderr)
    return 1 if mistakes else 0


def _policy(arguments: Namespace) -> int:
    file = arguments.config or os.environ.get("RUNBOLT_CONFIG")
    if not file:
        raise UserError("Name the configuration: set RUNBOLT_CONFIG, or add --config PATH.")
    risks = {action.name: action.risk for action in ACTIONS}
    loaded = config.load(Path(file), None, risks)
    at = arguments.at or datetime.now(UTC)
    print(policy_table.render(loaded, risks, at, service=arguments.service))
    for warning in rules.policy.loud_warnings(loaded):
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _services(arguments: Namespace) -> int:
    given = services.load(arguments.config, os.environ)
    for line in services.lines(given, arguments.names):
        print(line)
    return 0


def _render(arguments: Namespace) -> int:
    services, defaults = loader.NOTHING_CONFIGURED, loader.NO_VALUES
    if arguments.config:
        team_config = config.load(arguments.config)
        services, defaults = team_config.for_playbooks, team_config.defaults.for_playbooks
    for playbook in loader.load([arguments.file], ACTIONS, services, defaults):
        print(render.render(playbook), end="")
    return 0


def _import(arguments: Namespace) -> int:
    file = arguments.o or arguments.runbook.with_suffix(".yml")
    result = draft.draft(_read_text(arguments.runbook), ACTIONS)
    files.write(result, file)
    for line, problem in sorted(result.problems):
        print(f"{arguments.runbook}:{line}: {problem}", file=sys.stderr)
    mistakes, _ = lint.lint([file], ACTIONS)
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    print(f"Wrote {file} and {len(result.files)} SQL files beside it.")
    return 1 if mistakes else 0


def _read_text(file: Path) -> str:
    """The text of a file; raises UserError if it is unreadable or not UTF-8."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read ({error}). Nothing was written.") from error
