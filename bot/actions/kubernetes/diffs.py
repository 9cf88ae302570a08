"""Diffs of pod templates, for the people who approve a change; secrets are masked."""

import difflib
import re
from typing import Any

import yaml

from bot import redaction

SECRET_NAME = re.compile(r"passw|pwd|secret|token|key|credential|dsn|auth", re.IGNORECASE)
CONTEXT_LINES = 2
# libyaml, a tenth of the time, where PyYAML was built with it.
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def templates(old: dict[str, Any], new: dict[str, Any], old_name: str, new_name: str) -> str:
    """A unified diff of two pod templates as YAML, secrets masked, without a newline at its end."""
    lines = difflib.unified_diff(
        _lines(old), _lines(new), old_name, new_name, lineterm="", n=CONTEXT_LINES
    )
    return "\n".join(lines)


def hidden_changes(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    """The names of variables whose values differ, but are the same in the masked diff."""
    before, after = _environment(old), _environment(new)
    return tuple(
        sorted(
            name
            for container, name in before.keys() & after.keys()
            if _differs_unseen(name, before[container, name], after[container, name])
        )
    )


def _differs_unseen(name: str, old: str, new: str) -> bool:
    return old != new and _displayed(name, old) == _displayed(name, new)


def _displayed(name: str, value: str) -> str:
    return redaction.redact(_without_secret(name, value))


def _environment(template: dict[str, Any]) -> dict[tuple[str, str], str]:
    """The plain values of variables, by container and name."""
    return {
        (container["name"], variable["name"]): str(variable["value"])
        for container in template["spec"]["containers"]
        for variable in container.get("env") or []
        if "value" in variable
    }


def _lines(template: dict[str, Any]) -> list[str]:
    text = yaml.dump(_masked(template), Dumper=DUMPER, allow_unicode=True, width=1000)
    return redaction.redact(text).splitlines()


def _masked(value: Any) -> Any:
    """A copy in which the value of each variable with the name of a secret is masked."""
    if isinstance(value, list):
        return [_masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("name"), str) and isinstance(value.get("value"), str):
        return value | {"value": _without_secret(value["name"], value["value"])}
    return {key: _masked(item) for key, item in value.items()}


def _without_secret(name: str, value: str) -> str:
    return redaction.REDACTED if SECRET_NAME.search(name) else value
