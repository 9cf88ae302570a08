"""What people read of a Kubernetes that refuses, and how a pod and its log are read."""

import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType

from bot.systems.kubernetes import errors, pod_exec
from bot.systems.kubernetes.access import Access, check
from bot.systems.kubernetes.errors import ApiCall, ClusterError
from bot.systems.kubernetes.limits import parse_autoscaler, parse_node, parse_quota
from bot.systems.kubernetes.logs import LineSplitter
from bot.systems.kubernetes.pod_status import kubectl_status

Obj = dict[str, Any]

READ = ApiCall("get", "pods", "shop", "order-1")
LIST = ApiCall("list", "pods", "shop")
WRITE = ApiCall("patch", "deployments", "shop", "order-service", mutating=True)
LOG = ApiCall("get", "pods/log", "shop", "order-1")


def status(message: str) -> bytes:
    return json.dumps({"kind": "Status", "message": message}).encode()


@pytest.mark.parametrize(
    ("call", "description", "subject"),
    [
        (READ, "get pods order-1", "pod order-1"),
        (LIST, "list pods", "pods"),
        (WRITE, "patch deployments order-service", "deployment order-service"),
        (LOG, "get pods/log order-1", "pod order-1"),
    ],
)
def test_how_a_call_is_named(call: ApiCall, description: str, subject: str) -> None:
    assert (call.description, call.subject) == (description, subject)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (status("no such pod"), "no such pod"),
        (b'{"message": ""}', '{"message": ""}'),
        (b'{"message": null}', '{"message": null}'),
        (b'["message"]', '["message"]'),
        (b"  Bad Gateway\n", "Bad Gateway"),
        (b"", ""),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (status("x" * 600), "x" * 500),
        (b"y" * 600, "y" * 500),
    ],
)
def test_what_kubernetes_says(body: bytes, message: str) -> None:
    assert errors.status_message(body) == message


TEST_FAILED = "the server rejected our request due to an error in our request"


@pytest.mark.parametrize(
    ("call", "code", "message", "kind", "unsure", "text"),
    [
        (
            READ,
            401,
            "Unauthorized",
            errors.Forbidden,
            False,
            "Kubernetes does not accept the bot's credentials (get pods order-1). Nothing was "
            "read. Renew the token in its kubeconfig, or check its service account.",
        ),
        (
            WRITE,
            403,
            "deployments is forbidden",
            errors.Forbidden,
            False,
            "The bot may not patch deployments in shop. Nothing was changed. Grant it: "
            "deploy/rbac.yaml has every rule that the bot needs.",
        ),
        (
            WRITE,
            403,
            "exceeded quota: pods.",
            errors.RequestRefused,
            False,
            "Kubernetes refused to patch deployments order-service. Nothing was changed. "
            "Kubernetes says: exceeded quota: pods.",
        ),
        (
            READ,
            404,
            "",
            errors.NotFound,
            False,
            "There is no pod order-1 in shop. Nothing was read. Check the name. "
            'Kubernetes says: {"kind": "Status", "message": ""}.',
        ),
        (
            READ,
            404,
            'pods "order-1" not found',
            errors.NotFound,
            False,
            "There is no pod order-1 in shop. Nothing was read. Check the name. Kubernetes says: "
            'pods "order-1" not found.',
        ),
        (
            WRITE,
            409,
            "object has been modified",
            errors.Conflict,
            False,
            "Somebody else changed deployment order-service in the meantime. Nothing was changed. "
            "Look at it, then try again. Kubernetes says: object has been modified.",
        ),
        (
            WRITE,
            422,
            TEST_FAILED,
            errors.Conflict,
            False,
            "Somebody else changed deployment order-service in the meantime. Nothing was changed. "
            f"Look at it, then try again. Kubernetes says: {TEST_FAILED}.",
        ),
        (
            READ,
            422,
            TEST_FAILED,
            errors.RequestRefused,
            False,
            "Kubernetes refused to get pods order-1. Nothing was read. "
            f"Kubernetes says: {TEST_FAILED}.",
        ),
        (
            WRITE,
            422,
            "replicas is negative",
            errors.RequestRefused,
            False,
            "Kubernetes refused to patch deployments order-service. Nothing was changed. "
            "Kubernetes says: replicas is negative.",
        ),
        (
            WRITE,
            429,
            "too many requests",
            errors.Unreachable,
            False,
            "Kubernetes cannot serve this now (patch deployments order-service). Nothing was "
            "changed. Try again in a moment. Kubernetes says: too many requests.",
        ),
        (
            LIST,
            503,
            "starting",
            errors.Unreachable,
            False,
            "Kubernetes cannot serve this now (list pods). Nothing was read. Try again in a "
            "moment. Kubernetes says: starting.",
        ),
        (
            LIST,
            500,
            "etcd is away",
            errors.Unreachable,
            False,
            "Kubernetes failed with status 500 (list pods). Nothing was read. Check that the API "
            "server is healthy, then try again. Kubernetes says: etcd is away.",
        ),
        (
            WRITE,
            504,
            "timeout",
            errors.Unreachable,
            True,
            "Kubernetes failed with status 504 (patch deployments order-service). Whether it was "
            "changed is unknown: look at it before you try again. Kubernetes says: timeout.",
        ),
        (
            READ,
            302,
            "moved",
            errors.RequestRefused,
            False,
            "Kubernetes refused to get pods order-1. Nothing was read. Kubernetes says: moved.",
        ),
    ],
)
def test_what_a_refusal_says(
    call: ApiCall, code: int, message: str, kind: type[ClusterError], unsure: bool, text: str
) -> None:
    error = errors.from_response(call, code, status(message))
    assert (type(error), error.unsure, str(error)) == (kind, unsure, text)


