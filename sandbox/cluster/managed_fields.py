"""Which manager owns which field of a Deployment, as an API server notes it in managedFields.

As with updates on a real one, a field belongs to whoever added or changed it last, and a field that
was removed to nobody. An entry's time is that of its last addition or change; a removal leaves it.
"""

import json
from typing import Any, NamedTuple

from sandbox.cluster.errors import Obj

# The keys of lists whose items are told apart; every other list is owned as a whole.
LIST_KEYS: dict[str, tuple[str, ...]] = {
    "conditions": ("type",),
    "containers": ("name",),
    "ephemeralContainers": ("name",),
    "env": ("name",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "ports": ("containerPort", "protocol"),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
ATOMIC = ("configMapKeyRef", "fieldRef", "nodeSelector", "secretKeyRef", "selector")
MAPS = ("annotations", "labels", "limits", "requests")
# These fields of the metadata have owners; the others are the server's.
OWNED_METADATA = ("annotations", "finalizers", "labels", "ownerReferences")

Path = tuple[str, ...]


class Writer(NamedTuple):
    """Who writes: the manager's name, and the subresource that it writes to.

    Who applies on the server owns all fields that are `applied`, also those that stay as they are.
    """

    manager: str
    subresource: str = ""
    operation: str = "Update"
    applied: frozenset[Path] = frozenset()

    @property
    def identity(self) -> "Writer":
        """What tells this manager from others."""
        return self._replace(applied=frozenset())


CONTROLLER = Writer("kube-controller-manager", "status")


def tracked(before: Obj | None, after: Obj, writer: Writer, now: str) -> list[Obj]:
    """The managedFields of an object after a write; `now` is a timestamp."""
    old, new = leaves_of(before or {}), leaves_of(after)
    taken = {path for path, value in new.items() if path not in old or old[path] != value}
    gone = old.keys() - new.keys()
    entries = list(((before or {}).get("metadata") or {}).get("managedFields") or [])
    owned = {writer_of(entry): owned_paths(entry) - taken - gone for entry in entries}
    times = {writer_of(entry): entry["time"] for entry in entries}
    me = writer.identity
    if writer.applied:
        owned[me] = set(writer.applied) & new.keys()
        times[me] = now
    elif taken:
        owned[me] = owned.get(me, set()) | taken
        times[me] = now
    version = after["apiVersion"]
    return [_entry(who, paths, times[who], version) for who, paths in owned.items() if paths]


def writer_of(entry: Obj) -> Writer:
    """The manager of an entry of the managedFields."""
    return Writer(entry["manager"], entry.get("subresource", ""), entry["operation"])


def owned_paths(entry: Obj) -> set[Path]:
    """The fields that an entry of the managedFields names."""
    return _paths(entry["fieldsV1"])


def _entry(writer: Writer, paths: set[Path], time: str, version: str) -> Obj:
    entry: Obj = {
        "manager": writer.manager,
        "operation": writer.operation,
        "apiVersion": version,
        "time": time,
        "fieldsType": "FieldsV1",
        "fieldsV1": _tree(paths),
    }
    return entry | ({"subresource": writer.subresource} if writer.subresource else {})


def leaves_of(obj: Obj) -> dict[Path, Any]:
    """Every owned field of an object with its value; items and maps are fields of their own."""
    metadata = obj.get("metadata") or {}
    owned = {name: metadata[name] for name in OWNED_METADATA if metadata.get(name)}
    parts = {name: obj[name] for name in ("spec", "status") if name in obj}
    leaves: dict[Path, Any] = {}
    _collect(parts | {"metadata": owned}, (), leaves)
    return leaves


def _collect(fields: Obj, path: Path, leaves: dict[Path, Any]) -> None:
    for name, value in fields.items():
        here = (*path, f"f:{name}")
        if name in LIST_KEYS and isinstance(value, list):
            for item in value:
                key = {field: item[field] for field in LIST_KEYS[name] if field in item}
                text = json.dumps(key, sort_keys=True, separators=(",", ":"))
                item_path = (*here, f"k:{text}")
                leaves[(*item_path, ".")] = None
                _collect(item, item_path, leaves)
        elif isinstance(value, dict) and name not in ATOMIC:
            if name in MAPS:
                leaves[(*here, ".")] = None
            _collect(value, here, leaves)
        else:
            leaves[here] = value


def _tree(paths: set[Path]) -> Obj:
    tree: Obj = {}
    for path in sorted(paths):
        node = tree
        for step in path:
            node = node.setdefault(step, {})
    return tree


def _paths(tree: Obj, path: Path = ()) -> set[Path]:
    if not tree:
        return {path}
    return {leaf for step, inner in tree.items() for leaf in _paths(inner, (*path, step))}
