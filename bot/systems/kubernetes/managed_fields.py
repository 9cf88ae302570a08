"""Who last wrote a field of an object, from the notes that an API server keeps in managedFields.

The time of a note is when that manager last added or changed any of its fields, so the field itself
may be older. Of a field that was removed there is no note: nobody can be named then.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.model import Model

Obj = dict[str, Any]
Path = tuple[str, ...]

OUR_MANAGER = "runbolt"
TEMPLATE: Path = ("f:spec", "f:template")
REPLICAS: Path = ("f:spec", "f:replicas")
# The lists whose items Kubernetes tells apart, and by which keys; others are owned as a whole.
LIST_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ports": ("containerPort", "protocol"),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}


class FieldWriter(Model):
    """A manager that owns a field, and when it last wrote one of its fields; None: not noted."""

    manager: str
    at: datetime | None = None
    subresource: str = ""

    @property
    def label(self) -> str:
        """What people call it: an autoscaler writes under the name of all controllers."""
        is_autoscaler = (self.manager, self.subresource) == ("kube-controller-manager", "scale")
        return "an autoscaler" if is_autoscaler else self.manager

    @property
    def is_ours(self) -> bool:
        """Whether it is Runbolt; which execution it was, the annotation says."""
        return self.manager == OUR_MANAGER


def container(name: str) -> Path:
    """The path of a container of a Deployment."""
    return (*TEMPLATE, "f:spec", "f:containers", _item({"name": name}))


def env(container_name: str, variable: str) -> Path:
    """The path of an environment variable's value."""
    return (*container(container_name), "f:env", _item({"name": variable}), "f:value")


def env_paths(container_name: str, variable: str) -> tuple[Path, Path]:
    """The paths of what a variable is: a value, or where its value comes from."""
    value = env(container_name, variable)
    return value, (*value[:-1], "f:valueFrom")


def image(container_name: str) -> Path:
    """The path of a container's image."""
    return (*container(container_name), "f:image")


def memory_limit(container_name: str) -> Path:
    """The path of a container's memory limit."""
    return (*container(container_name), "f:resources", "f:limits", "f:memory")


def last_writer(managed_fields: Sequence[Obj], path: Path) -> FieldWriter | None:
    """The manager that last wrote a field, or a part of it; None where no note says so."""
    entries = [entry for entry in managed_fields if _owns(entry.get("fieldsV1") or {}, path)]
    newest = max(entries, key=lambda entry: str(entry.get("time") or ""), default=None)
    return None if newest is None else _writer(newest)


def written_after_us(managed_fields: Sequence[Obj], path: Path) -> FieldWriter | None:
    """The other manager that wrote a field, or a part of it, after Runbolt last wrote anything."""
    ours = written_at(managed_fields, OUR_MANAGER)
    others = [entry for entry in managed_fields if entry.get("manager") != OUR_MANAGER]
    writer = last_writer(others, path)
    if ours is None or writer is None or writer.at is None or writer.at < ours:
        return None
    return writer


def written_at(managed_fields: Sequence[Obj], manager: str) -> datetime | None:
    """When a manager last wrote any of its fields; None where that is not noted."""
    times = [entry["time"] for entry in managed_fields if _is_dated(entry, manager)]
    return datetime.fromisoformat(max(times)) if times else None


def _is_dated(entry: Obj, manager: str) -> bool:
    return entry.get("manager") == manager and bool(entry.get("time"))


def _writer(entry: Obj) -> FieldWriter:
    time = entry.get("time")
    at = datetime.fromisoformat(time) if time else None
    manager, subresource = entry.get("manager") or "unknown", entry.get("subresource") or ""
    return FieldWriter(manager=manager, at=at, subresource=subresource)


def _owns(fields: Obj, path: Path) -> bool:
    """Whether a tree of fields has a path, a part of it, or what contains it as a whole."""
    for step in path:
        if step not in fields:
            return False
        fields = fields[step] or {}
        if not fields:
            return True
    return True


def changed_paths(before: Any, after: Any, path: Path = TEMPLATE) -> tuple[Path, ...]:
    """The paths at which two values differ, such as two pod templates; those of removed fields too.

    `path` is that of the values themselves.
    """
    if before == after:
        return ()
    name = path[-1].removeprefix("f:") if path else ""
    if isinstance(before, dict) and isinstance(after, dict):
        pairs = {f"f:{key}": (before.get(key), after.get(key)) for key in (*before, *after)}
    elif name in LIST_KEYS and isinstance(before, list) and isinstance(after, list):
        old, new = _by_key(name, before), _by_key(name, after)
        pairs = {key: (old.get(key), new.get(key)) for key in (*old, *new)}
    else:
        return (path,)
    return tuple(
        changed
        for step, (old_value, new_value) in pairs.items()
        for changed in changed_paths(old_value, new_value, (*path, step))
    )


def _by_key(name: str, items: Sequence[Obj]) -> dict[str, Obj]:
    return {
        _item({key: item[key] for key in LIST_KEYS[name] if key in item}): item for item in items
    }


def _item(key: Obj) -> str:
    return f"k:{json.dumps(key, sort_keys=True, separators=(',', ':'))}"
