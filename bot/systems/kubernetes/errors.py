"""Errors of the Kubernetes API, each with a text for people."""

import json
from dataclasses import dataclass

from bot.model import UserError

# The whole message of an API server when a `test` operation of a JSON patch fails.
FAILED_TEST = "the server rejected our request due to an error in our request"
MESSAGE_LENGTH = 500


class ClusterError(UserError):
    """A call to Kubernetes failed."""


class Unreachable(ClusterError):
    """No connection was made, or it broke, or the API server failed."""


class TimedOut(ClusterError):
    """Kubernetes did not answer in time."""


class Forbidden(ClusterError):
    """The bot's credentials are not accepted, or its role lacks a permission."""


class NotFound(ClusterError):
    """The object does not exist, or the API server does not know its kind, as while it starts."""


class ObjectNotFound(NotFound):
    """The API server knows the kind, and has no object of that name."""


class Conflict(ClusterError):
    """The object was changed by somebody else in the meantime."""


class RequestRefused(ClusterError):
    """The API server rejected the call as invalid."""


class CommandNotFound(ClusterError):
    """The container's image has no such command."""


class WriteStopped(ClusterError):
    """A change was stopped before it was sent, because this client may not make it."""


@dataclass(frozen=True)
class ApiCall:
    """One call to the API server, in RBAC's terms, for error texts."""

    verb: str
    resource: str
    namespace: str
    name: str = ""
    mutating: bool = False

    @property
    def description(self) -> str:
        """Like `patch deployments order-service`."""
        return f"{self.verb} {self.resource} {self.name}".rstrip()

    @property
    def subject(self) -> str:
        """Like `deployment order-service`."""
        kind = self.resource.partition("/")[0]
        return f"{kind.removesuffix('s')} {self.name}" if self.name else kind

    @property
    def nothing_done(self) -> str:
        """The sentence for a call that had no effect."""
        return "Nothing was changed." if self.mutating else "Nothing was read."

    @property
    def outcome_unknown(self) -> str:
        """The sentence for a call without an answer: a change may have been made all the same."""
        if self.mutating:
            return "Whether it was changed is unknown: look at it before you try again."
        return "Nothing was read. Check that the API server is healthy, then try again."


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
                f"There is no {call.subject} in {call.namespace}. {call.nothing_done} "
                f"Check the name. {_quoted(message)}"
            )
        case 409:
            return _conflict(call, message)
        case 422 if call.mutating and message.startswith(FAILED_TEST):
            return _conflict(call, message)
        case 429 | 503:
            return Unreachable(
                f"Kubernetes cannot serve this now ({call.description}). {call.nothing_done} "
                f"Try again in a moment. {_quoted(message)}"
            )
        case _ if status >= 500:
            return Unreachable(
                f"Kubernetes failed with status {status} ({call.description}). "
                f"{call.outcome_unknown} {_quoted(message)}",
                unsure=call.mutating,
            )
        case _:
            return _refused(call, message)


def _quoted(message: str) -> str:
    return f"Kubernetes says: {message.rstrip('.')}." if message else ""


def _refused(call: ApiCall, message: str) -> RequestRefused:
    return RequestRefused(
        f"Kubernetes refused to {call.description}. {call.nothing_done} {_quoted(message)}"
    )


def _forbidden(call: ApiCall, message: str) -> ClusterError:
    if "exceeded quota" in message:
        return _refused(call, message)
    return Forbidden(
        f"The bot may not {call.verb} {call.resource} in {call.namespace}. {call.nothing_done} "
        "Grant it: deploy/rbac.yaml has every rule that the bot needs."
    )


def _unauthorized(call: ApiCall) -> Forbidden:
    return Forbidden(
        f"Kubernetes does not accept the bot's credentials ({call.description}). "
        f"{call.nothing_done} Renew the token in its kubeconfig, or check its service account."
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
        unsure=call.mutating,
    )


def not_connected(call: ApiCall, host: str, reason: str) -> Unreachable:
    """The error for a call that was never sent."""
    return Unreachable(
        f"Kubernetes cannot be reached at {host} ({reason}; {call.description}). "
        f"{call.nothing_done} "
        "Check that the API server is running, and the bot's kubeconfig and network."
    )


def disconnected(call: ApiCall, host: str, reason: str) -> Unreachable:
    """The error for a connection that broke after the call was sent."""
    return Unreachable(
        f"The connection to Kubernetes at {host} broke off ({reason}; {call.description}). "
        f"{call.outcome_unknown}",
        unsure=call.mutating,
    )
