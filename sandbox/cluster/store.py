"""The cluster's objects with resource versions, and the history that watches replay."""

import asyncio
import pickle
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from sandbox.cluster.clock import Clock, stamp
from sandbox.cluster.errors import Obj, already_exists, conflict, not_found
from sandbox.cluster.managed_fields import CONTROLLER, Writer, tracked
from sandbox.cluster.resources import DEPLOYMENTS, Resource

# A group and a plural: every version of a resource has the same objects.
Kind = tuple[str, str]
# A namespace and a name.
Key = tuple[str, str]
HISTORY = 5000


@dataclass(frozen=True)
class Change:
    """One change of one object."""

    version: int
    type: str
    resource: Resource
    obj: Obj
    before: Obj | None


def editable_copy(obj: Obj) -> Obj:
    """A deep copy to edit: stored objects are never changed in place."""
    copy: Obj = pickle.loads(pickle.dumps(obj))  # a fifth of the time of a deep copy
    return copy


class Store:
    """Objects by resource, namespace and name; each write gets the next resource version."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.version = 184_200
        self.changes: deque[Change] = deque(maxlen=HISTORY)
        self.compacted = 0
        self._objects: defaultdict[Kind, dict[Key, Obj]] = defaultdict(dict)
        self._listeners: list[Callable[[Change], None]] = []
        self._signals: set[asyncio.Event] = set()

    def add_listener(self, listener: Callable[[Change], None]) -> None:
        """Call `listener` after every change."""
        self._listeners.append(listener)

    def find(self, resource: Resource, namespace: str, name: str) -> Obj | None:
        """The object, or None; do not change it."""
        return self._of(resource).get(_key(resource, namespace, name))

    def get(self, resource: Resource, namespace: str, name: str) -> Obj:
        """The object; raises ApiError (404)."""
        obj = self.find(resource, namespace, name)
        if obj is None:
            raise not_found(resource.group, resource.plural, name)
        return obj

    def list(self, resource: Resource, namespace: str = "") -> list[Obj]:
        """All objects of a resource in one namespace, or in all (""), sorted by name."""
        objects = self._of(resource)
        return [objects[key] for key in sorted(objects) if namespace in ("", key[0])]

    def create(self, resource: Resource, obj: Obj, by: Writer = CONTROLLER) -> Obj:
        """Add an object with uid, version and creation time; raises ApiError (409) if it exists."""
        created = with_server_fields(resource, obj, stamp(self.clock.now()))
        created = self.with_owners(resource, created, None, by)
        key = _key_of(resource, created)
        if key in self._of(resource):
            raise already_exists(resource.group, resource.plural, created["metadata"]["name"])
        return self._write("ADDED", resource, created, None)

    def update(self, resource: Resource, obj: Obj, by: Writer = CONTROLLER) -> Obj:
        """Replace an object; raises ApiError (409) when its version is old."""
        meta = obj["metadata"]
        name = meta["name"]
        before = self.get(resource, meta.get("namespace", ""), name)
        sent_version = meta.get("resourceVersion")
        if sent_version and sent_version != before["metadata"]["resourceVersion"]:
            raise conflict(resource.group, resource.plural, name)
        meta = meta | {"resourceVersion": before["metadata"]["resourceVersion"]}
        if "managedFields" in before["metadata"]:
            meta["managedFields"] = before["metadata"]["managedFields"]
        updated = obj | {"metadata": meta}
        if updated == before:
            return before
        owned = self.with_owners(resource, updated, before, by)
        return self._write("MODIFIED", resource, editable_copy(owned), before)

    def with_owners(self, resource: Resource, obj: Obj, before: Obj | None, by: Writer) -> Obj:
        """An object with its managedFields after a write; only Deployments have them here."""
        if resource is not DEPLOYMENTS:
            return obj
        owners = tracked(before, obj, by, stamp(self.clock.now()))
        return obj | {"metadata": obj["metadata"] | {"managedFields": owners}}

    def remove(self, resource: Resource, obj: Obj) -> Obj:
        """Remove an object."""
        key = _key_of(resource, obj)
        removed = editable_copy(self._of(resource).pop(key))
        self._stamp(removed)
        self._notify(Change(self.version, "DELETED", resource, removed, removed))
        return removed

    async def wait_until(self, holds: Callable[[], bool], timeout: float) -> None:
        """Wait until a condition is true, checked after every change; raises TimeoutError."""
        with self.change_signal() as bell:
            async with asyncio.timeout(timeout):
                while not holds():
                    # A condition may hang on time alone, so a quiet cluster is looked at too.
                    with suppress(TimeoutError):
                        async with asyncio.timeout(0.05):
                            await bell.wait()
                    bell.clear()

    def compact(self) -> None:
        """Drop the history so far."""
        self.compacted = self.version
        self.changes.clear()

    def change_signal(self) -> "ChangeSignal":
        """A context manager with an event that is set after every change."""
        return ChangeSignal(self._signals)

    def _of(self, resource: Resource) -> dict[Key, Obj]:
        return self._objects[resource.group, resource.plural]

    def _write(self, change_type: str, resource: Resource, obj: Obj, before: Obj | None) -> Obj:
        self._stamp(obj)
        self._of(resource)[_key_of(resource, obj)] = obj
        self._notify(Change(self.version, change_type, resource, obj, before))
        return obj

    def _stamp(self, obj: Obj) -> None:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)

    def _notify(self, change: Change) -> None:
        if len(self.changes) == HISTORY:
            self.compacted = self.changes[0].version
        self.changes.append(change)
        for listener in self._listeners:
            listener(change)
        for bell in self._signals:
            bell.set()


class ChangeSignal:
    """Registers one event with the store while the context is open."""

    def __init__(self, signals: set[asyncio.Event]) -> None:
        self._signals = signals
        self._event = asyncio.Event()

    def __enter__(self) -> asyncio.Event:
        self._signals.add(self._event)
        return self._event

    def __exit__(self, *error: object) -> None:
        self._signals.discard(self._event)


def with_server_fields(resource: Resource, obj: Obj, now: str) -> Obj:
    """A new object with the server's fields; fields that are set already stay."""
    created: Obj = {"apiVersion": resource.api_version, "kind": resource.kind} | editable_copy(obj)
    meta = created["metadata"]
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = meta["generateName"] + random_suffix(5)
    meta.setdefault("uid", str(uuid.uuid4()))
    meta.setdefault("creationTimestamp", now)
    return created


ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def random_suffix(length: int) -> str:
    """A random suffix of a name, in the letters that Kubernetes uses."""
    number = uuid.uuid4().int
    letters = []
    for _ in range(length):
        number, index = divmod(number, len(ALPHABET))
        letters.append(ALPHABET[index])
    return "".join(letters)


def _key(resource: Resource, namespace: str, name: str) -> Key:
    return (namespace if resource.namespaced else "", name)


def _key_of(resource: Resource, obj: Obj) -> Key:
    meta = obj["metadata"]
    return _key(resource, meta.get("namespace", ""), meta["name"])
