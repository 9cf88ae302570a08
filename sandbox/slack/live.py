"""Changes as server-sent events for every open page."""

import asyncio
import contextlib
import json

from aiohttp import web

from sandbox.slack.errors import Obj
from sandbox.slack.workspace import Workspace

HEARTBEAT_SECONDS = 15.0


class Live:
    """The open event streams."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End every stream."""
        self._closing.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one page until it disconnects."""
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        notes: asyncio.Queue[Obj] = asyncio.Queue()
        self.workspace.watchers.add(notes.put_nowait)
        try:
            with contextlib.suppress(ConnectionError):
                await self._stream(response, notes)
        finally:
            self.workspace.watchers.discard(notes.put_nowait)
        return response

    async def _stream(self, response: web.StreamResponse, notes: asyncio.Queue[Obj]) -> None:
        await response.write(b": hello\n\n")
        while not self._closing.is_set():
            note = await self._next(notes)
            if note is None:
                await response.write(b": still here\n\n")
            else:
                await response.write(f"event: change\ndata: {json.dumps(note)}\n\n".encode())

    async def _next(self, notes: asyncio.Queue[Obj]) -> Obj | None:
        """The next change, or None when there is none for a while or the server stops."""
        waiting = asyncio.ensure_future(notes.get())
        stopping = asyncio.ensure_future(self._closing.wait())
        done, pending = await asyncio.wait(
            {waiting, stopping}, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for task in pending:
            task.cancel()
        return waiting.result() if waiting in done else None
