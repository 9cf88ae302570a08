"""Send every request once, and only to the server that the configuration names."""

import aiohttp
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

REDIRECT_STATUSES = (301, 302, 303, 307, 308)
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
MAX_STATUS_BYTES = 64 * 1024


class Redirected(Exception):
    """The server names another address, with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class UpgradeRefused(Exception):
    """The server answered with a status, instead of becoming a websocket."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.body = body


async def send_once(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """A middleware of aiohttp's that stops it from sending a request again by itself.

    It follows redirects, and the new request may have lost its `dryRun`. It repeats a DELETE or a
    PUT whose connection broke, though the first may have had effect.

    Raises Redirected for a redirect, and UpgradeRefused with the body of an answer to a
    websocket's handshake, of which aiohttp itself tells the status alone.
    """
    try:
        response = await handler(request)
    except aiohttp.ClientConnectorError:
        raise  # nothing was sent
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        if request.method in SAFE_METHODS:
            raise
        # Any other class than these two is not repeated.
        raise aiohttp.ClientConnectionError(str(error) or type(error).__name__) from error
    if response.status in REDIRECT_STATUSES:
        response.close()
        raise Redirected(response.status)
    if request.headers.get("Upgrade") == "websocket" and response.status != 101:
        body = await response.content.read(MAX_STATUS_BYTES)
        response.close()
        raise UpgradeRefused(response.status, body)
    return response