@pytest.mark.parametrize(
    ("error", "unsure", "text"),
    [
        (
            errors.timed_out(READ, 10.0),
            False,
            "Kubernetes did not answer within 10 s (get pods order-1). Nothing was read. Check "
            "that the API server is healthy, then try again.",
        ),
        (
            errors.timed_out(WRITE, 2.5),
            True,
            "Kubernetes did not answer within 2.5 s (patch deployments order-service). Whether it "
            "was changed is unknown: look at it before you try again.",
        ),
        (
            errors.not_connected(WRITE, "https://k:6443", "refused"),
            False,
            "Kubernetes cannot be reached at https://k:6443 (refused; patch deployments "
            "order-service). Nothing was changed. Check that the API server is running, and the "
            "bot's kubeconfig and network.",
        ),
        (
            errors.disconnected(WRITE, "https://k:6443", "reset"),
            True,
            "The connection to Kubernetes at https://k:6443 broke off (reset; patch deployments "
            "order-service). Whether it was changed is unknown: look at it before you try again.",
        ),
        (
            errors.disconnected(LIST, "https://k:6443", "reset"),
            False,
            "The connection to Kubernetes at https://k:6443 broke off (reset; list pods). Nothing "
            "was read. Check that the API server is healthy, then try again.",
        ),
    ],
)
def test_what_a_broken_line_says(error: ClusterError, unsure: bool, text: str) -> None:
    assert (error.unsure, str(error)) == (unsure, text)


POD = "/api/v1/namespaces/shop/pods/order-1"


@pytest.mark.parametrize(
    ("access", "method", "path", "body"),
    [
        (Access.READ, "GET", POD, None),
        (Access.READ, "get", f"{POD}/log", None),
        (Access.READ, "GET", f"{POD}/exec", None),
        (Access.READ, "HEAD", POD, None),
        (Access.PLAN, "GET", POD, None),
        (Access.PLAN, "GET", f"{POD}/log", None),
        (Access.PLAN, "PATCH", f"{POD}?dryRun=All", []),
        (Access.PLAN, "POST", f"{POD}?dryRun=All", {}),
        (Access.PLAN, "DELETE", f"{POD}?dryRun=All", None),
        (Access.PLAN, "DELETE", POD, {"dryRun": ["All"]}),
        (Access.PLAN, "GET", "/api/v1/namespaces/exec/pods/proxy", None),
        (Access.CHANGE, "DELETE", POD, None),
        (Access.CHANGE, "GET", f"{POD}/exec", None),
        (Access.CHANGE, "PATCH", POD, []),
    ],
)
def test_what_is_let_through(access: Access, method: str, path: str, body: Any) -> None:
    check(access, method, f"https://k:6443{path}", body)


