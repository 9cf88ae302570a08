"""Objects as the tables that `kubectl get` prints."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sandbox.cluster.clock import parse_stamp
from sandbox.cluster.errors import Obj
from sandbox.cluster.podcolumns import pod_columns
from sandbox.cluster.resources import Resource
from sandbox.cluster.selectors import selector_text

Row = list[Any]
# Name, type, and whether only `-o wide` shows the column.
Columns = tuple[tuple[str, str, bool], ...]


def table(resource: Resource, objects: list[Obj], version: str, now: datetime) -> Obj:
    """A Table of these objects, each row with the object's metadata."""
    columns, cells = TABLES.get(resource.kind, (PLAIN, _plain))
    rows = [{"cells": cells(obj, now), "object": _partial(obj)} for obj in objects]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version},
        "columnDefinitions": [_column(*column) for column in columns],
        "rows": rows,
    }


def _column(name: str, kind: str, wide: bool) -> Obj:
    form = "name" if name == "Name" else ""
    return {
        "name": name,
        "type": kind,
        "format": form,
        "description": "",
        "priority": 1 if wide else 0,
    }


def _partial(obj: Obj) -> Obj:
    kind = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return kind | {"metadata": obj["metadata"]}


def age(stamp: str | None, now: datetime) -> str:
    """The age as kubectl writes it, in one or two units."""
    if not stamp:
        return "<unknown>"
    seconds = max(0, int((now - parse_stamp(stamp)).total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return _two(minutes, "m", seconds % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    return f"{days}d" if days < 730 else f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def _age(obj: Obj, now: datetime) -> str:
    return age(obj["metadata"].get("creationTimestamp"), now)


PLAIN: Columns = (("Name", "string", False), ("Age", "string", False))


def _plain(obj: Obj, now: datetime) -> Row:
    return [obj["metadata"]["name"], _age(obj, now)]


POD: Columns = (
    ("Name", "string", False),
    ("Ready", "string", False),
    ("Status", "string", False),
    ("Restarts", "string", False),
    ("Age", "string", False),
    ("IP", "string", True),
    ("Node", "string", True),
    ("Nominated Node", "string", True),
    ("Readiness Gates", "string", True),
)


def _pod(obj: Obj, now: datetime) -> Row:
    columns = pod_columns(obj)
    last = columns.last_restart
    ago = f" ({age(last, now)} ago)" if columns.restarts and last else ""
    return [
        obj["metadata"]["name"],
        columns.ready,
        columns.status,
        f"{columns.restarts}{ago}",
        _age(obj, now),
        obj["status"].get("podIP") or "<none>",
        obj["spec"].get("nodeName") or "<none>",
        "<none>",
        "<none>",
    ]


def status_word(obj: Obj) -> str:
    """The STATUS column of `kubectl get pods`: a container's reason, or else the phase."""
    return pod_columns(obj).status


DEPLOYMENT: Columns = (
    ("Name", "string", False),
    ("Ready", "string", False),
    ("Up-to-date", "integer", False),
    ("Available", "integer", False),
    ("Age", "string", False),
    ("Containers", "string", True),
    ("Images", "string", True),
    ("Selector", "string", True),
)


def _images(obj: Obj) -> Row:
    containers = obj["spec"]["template"]["spec"]["containers"]
    return [
        ",".join(container["name"] for container in containers),
        ",".join(container["image"] for container in containers),
        selector_text(obj["spec"]["selector"]),
    ]


def _deployment(obj: Obj, now: datetime) -> Row:
    status = obj.get("status") or {}
    return [
        obj["metadata"]["name"],
        f"{status.get('readyReplicas', 0)}/{obj['spec']['replicas']}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        _age(obj, now),
        *_images(obj),
    ]


REPLICASET: Columns = (
    ("Name", "string", False),
    ("Desired", "integer", False),
    ("Current", "integer", False),
    ("Ready", "integer", False),
    *DEPLOYMENT[4:],
)


def _replicaset(obj: Obj, now: datetime) -> Row:
    status = obj.get("status") or {}
    counts = [obj["spec"]["replicas"], status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [obj["metadata"]["name"], *counts, _age(obj, now), *_images(obj)]


STATEFUL_SET: Columns = (*DEPLOYMENT[:2], *DEPLOYMENT[4:-1])


def _stateful_set(obj: Obj, now: datetime) -> Row:
    ready = f"{(obj.get('status') or {}).get('readyReplicas', 0)}/{obj['spec']['replicas']}"
    return [obj["metadata"]["name"], ready, _age(obj, now), *_images(obj)[:-1]]


DAEMON_SET: Columns = (
    ("Name", "string", False),
    ("Desired", "integer", False),
    ("Current", "integer", False),
    ("Ready", "integer", False),
    ("Up-to-date", "integer", False),
    ("Available", "integer", False),
    ("Node Selector", "string", False),
    *DEPLOYMENT[4:],
)
DAEMON_COUNTS = (
    "desiredNumberScheduled",
    "currentNumberScheduled",
    "numberReady",
    "updatedNumberScheduled",
    "numberAvailable",
)


def _daemon_set(obj: Obj, now: datetime) -> Row:
    status = obj.get("status") or {}
    counts = [status.get(name, 0) for name in DAEMON_COUNTS]
    return [obj["metadata"]["name"], *counts, "<none>", _age(obj, now), *_images(obj)]


EVENT: Columns = (
    ("Last Seen", "string", False),
    ("Type", "string", False),
    ("Reason", "string", False),
    ("Object", "string", False),
    ("Subobject", "string", True),
    ("Source", "string", True),
    ("Message", "string", False),
    ("First Seen", "string", True),
    ("Count", "string", True),
    ("Name", "string", True),
)


def _event(obj: Obj, now: datetime) -> Row:
    about = obj["involvedObject"]
    return [
        age(obj.get("lastTimestamp"), now),
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{about.get('kind', '').lower()}/{about.get('name', '')}",
        about.get("fieldPath", ""),
        (obj.get("source") or {}).get("component", ""),
        obj.get("message", ""),
        age(obj.get("firstTimestamp"), now),
        str(obj.get("count", 1)),
        obj["metadata"]["name"],
    ]


SERVICE: Columns = (
    ("Name", "string", False),
    ("Type", "string", False),
    ("Cluster-IP", "string", False),
    ("External-IP", "string", False),
    ("Port(s)", "string", False),
    ("Age", "string", False),
    ("Selector", "string", True),
)


def _service(obj: Obj, now: datetime) -> Row:
    spec = obj["spec"]
    ports = ",".join(f"{port['port']}/{port['protocol']}" for port in spec["ports"])
    selector = selector_text({"matchLabels": spec.get("selector")}) or "<none>"
    name = obj["metadata"]["name"]
    inside, outside = spec.get("clusterIP", "<none>"), spec.get("externalName", "<none>")
    return [name, spec["type"], inside, outside, ports, _age(obj, now), selector]


NODE: Columns = (
    ("Name", "string", False),
    ("Status", "string", False),
    ("Roles", "string", False),
    ("Age", "string", False),
    ("Version", "string", False),
    ("Internal-IP", "string", True),
    ("OS-Image", "string", True),
)


def _node(obj: Obj, now: datetime) -> Row:
    status = obj["status"]
    ready = any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in status["conditions"]
    )
    info = status["nodeInfo"]
    return [
        obj["metadata"]["name"],
        "Ready" if ready else "NotReady",
        "<none>",
        _age(obj, now),
        info["kubeletVersion"],
        status["addresses"][0]["address"],
        info["osImage"],
    ]


NAMESPACE: Columns = (
    ("Name", "string", False),
    ("Status", "string", False),
    ("Age", "string", False),
)


def _namespace(obj: Obj, now: datetime) -> Row:
    return [obj["metadata"]["name"], obj["status"]["phase"], _age(obj, now)]


AUTOSCALER: Columns = (
    ("Name", "string", False),
    ("Reference", "string", False),
    ("Targets", "string", False),
    ("MinPods", "string", False),
    ("MaxPods", "integer", False),
    ("Replicas", "integer", False),
    ("Age", "string", False),
)


def _autoscaler(obj: Obj, now: datetime) -> Row:
    spec, target = obj["spec"], obj["spec"]["scaleTargetRef"]
    return [
        obj["metadata"]["name"],
        f"{target['kind']}/{target['name']}",
        ", ".join(map(_metric_target, spec["metrics"])),
        str(spec["minReplicas"]),
        spec["maxReplicas"],
        (obj.get("status") or {}).get("currentReplicas", 0),
        _age(obj, now),
    ]


def _metric_target(metric: Obj) -> str:
    """The target of a metric; its current value is unknown here."""
    resource = metric.get("resource") or {}
    share = (resource.get("target") or {}).get("averageUtilization")
    return f"{resource.get('name', '')}: <unknown>/{share}%" if share else "<unknown>"


QUOTA: Columns = (
    ("Name", "string", False),
    ("Request", "string", False),
    ("Limit", "string", False),
    ("Age", "string", False),
)


def _quota(obj: Obj, now: datetime) -> Row:
    hard, used = obj["spec"]["hard"], (obj.get("status") or {}).get("used") or {}
    lines = {name: f"{name}: {used.get(name, 0)}/{text}" for name, text in sorted(hard.items())}
    limits = [text for name, text in lines.items() if name.startswith("limits.")]
    requests = [text for name, text in lines.items() if not name.startswith("limits.")]
    return [obj["metadata"]["name"], ", ".join(requests), ", ".join(limits), _age(obj, now)]


TABLES: dict[str, tuple[Columns, Callable[[Obj, datetime], Row]]] = {
    "Deployment": (DEPLOYMENT, _deployment),
    "Event": (EVENT, _event),
    "HorizontalPodAutoscaler": (AUTOSCALER, _autoscaler),
    "Namespace": (NAMESPACE, _namespace),
    "Node": (NODE, _node),
    "Pod": (POD, _pod),
    "ReplicaSet": (REPLICASET, _replicaset),
    "ResourceQuota": (QUOTA, _quota),
    "Service": (SERVICE, _service),
    "DaemonSet": (DAEMON_SET, _daemon_set),
    "StatefulSet": (STATEFUL_SET, _stateful_set),
}
