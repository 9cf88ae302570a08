"""Faults that a test or a scenario switches on: slow, silent and failing answers."""

import asyncio
from dataclasses import dataclass
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
    """One fault for requests whose `verb path` or path matches a shell pattern."""

    pattern: str
    seconds: float | None = None
    status: int = 0

    def matches(self, verb: str, path: str) -> bool:
        """Whether a request is affected."""
        return fnmatchcase(path, self.pattern) or fnmatchcase(f"{verb} {path}", self.pattern)


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self.active: list[Fault] = []

    async def apply(self, verb: str, path: str) -> None:
        """Delay, hang or fail (ApiError) a request as the active faults say."""
        for fault in [active for active in self.active if active.matches(verb, path)]:
            if fault.status:
                words = MESSAGES.get(fault.status, "the request was refused")
                raise ApiError(fault.status, REASONS.get(fault.status, "InternalError"), words)
            if fault.seconds is None:
                await asyncio.Event().wait()
            else:
                await asyncio.sleep(fault.seconds)