@pytest.mark.parametrize(
    ("access", "method", "path", "body"),
    [
        (Access.READ, "PATCH", POD, []),
        (Access.READ, "PATCH", f"{POD}?dryRun=All", []),
        (Access.READ, "POST", f"{POD}/exec", None),
        (Access.READ, "DELETE", POD, {"dryRun": ["All"]}),
        (Access.PLAN, "GET", f"{POD}/exec", None),
        (Access.PLAN, "GET", f"{POD}/attach", None),
        (Access.PLAN, "GET", f"{POD}/portforward", None),
        (Access.PLAN, "GET", f"{POD}/proxy/reset", None),
        (Access.PLAN, "GET", "/api/v1/nodes/n1/proxy/run", None),
        (Access.PLAN, "GET", "/api/v1/namespaces/shop/services/cart/proxy/", None),
        (Access.PLAN, "PATCH", POD, []),
        (Access.PLAN, "PATCH", f"{POD}?dryRun=all", []),
        (Access.PLAN, "PATCH", f"{POD}?dryRun=", []),
        (Access.PLAN, "PATCH", f"{POD}?dryRun=All&dryRun=None", []),
        (Access.PLAN, "DELETE", f"{POD}?dryRun=All", {}),
        (Access.PLAN, "DELETE", f"{POD}?dryRun=All", {"preconditions": {"uid": "u"}}),
        (Access.PLAN, "DELETE", POD, {"dryRun": "All"}),
        (Access.PLAN, "DELETE", POD, "dryRun=All"),
        (Access.PLAN, "DELETE", POD, None),
        (Access.PLAN, "PUT", POD, {"dryRun": ["All"]}),
    ],
)
def test_what_is_stopped(access: Access, method: str, path: str, body: Any) -> None:
    with pytest.raises(errors.WriteStopped) as stopped:
        check(access, method, f"https://k:6443{path}", body)

    assert str(stopped.value) == (
        f"This step may only {access}, but tried to send a change to the cluster ({method} "
        f"{path.partition('?')[0]}), so it was stopped. Nothing was sent and nothing was changed. "
        "This is a defect in the step's action: report it to the people who run Runbolt."
    )


SUCCESS = json.dumps({"status": "Success"})


def failure(message: str, *causes: Obj) -> str:
    return json.dumps({"status": "Failure", "message": message, "details": {"causes": causes}})


class Socket:
    """The frames that a server sends, one after the other."""

    def __init__(self, *frames: bytes | str) -> None:
        self.frames = list(frames)

    async def __aiter__(self) -> AsyncIterator[WSMessage]:
        while self.frames:
            frame = self.frames.pop(0)
            kind = WSMsgType.TEXT if isinstance(frame, str) else WSMsgType.BINARY
            yield WSMessage(kind, frame, None)


EXEC = ApiCall("create", "pods/exec", "shop", "order-1")


async def run(*frames: bytes | str) -> pod_exec.ExecResult:
    socket = cast(ClientWebSocketResponse, Socket(*frames))
    return await pod_exec.read_result(socket, EXEC, "nc")


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([b"\x03" + SUCCESS.encode()], (0, "", "")),
        ([b"\x01out", b"\x02err", b"\x03" + SUCCESS.encode()], (0, "out", "err")),
        (["\x01out", f"\x03{SUCCESS}"], (0, "out", "")),
        ([b"\x01\xc3", b"\x01\xa4", f"\x03{SUCCESS}"], (0, "ä", "")),
        ([b"", b"\x01", b"\x00in", b"\x04resize", b"\xffx", f"\x03{SUCCESS}"], (0, "", "")),
        ([b"\x01a", f"\x03{SUCCESS}", b"\x01later"], (0, "a", "")),
        ([b"\x01\xff", f"\x03{SUCCESS}"], (0, "\ufffd", "")),
        (
            [b"\x02no", "\x03" + failure("exit 1", {"reason": "ExitCode", "message": "1"})],
            (1, "", "no"),
        ),
        (
            ["\x03" + failure("x", {"reason": "Other"}, {"reason": "ExitCode", "message": "137"})],
            (137, "", ""),
        ),
        (
            [b"\x01" + b"a" * 40_000, b"\x01" + b"b" * 40_000, f"\x03{SUCCESS}"],
            (0, "a" * 40_000 + "b" * 25_536, ""),
        ),
    ],
)
async def test_how_a_command_ends(
    frames: list[bytes | str], expected: tuple[int, str, str]
) -> None:
    assert await run(*frames) == pod_exec.ExecResult(*expected)


BROKEN = "Nothing was changed. Look at the pod, then try again."


@pytest.mark.parametrize(
    ("frames", "kind", "text"),
    [
        (
            ["\x03" + failure('exec: "nc": executable file not found in $PATH')],
            errors.CommandNotFound,
            "The container of order-1 has no nc. Nothing was run in it.",
        ),
        (
            ["\x03" + failure("stat /bin/nc: no such file or directory")],
            errors.CommandNotFound,
            "The container of order-1 has no nc. Nothing was run in it.",
        ),
        (
            ["\x03" + failure("container is not running.")],
            errors.RequestRefused,
            f"nc could not be run in order-1: container is not running. {BROKEN}",
        ),
        (
            ["\x03plain words"],
            errors.RequestRefused,
            f"nc could not be run in order-1: plain words. {BROKEN}",
        ),
        (['\x03["a"]'], errors.RequestRefused, f'nc could not be run in order-1: ["a"]. {BROKEN}'),
        (
            ["\x03" + "z" * 400],
            errors.RequestRefused,
            f"nc could not be run in order-1: {'z' * 300}. {BROKEN}",
        ),
        (
            [b"\x01half"],
            errors.RequestRefused,
            "nc could not be run in order-1: the connection ended before the command did. "
            + BROKEN,
        ),
        (
            ['\x03{"status": "Failure", "details": null}'],
            errors.RequestRefused,
            "nc could not be run in order-1: the connection ended before the command did. "
            + BROKEN,
        ),
    ],
)
async def test_commands_that_do_not_run(
    frames: list[bytes | str], kind: type[ClusterError], text: str
) -> None:
    with pytest.raises(ClusterError) as refused:
        await run(*frames)

    assert (type(refused.value), str(refused.value)) == (kind, text)


