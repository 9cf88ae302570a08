"""Slack on a bad day: refusals, broken answers, silence, on purpose."""

import asyncio
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass
class Fault:
    """What goes wrong with the next calls of a method; `times` is None for every call."""

    method: str
    error: str | None = None
    status: int | None = None
    ratelimited: int | None = None
    hang: bool = False
    after: bool = False
    times: int | None = 1
    healed: asyncio.Event = field(default_factory=asyncio.Event)

    def heal(self) -> None:
        """Let the calls go that hang, and break no more."""
        self.times = 0
        self.healed.set()


class Faults:
    """What is to go wrong."""

    def __init__(self) -> None:
        self._all: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Break something."""
        self._all.append(fault)
        return fault

    def take(self, method: str) -> Fault | None:
        """What goes wrong with this call, if anything."""
        for fault in self._all:
            if fault.times != 0 and fnmatchcase(method, fault.method):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        for fault in self._all:
            fault.heal()
        self._all.clear()
