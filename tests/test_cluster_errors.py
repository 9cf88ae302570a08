"""What people read of a Kubernetes that refuses, and which calls are stopped."""

import json
from typing import Any

import pytest

from bot.systems.kubernetes import errors
from bot.systems.kubernetes.access import Access, check
from bot.systems.kubernetes.errors import ApiCall, ClusterError

READ = ApiCall("get", "pods", "eu", "shop", "order-1")
LIST = ApiCall("list", "pods", "eu", "shop")
WRITE = ApiCall("patch", "deployments", "eu", "shop", "order-service", mutating=True)
DRY_RUN = ApiCall(
    "patch", "deployments", "eu", "shop", "order-service", mutating=True, dry_run=True
)
LOG = ApiCall("get", "pods/log", "eu", "shop", "order-1")


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
    place = "in namespace shop of cluster eu"
    assert (call.description, call.subject) == (f"{description} {place}", f"{subject} {place}")


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
            errors.Unauthorized,
            False,
            "Kubernetes does not accept the bot's credentials (get pods order-1 in namespace "
            "shop of cluster eu), although they were read again. Nothing was read. Renew the "
            "token in its kubeconfig, or check its service account; README.md says how to make a "
            "token that lasts.",
        ),
        (
            WRITE,
            403,
            "deployments is forbidden",
            errors.Forbidden,
            False,
            "The bot may not patch deployments order-service in namespace shop of cluster eu. "
            "Nothing was changed. Grant it: deploy/rbac.yaml has every rule that the bot needs.",
        ),
        (
            WRITE,
            403,
            "exceeded quota: pods.",
            errors.RequestRefused,
            False,
            "Kubernetes refused to patch deployments order-service in namespace shop of cluster "
            "eu. Nothing was changed. Kubernetes says: exceeded quota: pods.",
        ),
        (
            ApiCall("create", "pods/exec", "eu", "shop", "order-1"),
            403,
            'pods "order-1" is forbidden: User "runbolt" cannot get resource "pods/exec" in API '
            'group "" in the namespace "shop"',
            errors.Forbidden,
            False,
            "The bot may not get pods/exec in namespace shop of cluster eu. Nothing was "
            "read. Grant it: deploy/rbac.yaml has every rule that the bot needs.",
        ),
        (
            ApiCall("list", "nodes", "eu", "shop"),
            403,
            'nodes is forbidden: User "runbolt" cannot list resource "nodes" in API group "" at '
            "the cluster scope",
            errors.Forbidden,
            False,
            "The bot may not list nodes in cluster eu. Nothing was read. Grant it: "
            "deploy/rbac.yaml has every rule that the bot needs.",
        ),
        *(
            (
                WRITE,
                403,
                reason,
                errors.RequestRefused,
                False,
                "Kubernetes refused to patch deployments order-service in namespace shop of "
                "cluster eu. Nothing was changed. "
                f"Kubernetes says: {reason}.",
            )
            for reason in (
                'pods "order-1" is forbidden: maximum memory usage per Container is 1Gi',
                'admission webhook "policy.example" denied the request: no latest tags',
                "deployments.apps \"order-service\" is forbidden: ValidatingAdmissionPolicy 'tags' "
                "with binding 'all' denied request: no latest tags",
            )
        ),
        (
            READ,
            404,
            "",
            errors.NotFound,
            False,
            "There is no pod order-1 in namespace shop of cluster eu. Nothing was read. Check "
            'the name. Kubernetes says: {"kind": "Status", "message": ""}.',
        ),
        (
            READ,
            404,
            'pods "order-1" not found',
            errors.ObjectNotFound,
            False,
            "There is no pod order-1 in namespace shop of cluster eu. Nothing was read. Check "
            'the name. Kubernetes says: pods "order-1" not found.',
        ),
        (
            WRITE,
            409,
            "object has been modified",
            errors.Conflict,
            False,
            "Somebody else changed deployment order-service in namespace shop of cluster eu in "
            "the meantime. Nothing was changed. Look at it, then try again. Kubernetes says: "
            "object has been modified.",
        ),
        (
            WRITE,
            422,
            TEST_FAILED,
            errors.Conflict,
            False,
            "Somebody else changed deployment order-service in namespace shop of cluster eu in "
            "the meantime. Nothing was changed. "
            f"Look at it, then try again. Kubernetes says: {TEST_FAILED}.",
        ),
        (
            READ,
            422,
            TEST_FAILED,
            errors.RequestRefused,
            False,
            "Kubernetes refused to get pods order-1 in namespace shop of cluster eu. Nothing was "
            "read. "
            f"Kubernetes says: {TEST_FAILED}.",
        ),
        (
            WRITE,
            422,
            "replicas is negative",
            errors.RequestRefused,
            False,
            "Kubernetes refused to patch deployments order-service in namespace shop of cluster "
            "eu. Nothing was changed. Kubernetes says: replicas is negative.",
        ),
        (
            WRITE,
            429,
            "too many requests",
            errors.Unavailable,
            False,
            "Kubernetes cannot serve this now (patch deployments order-service in namespace shop "
            "of cluster eu). Nothing was changed. Try again in a moment. Kubernetes says: too "
            "many requests.",
        ),
        (
            LIST,
            503,
            "starting",
            errors.Unavailable,
            False,
            "Kubernetes cannot serve this now (list pods in namespace shop of cluster eu). "
            "Nothing was read. Try again in a moment. Kubernetes says: starting.",
        ),
        (
            LIST,
            500,
            "etcd is away",
            errors.Unreachable,
            False,
            "Kubernetes failed with status 500 (list pods in namespace shop of cluster eu). "
            "Nothing was read. Check that the API server is healthy, then try again. Kubernetes "
            "says: etcd is away.",
        ),
        (
            WRITE,
            504,
            "timeout",
            errors.Unreachable,
            True,
            "Kubernetes failed with status 504 (patch deployments order-service in namespace "
            "shop of cluster eu). Whether it was changed is unknown: look at it before you try "
            "again. Kubernetes says: timeout.",
        ),
        (
            WRITE,
            503,
            "no healthy upstream",
            errors.Unreachable,
            True,
            "Kubernetes failed with status 503 (patch deployments order-service in namespace "
            "shop of cluster eu). Whether it was changed is unknown: look at it before you try "
            "again. Kubernetes says: no healthy upstream.",
        ),
        (
            WRITE,
            499,
            "gone",
            errors.Unreachable,
            True,
            "Kubernetes failed with status 499 (patch deployments order-service in namespace "
            "shop of cluster eu). Whether it was changed is unknown: look at it before you try "
            "again. Kubernetes says: gone.",
        ),
        (
            READ,
            302,
            "moved",
            errors.RequestRefused,
            False,
            "Kubernetes refused to get pods order-1 in namespace shop of cluster eu. Nothing was "
            "read. Kubernetes says: moved.",
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
            "Kubernetes did not answer within 10 s (get pods order-1 in namespace shop of "
            "cluster eu). Nothing was read. Check that the API server is healthy, then try again.",
        ),
        (
            errors.timed_out(WRITE, 2.5),
            True,
            "Kubernetes did not answer within 2.5 s (patch deployments order-service in "
            "namespace shop of cluster eu). Whether it was changed is unknown: look at it before "
            "you try again.",
        ),
        (
            errors.timed_out(DRY_RUN, 2.5),
            False,
            "Kubernetes did not answer within 2.5 s (patch deployments order-service in "
            "namespace shop of cluster eu). Nothing was changed. Check that the API server is "
            "healthy, then try again.",
        ),
        (
            errors.disconnected(DRY_RUN, "https://k:6443", "reset"),
            False,
            "The connection to Kubernetes at https://k:6443 broke off (reset; patch deployments "
            "order-service in namespace shop of cluster eu). Nothing was changed. Check that the "
            "API server is healthy, then try again.",
        ),
        (
            errors.from_response(DRY_RUN, 500, b""),
            False,
            "Kubernetes failed with status 500 (patch deployments order-service in namespace "
            "shop of cluster eu). Nothing was changed. Check that the API server is healthy, "
            "then try again. ",
        ),
        (
            errors.not_connected(WRITE, "https://k:6443", "refused"),
            False,
            "Kubernetes cannot be reached at https://k:6443 (refused; patch deployments "
            "order-service in namespace shop of cluster eu). Nothing was changed. Check that the "
            "API server is running, and the bot's kubeconfig and network.",
        ),
        (
            errors.disconnected(WRITE, "https://k:6443", "reset"),
            True,
            "The connection to Kubernetes at https://k:6443 broke off (reset; patch deployments "
            "order-service in namespace shop of cluster eu). Whether it was changed is unknown: "
            "look at it before you try again.",
        ),
        (
            errors.disconnected(LIST, "https://k:6443", "reset"),
            False,
            "The connection to Kubernetes at https://k:6443 broke off (reset; list pods in "
            "namespace shop of cluster eu). Nothing was read. Check that the API server is "
            "healthy, then try again.",
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