@pytest.mark.parametrize(
    ("chunks", "lines"),
    [
        ([b""], []),
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a\nb"], ["a", "b"]),
        ([b"a", b"b", b"\n"], ["ab"]),
        ([b"\n\n"], ["", ""]),
        ([b"a\r\nb\r\n"], ["a", "b"]),
        ([b"\xc3", b"\xa4\n"], ["ä"]),
        ([b"\xff\n"], ["\ufffd"]),
        ([b"x" * 20_000 + b"\ny"], ["x" * 16_384, "y"]),
        ([b"x" * 10_000, b"x" * 10_000, b"\ny"], ["x" * 16_384, "y"]),
    ],
)
def test_a_log_becomes_lines(chunks: list[bytes], lines: list[str]) -> None:
    splitter = LineSplitter()
    found = [line for chunk in chunks for line in splitter.feed(chunk)]
    assert [*found, *splitter.end()] == lines


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


@pytest.mark.parametrize(
    ("spec", "used", "hard"),
    [
        ({"hard": {"pods": "10"}}, {"pods": "3"}, {"pods": 10.0}),
        ({"hard": {"cpu": "2500m"}}, {"requests.cpu": "1"}, {"requests.cpu": 2.5}),
        ({"hard": {"memory": "1Gi"}}, {"memory": "512Mi"}, {"requests.memory": 2.0**30}),
        ({"hard": {"count/pods": 4}}, {"pods": 1}, {"pods": 4.0}),
        ({"hard": {"pods": "10"}}, {}, {}),
        ({"hard": {"pods": "10"}, "scopes": ["BestEffort"]}, {"pods": "3"}, {}),
        ({"hard": {"pods": "10"}, "scopeSelector": {"matchExpressions": []}}, {"pods": "3"}, {}),
        ({}, {"pods": "3"}, {}),
    ],
)
def test_what_a_quota_leaves(spec: Obj, used: Obj, hard: dict[str, float]) -> None:
    raw = {"metadata": {"name": "q"}, "spec": spec, "status": {"used": used}}
    assert parse_quota(raw).hard == hard


@pytest.mark.parametrize(
    ("kind", "minimum", "deployment", "label"),
    [
        ("Deployment", {"minReplicas": 2}, "order-service", "orders (2 to 6)"),
        ("Deployment", {}, "order-service", "orders (1 to 6)"),
        ("StatefulSet", {"minReplicas": 0}, "", "orders (0 to 6)"),
    ],
)
def test_what_an_autoscaler_scales(kind: str, minimum: Obj, deployment: str, label: str) -> None:
    target = {"kind": kind, "name": "order-service"}
    raw = {
        "metadata": {"name": "orders"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 6, **minimum},
    }
    found = parse_autoscaler(raw)
    assert (found.deployment, found.label) == (deployment, label)


@pytest.mark.parametrize(
    ("spec", "status", "schedulable", "allocatable"),
    [
        ({}, {"conditions": [READY]}, True, {}),
        ({"unschedulable": True}, {"conditions": [READY]}, False, {}),
        ({}, {"conditions": [{"type": "Ready", "status": "Unknown"}]}, False, {}),
        ({}, {"conditions": [INITIALIZED]}, False, {}),
        ({}, None, False, {}),
        (
            {},
            {"allocatable": {"cpu": "1900m", "memory": "1Ki", "pods": "110", "gpu": "1"}},
            False,
            {"cpu": 1.9, "memory": 1024.0, "pods": 110.0},
        ),
    ],
)
def test_what_a_node_takes(
    spec: Obj, status: Obj | None, schedulable: bool, allocatable: dict[str, float]
) -> None:
    node = parse_node({"metadata": {"name": "n1"}, "spec": spec, "status": status})
    assert (node.schedulable, node.allocatable) == (schedulable, allocatable)
