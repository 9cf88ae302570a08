"""The commands of a runbook, as the actions that do the same."""

import argparse
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from sqlglot.errors import SqlglotError

from bot.authoring import sql
from bot.authoring.sql import Statement

# What a pod's name ends with: a placeholder, or what its controller adds.
POD_TAIL = re.compile(r"-(?:x{2,}|<[^>]*>|[0-9]+|(?:[a-z0-9]{6,10}-)?[a-z0-9]{5})$")

# What documents put before a command, to show where it is typed.
PROMPT = re.compile(r"^\s*\$ ", re.MULTILINE)
# What the shell would put something else for.
EXPANDED = re.compile(r"\$[\w{]|`")


class Unknown(Exception):
    """No action does the same; says why."""


@dataclass(frozen=True)
class Found:
    """An action with its params; `sql` is the text of the file that it names."""

    action: str
    params: dict[str, Any] = field(default_factory=dict)
    sql: str = ""


def action(command: str, service: str) -> Found:
    """What a command line does; `service` is where a bare `nc` is meant to run.

    Raises Unknown, for whatever is more than one command and a search in its output.
    """
    words, *rest = _pipeline(command)
    if rest:
        return _searched(words, rest, service)
    match words:
        case ["kubectl", *others]:
            return _kubectl(others, service)
        case ["psql", *others]:
            return _psql(others)
        case ["curl", *others]:
            return _curl(others)
        case ["nc", *others]:
            return _nc(others, service)
    raise Unknown(f"no action does what {words[0]} does" if words else "it is empty")


def merged(one: Found | None, other: Found | None) -> Found | None:
    """Two checks of ports from the same pods as one; None for anything else."""
    if one is None or other is None:
        return None
    same = one.params.get("selector") == other.params.get("selector")
    if one.action != "dependencies" or other.action != one.action or not same:
        return None
    checks = [*one.params["checks"], *other.params["checks"]]
    return Found(one.action, {**one.params, "checks": checks})


def query(statement: Statement) -> Found:
    """What a statement asks or does; raises Unknown for what an action may not do."""
    if (longer_than := sql.ends_queries(statement.tree)) is not None:
        return Found("end-queries", longer_than)
    if database := sql.counts_connections(statement.tree):
        return Found("database-connections", {"database": database})
    for _, words in sql.mistakes(statement.text):
        raise Unknown(words)
    return Found("query", sql=f"{statement.text}\n")


def _pipeline(command: str) -> list[list[str]]:
    """The words of each command of a pipeline; comments are left out."""
    lexer = shlex.shlex(
        PROMPT.sub("", command.replace("\\\n", " ")), posix=True, punctuation_chars=True
    )
    lexer.whitespace_split = True
    lexer.commenters = "#"
    try:
        words = list(lexer)
    except ValueError as error:
        raise Unknown(f"the shell could not read it ({error})") from error
    parts: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            parts.append([])
        elif set(word) <= set("();<>|&"):
            raise Unknown(f"it is more than one command ({word})")
        elif EXPANDED.search(word):
            raise Unknown(f"it depends on the shell ({word})")
        else:
            parts[-1].append(word)
    return parts


class _Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Unknown(message)


def _parse(words: Sequence[str], *options: str, flags: Sequence[str] = ()) -> argparse.Namespace:
    """Options that take a value, flags that are no matter, and words that are neither."""
    parser = _Options(add_help=False, allow_abbrev=False)
    for names in options:
        parser.add_argument(*names.split("|"))
    for names in flags:
        parser.add_argument(*names.split("|"), action="store_true")
    parser.add_argument("words", nargs="*")
    return parser.parse_intermixed_args(words)


def _searched(words: Sequence[str], rest: Sequence[Sequence[str]], service: str) -> Found:
    """`kubectl logs … | grep …`."""
    if len(rest) != 1 or not rest[0] or rest[0][0] not in ("grep", "egrep"):
        raise Unknown("only grep may follow, and only once")
    given = _parse(rest[0][1:], "-e", flags=("-i", "-E", "-F"))
    patterns = [*given.words, *([given.e] if given.e else [])]
    if len(patterns) != 1:
        raise Unknown("grep expects one pattern")
    found = action(shlex.join(words), service)
    if found.action != "logs":
        raise Unknown("only logs are searched")
    extended = given.E or rest[0][0] == "egrep"
    match = re.escape(patterns[0]) if given.F else _expression(patterns[0], extended)
    return Found("logs", {**found.params, "match": match})


def _expression(pattern: str, extended: bool) -> str:
    """As Python has it: what basic expressions escape, it does not, and the other way round."""
    if extended:
        return pattern
    swapped = re.compile(r"\\?[|(){}+?]")
    return swapped.sub(lambda hit: hit[0][1:] if len(hit[0]) > 1 else f"\\{hit[0]}", pattern)


def _kubectl(words: Sequence[str], service: str) -> Found:
    for length in (2, 1):
        if known := KUBECTL.get(" ".join(words[:length])):
            return known(words[length:], service)
    raise Unknown(f"no action does what kubectl {' '.join(words[:2])} does")


def _get_pods(words: Sequence[str], _: str) -> Found:
    return Found("pods", _selected(_parse(words, "-l|--selector", "-o|--output")))


def _top_pods(words: Sequence[str], _: str) -> Found:
    given = _parse(words, "-l|--selector", flags=("--containers",))
    return Found("usage", _selected(given))


