"""Wait for a cluster that does not answer for a while, such as one whose API server restarts."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from bot.systems.kubernetes.errors import (
    ApiCall,
    ClusterError,
    NotConnected,
    TimedOut,
    Unreachable,
)

T = TypeVar("T")

FIRST_DELAY, MAX_DELAY = 0.2, 2.0
REPORT_SECONDS = 10.0


@dataclass(frozen=True)
class Patience:
    """For how many seconds a call is tried again, and `report`, which tells people of the wait.

    `cluster` is the name that people know it by.
    """

    cluster: str
    seconds: float
    report: Callable[[str], Awaitable[None]]

    async def retry(self, call: ApiCall, send: Callable[[], Awaitable[T]]) -> T:
        """Make a call, again while the cluster does not answer; raises its last ClusterError.

        Only what certainly had no effect is tried again: reads, dry runs, and what was never sent.
        """
        now = asyncio.get_running_loop().time
        start = now()
        delay, reported = FIRST_DELAY, start - REPORT_SECONDS
        while True:
            try:
                return await send()
            except ClusterError as error:
                if not _may_repeat(call, error) or now() - start + delay > self.seconds:
                    raise
            if now() - reported >= REPORT_SECONDS:
                reported = now()
                await self.report(self._text(self.seconds - (reported - start)))
            await asyncio.sleep(delay)
            delay = min(2 * delay, MAX_DELAY)

    def _text(self, left: float) -> str:
        return (
            f"Kubernetes of cluster {self.cluster} does not answer. Waiting for it, for "
            f"{left:.0f} s at most"
        )


def _may_repeat(call: ApiCall, error: ClusterError) -> bool:
    if isinstance(error, NotConnected):
        return True
    if call.can_change or call.is_aggregated:
        return False
    return isinstance(error, Unreachable | TimedOut)
