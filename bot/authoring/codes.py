"""A block of code as its commands, each with what it does."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from pydantic import ValidationError
from sqlglot.errors import SqlglotError

from bot.actions import Action
from bot.authoring import render, runbook, shell, sql
from bot.authoring.runbook import Fence
from bot.authoring.shell import Found, Unknown

Actions = Mapping[str, type[Action]]


@dataclass(frozen=True)
class Code:
    """A command as it is written, and what it does; or why no action does the same."""

    text: str
    found: Found | None
    why: str = ""


def read(fence: Fence, service: str, actions: Actions) -> list[Code]:
    """The commands of a block; checks of ports from the same pods are one."""
    if fence.language.lower() in ("sql", "postgresql") or render.SQL.match(fence.text):
        return _queries(fence.text, actions)
    made: list[Code] = []
    for text in _lines(fence.text):
        code = _known(text, partial(shell.action, text, service), actions)
        together = shell.merged(made[-1].found, code.found) if made else None
        if together:
            made[-1] = Code(f"{made[-1].text}\n{text}", together)
        else:
            made.append(Code(runbook.plain(text), code.found, code.why))
    return made


def _queries(text: str, actions: Actions) -> list[Code]:
    try:
        statements = sql.split(text)
    except SqlglotError:
        return [Code(text, None, "it cannot be read as PostgreSQL")]
    if len(statements) == 1:
        return [_known(text, partial(shell.query, statements[0]), actions)]
    return [_known(f"{one.text};", partial(shell.query, one), actions) for one in statements]


def _known(text: str, look: Callable[[], Found], actions: Actions) -> Code:
    """What a command does, if its action takes the params."""
    try:
        found = look()
        params = {"file": "file.sql", "sql": found.sql} if found.sql else found.params
        actions[found.action].model_validate(params)
    except Unknown as unknown:
        return Code(text, None, str(unknown))
    except ValidationError as error:
        first = error.errors()[0]
        return Code(text, None, ": ".join([*map(str, first["loc"]), first["msg"]]))
    return Code(text, found)


def _lines(text: str) -> Iterator[str]:
    """The commands of a script, each with the comments and the empty lines before it."""
    kept: list[str] = []
    whole: list[str] = []
    for line in text.splitlines():
        kept.append(line)
        command = "\n".join(one for one in kept if not one.lstrip().startswith("#")).strip()
        if command and not command.endswith("\\") and _is_whole(command):
            whole.append("\n".join(kept))
            kept = []
    rest = "\n".join(kept)
    if rest.strip() and whole and all(one.lstrip()[:1] in ("", "#") for one in kept):
        whole[-1] += f"\n{rest}"
    elif rest.strip():
        whole.append(rest)
    return iter(whole)


def _is_whole(command: str) -> bool:
    try:
        shlex.split(command, comments=True)
    except ValueError:
        return False
    return True
