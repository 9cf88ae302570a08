"""What a change makes of a pod template, shown to those who approve it."""

import difflib
import re
from typing import Any

import yaml

from bot import masking

SECRET = re.compile(r"passw|pwd|secret|token|key|credential|dsn|auth", re.IGNORECASE)
CONTEXT_LINES = 2


def templates(old: dict[str, Any], new: dict[str, Any], old_name: str, new_name: str) -> str:
    """A unified diff of two pod templates as YAML, secrets masked."""
    lines = difflib.unified_diff(
        _lines(old), _lines(new), old_name, new_name, lineterm="", n=CONTEXT_LINES
    )
    return "\n".join(lines)


def hidden(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, ...]:
    """The variables whose values differ where the diff, being masked, does not show it."""
    before, after = _values(old), _values(new)
    return tuple(
        sorted(
            name
            for container, name in before.keys() & after.keys()
            if before[container, name] != after[container, name]
            and masking.mask(_shown(name, before[container, name]))
            == masking.mask(_shown(name, after[container, name]))
        )
    )


def _values(template: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {
        (container["name"], variable["name"]): str(variable["value"])
        for container in template["spec"]["containers"]
        for variable in container.get("env") or []
        if "value" in variable
    }


def _lines(template: dict[str, Any]) -> list[str]:
    text = yaml.safe_dump(_masked(template), sort_keys=True, allow_unicode=True, width=1000)
    return masking.mask(text).splitlines()


def _masked(value: Any) -> Any:
    """The same, with the values of variables hidden whose names tell that they are secret."""
    if isinstance(value, list):
        return [_masked(one) for one in value]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("name"), str) and isinstance(value.get("value"), str):
        return value | {"value": _shown(value["name"], value["value"])}
    return {key: _masked(one) for key, one in value.items()}


def _shown(name: str, value: str) -> str:
    return masking.MASK if SECRET.search(name) else value
