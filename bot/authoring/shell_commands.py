"""Translate the shell commands of a runbook into the actions that do the same."""

import argparse
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from bot.authoring import sql
from bot.playbooks import statements
from bot.playbooks.statements import Statement, StatementError

# The end of a pod's name after that of its workload: a placeholder, or what the controller adds.
POD_NAME_SUFFIX = re.compile(r"-(?:x{2,}|<[^>]*>|[0-9]+|(?:[a-z0-9]{6,10}-)?[a-z0-9]{5})$")

# The prompt that documents show before a command.
PROMPT = re.compile(r"^\s*\$ ", re.MULTILINE)
# What the shell would replace before it runs the command.
SHELL_EXPANSION = re.compile(r"\$[\w{]|`")


class UnsupportedCommand(Exception):
    """No action does what a command does; the message says why."""


@dataclass(frozen=True)
class ActionCall:
    """An action with its params; `sql` is the text for the file of a query."""

    action: str
    params: dict[str, Any] = field(default_factory=dict)
    sql: str = ""


def translate(command: str, service: str) -> ActionCall:
    """Translate one command, or one command and a search in its output.

    A bare `nc` is taken to run in the pods of `service`. Raises UnsupportedCommand.
    """
    words, *filters = _pipeline(command)
    if filters:
        return _translate_grep(words, filters, service)
    match words:
        case ["kubectl", *others]:
            return _kubectl(others, service)
        case ["psql", *others]:
            return _psql(others)
        case ["curl", *others]:
            return _curl(others)
        case ["nc", *others]:
            return _nc(others, service)
    raise UnsupportedCommand(f"no action does what {words[0]} does" if words else "it is empty")


def merge(first: ActionCall | None, second: ActionCall | None) -> ActionCall | None:
    """Merge two checks of ports from the same pods into one; None for any other two calls."""
    if first is None or second is None:
        return None
    same_pods = first.params.get("selector") == second.params.get("selector")
    if first.action != "dependencies" or second.action != first.action or not same_pods:
        return None
    checks = [*first.params["checks"], *second.params["checks"]]
    return ActionCall(first.action, {**first.params, "checks": checks})


def translate_statement(statement: Statement) -> ActionCall:
    """Translate an SQL statement; raises UnsupportedCommand for one that no action may run."""
    if (params := sql.end_queries_params(statement.tree)) is not None:
        return ActionCall("end-queries", params)
    if database := sql.counted_database(statement.tree):
        return ActionCall("database-connections", {"database": database})
    for _, message in statements.read_only_violations(statement.text):
        raise UnsupportedCommand(message)
    return ActionCall("query", sql=f"{statement.text}\n")


def _pipeline(command: str) -> list[list[str]]:
    """The words of each command of a pipeline, without comments; raises UnsupportedCommand."""
    lexer = shlex.shlex(
        PROMPT.sub("", command.replace("\\\n", " ")), posix=True, punctuation_chars=True
    )
    lexer.whitespace_split = True
    lexer.commenters = "#"
    try:
        words = list(lexer)
    except ValueError as error:
        raise UnsupportedCommand(f"the shell cannot parse it ({error})") from error
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            commands.append([])
        elif set(word) <= set("();<>|&"):
            raise UnsupportedCommand(f"it is more than one command ({word})")
        elif SHELL_EXPANSION.search(word):
            raise UnsupportedCommand(f"it depends on the shell ({word})")
        else:
            commands[-1].append(word)
    return commands


