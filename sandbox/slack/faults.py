"""Faults of the Web API that a test switches on: errors, broken answers, silence."""

import asyncio
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass
class Fault:
    """A fault for the next `times` calls of a method; None means every call.

    `body` is what is answered instead, as a page where it begins with a tag, else as JSON.
    """

    method: str
    error: str | None = None
    status: int | None = None
    body: str | None = None
    ratelimited: int | None = None
    hang: bool = False
    after: bool = False
    times: int | None = 1
    healed: asyncio.Event = field(default_factory=asyncio.Event)

    def heal(self) -> None:
        """End the fault and answer the calls that hang."""
        self.times = 0
        self.healed.set()


class Faults:
    """The faults that are switched on."""

    def __init__(self) -> None:
        self._all: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Add a fault."""
        self._all.append(fault)
        return fault

    def take(self, method: str) -> Fault | None:
        """The fault that affects this call, counted as used; None when there is none."""
        for fault in self._all:
            if fault.times != 0 and fnmatchcase(method, fault.method):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def heal(self) -> None:
        """Remove every fault."""
        for fault in self._all:
            fault.heal()
        self._all.clear()
