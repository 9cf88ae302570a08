"""The three kinds of patch a real API server takes, besides server-side apply."""

import json
from typing import Any

from sandbox.cluster.errors import Obj, bad_request, rejected_patch, unsupported_media_type
from sandbox.cluster.store import editable_copy

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH)

MERGE_KEYS = {
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "ownerReferences": "uid",
    "ports": "containerPort",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
ORDER = "$setElementOrder/"
MERGED_PRIMITIVES = ("finalizers",)


def apply_patch(content_type: str, current: Obj, patch: Any) -> Obj:
    """Return the patched object and leave the given one unchanged; raises ApiError."""
    if content_type not in TYPES:
        raise unsupported_media_type(TYPES)
    if content_type == JSON_PATCH:
        return json_patch(current, patch)
    if not isinstance(patch, dict):
        raise bad_request(f"error decoding patch: json: cannot unmarshal {_go_type(patch)}")
    patched: Obj = (merge if content_type == MERGE_PATCH else strategic)(
        editable_copy(current), patch
    )
    return patched


def _go_type(value: Any) -> str:
    names = {list: "array", str: "string", bool: "bool", type(None): "null"}
    name = names.get(type(value), "number")
    return f"{name} into Go value of type map[string]interface {{}}"


def merge(current: Any, patch: Any) -> Any:
    """A JSON merge patch: null removes, objects merge, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(current) if isinstance(current, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def strategic(current: Any, patch: Any) -> Any:
    """A strategic merge patch: lists that have a merge key are merged by it."""
    if not isinstance(patch, dict):
        return patch
    patch = dict(patch)
    directive = patch.pop("$patch", "merge")
    if directive == "replace":
        return _without_directives(patch)
    if directive == "delete":
        return {}
    retained = patch.pop("$retainKeys", None)
    merged = dict(current) if isinstance(current, dict) else {}
    if retained is not None:
        merged = {key: value for key, value in merged.items() if key in retained}
    orders = {key.split("/", 1)[1]: patch.pop(key) for key in [*patch] if key.startswith(ORDER)}
    for key, value in patch.items():
        _merge_key(merged, key, value, orders)
    for field in orders.keys() - patch.keys() & merged.keys():
        merged[field] = _merge_list(field, merged[field], [], orders[field])
    return merged


def _merge_key(merged: Obj, key: str, value: Any, orders: Obj) -> None:
    if key.startswith("$deleteFromPrimitiveList/"):
        field = key.split("/", 1)[1]
        merged[field] = [element for element in merged.get(field) or [] if element not in value]
    elif key.startswith("$"):
        raise bad_request(f"unable to find api field in struct for the json field {key!r}")
    elif value is None:
        merged.pop(key, None)
    elif isinstance(value, list):
        merged[key] = _merge_list(key, merged.get(key) or [], value, orders.get(key))
    else:
        merged[key] = strategic(merged.get(key), value)


def _merge_list(
    field: str, current: list[Any], patch: list[Any], order: list[Any] | None
) -> list[Any]:
    if field in MERGED_PRIMITIVES:
        return current + [element for element in patch if element not in current]
    merge_key = MERGE_KEYS.get(field)
    if merge_key is None or not all(isinstance(element, dict) for element in current + patch):
        return patch
    if {"$patch": "replace"} in patch:
        return [element for element in patch if "$patch" not in element]
    # Services name a port `port`, containers `containerPort`.
    if field == "ports" and any("containerPort" not in element for element in patch):
        merge_key = "port"
    merged = list(current)
    for element in patch:
        _merge_element(merged, merge_key, element)
    if order is not None:
        _check_order(patch, order, merge_key)
    return _in_order(merged, patch if order is None else order, current, merge_key)


def _check_order(patch: list[Any], order: list[Any], merge_key: str) -> None:
    """Raise ApiError unless the patch names its elements in the order of its order list."""
    remaining = iter([element.get(merge_key) for element in order])
    if not all(element[merge_key] in remaining for element in patch if "$patch" not in element):
        mismatch = (
            f"{json.dumps(patch)} doesn't match {ORDER.rstrip('/')} list: {json.dumps(order)}"
        )
        raise bad_request(f"The order in patch list: {mismatch}")


def _in_order(merged: list[Any], order: list[Any], live: list[Any], merge_key: str) -> list[Any]:
    """What the patch names in its order, the rest as it was, each of them as early as it may be.

    So what is new comes first, unless the patch says where it belongs; kubectl does.
    """
    order_keys, live_keys = (
        [element.get(merge_key) for element in order],
        [element.get(merge_key) for element in live],
    )
    named = [element for element in merged if element.get(merge_key) in order_keys]
    named.sort(key=lambda element: order_keys.index(element.get(merge_key)))
    others = [element for element in merged if element.get(merge_key) not in order_keys]
    ordered = []
    for element in named:
        place = live_keys.index(element[merge_key]) if element[merge_key] in live_keys else -1
        while others and live_keys.index(others[0].get(merge_key)) < place:
            ordered.append(others.pop(0))
        ordered.append(element)
    return ordered + others


def _merge_element(merged: list[Any], merge_key: str, patch: Obj) -> None:
    if merge_key not in patch:
        raise bad_request(
            f"map: {json.dumps(patch)} does not contain declared merge key: {merge_key}"
        )
    index = next(
        (
            position
            for position, element in enumerate(merged)
            if element.get(merge_key) == patch[merge_key]
        ),
        None,
    )
    if patch.get("$patch") == "delete":
        if index is not None:
            merged.pop(index)
    elif index is None:
        merged.append(_without_directives(patch))
    else:
        merged[index] = strategic(merged[index], patch)


def _without_directives(patch: Any) -> Any:
    if isinstance(patch, list):
        return [_without_directives(element) for element in patch]
    if not isinstance(patch, dict):
        return patch
    return {
        key: _without_directives(value)
        for key, value in patch.items()
        if value is not None and not key.startswith("$")
    }


def json_patch(current: Obj, patch: Any) -> Obj:
    """A JSON patch (RFC 6902): one failing operation refuses all of them."""
    if not isinstance(patch, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type "
            "jsonpatch.Patch"
        )
    document: Any = editable_copy(current)
    for operation in patch:
        document = _apply_operation(document, operation)
    if not isinstance(document, dict):
        raise rejected_patch()
    return document


def unknown_in_operations(patch: list[Obj]) -> list[str]:
    """Warnings about keys of operations that RFC 6902 does not define."""
    return [
        f'json patch unknown field "[{index}].{key}"'
        for index, operation in enumerate(patch)
        for key in operation
        if key not in ("op", "path", "from", "value")
    ]


def _apply_operation(document: Any, operation: Any) -> Any:
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise rejected_patch()
    path, name = operation["path"], operation.get("op")
    if name in ("add", "replace", "test") and "value" not in operation:
        raise rejected_patch()
    if name == "test":
        if _value_at(document, path) != operation["value"]:
            raise rejected_patch()
        return document
    if name == "replace":
        _value_at(document, path)
        return _insert(_remove(document, path), path, operation["value"])
    if name == "add":
        return _insert(document, path, operation["value"])
    if name == "remove":
        return _remove(document, path)
    if name in ("move", "copy"):
        return _move_or_copy(document, operation)
    raise rejected_patch()


def _move_or_copy(document: Any, operation: Obj) -> Any:
    source = operation.get("from")
    if not isinstance(source, str):
        raise rejected_patch()
    value = editable_copy({"value": _value_at(document, source)})["value"]
    if operation["op"] == "move":
        document = _remove(document, source)
    return _insert(document, operation["path"], value)


def _steps(path: str) -> list[str]:
    if not path:
        return []
    if not path.startswith("/"):
        raise rejected_patch()
    return [step.replace("~1", "/").replace("~0", "~") for step in path[1:].split("/")]


def _step(value: Any, step: str) -> Any:
    if isinstance(value, dict) and step in value:
        return value[step]
    if isinstance(value, list) and step.isdigit() and int(step) < len(value):
        return value[int(step)]
    raise rejected_patch()


def _value_at(document: Any, path: str) -> Any:
    for step in _steps(path):
        document = _step(document, step)
    return document


def _insert(document: Any, path: str, value: Any) -> Any:
    steps = _steps(path)
    if not steps:
        return value
    parent = document
    for step in steps[:-1]:
        parent = _step(parent, step)
    if isinstance(parent, dict):
        parent[steps[-1]] = value
    elif isinstance(parent, list) and steps[-1] == "-":
        parent.append(value)
    elif isinstance(parent, list) and steps[-1].isdigit() and int(steps[-1]) <= len(parent):
        parent.insert(int(steps[-1]), value)
    else:
        raise rejected_patch()
    return document


def _remove(document: Any, path: str) -> Any:
    steps = _steps(path)
    if not steps:
        return None
    _value_at(document, path)
    parent = document
    for step in steps[:-1]:
        parent = _step(parent, step)
    parent.pop(int(steps[-1]) if isinstance(parent, list) else steps[-1])
    return document
