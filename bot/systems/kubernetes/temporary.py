"""Temporary values of environment variables, noted in an annotation of the pod template.

A rollback to that template would otherwise make them permanent. The annotation has the value too:
a release by other means keeps annotations that it does not know but sets its own values, and then
the note no longer applies.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from bot.model import Model

Obj = dict[str, Any]

ANNOTATION = "runbolt.dev/temporary"


class Setting(Model):
    """A variable's temporary value, None where it is not set, and what people call it."""

    value: str | None
    description: str


SETTINGS = TypeAdapter(dict[str, Setting])


def annotate(template: Obj, variable: str, setting: Setting | None) -> Obj:
    """The template with a note about a variable; without it where `setting` is None."""
    settings = {name: old for name, old in _settings(template).items() if name != variable}
    if setting is not None:
        settings[variable] = setting
    metadata = template.get("metadata") or {}
    annotations = _without(metadata.get("annotations") or {}, ANNOTATION)
    if settings:
        annotations[ANNOTATION] = SETTINGS.dump_json(settings).decode()
    metadata = _without(metadata, "annotations")
    if annotations:
        metadata["annotations"] = annotations
    return template | {"metadata": metadata}


def without_values(template: Obj) -> Obj:
    """The template whose note tells the names of the variables, and not their values."""
    settings = _settings(template)
    if not settings:
        return template
    metadata = template["metadata"]
    note = ", ".join(f"{name} ({settings[name].description})" for name in sorted(settings))
    annotations = metadata["annotations"] | {ANNOTATION: note}
    return template | {"metadata": metadata | {"annotations": annotations}}


def _without(mapping: Obj, key: str) -> Obj:
    return {name: value for name, value in mapping.items() if name != key}


def descriptions(template: Obj) -> tuple[str, ...]:
    """The noted settings that still apply, as people call them."""
    return tuple(
        setting.description
        for variable, setting in _settings(template).items()
        if setting.value in _values(template, variable)
    )


def _settings(template: Obj) -> Mapping[str, Setting]:
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    try:
        return SETTINGS.validate_json(annotations.get(ANNOTATION, "{}"))
    except ValueError:
        return {}  # not written by the bot


def _values(template: Obj, variable: str) -> set[str | None]:
    """The variable's value in each container that has it, or None where none has it.

    Of several entries with one name Kubernetes takes the last.
    """
    environments = [
        {entry["name"]: entry.get("value", "") for entry in container.get("env") or []}
        for container in template["spec"]["containers"]
    ]
    return {env[variable] for env in environments if variable in env} or {None}
