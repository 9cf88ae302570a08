"""Faults that a test or a scenario switches on: slow, silent and failing answers."""

import asyncio
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sandbox.cluster.errors import ApiError

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
MESSAGES = {
    429: "the server has received too many requests and has asked us to try again later",
    500: "Internal error occurred: etcdserver: request timed out",
    503: "the server is currently unable to handle the request",
    504: "request timed out",
}


@dataclass(frozen=True)
class Fault:
    """One fault for requests whose `verb path` or path matches a shell pattern.

    `dry_run` limits it to dry runs, or to all that is none. With `carries_on` the server goes on
    with a request whose client has hung up, as a real one does while its etcd stalls; with
    `after` it fails once it has done what was asked. Requests that hang go on once `released` is
    set.
    """

    pattern: str
    seconds: float | None = None
    status: int = 0
    dry_run: bool | None = None
    carries_on: bool = False
    after: bool = False
    released: asyncio.Event = field(default_factory=asyncio.Event, compare=False)

    def matches(self, verb: str, path: str, *, dry_run: bool) -> bool:
        """Whether a request is affected."""
        if self.dry_run not in (None, dry_run):
            return False
        return fnmatchcase(path, self.pattern) or fnmatchcase(f"{verb} {path}", self.pattern)

    async def strike(self) -> None:
        """Delay or hang, or raise ApiError."""
        if self.status:
            words = MESSAGES.get(self.status, "the request was refused")
            raise ApiError(self.status, REASONS.get(self.status, "InternalError"), words)
        if self.seconds is None:
            await self.released.wait()
        else:
            await asyncio.sleep(self.seconds)


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self.active: list[Fault] = []

    def of(self, verb: str, path: str, *, dry_run: bool) -> list[Fault]:
        """The faults that affect a request."""
        return [fault for fault in self.active if fault.matches(verb, path, dry_run=dry_run)]
