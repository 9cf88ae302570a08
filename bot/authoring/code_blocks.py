"""Split a block of code into its commands, and translate each into an action."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pydantic import ValidationError

from bot.actions.base import Action
from bot.authoring import markdown, render, shell_commands
from bot.authoring.markdown import CodeBlock
from bot.authoring.shell_commands import ActionCall, UnsupportedCommand
from bot.playbooks import statements, validation
from bot.playbooks.statements import StatementError

Actions = Mapping[str, type[Action]]


@dataclass(frozen=True)
class Command:
    """A command, and the action that does the same; or the reason why there is none."""

    text: str
    call: ActionCall | None
    reason: str = ""


def read(block: CodeBlock, service: str, actions: Actions) -> list[Command]:
    """The commands of a block; neighbouring checks of ports from the same pods become one."""
    if block.language.lower() in ("sql", "postgresql") or render.SQL.match(block.text):
        return _translate_sql(block.text, actions)
    commands: list[Command] = []
    for text in _split_script(block.text):
        command = _translate(text, partial(shell_commands.translate, text, service), actions)
        merged = shell_commands.merge(commands[-1].call, command.call) if commands else None
        if merged:
            commands[-1] = Command(f"{commands[-1].text}\n{text}", merged)
        else:
            commands.append(replace(command, text=markdown.strip_code(text)))
    return commands


def _translate_sql(text: str, actions: Actions) -> list[Command]:
    try:
        parts = statements.split(text)
    except StatementError:
        return [Command(text, None, "it is not valid PostgreSQL")]
    if len(parts) == 1:
        return [_translate(text, partial(shell_commands.translate_statement, parts[0]), actions)]
    return [
        _translate(
            f"{statement.text};", partial(shell_commands.translate_statement, statement), actions
        )
        for statement in parts
    ]


def _translate(text: str, translate: Callable[[], ActionCall], actions: Actions) -> Command:
    """Translate a command, and check that its action accepts the params."""
    try:
        call = translate()
        params = {"file": "file.sql", "sql": call.sql} if call.sql else call.params
        actions[call.action].model_validate(params)
    except UnsupportedCommand as error:
        return Command(text, None, str(error))
    except ValidationError as error:
        return Command(text, None, validation.explain_with_field(error.errors()[0], call.action))
    return Command(text, call)


def _split_script(text: str) -> Iterator[str]:
    """The commands of a script, each with the comments and the empty lines before it.

    Comments at the end belong to the last command.
    """
    pending: list[str] = []
    commands: list[str] = []
    for line in text.splitlines():
        pending.append(line)
        if _is_complete(_without_comments(pending)):
            commands.append("\n".join(pending))
            pending = []
    rest = "\n".join(pending)
    if rest.strip() and commands and not _without_comments(pending):
        commands[-1] += f"\n{rest}"
    elif rest.strip():
        commands.append(rest)
    return iter(commands)


def _without_comments(lines: Sequence[str]) -> str:
    return "\n".join(line for line in lines if not line.lstrip().startswith("#")).strip()


def _is_complete(command: str) -> bool:
    """Whether a command is not empty, and the shell would not wait for another line."""
    if not command or command.endswith("\\"):
        return False
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True
