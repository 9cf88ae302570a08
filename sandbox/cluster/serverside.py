"""Server-side apply of a Deployment: what is merged, and which managers it conflicts with."""

import json
from collections.abc import Iterator
from typing import Any

from sandbox.cluster.errors import ApiError, Obj, status_details
from sandbox.cluster.managed_fields import (
    ATOMIC,
    LIST_KEYS,
    Path,
    Writer,
    leaves_of,
    owned_paths,
    writer_of,
)
from sandbox.cluster.store import editable_copy

APPLY_PATCH = "application/apply-patch+yaml"
MARKER = "."


def check_conflicts(before: Obj, sent: Obj, writer: Writer) -> None:
    """Raise ApiError (409) when others own fields that the sent object would change."""
    conflicts = list(_conflicts(before, sent, writer))
    if not conflicts:
        return
    details = status_details("apps", "deployments", before["metadata"]["name"])
    details["causes"] = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": field}
        for who, field in conflicts
    ]
    raise ApiError(409, "Conflict", _message(conflicts), details)


def _conflicts(before: Obj, sent: Obj, writer: Writer) -> Iterator[tuple[str, str]]:
    live = leaves_of(before)
    changed = {
        path
        for path, value in leaves_of(sent).items()
        if path[-1] != MARKER and path in live and live[path] != value
    }
    for entry in before["metadata"].get("managedFields") or []:
        if writer_of(entry) == writer.identity:
            continue
        for path in sorted(changed & owned_paths(entry)):
            yield _manager_text(entry), _field_text(path)


def _manager_text(entry: Obj) -> str:
    subresource = entry.get("subresource")
    part = f' with subresource "{subresource}"' if subresource else ""
    return f'"{entry["manager"]}"{part} using {entry["apiVersion"]}'


def _field_text(path: Path) -> str:
    text = ""
    for step in path:
        kind, _, name = step.partition(":")
        if kind == "f":
            text += f".{name}"
        else:
            pairs = (f"{key}={json.dumps(value)}" for key, value in json.loads(name).items())
            text += f"[{','.join(pairs)}]"
    return text


def _message(conflicts: list[tuple[str, str]]) -> str:
    if len(conflicts) == 1:
        [(who, field)] = conflicts
        return f"Apply failed with 1 conflict: conflict with {who}: {field}"
    lines = []
    for who in sorted({who for who, _ in conflicts}):
        fields = (field for other, field in conflicts if other == who)
        lines += [f"conflicts with {who}:", *(f"- {field}" for field in fields)]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def merged(before: Obj, sent: Obj, writer: Writer) -> Obj:
    """The object after the apply: with what is sent, without what the manager no longer sends."""
    after = editable_copy(before)
    for path in sorted(_given_up(before, sent, writer), key=len, reverse=True):
        _remove(after, path)
    names = ("labels", "annotations")
    metadata = {name: sent["metadata"][name] for name in names if name in sent["metadata"]}
    changes = {key: value for key, value in sent.items() if key not in ("metadata", "status")}
    result: Obj = _merge(after, changes | {"metadata": metadata}, "")
    return result


def _given_up(before: Obj, sent: Obj, writer: Writer) -> set[Path]:
    entries = before["metadata"].get("managedFields") or []
    mine = [owned_paths(entry) for entry in entries if writer_of(entry) == writer.identity]
    others = [owned_paths(entry) for entry in entries if writer_of(entry) != writer.identity]
    return set[Path]().union(*mine) - set(leaves_of(sent)) - set[Path]().union(*others)


def _remove(obj: Any, path: Path) -> None:
    *steps, last = path[:-1] if path[-1] == MARKER else path
    for step in steps:
        obj = _child(obj, step)
        if obj is None:
            return
    if isinstance(obj, dict):
        obj.pop(last.removeprefix("f:"), None)
    elif (item := _child(obj, last)) is not None:
        obj.remove(item)


def _child(value: Any, step: str) -> Any:
    kind, _, name = step.partition(":")
    if kind == "f":
        return value.get(name) if isinstance(value, dict) else None
    key = json.loads(name)
    return next((item for item in value or [] if key.items() <= item.items()), None)


def _merge(current: Any, sent: Any, name: str) -> Any:
    if isinstance(sent, dict) and isinstance(current, dict) and name not in ATOMIC:
        changed = {key: _merge(current.get(key), value, key) for key, value in sent.items()}
        return current | changed
    if isinstance(sent, list) and isinstance(current, list) and name in LIST_KEYS:
        items = list(current)
        for item in sent:
            key = {field: item[field] for field in LIST_KEYS[name] if field in item}
            known = [index for index, old in enumerate(items) if key.items() <= old.items()]
            if known:
                items[known[0]] = _merge(items[known[0]], item, "")
            else:
                items.append(item)
        return items
    return sent
