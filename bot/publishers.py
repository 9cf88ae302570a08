"""The tasks that publish: one for each incident, and never so many that others wait for them."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from bot.background import BackgroundTasks

Work = Callable[[], Awaitable[None]]

# Each has about ten calls to Slack under way at most: together they need fewer than 1,024
# connections, the limit of open files that many systems have.
MAX_TASKS = 90
# Half of the pool: flows do not wait for the database because much is published.
MAX_CONNECTIONS = 5


class Publishers:
    """Runs what publishes in the background.

    Who publishes holds one of the `slots`, and one of the `connections` for each transaction.
    """

    def __init__(self, background: BackgroundTasks) -> None:
        self.slots = asyncio.Semaphore(MAX_TASKS)
        self.connections = asyncio.Semaphore(MAX_CONNECTIONS)
        self._background = background
        self._next: dict[Hashable, Work | None] = {}
        self._idle: dict[Hashable, asyncio.Event] = {}

    def start(self, key: Hashable, work: Work, name: str) -> None:
        """Start work in the background; one that runs for the same key ends first."""
        is_running = key in self._next
        self._next[key] = work
        if not is_running:
            self._idle[key] = asyncio.Event()
            self._background.start(self._run(key), name)

    async def _run(self, key: Hashable) -> None:
        try:
            while (work := self._next[key]) is not None:
                self._next[key] = None
                await work()
        finally:
            del self._next[key]
            self._idle.pop(key).set()

    async def wait_until_idle(self, key: Hashable) -> None:
        """Wait until no work for this key runs."""
        while key in self._idle:
            await self._idle[key].wait()
