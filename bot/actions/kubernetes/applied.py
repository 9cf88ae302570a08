"""What the next `kubectl apply` would make of a change of a Deployment."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from bot.systems.kubernetes import Deployment, managed_fields
from bot.systems.kubernetes.managed_fields import OUR_MANAGER, Path

Obj = dict[str, Any]

LAST_APPLIED_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


def warnings(deployment: Deployment, paths: Sequence[Path], noun: str) -> tuple[str, ...]:
    """Warnings where the files of somebody who applies have one of these fields, `noun`."""
    if deployment.owners:
        return ()  # the plan warns of those, and their files are not applied by people
    return tuple(_warnings(deployment, paths, noun))


def _warnings(deployment: Deployment, paths: Sequence[Path], noun: str) -> Iterator[str]:
    applied = _last_applied(deployment)
    if any(_has(applied, path) for path in paths):
        yield (
            f"{deployment.label} is kept with `kubectl apply`, and the file that was applied last "
            f"has {noun} too: the next apply sets this back without a word. Change the file too."
        )
    for manager in _appliers(deployment, paths):
        yield (
            f"{deployment.label} is kept with server-side apply by {manager}, whose file has "
            f"{noun} too: the next apply fails with a conflict with “{OUR_MANAGER}”, until the "
            "file is changed too."
        )


def _last_applied(deployment: Deployment) -> Any:
    try:
        return json.loads(deployment.annotations.get(LAST_APPLIED_ANNOTATION, "null"))
    except ValueError:
        return None


def _has(value: Any, path: Path) -> bool:
    """Whether a JSON value has a field: `f:` names a key, `k:` the item of a list by its keys."""
    for step in path:
        kind, _, name = step.partition(":")
        if kind == "f" and isinstance(value, dict) and name in value:
            value = value[name]
        elif kind == "k" and isinstance(value, list):
            keys = json.loads(name)
            items = [
                item for item in value if isinstance(item, dict) and keys.items() <= item.items()
            ]
            if not items:
                return False
            value = items[0]
        else:
            return False
    return True


def _appliers(deployment: Deployment, paths: Sequence[Path]) -> list[str]:
    """The managers that own one of the fields by server-side apply."""
    entries = [entry for entry in deployment.managed_fields if entry.get("operation") == "Apply"]
    names = {
        writer.manager
        for entry in entries
        for path in paths
        if (writer := managed_fields.last_writer([entry], path)) and not writer.is_ours
    }
    return sorted(names)
