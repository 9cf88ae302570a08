"""The status of a pod, computed from its containers."""

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal

from sandbox.cluster.errors import Obj
from sandbox.cluster.quantities import amount


@dataclass
class Container:
    """What the node knows about one container; `memory` is its limit in bytes."""

    name: str
    image: str
    memory: Decimal | None = None
    state: Obj = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: Obj = field(default_factory=dict)
    ready: bool = False
    restarts: int = 0

    @property
    def container_id(self) -> str:
        """An id that changes with every restart."""
        return f"containerd://{_hex(self.name, self.image, self.restarts)}"

    def ended(self) -> Obj:
        """The state in which it last ended; empty when it never did."""
        return self.state if "terminated" in self.state else self.last

    def status(self) -> Obj:
        """The containerStatus of the API."""
        started = "running" in self.state or "terminated" in self.state
        return {
            "name": self.name,
            "image": self.image,
            "imageID": f"{self.image.rpartition(':')[0]}@sha256:{_hex(self.image)}",
            "containerID": self.container_id if started or self.last else "",
            "state": self.state,
            "lastState": self.last,
            "ready": self.ready,
            "restartCount": self.restarts,
            "started": "running" in self.state,
        }


def _hex(*words: object) -> str:
    return hashlib.sha256("|".join(map(str, words)).encode()).hexdigest()


def containers_of(pod: Obj) -> list[Container]:
    """The containers of a pod that has not started yet."""
    return [
        Container(container["name"], container["image"], _memory(container))
        for container in pod["spec"]["containers"]
    ]


def _memory(container: Obj) -> Decimal | None:
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    return None if limit is None else amount(limit)


def running(since: str) -> Obj:
    """The state of a container that runs."""
    return {"running": {"startedAt": since}}


def waiting(reason: str, message: str = "") -> Obj:
    """The state of a container that cannot run yet."""
    return {"waiting": {"reason": reason} | ({"message": message} if message else {})}


def terminated(since: str, until: str, exit_code: int, reason: str, container_id: str) -> Obj:
    """The state of a container that has ended."""
    return {
        "terminated": {
            "exitCode": exit_code,
            "reason": reason,
            "startedAt": since,
            "finishedAt": until,
            "containerID": container_id,
        }
    }


def pod_status(pod: Obj, containers: list[Container], now: str) -> Obj:
    """The whole status; an unchanged condition keeps its timestamp."""
    old = pod.get("status") or {}
    up = any(
        container.last or set(container.state) & {"running", "terminated"}
        for container in containers
    )
    status: Obj = {
        "phase": "Running" if up else "Pending",
        "conditions": _conditions(old, containers, now),
        "hostIP": host_ip(pod["spec"].get("nodeName", "")),
        "startTime": old.get("startTime", now),
        "containerStatuses": [container.status() for container in containers],
        "qosClass": "Burstable",
    }
    if up:
        address = old.get("podIP") or pod_ip(pod["metadata"]["uid"])
        status |= {"podIP": address, "podIPs": [{"ip": address}]}
    return status


def _conditions(old: Obj, containers: list[Container], now: str) -> list[Obj]:
    unready = [container.name for container in containers if not container.ready]
    details = {
        "reason": "ContainersNotReady",
        "message": f"containers with unready status: [{' '.join(unready)}]",
    }
    conditions = []
    before = {earlier["type"]: earlier for earlier in old.get("conditions") or []}
    for name in ("Initialized", "Ready", "ContainersReady", "PodScheduled"):
        depends = name in ("Ready", "ContainersReady")
        status = "False" if depends and unready else "True"
        since = before.get(name, {})
        at = since.get("lastTransitionTime", now) if since.get("status") == status else now
        condition: Obj = {"type": name, "status": status, "lastProbeTime": None}
        condition["lastTransitionTime"] = at
        conditions.append(condition | (details if depends and unready else {}))
    return conditions


def pod_ip(uid: str) -> str:
    """A stable address, derived from the pod's uid."""
    digest = hashlib.sha256(uid.encode()).digest()
    return f"10.244.{digest[0] % 8}.{digest[1] % 250 + 2}"


def host_ip(node: str) -> str:
    """The address of a node: its number is the end of its name."""
    number = node.rpartition("-")[2]
    return f"10.20.0.{10 + int(number)}" if number.isdigit() else "10.20.0.10"


def is_ready(pod: Obj) -> bool:
    """Whether a pod is ready."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(
        condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions
    )


def ready_since(pod: Obj) -> str | None:
    """Since when a pod is ready; None when it is not."""
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready" and condition["status"] == "True":
            return str(condition["lastTransitionTime"])
    return None


def settled_status(pod: Obj, since: str) -> Obj:
    """The status of a healthy pod that started at `since`."""
    containers = containers_of(pod)
    for container in containers:
        container.state = running(since)
        container.ready = True
    return pod_status(pod | {"status": {"startTime": since}}, containers, since)
