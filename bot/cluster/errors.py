"""What can go wrong at the cluster's door, each told as sentences for people."""

import json
from dataclasses import dataclass

from bot.model import UserError

# What a real API server says when a `test` of a JSON patch does not hold: nothing more than this.
FAILED_TEST = "the server rejected our request due to an error in our request"


class ClusterError(UserError):
    """Kubernetes did not do what was asked."""


class Unreachable(ClusterError):
    """There was no connection, or it broke, or the API server is in trouble."""


class TimedOut(ClusterError):
    """No answer came in time."""


class Forbidden(ClusterError):
    """The bot is not known, or may not do this."""


class NotFound(ClusterError):
    """There is no such thing."""


class Conflict(ClusterError):
    """Somebody else was first."""


class Refused(ClusterError):
    """The API server does not take the request."""


class NoProgram(ClusterError):
    """The image has no such program."""


class WriteStopped(ClusterError):
    """What was to leave the process was a change, and this door lets none through."""


@dataclass(frozen=True)
class Ask:
    """One request in RBAC's words, for the sentences about it."""

    verb: str
    resource: str
    namespace: str
    name: str = ""
    changes: bool = False

    @property
    def what(self) -> str:
        """Like `patch deployments order-service`."""
        return f"{self.verb} {self.resource} {self.name}".rstrip()

    @property
    def thing(self) -> str:
        """Like `deployment order-service`."""
        kind = self.resource.partition("/")[0]
        return f"{kind.removesuffix('s')} {self.name}" if self.name else kind

    @property
    def undone(self) -> str:
        """What surely did not happen."""
        return "Nothing was changed." if self.changes else "Nothing was read."

    @property
    def unknown(self) -> str:
        """What is known when no answer came: a change may have been made all the same."""
        if self.changes:
            return "Whether it was changed is not known: look at it before you try again."
        return "Nothing was read. Check that the API server is well, then try again."


def message_of(body: bytes) -> str:
    """The message of a Status, or the start of whatever else the server said."""
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    said = status.get("message") if isinstance(status, dict) else None
    return str(said or body.decode("utf-8", "replace"))[:500].strip()


def refusal(ask: Ask, status: int, body: bytes) -> ClusterError:
    """The error for an answer that is not a good one."""
    said = message_of(body)
    match status:
        case 401 | 403:
            return _forbidden(ask, said) if status == 403 else _unknown_caller(ask)
        case 404:
            return NotFound(
                f"There is no {ask.thing} in {ask.namespace}. {ask.undone} Check the name. "
                f"{_quoted(said)}"
            )
        case 409:
            return _somebody_else(ask, said)
        case 422 if ask.changes and said.startswith(FAILED_TEST):
            return _somebody_else(ask, said)
        case 429 | 503:
            again = f"{ask.undone} Try again in a moment. {_quoted(said)}"
            return Unreachable(f"Kubernetes cannot serve this now ({ask.what}). {again}")
        case _ if status >= 500:
            text = f"Kubernetes failed with status {status} ({ask.what}). {ask.unknown}"
            return Unreachable(f"{text} {_quoted(said)}", unsure=ask.changes)
        case _:
            return Refused(f"Kubernetes refused to {ask.what}. {ask.undone} {_quoted(said)}")


def _quoted(said: str) -> str:
    return f"It says: {said.rstrip('.')}." if said else ""


def _forbidden(ask: Ask, said: str) -> ClusterError:
    if "exceeded quota" in said:
        return Refused(f"Kubernetes refused to {ask.what}. {ask.undone} {_quoted(said)}")
    return Forbidden(
        f"The bot may not {ask.verb} {ask.resource} in {ask.namespace}. {ask.undone} "
        "Grant it: deploy/rbac.yaml has every rule that the bot needs."
    )


def _unknown_caller(ask: Ask) -> ClusterError:
    return Forbidden(
        f"Kubernetes does not accept the bot's credentials ({ask.what}). {ask.undone} "
        "Renew the token in its kubeconfig, or check its service account."
    )


def _somebody_else(ask: Ask, said: str) -> ClusterError:
    return Conflict(
        f"Somebody else changed {ask.thing} meanwhile. {ask.undone} "
        f"Look at it, then ask again. {_quoted(said)}"
    )


def timed_out(ask: Ask, seconds: float) -> TimedOut:
    """No answer within so many seconds."""
    said = f"Kubernetes did not answer within {seconds:g} s ({ask.what}). {ask.unknown}"
    return TimedOut(said, unsure=ask.changes)


def unreachable(ask: Ask, host: str, why: str, *, sent: bool) -> Unreachable:
    """No connection; `sent` when it broke only after the request was on its way."""
    if sent:
        said = f"The connection to Kubernetes at {host} broke off ({why}; {ask.what})."
        return Unreachable(f"{said} {ask.unknown}", unsure=ask.changes)
    return Unreachable(
        f"Kubernetes cannot be reached at {host} ({why}; {ask.what}). {ask.undone} "
        "Check that the API server is up, and the bot's kubeconfig and network."
    )