class _OptionParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Raise UnsupportedCommand, where argparse would end the process."""
        raise UnsupportedCommand(message)


def _parse_options(
    words: Sequence[str], *options: str, flags: Sequence[str] = ()
) -> argparse.Namespace:
    """Parse options that take a value, flags, and other words; raises UnsupportedCommand.

    All names of an option or a flag stand in one text: `-l|--selector`.
    """
    parser = _OptionParser(add_help=False, allow_abbrev=False)
    for names in options:
        parser.add_argument(*names.split("|"))
    for names in flags:
        parser.add_argument(*names.split("|"), action="store_true")
    parser.add_argument("words", nargs="*")
    return parser.parse_intermixed_args(words)


def _translate_grep(
    words: Sequence[str], filters: Sequence[Sequence[str]], service: str
) -> ActionCall:
    """Translate `kubectl logs … | grep …`; raises UnsupportedCommand for any other pipeline."""
    if len(filters) != 1 or not filters[0] or filters[0][0] not in ("grep", "egrep"):
        raise UnsupportedCommand("only one grep can follow in a pipeline")
    program, *arguments = filters[0]
    options = _parse_options(arguments, "-e", flags=("-i", "-E", "-F"))
    patterns = [*options.words, *([options.e] if options.e else [])]
    if len(patterns) != 1:
        raise UnsupportedCommand("grep expects one pattern")
    logs = translate(shlex.join(words), service)
    if logs.action != "logs":
        raise UnsupportedCommand("only logs can be searched")
    extended = options.E or program == "egrep"
    match = re.escape(patterns[0]) if options.F else _python_pattern(patterns[0], extended)
    return ActionCall("logs", {**logs.params, "match": match})


def _python_pattern(pattern: str, extended: bool) -> str:
    """Convert a pattern of grep's to Python's syntax.

    In a basic (not extended) expression `\\|` is an operator and `|` a character; in Python it is
    the other way round.
    """
    if extended:
        return pattern
    operator = re.compile(r"\\?[|(){}+?]")
    return operator.sub(
        lambda match: match[0][1:] if len(match[0]) > 1 else f"\\{match[0]}", pattern
    )


def _kubectl(words: Sequence[str], service: str) -> ActionCall:
    """Translate a kubectl command; raises UnsupportedCommand, as all functions below do."""
    for length in (2, 1):
        if translator := KUBECTL_COMMANDS.get(" ".join(words[:length])):
            return translator(words[length:], service)
    raise UnsupportedCommand(f"no action does what kubectl {' '.join(words[:2])} does")


def _get_pods(words: Sequence[str], _: str) -> ActionCall:
    return ActionCall(
        "pods", _selector_params(_parse_options(words, "-l|--selector", "-o|--output"))
    )


def _top_pods(words: Sequence[str], _: str) -> ActionCall:
    options = _parse_options(words, "-l|--selector", flags=("--containers",))
    return ActionCall("usage", _selector_params(options))


def _logs(words: Sequence[str], _: str) -> ActionCall:
    flags = ("--all-containers", "--prefix", "--timestamps")
    options = _parse_options(words, "-l|--selector", "--tail", "--max-log-requests", flags=flags)
    selector = (
        {"selector": _pod_label(options.words)} if options.words else _selector_params(options)
    )
    return ActionCall("logs", {**selector, **_optional("tail", options.tail, _number)})


def _delete_pods(words: Sequence[str], _: str) -> ActionCall:
    return ActionCall("delete-pods", _selector_params(_parse_options(words, "-l|--selector")))


def _exec(words: Sequence[str], service: str) -> ActionCall:
    """Translate `nc` and `psql` inside a pod; raises UnsupportedCommand for other programs."""
    if "--" not in words:
        raise UnsupportedCommand("expects -- before the command to run")
    separator = list(words).index("--")
    options = _parse_options(words[:separator], "-c|--container", flags=("-i|--stdin", "-t|--tty"))
    match words[separator + 1 :]:
        case ["psql", *others]:
            return _psql(others)
        case ["nc", *others]:
            check = _nc(others, service)
            pods = {
                "selector": _pod_label(options.words),
                **_optional("container", options.container),
            }
            params = {**check.params, **pods}
            return ActionCall(check.action, params)
        case [program, *_]:
            raise UnsupportedCommand(f"no action does what {program} does inside a pod")
    raise UnsupportedCommand("expects a command after --")


def _undo(words: Sequence[str], _: str) -> ActionCall:
    options = _parse_options(words, "--to-revision")
    revision = _optional("to_revision", options.to_revision, _number)
    return ActionCall("rollback", {**_deployment_params(options.words), **revision})


def _restart(words: Sequence[str], _: str) -> ActionCall:
    return ActionCall("rolling-restart", _deployment_params(_parse_options(words).words))


def _history(words: Sequence[str], _: str) -> ActionCall:
    return ActionCall("rollout-history", _deployment_params(_parse_options(words).words))


def _scale(words: Sequence[str], _: str) -> ActionCall:
    options = _parse_options(words, "--replicas")
    return ActionCall(
        "scale-deployment",
        {**_deployment_params(options.words), "replicas": _number(options.replicas)},
    )


def _set_env(words: Sequence[str], _: str) -> ActionCall:
    options = _parse_options(words, "-c|--containers")
    *deployment, assignment = options.words or [""]
    name, equals, value = assignment.partition("=")
    if not equals and not assignment.endswith("-"):
        raise UnsupportedCommand("expects one NAME=VALUE, or NAME- to remove it")
    variable = {"variable": name, "value": value} if equals else {"variable": name[:-1]}
    container = _optional("container", options.containers)
    return ActionCall("set-env", {**_deployment_params(deployment), **container, **variable})


def _set_resources(words: Sequence[str], _: str) -> ActionCall:
    options = _parse_options(words, "--limits", "-c|--containers")
    resource, _equals, limit = (options.limits or "").partition("=")
    if resource != "memory" or "," in limit:
        raise UnsupportedCommand("only the memory limit can be set")
    container = _optional("container", options.containers)
    return ActionCall(
        "memory-limit", {**_deployment_params(options.words), "limit": limit, **container}
    )


KUBECTL_COMMANDS: dict[str, Callable[[Sequence[str], str], ActionCall]] = {
    "get pods": _get_pods,
    "get pod": _get_pods,
    "top pods": _top_pods,
    "top pod": _top_pods,
    "delete pods": _delete_pods,
    "delete pod": _delete_pods,
    "rollout undo": _undo,
    "rollout restart": _restart,
    "rollout history": _history,
    "set env": _set_env,
    "set resources": _set_resources,
    "scale": _scale,
    "logs": _logs,
    "exec": _exec,
}


def _psql(words: Sequence[str]) -> ActionCall:
    connection = ("-d|--dbname", "-U|--username", "-h|--host", "-p|--port")
    options = _parse_options(words, "-c|--command", *connection, flags=("-t", "-A", "-X", "-q"))
    if not options.command:
        raise UnsupportedCommand("psql expects a statement (-c)")
    try:
        parts = statements.split(options.command)
    except StatementError as error:
        raise UnsupportedCommand("the statement cannot be parsed") from error
    if len(parts) != 1:
        raise UnsupportedCommand("psql expects one statement")
    return translate_statement(parts[0])


def _curl(words: Sequence[str]) -> ActionCall:
    options = _parse_options(words, "-m|--max-time", flags=("-s", "-S", "-f", "-v", "-i", "-L"))
    if len(options.words) != 1:
        raise UnsupportedCommand("curl expects one URL")
    timeout = _optional("timeout", options.max_time, _number)
    return ActionCall("http", {"url": options.words[0], **timeout})


def _nc(words: Sequence[str], service: str) -> ActionCall:
    options = _parse_options(words, "-w", flags=("-z", "-v"))
    if not options.z or len(options.words) != 2:
        raise UnsupportedCommand("nc expects -z, a host and a port")
    timeout = _optional("timeout", options.w, _number)
    checks = [f"{options.words[0]}:{_number(options.words[1])}"]
    return ActionCall("dependencies", {"selector": f"app={service}", "checks": checks, **timeout})


def _optional(
    param: str, value: str | None, convert: Callable[[str], object] = str
) -> dict[str, Any]:
    """A param for an option that a command may lack; empty without the option."""
    return {param: convert(value)} if value else {}


def _selector_params(options: argparse.Namespace) -> dict[str, str]:
    """The pods that -l selects; raises UnsupportedCommand for pods by name, or for all."""
    if not options.selector or options.words:
        raise UnsupportedCommand("expects a label selector (-l)")
    return {"selector": options.selector}


def _deployment_params(words: Sequence[str]) -> dict[str, str]:
    """The Deployment of `deployment/NAME` or `deployment NAME`; raises UnsupportedCommand."""
    kind, _, name = "/".join(words).partition("/")
    if kind not in ("deployment", "deployments", "deploy") or not name or "/" in name:
        raise UnsupportedCommand("expects one deployment/NAME")
    return {"deployment": name}


def _pod_label(words: Sequence[str]) -> str:
    """The selector for the pods of a workload, from its name or that of one of its pods.

    Raises UnsupportedCommand for more than one name.
    """
    if len(words) != 1:
        raise UnsupportedCommand("expects one pod")
    kind, _, name = words[0].rpartition("/")
    if kind in ("", "pod", "pods"):
        name = POD_NAME_SUFFIX.sub("", name)
    return f"app={name}"


def _number(text: str | None) -> int:
    """A whole number; raises UnsupportedCommand for any other text."""
    if text is None or not text.isdecimal():
        raise UnsupportedCommand(f"expects a whole number, found {text}")
    return int(text)
