"""The status of a pod, computed from its containers."""

import hashlib
from dataclasses import dataclass, field
from decimal import Decimal

from sandbox.cluster.errors import Obj
from sandbox.cluster.quantities import amount


@dataclass
class Container:
    """What the node knows about one container; `memory` is its limit in bytes.

    One that is `init` runs to its end before the next starts, unless it is a `sidecar`: that one
    runs on beside the others.
    """

    name: str
    image: str
    memory: Decimal | None = None
    state: Obj = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    last: Obj = field(default_factory=dict)
    ready: bool = False
    restarts: int = 0
    init: bool = False
    sidecar: bool = False

    @property
    def is_initialized(self) -> bool:
        """Whether the next container may start."""
        ended = self.state.get("terminated")
        return (ended is not None and not ended["exitCode"]) or (self.sidecar and self.started)

    @property
    def started(self) -> bool:
        """Whether it runs."""
        return "running" in self.state

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
            "started": self.started,
        }


def _hex(*words: object) -> str:
    return hashlib.sha256("|".join(map(str, words)).encode()).hexdigest()


def containers_of(pod: Obj) -> list[Container]:
    """The containers of a pod that has not started yet, the init containers first."""
    inits = pod["spec"].get("initContainers") or []
    return [
        Container(
            container["name"],
            container["image"],
            _memory(container),
            init=init,
            sidecar=init and container.get("restartPolicy") == "Always",
            state=waiting("PodInitializing" if inits else "ContainerCreating"),
        )
        for init, containers in ((True, inits), (False, pod["spec"]["containers"]))
        for container in containers
    ]


def serving_containers(spec: Obj) -> list[Obj]:
    """The containers of a pod spec that run side by side, sidecars first."""
    inits = spec.get("initContainers") or []
    sidecars = [init for init in inits if init.get("restartPolicy") == "Always"]
    return [*sidecars, *spec["containers"]]


def container_statuses(pod: Obj) -> list[Obj]:
    """The statuses of all containers of a pod, init containers first."""
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


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
    inits = [container for container in containers if container.init]
    mains = [container for container in containers if not container.init]
    up = any(
        container.last or set(container.state) & {"running", "terminated"} for container in mains
    )
    status: Obj = {
        "phase": "Running" if up else "Pending",
        "conditions": _conditions(old, containers, now),
        "hostIP": host_ip(pod["spec"].get("nodeName", "")),
        "startTime": old.get("startTime", now),
        "containerStatuses": [container.status() for container in mains],
        "qosClass": "Burstable",
    }
    if inits:
        status["initContainerStatuses"] = [container.status() for container in inits]
    if any(container.last or "waiting" not in container.state for container in containers):
        address = old.get("podIP") or pod_ip(pod["metadata"]["uid"])
        status |= {"podIP": address, "podIPs": [{"ip": address}]}
    return status


def _conditions(old: Obj, containers: list[Container], now: str) -> list[Obj]:
    before = {earlier["type"]: earlier for earlier in old.get("conditions") or []}
    problems = {"Initialized": _incomplete(containers)}
    if before.get("Initialized", {}).get("status") == "True":
        problems = {}  # a pod stays initialized
    problems["Ready"] = problems["ContainersReady"] = _unready(containers)
    conditions = []
    for name in ("Initialized", "Ready", "ContainersReady", "PodScheduled"):
        problem = problems.get(name, {})
        status = "False" if problem else "True"
        since = before.get(name, {})
        at = since.get("lastTransitionTime", now) if since.get("status") == status else now
        condition: Obj = {"type": name, "status": status, "lastProbeTime": None}
        condition["lastTransitionTime"] = at
        conditions.append(condition | problem)
    return conditions


def _incomplete(containers: list[Container]) -> Obj:
    names = [container.name for container in containers if container.init]
    done = [container.name for container in containers if container.is_initialized]
    names = [name for name in names if name not in done]
    message = f"containers with incomplete status: [{' '.join(names)}]"
    return {"reason": "ContainersNotInitialized", "message": message} if names else {}


def _unready(containers: list[Container]) -> Obj:
    serving = [container for container in containers if container.sidecar or not container.init]
    names = [container.name for container in serving if not container.ready]
    message = f"containers with unready status: [{' '.join(names)}]"
    return {"reason": "ContainersNotReady", "message": message} if names else {}


def pod_ip(uid: str) -> str:
    """A stable address, derived from the pod's uid."""
    digest = hashlib.sha256(uid.encode()).digest()
    return f"10.244.{digest[0] % 8}.{digest[1] % 250 + 2}"


def host_ip(node: str) -> str:
    """The address of a node: its number is the end of its name."""
    number = node.rpartition("-")[2]
    return f"10.20.0.{10 + int(number)}" if number.isdigit() else "10.20.0.10"


def is_finished(pod: Obj) -> bool:
    """Whether a pod has ended for good: it is kept, and counts nowhere."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def finished_pod(like: Obj, name: str, reason: str) -> Obj:
    """A pod with the labels and containers of another, which has ended and is kept."""
    spec, meta = like["spec"], like["metadata"]
    [owner] = meta["ownerReferences"]
    status: Obj = {"phase": "Failed", "reason": reason, "message": "The node was low on memory."}
    if reason == "Error":
        [container] = containers_of(like)
        end = meta["creationTimestamp"]
        container.state, container.restarts = terminated(end, end, 137, reason, ""), 2
        status = {"phase": "Failed", "containerStatuses": [container.status()]}
    if reason == "Completed":
        owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "migrate", "uid": "job-migrate"}
        status = {"phase": "Succeeded", "containerStatuses": []}
        for container in containers_of(like):
            end = meta["creationTimestamp"]
            container.state = terminated(end, end, 0, reason, container.container_id)
            status["containerStatuses"].append(container.status())
    metadata = {"name": name, "namespace": meta["namespace"], "labels": dict(meta["labels"])}
    metadata["ownerReferences"] = [owner | {"controller": True}]
    return {"metadata": metadata, "spec": spec, "status": status}


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
        ends = container.init and not container.sidecar
        ended = terminated(since, since, 0, "Completed", container.container_id)
        container.state, container.ready = ended if ends else running(since), True
    return pod_status(pod | {"status": {"startTime": since}}, containers, since)
