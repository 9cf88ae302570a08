"""A pod's status in one word, as the STATUS column of `kubectl get pods` has it."""

from typing import Any

import pytest

from bot.systems.kubernetes.pod_status import kubectl_status

Obj = dict[str, Any]


def waiting(reason: str | None = None, **more: Any) -> Obj:
    return {"name": "main", "state": {"waiting": {"reason": reason}}, **more}


def ended(name: str = "main", **state: Any) -> Obj:
    return {"name": name, "state": {"terminated": {"exitCode": 0, **state}}}


def running(name: str = "main", **more: Any) -> Obj:
    return {"name": name, "ready": True, "state": {"running": {}}, **more}


READY = {"type": "Ready", "status": "True"}
INITIALIZED = {"type": "Initialized", "status": "True"}


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({}, "Unknown"),
        ({"phase": "Pending"}, "Pending"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({"phase": "Running", "containerStatuses": [running()]}, "Running"),
        (
            {"phase": "Running", "containerStatuses": [waiting("CrashLoopBackOff")]},
            "CrashLoopBackOff",
        ),
        ({"phase": "Pending", "containerStatuses": [waiting()]}, "Pending"),
        ({"phase": "Failed", "containerStatuses": [ended(reason="OOMKilled")]}, "OOMKilled"),
        ({"phase": "Failed", "containerStatuses": [ended(exitCode=3)]}, "ExitCode:3"),
        ({"phase": "Failed", "containerStatuses": [ended(exitCode=137, signal=9)]}, "Signal:9"),
        (
            {
                "phase": "Running",
                "containerStatuses": [waiting("ErrImagePull"), waiting("CrashLoopBackOff")],
            },
            "ErrImagePull",
        ),
        (
            {"phase": "Running", "containerStatuses": [ended(reason="Completed"), running("log")]},
            "NotReady",
        ),
        (
            {
                "phase": "Running",
                "conditions": [READY],
                "containerStatuses": [ended(reason="Completed"), running("log")],
            },
            "Running",
        ),
        ({"phase": "Succeeded", "containerStatuses": [ended(reason="Completed")]}, "Completed"),
    ],
)
def test_a_pod_in_one_word(status: Obj, word: str) -> None:
    assert kubectl_status({"metadata": {}, "spec": {}, "status": status}) == word


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({"phase": "Running"}, "Terminating"),
        ({"phase": "Running", "reason": "NodeLost"}, "Unknown"),
        ({"phase": "Succeeded"}, "Succeeded"),
        ({"phase": "Failed", "containerStatuses": [ended(reason="Error")]}, "Error"),
    ],
)
def test_a_pod_that_goes(status: Obj, word: str) -> None:
    metadata = {"deletionTimestamp": "2026-11-24T10:00:00Z"}
    assert kubectl_status({"metadata": metadata, "spec": {}, "status": status}) == word


SIDECAR = {"name": "proxy", "restartPolicy": "Always"}


@pytest.mark.parametrize(
    ("inits", "status", "word"),
    [
        ([{"name": "a"}, {"name": "b"}], [waiting("PodInitializing", name="a")], "Init:0/2"),
        ([{"name": "a"}, {"name": "b"}], [ended("a"), running("b")], "Init:1/2"),
        ([{"name": "a"}], [waiting("ErrImagePull", name="a")], "Init:ErrImagePull"),
        ([{"name": "a"}], [ended("a", exitCode=1, reason="Error")], "Init:Error"),
        ([{"name": "a"}], [ended("a", exitCode=2)], "Init:ExitCode:2"),
        ([{"name": "a"}], [ended("a", exitCode=137, signal=9)], "Init:Signal:9"),
        ([{"name": "a"}], [ended("a")], "Pending"),
        ([SIDECAR], [running("proxy", started=True)], "Pending"),
        ([SIDECAR], [running("proxy", started=False)], "Init:0/1"),
        ([{"name": "a"}], [running("a", started=True)], "Init:0/1"),
    ],
)
def test_a_pod_that_starts(inits: list[Obj], status: list[Obj], word: str) -> None:
    pod = {
        "metadata": {},
        "spec": {"initContainers": inits},
        "status": {"phase": "Pending", "initContainerStatuses": status},
    }
    assert kubectl_status(pod) == word


def test_an_initialized_pod_shows_its_containers() -> None:
    pod = {
        "metadata": {},
        "spec": {"initContainers": [{"name": "a"}]},
        "status": {
            "phase": "Running",
            "conditions": [INITIALIZED],
            "initContainerStatuses": [running("a")],
            "containerStatuses": [waiting("CrashLoopBackOff")],
        },
    }
    assert kubectl_status(pod) == "CrashLoopBackOff"


def test_without_any_status() -> None:
    assert kubectl_status({"metadata": {}, "spec": {}}) == "Unknown"
