"""Event objects of controllers and nodes; a repeated event raises its count."""

import hashlib
from typing import Any

from sandbox.cluster.clock import Clock, stamp
from sandbox.cluster.errors import Obj
from sandbox.cluster.resources import EVENTS
from sandbox.cluster.store import Store, editable_copy


class EventLog:
    """Writes Event objects."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock

    def record(
        self,
        obj: Obj,
        reason: str,
        message: str,
        source: Obj,
        *,
        warning: bool = False,
        **more: str,
    ) -> None:
        """Record what happened to an object; the same event again raises its count."""
        about = _object_reference(obj) | {key: value for key, value in more.items() if value}
        name = f"{obj['metadata']['name']}.{_digest(about, reason, message)}"
        now = stamp(self.clock.now())
        known = self.store.find(EVENTS, obj["metadata"].get("namespace", "default"), name)
        if known:
            repeated = editable_copy(known) | {"count": known["count"] + 1, "lastTimestamp": now}
            self.store.update(EVENTS, repeated)
            return
        words = {"reason": reason, "message": message, "type": "Warning" if warning else "Normal"}
        meta = {"name": name, "namespace": about.get("namespace", "default")}
        self.store.create(
            EVENTS,
            {"metadata": meta, "involvedObject": about} | words | _source_fields(source, now),
        )


def _source_fields(source: Obj, now: str) -> Obj:
    return {
        "source": source,
        "reportingComponent": source["component"],
        "reportingInstance": source.get("host", ""),
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "eventTime": None,
    }


def _object_reference(obj: Obj) -> Obj:
    meta = obj["metadata"]
    return {
        "kind": obj["kind"],
        "apiVersion": obj["apiVersion"],
        "name": meta["name"],
        "namespace": meta.get("namespace", "default"),
        "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
    }


def _digest(about: Obj, *words: Any) -> str:
    text = "|".join([about["uid"], about.get("fieldPath", ""), *map(str, words)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
