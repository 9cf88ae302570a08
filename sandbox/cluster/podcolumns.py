"""What `kubectl get pods` prints of a pod: ready containers, status and restarts.

It follows printPod of Kubernetes (pkg/printers/internalversion/printers.go).
"""

from typing import NamedTuple

from sandbox.cluster.errors import Obj


class PodColumns(NamedTuple):
    """The columns; `last_restart` is when a container ended last, or empty."""

    ready: str
    status: str
    restarts: int
    last_restart: str


class _Count:
    """Counts the containers of a pod."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.ready = 0
        self.restarts = 0
        self.ends: list[str] = []

    def restart(self, status: Obj) -> None:
        self.restarts += status.get("restartCount", 0)
        ended = (status.get("lastState") or {}).get("terminated") or {}
        self.ends += [ended["finishedAt"]] if ended.get("finishedAt") else []

    def columns(self, word: str) -> PodColumns:
        last = max(self.ends, default="")
        return PodColumns(f"{self.ready}/{self.total}", word, self.restarts, last)


def pod_columns(pod: Obj) -> PodColumns:
    """The columns of a pod."""
    status, inits = pod.get("status") or {}, pod["spec"].get("initContainers") or []
    sidecars = {init["name"] for init in inits if init.get("restartPolicy") == "Always"}
    count = _Count(len(pod["spec"]["containers"]) + len(sidecars))
    word = str(status.get("reason") or status.get("phase") or "Unknown")
    initializing, word = _initialize(status, inits, sidecars, count, word)
    if not initializing or _has(status, "Initialized"):
        ready = count.ready
        count = _Count(count.total)
        count.ready = ready
        for init in status.get("initContainerStatuses") or []:
            if init["name"] in sidecars:
                count.restart(init)
        word = _main(status, count, word)
    if pod["metadata"].get("deletionTimestamp") and status.get("phase") not in (
        "Succeeded",
        "Failed",
    ):
        word = "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return count.columns(word)


def _initialize(
    status: Obj, inits: list[Obj], sidecars: set[str], count: _Count, word: str
) -> tuple[bool, str]:
    """Count the init containers, up to the first that is not done."""
    for number, init in enumerate(status.get("initContainerStatuses") or []):
        count.restart(init)
        state, ended = init.get("state") or {}, (init.get("state") or {}).get("terminated")
        if ended and not ended.get("exitCode"):
            continue
        if init["name"] in sidecars and init.get("started"):
            count.ready += bool(init.get("ready"))
            continue
        waits = (state.get("waiting") or {}).get("reason")
        if ended:
            return True, f"Init:{_end(ended)}"
        if waits and waits != "PodInitializing":
            return True, f"Init:{waits}"
        return True, f"Init:{number}/{len(inits)}"
    return False, word


def _main(status: Obj, count: _Count, word: str) -> str:
    running = False
    for container in reversed(status.get("containerStatuses") or []):
        count.restart(container)
        state = container.get("state") or {}
        if waits := (state.get("waiting") or {}).get("reason"):
            word = waits
        elif state.get("terminated"):
            word = _end(state["terminated"])
        elif container.get("ready") and "running" in state:
            running = True
            count.ready += 1
    if word == "Completed" and running:
        return "Running" if _has(status, "Ready") else "NotReady"
    return word


def _end(ended: Obj) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    signal = ended.get("signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{ended.get('exitCode')}"


def _has(status: Obj, kind: str) -> bool:
    return any(
        condition["type"] == kind and condition["status"] == "True"
        for condition in status.get("conditions") or []
    )
