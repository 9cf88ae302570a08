"""The one HTTP server: Web API, uploads, response URLs, sockets, control interface and page."""

import socket
from collections.abc import Iterable
from pathlib import Path

from aiohttp import web

from sandbox.slack import responses
from sandbox.slack.api import Api
from sandbox.slack.core import Core
from sandbox.slack.live import Live
from sandbox.slack.methods import files

MAX_BYTES = 32 * 1024 * 1024


class Server:
    """Listens on loopback."""

    def __init__(
        self, core: Core, api: Api, control: Iterable[web.RouteDef], page: Path | None
    ) -> None:
        self.core = core
        self.live = Live(core.workspace)
        self._page = page
        self._runner = web.AppRunner(
            self._application(api, control), access_log=None, shutdown_timeout=0.2
        )

    def _application(self, api: Api, control: Iterable[web.RouteDef]) -> web.Application:
        app = web.Application(client_max_size=MAX_BYTES)
        app.add_routes(
            [
                web.route("*", "/api/{method}", api.handle),
                web.post("/upload/v1/{secret}", self._upload),
                web.post("/actions/{rest:.*}", self._respond),
                web.get("/link/", self.core.deliveries.sockets.connect),
                web.get("/sandbox/live", self.live.handle),
                *control,
            ]
        )
        if self._page is not None:
            app.add_routes([web.get("/", self._index), web.static("/page", self._page)])
        return app

    async def start(self, port: int) -> str:
        """Begin to listen; returns the address."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, backlog=1024)
        await site.start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def open(self, listener: socket.socket) -> str:
        """Listen on one more port, which is bound already; returns its address."""
        await web.SockSite(self._runner, listener, backlog=1024).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening."""
        self.live.close()
        await self._runner.cleanup()

    async def _upload(self, request: web.Request) -> web.Response:
        return await self._fault("upload") or await files.receive(self.core, request)

    async def _respond(self, request: web.Request) -> web.Response:
        return await self._fault("response_url") or await responses.receive(self.core, request)

    async def _fault(self, address: str) -> web.Response | None:
        """The answer of a fault that is switched on for an address that is no method."""
        fault = self.core.faults.take(address)
        if fault is None:
            return None
        if fault.hang:
            await fault.healed.wait()
        return web.Response(status=fault.status or 500, text=fault.body or "error")

    async def _index(self, request: web.Request) -> web.FileResponse:
        assert self._page is not None
        return web.FileResponse(self._page / "index.html", headers={"Cache-Control": "no-cache"})
