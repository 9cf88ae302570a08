"""The library's client of one context, with the credentials of now; made at the first call."""

import asyncio
from collections.abc import Mapping
from enum import Enum
from typing import Any

from aiohttp import ClientWebSocketResponse
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException
from yarl import URL

from bot.systems.kubernetes.credentials import Credentials

USER_AGENT = "runbolt"


class Surroundings(Enum):
    """Where the bot is, as seen from a cluster."""

    OWN = "own"  # it runs in it
    CURRENT = "current"  # it may run in it: the kubeconfig names no other
    OTHER = "other"  # it does not run in it, as far as it knows


class Clients:
    """The client of a context, shared by the namespaces of its cluster.

    `name` is what people call the cluster: the context's name, or the server where it has none.
    """

    def __init__(self, credentials: Credentials, name: str, surroundings: Surroundings) -> None:
        self.credentials = credentials
        self.host = str(credentials.configuration.host)
        self.name = name or self.server
        self.surroundings = surroundings
        # The library's classes are typed in part only.
        self.http: Any = None
        self._configuration: Configuration | None = None
        self._retired: Any = None
        self._lock = asyncio.Lock()

    @property
    def server(self) -> str:
        """The API server as `host:port`, with the path where several clusters share them."""
        url = URL(self.host)
        return f"{url.host}:{url.port}{url.path.rstrip('/')}"

    async def refresh(self) -> None:
        """Read the credentials where that is due. Raises ConfigException."""
        await self.credentials.refresh()
        if self.credentials.configuration is not self._configuration:
            async with self._lock:
                await self._reconnect()

    async def _reconnect(self) -> None:
        configuration = self.credentials.configuration
        if configuration is self._configuration:
            return  # another call has done it meanwhile
        opened = await _open(configuration)
        # Calls may still use the client of now, but not that of the renewal before.
        retired, self._retired, self.http = self._retired, self.http, opened
        self._configuration = configuration
        if retired is not None:
            await retired.close()

    async def connect(self, url: str, headers: Mapping[str, str]) -> ClientWebSocketResponse:
        """Open a websocket; through the proxy and with the server's name that requests have too."""
        configuration: Any = self._configuration
        session = self.http.rest_client.pool_manager
        socket: ClientWebSocketResponse = await session.ws_connect(
            url,
            headers=headers,
            proxy=configuration.proxy,
            server_hostname=configuration.tls_server_name,
        )
        return socket

    async def close(self) -> None:
        """Close every connection."""
        await self.credentials.close()
        for client in (self.http, self._retired):
            if client is not None:
                await client.close()


async def _open(configuration: Configuration) -> Any:
    """A client that has connected to nothing. Raises ConfigException for a broken certificate."""
    try:
        # All certificates are read, which may take as long as a call.
        client: Any = await asyncio.to_thread(ApiClient, configuration)
    except (OSError, ValueError) as error:
        raise ConfigException(f"its certificates cannot be used: {error}") from error
    client.user_agent = USER_AGENT
    # A websocket may be the first to need it, and the library makes it with the first request.
    client.rest_client.pool_manager = client.rest_client._create_pool_manager()
    return client
