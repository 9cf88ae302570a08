"""What a pod template has for a while only, noted in it: a later rollback would keep it for good.

The note names the value too. A release by other means keeps notes that it does not know, but sets
its own values, and then it is no longer so.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from bot.model import Noun

Obj = dict[str, Any]

NOTE = "runbolt.dev/temporary"


class Setting(Noun):
    """A variable's value for a while, None where it is not set, and what people call it."""

    value: str | None
    state: str


NOTED = TypeAdapter(dict[str, Setting])


def noted(template: Obj, variable: str, setting: Setting | None) -> Obj:
    """The template with a note about a variable, or with None without it."""
    settings = {name: one for name, one in _settings(template).items() if name != variable}
    if setting is not None:
        settings[variable] = setting
    meta = template.get("metadata") or {}
    notes = {name: text for name, text in (meta.get("annotations") or {}).items() if name != NOTE}
    if settings:
        notes[NOTE] = NOTED.dump_json(settings).decode()
    rest = {name: one for name, one in meta.items() if name != "annotations"}
    return template | {"metadata": rest | ({"annotations": notes} if notes else {})}


def states(template: Obj) -> tuple[str, ...]:
    """What is so for a while only, as people call it."""
    return tuple(
        one.state
        for name, one in _settings(template).items()
        if one.value in _values(template, name)
    )


def _settings(template: Obj) -> Mapping[str, Setting]:
    notes = (template.get("metadata") or {}).get("annotations") or {}
    try:
        return NOTED.validate_json(notes.get(NOTE, "{}"))
    except ValueError:
        return {}  # somebody else wrote it


def _values(template: Obj, variable: str) -> set[str | None]:
    """What the containers have, None where none has any; of several Kubernetes takes the last."""
    envs = [
        {one["name"]: one.get("value", "") for one in container.get("env") or []}
        for container in template["spec"]["containers"]
    ]
    return {env[variable] for env in envs if variable in env} or {None}
