"""An HTTP proxy inside the cluster that reaches Services by name."""

from collections.abc import Mapping

from aiohttp import ClientError, ClientSession, ClientTimeout, web

from sandbox.cluster import DEFAULT_NAMESPACE
from sandbox.cluster.network import location
from sandbox.loopback import LoopbackServer

TIMEOUT_SECONDS = 30.0


class Proxy(LoopbackServer):
    """Forwards requests to `services`: the URL for each Service's name and port.

    The name of one in another namespace than the shop's has that behind a dot.
    """

    def __init__(self, services: Mapping[tuple[str, int], str]) -> None:
        server = web.Server(self._handle, access_log=None)
        super().__init__(web.ServerRunner(server, shutdown_timeout=0.2))
        self.services = services

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        # A proxy is asked with the whole address in the first line; a web server with the path.
        if not request.raw_path.startswith("http://"):
            return web.Response(status=400, text="This is a proxy: name the host as well.\n")
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, text="This proxy only looks.\n")
        host, port = _service(request.url.host or ""), request.url.port or 80
        if host not in {name for name, _ in self.services}:
            return _bad_gateway(f"unknown host {request.url.host}")
        address = self.services.get((host, port))
        return await _forward(request, address) if address else _bad_gateway("connection refused")


def _service(host: str) -> str:
    """A Service's shortest name, from any of its names in the cluster's DNS."""
    namespace, name = location(DEFAULT_NAMESPACE, host)
    return name if namespace in ("", DEFAULT_NAMESPACE) else f"{name}.{namespace}"


async def _forward(request: web.BaseRequest, address: str) -> web.Response:
    try:
        async with (
            ClientSession(
                timeout=ClientTimeout(total=TIMEOUT_SECONDS), auto_decompress=False
            ) as session,
            session.request(
                request.method, address + request.url.raw_path_qs, allow_redirects=False
            ) as answer,
        ):
            headers = {
                name: value
                for name, value in answer.headers.items()
                if name in ("Content-Type", "Location", "Retry-After")
            }
            return web.Response(
                status=answer.status,
                reason=answer.reason,
                headers=headers,
                body=await answer.read(),
            )
    except (ClientError, TimeoutError) as error:
        return _bad_gateway(type(error).__name__)


def _bad_gateway(reason: str) -> web.Response:
    return web.Response(status=502, text=f"{reason}\n")
