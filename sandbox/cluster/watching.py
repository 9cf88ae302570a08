"""Watch: the changes since a resource version, then each change as it happens."""

import asyncio
import json
from contextlib import suppress

from aiohttp import web

from sandbox.cluster.errors import ApiError, Obj, expired
from sandbox.cluster.reads import as_requested, request_test, wants_table
from sandbox.cluster.requests import Target
from sandbox.cluster.selectors import Test
from sandbox.cluster.state import State
from sandbox.cluster.store import Change

DEFAULT_SECONDS = 1800


class Watch:
    """One open watch."""

    def __init__(self, state: State, request: web.Request, target: Target) -> None:
        self.state = state
        self.request = request
        self.target = target
        self.test = request_test(target)
        self.last = target.number("resourceVersion") or 0
        self.response = web.StreamResponse(headers={"Content-Type": "application/json"})

    async def run(self) -> web.StreamResponse:
        """Stream changes until the client disconnects or the timeout passes."""
        _check(self.target)
        wants_table(self.request)
        seconds = self.target.number("timeoutSeconds") or DEFAULT_SECONDS
        await self.response.prepare(self.request)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stream()
        if self.target.flag("allowWatchBookmarks"):
            await self._bookmark()
        return self.response

    async def _stream(self) -> None:
        if 0 < self.last < self.state.store.compacted:
            refusal = expired(self.last, self.state.store.compacted)
            await self._send("ERROR", refusal.body())
            return
        if not self.last:
            await self._send_current()
        with self.state.store.change_signal() as bell:
            while True:
                bell.clear()
                await self._send_changes()
                await bell.wait()

    async def _send_current(self) -> None:
        store = self.state.store
        self.last = store.version
        for obj in store.list(self.target.resource, self.target.namespace):
            if self.test(obj):
                await self._send("ADDED", obj)

    async def _send_changes(self) -> None:
        changes = self.state.store.changes
        for change in [change for change in changes if change.version > self.last]:
            self.last = change.version
            if change.resource is self.target.resource:
                kind = event_type(change, self.test)
                if kind:
                    await self._send(kind, change.obj)

    async def _send(self, kind: str, obj: Obj) -> None:
        shown = obj if kind == "ERROR" else as_requested(self.state, self.request, self.target, obj)
        line = json.dumps({"type": kind, "object": shown}, separators=(",", ":"))
        await self.response.write(line.encode() + b"\n")

    async def _bookmark(self) -> None:
        resource = self.target.resource
        mark = {"kind": resource.kind, "apiVersion": resource.api_version}
        meta = {"resourceVersion": str(max(self.last, 1))}
        line = json.dumps({"type": "BOOKMARK", "object": mark | {"metadata": meta}})
        await self.response.write(line.encode() + b"\n")


def event_type(change: Change, test: Test) -> str | None:
    """The event type of a change for a watch with this test; None when it sees nothing."""
    matched = change.before is not None and test(change.before)
    if change.type == "DELETED" or not test(change.obj):
        return "DELETED" if matched else None
    return "MODIFIED" if matched else "ADDED"


def _check(target: Target) -> None:
    if target.flag("sendInitialEvents"):
        why = (
            "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the "
            "WatchList feature gate is enabled"
        )
        message = f'ListOptions.meta.k8s.io "" is invalid: {why}'
        raise ApiError(422, "Invalid", message)
