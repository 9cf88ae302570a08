"""A pod's status in one word, as `kubectl get pods` prints it."""

from typing import Any

from bot.systems.kubernetes.conditions import has_condition

Obj = dict[str, Any]


def kubectl_status(raw: Obj) -> str:
    """The STATUS column for a pod in the API's JSON, such as `CrashLoopBackOff`."""
    status = raw.get("status") or {}
    phase = status.get("phase", "Unknown")
    if raw["metadata"].get("deletionTimestamp") and phase not in ("Succeeded", "Failed"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    initializing = _init_status(raw)
    if not is_initialized(raw):
        return initializing
    return _main_status(status, initializing or str(status.get("reason") or phase))


def is_initialized(raw: Obj) -> bool:
    """Whether all init containers of a pod in the API's JSON are done, as kubectl decides it."""
    return not _init_status(raw) or has_condition(raw.get("status") or {}, "Initialized")


def _init_status(raw: Obj) -> str:
    """The status of the first init container that is not done, or empty."""
    specs = {spec["name"]: spec for spec in raw["spec"].get("initContainers") or []}
    statuses = (raw.get("status") or {}).get("initContainerStatuses") or []
    for number, status in enumerate(statuses):
        if _is_initialized(specs.get(status["name"], {}), status):
            continue
        terminated, waiting_reason = _terminated(status), _waiting_reason(status)
        if terminated is not None:
            return f"Init:{_termination_reason(terminated)}"
        if waiting_reason and waiting_reason != "PodInitializing":
            return f"Init:{waiting_reason}"
        return f"Init:{number}/{len(specs)}"
    return ""


def _is_initialized(spec: Obj, status: Obj) -> bool:
    """Whether an init container has ended well, or is a sidecar that has started."""
    terminated = _terminated(status)
    if terminated is not None and terminated.get("exitCode") == 0:
        return True
    return spec.get("restartPolicy") == "Always" and bool(status.get("started"))


def _main_status(status: Obj, word: str) -> str:
    """The status of the first container that is not running; `word` where all of them run."""
    any_running = False
    for container in reversed(status.get("containerStatuses") or []):
        terminated = _terminated(container)
        if waiting_reason := _waiting_reason(container):
            word = waiting_reason
        elif terminated is not None:
            word = _termination_reason(terminated)
        elif container.get("ready") and "running" in (container.get("state") or {}):
            any_running = True
    if word == "Completed" and any_running:
        return "Running" if has_condition(status, "Ready") else "NotReady"
    return word


def _terminated(status: Obj) -> Obj | None:
    terminated: Obj | None = (status.get("state") or {}).get("terminated")
    return terminated


def _waiting_reason(status: Obj) -> str:
    return str(((status.get("state") or {}).get("waiting") or {}).get("reason") or "")


def _termination_reason(terminated: Obj) -> str:
    if terminated.get("reason"):
        return str(terminated["reason"])
    signal = terminated.get("signal")
    return f"Signal:{signal}" if signal else f"ExitCode:{terminated.get('exitCode')}"
