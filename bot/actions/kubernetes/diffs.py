"""Diffs of pod templates, for the people who approve a change; no value of a variable is in them.

A value is shown only where the configuration names its variable. Else people read how long it was
and is.
"""

import difflib
import re
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from bot import redaction
from bot.systems.kubernetes import Deployment, temporary

Obj = dict[str, Any]
# By container and name: the plain value of each variable.
Environment = dict[tuple[str, str], str]

SECRET_NAME = re.compile(r"passw|pwd|secret|token|key|credential|dsn|auth", re.IGNORECASE)
CONTEXT_LINES = 2
# libyaml, a tenth of the time, where PyYAML was built with it.
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


def templates(deployment: Deployment, new: Obj, old_name: str, new_name: str) -> str:
    """A unified diff of a Deployment's pod template and another one, as YAML.

    Without a newline at its end.
    """
    old = deployment.template
    before, after = _environment(old), _environment(new)

    def old_value(container: str, name: str, value: str) -> str:
        if can_show(deployment, name, value, after.get((container, name), value)):
            return value
        is_changed = after.get((container, name)) != value
        return f"hidden ({length(value)})" if is_changed else "hidden"

    def new_value(container: str, name: str, value: str) -> str:
        if can_show(deployment, name, value, before.get((container, name), value)):
            return value
        was = before.get((container, name))
        if was is None:
            return f"hidden ({length(value)})"
        return "hidden" if was == value else f"hidden (changed, {len(was)} → {length(value)})"

    lines = difflib.unified_diff(
        _lines(old, old_value),
        _lines(new, new_value),
        old_name,
        new_name,
        lineterm="",
        n=CONTEXT_LINES,
    )
    return "\n".join(lines)


def can_show(deployment: Deployment, name: str, *values: str) -> bool:
    """Whether people may read these values of a variable: it is named, and none has a secret."""
    return deployment.shows(name) and not any(
        redaction.redact(f"{name}={value}") != f"{name}={value}"
        or redaction.redact(value) != value
        or SECRET_NAME.search(name)
        for value in values
    )


def length(value: str) -> str:
    """Like “12 characters”."""
    return "1 character" if len(value) == 1 else f"{len(value)} characters"


def _environment(template: Obj) -> Environment:
    return {
        (container["name"], variable["name"]): str(variable["value"])
        for container in _containers(template)
        for variable in container.get("env") or []
        if "value" in variable
    }


def _containers(template: Obj) -> Iterator[Obj]:
    for kind in CONTAINERS:
        yield from template["spec"].get(kind) or []


def _lines(template: Obj, shown: Callable[[str, str, str], str]) -> list[str]:
    spec = template["spec"]
    containers = {
        kind: [_with_shown(container, shown) for container in spec[kind]]
        for kind in CONTAINERS
        if spec.get(kind)
    }
    hidden = temporary.without_values(template) | {"spec": spec | containers}
    text = yaml.dump(hidden, Dumper=DUMPER, allow_unicode=True, width=1000)
    return redaction.redact(text).splitlines()


def _with_shown(container: Obj, shown: Callable[[str, str, str], str]) -> Obj:
    """A copy in which the value of each variable is what people may read."""
    if not container.get("env"):
        return container
    variables = [
        variable | {"value": shown(container["name"], variable["name"], str(variable["value"]))}
        if "value" in variable
        else variable
        for variable in container["env"]
    ]
    return container | {"env": variables}
