"""Socket Mode: the app's connections and the envelopes on them."""

import asyncio
import uuid
from typing import Any

from aiohttp import WSMsgType, web

from sandbox.slack.errors import Obj
from sandbox.slack.workspace import APP_ID

MAX_CONNECTIONS = 10


class Connection:
    """One socket and its unacknowledged envelopes."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self._waiting: dict[str, asyncio.Future[Any]] = {}

    async def send(self, envelope: Obj) -> Any:
        """Send an envelope, and wait for the payload of its acknowledgement."""
        envelope_id = str(uuid.uuid4())
        answer = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = answer
        try:
            await self.socket.send_json({"envelope_id": envelope_id, **envelope})
            return await answer
        finally:
            self._waiting.pop(envelope_id, None)

    def take(self, message: Obj) -> None:
        """Take an acknowledgement."""
        answer = self._waiting.get(str(message.get("envelope_id")))
        if answer is not None and not answer.done():
            answer.set_result(message.get("payload"))


class Sockets:
    """All connections of the app; each envelope goes over one of them."""

    def __init__(self) -> None:
        self._connections: list[Connection] = []
        self._tickets: set[str] = set()
        self._turn = 0

    @property
    def count(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def admit(self, ticket: str) -> None:
        """Allow one connection with this ticket."""
        self._tickets.add(ticket)

    async def send(self, envelope: Obj) -> Any:
        """Send an envelope; returns the acknowledgement's payload or "", None if unconnected."""
        if not self._connections:
            return None
        self._turn += 1
        connection = self._connections[self._turn % len(self._connections)]
        answer = await connection.send(envelope)
        return "" if answer is None else answer

    async def refresh(self, reason: str = "refresh_requested") -> None:
        """Ask the app to reconnect and close the old connections, as Slack does at times."""
        old, self._connections = self._connections, []
        for connection in old:
            await connection.socket.send_json({"type": "disconnect", "reason": reason})
            await connection.socket.close()

    async def close(self) -> None:
        """Close every connection."""
        for connection in list(self._connections):
            await connection.socket.close()

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until it ends."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            raise web.HTTPForbidden
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        if len(self._connections) >= MAX_CONNECTIONS:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        await self._serve(Connection(socket))
        return socket

    async def _serve(self, connection: Connection) -> None:
        await connection.socket.send_json(self._hello())
        self._connections.append(connection)
        try:
            async for message in connection.socket:
                if message.type is WSMsgType.TEXT:
                    _take(connection, message)
        finally:
            if connection in self._connections:
                self._connections.remove(connection)

    def _hello(self) -> Obj:
        return {
            "type": "hello",
            "num_connections": len(self._connections) + 1,
            "connection_info": {"app_id": APP_ID},
            "debug_info": {"host": "applink-0", "approximate_connection_time": 18_060},
        }


def _take(connection: Connection, message: Any) -> None:
    try:
        connection.take(message.json())
    except ValueError:
        return  # not JSON: the envelope stays unacknowledged, as with Slack
