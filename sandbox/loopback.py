"""A small HTTP server of this machine."""

from typing import Self

from aiohttp import web


class LoopbackServer:
    """Listens on loopback while its context is open, on a free port that then stays its own."""

    def __init__(self, runner: web.BaseRunner) -> None:
        self.port = 0
        self._runner = runner
        self._site: web.TCPSite | None = None

    @property
    def url(self) -> str:
        """Its address, also while nobody listens there."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _listen(self) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await self._site.start()
        self.port = int(self._runner.addresses[0][1])
