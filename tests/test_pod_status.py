"""A pod's status in one word, as the STATUS column of `kubectl get pods` has it."""

from typing import Any

import pytest

from bot.systems.kubernetes.pod_status import kubectl_status

Obj = dict[str, Any]


def container(state: str, *, ready: bool = False, **details: Any) -> Obj:
    """A container's status in this state."""
    return {"name": "main", "ready": ready, "state": {state: details}}


def pod(
    *containers: Obj, init: tuple[Obj, ...] = (), sidecars: tuple[str, ...] = (), **status: Any
) -> Obj:
    """A pod with these statuses; those of `sidecars` are restarted always."""
    specs = [
        {"name": each["name"]} | ({"restartPolicy": "Always"} if each["name"] in sidecars else {})
        for each in init
    ]
    statuses = {"containerStatuses": list(containers), "initContainerStatuses": list(init)}
    return {
        "metadata": {},
        "spec": {"initContainers": specs},
        "status": {"phase": "Running", **statuses, **status},
    }


def init(name: str, state: str, *, started: bool = False, **details: Any) -> Obj:
    """An init container's status in this state."""
    return {"name": name, "started": started, "state": {state: details}}


def condition(kind: str) -> list[Obj]:
    return [{"type": kind, "status": "True"}]


RUNS = container("running", ready=True)
FINISHED = container("terminated", exitCode=0, reason="Completed")
DONE = init("copy", "terminated", exitCode=0)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (pod(RUNS), "Running"),
        (pod(phase="Pending"), "Pending"),
        (pod(phase="Failed", reason="Evicted"), "Evicted"),
        (pod(container("waiting", reason="CrashLoopBackOff")), "CrashLoopBackOff"),
        (pod(container("waiting", reason="ImagePullBackOff"), RUNS), "ImagePullBackOff"),
        (pod(container("terminated", exitCode=137, reason="OOMKilled")), "OOMKilled"),
        (pod(container("terminated", exitCode=2)), "ExitCode:2"),
        (pod(container("terminated", exitCode=0, signal=9)), "Signal:9"),
        (pod(FINISHED, phase="Succeeded"), "Completed"),
        (pod(RUNS, FINISHED, conditions=condition("Ready")), "Running"),
        (pod(RUNS, FINISHED), "NotReady"),
    ],
)
def test_of_the_containers(raw: Obj, word: str) -> None:
    assert kubectl_status(raw) == word


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (pod(init=(init("copy", "running"),), phase="Pending"), "Init:0/1"),
        (pod(init=(DONE, init("wait", "running")), phase="Pending"), "Init:1/2"),
        (pod(init=(init("copy", "waiting", reason="PodInitializing"),)), "Init:0/1"),
        (pod(init=(init("copy", "waiting", reason="ErrImagePull"),)), "Init:ErrImagePull"),
        (pod(init=(init("copy", "terminated", exitCode=1, reason="Error"),)), "Init:Error"),
        (pod(init=(init("copy", "terminated", exitCode=3),)), "Init:ExitCode:3"),
        (pod(init=(init("copy", "terminated", exitCode=1, signal=15),)), "Init:Signal:15"),
        (pod(RUNS, init=(DONE,)), "Running"),
        (pod(RUNS, init=(init("proxy", "running", started=True),), sidecars=("proxy",)), "Running"),
        (pod(init=(init("proxy", "running"),), sidecars=("proxy",)), "Init:0/1"),
    ],
)
def test_of_the_init_containers(raw: Obj, word: str) -> None:
    assert kubectl_status(raw) == word


def test_initialized_pods_show_their_containers() -> None:
    restarted = init("proxy", "waiting", reason="CrashLoopBackOff")
    raw = pod(container("waiting", reason="Error"), init=(restarted,), sidecars=("proxy",))
    raw["status"]["conditions"] = condition("Initialized")

    assert kubectl_status(raw) == "Error"


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({}, "Terminating"),
        ({"reason": "NodeLost"}, "Unknown"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
    ],
)
def test_of_what_is_deleted(status: Obj, word: str) -> None:
    raw = pod(RUNS) if not status.get("phase") else pod()
    raw["status"] |= status
    raw["metadata"]["deletionTimestamp"] = "2026-11-24T10:00:00Z"

    assert kubectl_status(raw) == word


def test_without_any_status() -> None:
    assert kubectl_status({"metadata": {}, "spec": {}}) == "Unknown"