def _logs(words: Sequence[str], _: str) -> Found:
    flags = ("--all-containers", "--prefix", "--timestamps")
    given = _parse(words, "-l|--selector", "--tail", "--max-log-requests", flags=flags)
    selector = {"selector": _pods_of(given.words)} if given.words else _selected(given)
    tail = {"tail": _number(given.tail)} if given.tail else {}
    return Found("logs", {**selector, **tail})


def _delete_pods(words: Sequence[str], _: str) -> Found:
    return Found("delete-pods", _selected(_parse(words, "-l|--selector")))


def _exec(words: Sequence[str], service: str) -> Found:
    """`nc` and `psql`, run inside a pod."""
    if "--" not in words:
        raise Unknown("expects -- before what is to be run")
    at = list(words).index("--")
    given = _parse(words[:at], "-c|--container", flags=("-i|--stdin", "-t|--tty"))
    match words[at + 1 :]:
        case ["psql", *others]:
            return _psql(others)
        case ["nc", *others]:
            found = _nc(others, service)
            container = {"container": given.container} if given.container else {}
            return Found(
                found.action, {**found.params, "selector": _pods_of(given.words), **container}
            )
        case [program, *_]:
            raise Unknown(f"no action does what {program} does inside a pod")
    raise Unknown("expects what is to be run")


def _undo(words: Sequence[str], _: str) -> Found:
    given = _parse(words, "--to-revision")
    revision = {"to_revision": _number(given.to_revision)} if given.to_revision else {}
    return Found("rollback", {**_deployment(given.words), **revision})


def _restart(words: Sequence[str], _: str) -> Found:
    return Found("rolling-restart", _deployment(_parse(words).words))


def _history(words: Sequence[str], _: str) -> Found:
    return Found("rollout-history", _deployment(_parse(words).words))


def _scale(words: Sequence[str], _: str) -> Found:
    given = _parse(words, "--replicas")
    return Found(
        "scale-deployment",
        {**_deployment(given.words), "replicas": _number(given.replicas)},
    )


def _set_env(words: Sequence[str], _: str) -> Found:
    given = _parse(words, "-c|--containers")
    *target, last = given.words or [""]
    name, is_set, value = last.partition("=")
    container = {"container": given.containers} if given.containers else {}
    if is_set:
        return Found(
            "set-env", {**_deployment(target), **container, "variable": name, "value": value}
        )
    if not last.endswith("-"):
        raise Unknown("expects one NAME=VALUE, or NAME- to take it away")
    return Found("set-env", {**_deployment(target), **container, "variable": last[:-1]})


def _set_resources(words: Sequence[str], _: str) -> Found:
    given = _parse(words, "--limits", "-c|--containers")
    what, _sep, limit = (given.limits or "").partition("=")
    if what != "memory" or "," in limit:
        raise Unknown("only the memory limit can be set")
    container = {"container": given.containers} if given.containers else {}
    return Found("memory-limit", {**_deployment(given.words), "limit": limit, **container})


KUBECTL: dict[str, Callable[[Sequence[str], str], Found]] = {
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


def _psql(words: Sequence[str]) -> Found:
    options = ("-c|--command", "-d|--dbname", "-U|--username", "-h|--host", "-p|--port")
    given = _parse(words, *options, flags=("-t", "-A", "-X", "-q"))
    if not given.command:
        raise Unknown("psql expects a statement (-c)")
    try:
        statements = sql.split(given.command)
    except SqlglotError as error:
        raise Unknown("the statement cannot be read") from error
    if len(statements) != 1:
        raise Unknown("psql expects one statement")
    return query(statements[0])


def _curl(words: Sequence[str]) -> Found:
    given = _parse(words, "-m|--max-time", flags=("-s", "-S", "-f", "-v", "-i", "-L"))
    if len(given.words) != 1:
        raise Unknown("curl expects one address")
    timeout = {"timeout": _number(given.max_time)} if given.max_time else {}
    return Found("http", {"url": given.words[0], **timeout})


def _nc(words: Sequence[str], service: str) -> Found:
    given = _parse(words, "-w", flags=("-z", "-v"))
    if not given.z or len(given.words) != 2:
        raise Unknown("nc expects -z, a host and a port")
    timeout = {"timeout": _number(given.w)} if given.w else {}
    checks = [f"{given.words[0]}:{_number(given.words[1])}"]
    return Found("dependencies", {"selector": f"app={service}", "checks": checks, **timeout})


def _selected(given: argparse.Namespace) -> dict[str, str]:
    if not given.selector or given.words:
        raise Unknown("expects pods by their labels (-l)")
    return {"selector": given.selector}


def _deployment(words: Sequence[str]) -> dict[str, str]:
    kind, _, name = "/".join(words).partition("/")
    if kind not in ("deployment", "deployments", "deploy") or not name or "/" in name:
        raise Unknown("expects one deployment/NAME")
    return {"deployment": name}


def _pods_of(words: Sequence[str]) -> str:
    """The label that the pods of a Deployment have, by the name of it or of one of them."""
    if len(words) != 1:
        raise Unknown("expects one pod")
    kind, _, name = words[0].rpartition("/")
    if kind in ("", "pod", "pods"):
        name = POD_TAIL.sub("", name)
    return f"app={name}"


def _number(text: str | None) -> int:
    if text is None or not text.isdecimal():
        raise Unknown(f"expects a whole number, found {text}")
    return int(text)
