"""Errors of the Kubernetes API, each with a text for people."""

import json
import re
from dataclasses import dataclass, replace

from bot.model import UserError

# The whole message of an API server when a `test` operation of a JSON patch fails.
FAILED_TEST = "the server rejected our request due to an error in our request"
MESSAGE_LENGTH = 500
# How an API server says that a role lacks a permission.
PERMISSION = re.compile(
    r'User "[^"]*" cannot (?P<verb>[a-z]+) resource '
    r".*(?P<scope>at the cluster scope|in the namespace)"
)
# How it says that a quota, a LimitRange, a policy or a webhook does not let an object in.
ADMISSION = re.compile(
    r"forbidden: (?!User )|^admission webhook |denied (the )?request|exceeded quota"
)
# The API server answers these before it stores anything, beside 401, 403, 404, 409 and 429, and a
# redirect is not followed. What any other status means for a change is not known: a proxy that
# answers 503 may have passed the request on.
REFUSALS = (301, 302, 303, 307, 308, 400, 405, 406, 410, 413, 415, 422)


class ClusterError(UserError):
    """A call to Kubernetes failed."""


class Unreachable(ClusterError):
    """No connection was made, or it broke, or the API server failed."""


class NotConnected(Unreachable):
    """No connection was made, so nothing was sent."""


class Unavailable(Unreachable):
    """The API server cannot serve this call now; that of another API may work."""


class TimedOut(ClusterError):
    """Kubernetes did not answer in time."""


class Forbidden(ClusterError):
    """The bot's credentials are not accepted, or its role lacks a permission."""


class Unauthorized(Forbidden):
    """The API server does not accept the bot's credentials, so it did nothing."""


class NotFound(ClusterError):
    """The object does not exist, or the API server does not know its kind, as while it starts."""


class ObjectNotFound(NotFound):
    """The API server knows the kind, and has no object of that name."""


class Conflict(ClusterError):
    """The object was changed by somebody else in the meantime."""


class RequestRefused(ClusterError):
    """The API server rejected the call as invalid."""


class LogGone(ClusterError):
    """The node no longer has the log."""


class CommandNotFound(ClusterError):
    """The container's image has no such command."""


class WriteStopped(ClusterError):
    """A change was stopped before it was sent, because this client may not make it."""


@dataclass(frozen=True)
class ApiCall:
    """One call to the API server, in RBAC's terms, for error texts.

    `cluster` is the name that people know it by; `namespace` is "" for what is of the whole
    cluster. One that is `mutating` changes something, unless it is a `dry_run`.
    """

    verb: str
    resource: str
    cluster: str
    namespace: str
    name: str = ""
    mutating: bool = False
    dry_run: bool = False

    @property
    def can_change(self) -> bool:
        """Whether the server may change something for it: a dry run is checked and never stored."""
        return self.mutating and not self.dry_run

    @property
    def is_aggregated(self) -> bool:
        """Whether another server answers it, such as the metrics server, which may be away."""
        return self.resource.endswith(".metrics.k8s.io")

    @property
    def kind(self) -> str:
        """The resource without its subresource: `pods` of `pods/log`."""
        return self.resource.partition("/")[0]

    @property
    def description(self) -> str:
        """Like `patch deployments order-service in namespace shop of cluster eu`."""
        return f"{self._operation} in {self._place}"

    @property
    def subject(self) -> str:
        """Like `deployment order-service in namespace shop of cluster eu`."""
        words = f"{self.kind.removesuffix('s')} {self.name}" if self.name else self.kind
        return f"{words} in {self._place}"

    @property
    def _operation(self) -> str:
        return f"{self.verb} {self.resource} {self.name}".rstrip()

    @property
    def _place(self) -> str:
        return place(self.cluster, self.namespace)

    @property
    def nothing_done(self) -> str:
        """The sentence for a call that had no effect."""
        return "Nothing was changed." if self.mutating else "Nothing was read."

    @property
    def outcome_unknown(self) -> str:
        """The sentence for a call without an answer: a change may have been made all the same."""
        if self.can_change:
            return "Whether it was changed is unknown: look at it before you try again."
        return f"{self.nothing_done} Check that the API server is healthy, then try again."


def place(cluster: str, namespace: str = "") -> str:
    """Like `namespace shop of cluster eu`; without a namespace, the cluster."""
    return f"namespace {namespace} of cluster {cluster}" if namespace else f"cluster {cluster}"


def status_message(body: bytes) -> str:
    """The message of a Kubernetes Status, or the start of any other response body."""
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    message = status.get("message") if isinstance(status, dict) else None
    return str(message or body.decode("utf-8", "replace"))[:MESSAGE_LENGTH].strip()


def from_response(call: ApiCall, status: int, body: bytes) -> ClusterError:
    """The error for an HTTP status of 300 or more."""
    message = status_message(body)
    match status:
        case 401:
            return _unauthorized(call)
        case 403:
            return _forbidden(call, message)
        case 404:
            is_known = f'"{call.name}" not found' in message
            return (ObjectNotFound if is_known else NotFound)(
                f"There is no {call.subject}. {call.nothing_done} "
                f"Check the name. {_quoted(message)}"
            )
        case 409:
            return _conflict(call, message)
        case 422 if call.mutating and message.startswith(FAILED_TEST):
            return _conflict(call, message)
        case _ if status == 429 or (status == 503 and not call.can_change):
            return Unavailable(
                f"Kubernetes cannot serve this now ({call.description}). {call.nothing_done} "
                f"Try again in a moment. {_quoted(message)}"
            )
        case _ if status in REFUSALS:
            return _refused(call, message)
        case _:
            return Unreachable(
                f"Kubernetes failed with status {status} ({call.description}). "
                f"{call.outcome_unknown} {_quoted(message)}",
                unsure=call.can_change,
            )


def _quoted(message: str) -> str:
    return f"Kubernetes says: {message.rstrip('.')}." if message else ""


def _refused(call: ApiCall, message: str) -> RequestRefused:
    return RequestRefused(
        f"Kubernetes refused to {call.description}. {call.nothing_done} {_quoted(message)}"
    )


def _forbidden(call: ApiCall, message: str) -> ClusterError:
    denied = PERMISSION.search(message)
    if denied is None and ADMISSION.search(message):
        return _refused(call, message)
    # No role can name pods, which come and go: the sentence is the same for each of them.
    needed = replace(call, name="") if call.kind == "pods" else call
    if denied is not None:
        # A call may need several verbs: exec needs get, and from Kubernetes 1.35 on create too.
        is_clusterwide = denied["scope"] == "at the cluster scope"
        namespace = "" if is_clusterwide else call.namespace
        needed = replace(needed, verb=denied["verb"], namespace=namespace)
    return Forbidden(
        f"The bot may not {needed.description}. {call.nothing_done} "
        "Grant it: deploy/rbac.yaml has every rule that the bot needs."
    )


def _unauthorized(call: ApiCall) -> Unauthorized:
    return Unauthorized(
        f"Kubernetes does not accept the bot's credentials ({call.description}), although they "
        f"were read again. {call.nothing_done} Renew the token in its kubeconfig, or check its "
        "service account; README.md says how to make a token that lasts."
    )


def _conflict(call: ApiCall, message: str) -> Conflict:
    return Conflict(
        f"Somebody else changed {call.subject} in the meantime. {call.nothing_done} "
        f"Look at it, then try again. {_quoted(message)}"
    )


def timed_out(call: ApiCall, seconds: float) -> TimedOut:
    """The error for no answer within so many seconds."""
    return TimedOut(
        f"Kubernetes did not answer within {seconds:g} s ({call.description}). "
        f"{call.outcome_unknown}",
        unsure=call.can_change,
    )


def not_connected(call: ApiCall, host: str, reason: str) -> NotConnected:
    """The error for a call that was never sent."""
    return NotConnected(
        f"Kubernetes cannot be reached at {host} ({reason}; {call.description}). "
        f"{call.nothing_done} "
        "Check that the API server is running, and the bot's kubeconfig and network."
    )


def disconnected(call: ApiCall, host: str, reason: str) -> Unreachable:
    """The error for a connection that broke after the call was sent."""
    return Unreachable(
        f"The connection to Kubernetes at {host} broke off ({reason}; {call.description}). "
        f"{call.outcome_unknown}",
        unsure=call.can_change,
    )


def log_gone(call: ApiCall, container: str, *, previous: bool) -> LogGone:
    """The error for the log of a run that its node has removed."""
    run = f"the previous run of {container}" if previous else container
    return LogGone(
        f"The log of {run} in {call.subject} is no longer on its node. Nothing was read. Look for "
        "it where your logs are collected."
    )


def redirected(call: ApiCall, status: int) -> RequestRefused:
    """The error for an answer that names another address."""
    return RequestRefused(
        f"Kubernetes redirects to another address ({status}; {call.description}), which is not "
        "followed. Nothing was changed. Name the right server in the kubeconfig."
    )


def not_a_deployment(call: ApiCall, kind: str) -> NotFound:
    """The error for a name that is one of a StatefulSet or DaemonSet."""
    name = call.name
    return NotFound(
        f"{name} in {place(call.cluster, call.namespace)} is a {kind}, and this step is for "
        "Deployments. Nothing was read or changed. Name a Deployment, or use kubectl, such as "
        f"`kubectl rollout restart {kind.lower()}/{name} --namespace {call.namespace}`."
    )
