"""Logs over HTTP, streamed in chunks, so that any amount needs little memory."""

import asyncio
import hashlib
from datetime import datetime, timedelta

from aiohttp import web

from sandbox.cluster.clock import micro_stamp, parse_stamp
from sandbox.cluster.errors import ApiError, Obj, bad_request
from sandbox.cluster.loglines import Line
from sandbox.cluster.logs import ENDLESS_LINE, Run, flood_text, tail_of
from sandbox.cluster.reads import container_of
from sandbox.cluster.requests import Target
from sandbox.cluster.resources import PODS
from sandbox.cluster.state import State

CHUNK_BYTES = 64 * 1024
FOLLOW_SECONDS = 0.2


class LogStream:
    """One request for logs."""

    def __init__(self, state: State, request: web.Request, target: Target) -> None:
        self.state = state
        self.request = request
        self.target = target
        self.pod = state.store.get(PODS, target.namespace, target.name)
        self.tail = target.number("tailLines")
        self.limit = target.number("limitBytes", least=1)
        self.follow = target.flag("follow")
        self.stamped = target.flag("timestamps")
        self.run = self._find_run()
        self.response = web.StreamResponse(headers={"Content-Type": "text/plain"})

    def _find_run(self) -> Run:
        target = self.target
        container = container_of(self.pod, target.query.get("container"))
        previous = target.flag("previous")
        return self.state.logs.run(self.pod, container, previous=previous)

    async def send(self) -> web.StreamResponse:
        """Send the log; with `follow`, until the container ends."""
        lines = self._lines()
        await self.response.prepare(self.request)
        if self.run.gone:
            digest = hashlib.sha256(self.pod["metadata"]["uid"].encode()).hexdigest()
            text = f"unable to retrieve container logs for containerd://{digest}"
            await self._write_bytes(text.encode())
            return self.response
        if self.run.stalled:
            await self._write(lines[:1])
            await asyncio.Event().wait()
        if self.run.total_bytes:
            await self._flood()
        else:
            await self._write(lines)
        if self.follow:
            await self._follow()
        return self.response

    async def _flood(self) -> None:
        total = self.run.total_bytes
        if self.tail is not None:
            total = min(total, self.tail * ENDLESS_LINE)
        for text in flood_text(total, self.run.since, stamped=self.stamped):
            if self.limit == 0:
                return
            await self._write_bytes(text.encode())

    def _lines(self) -> list[Line]:
        seconds, moment = self.target.number("sinceSeconds", 1), self.target.query.get("sinceTime")
        if seconds and moment:
            message = "at most one of `sinceTime` or `sinceSeconds` may be specified"
            raise ApiError(422, "Invalid", f'PodLogOptions "" is invalid: sinceSeconds: {message}')
        lines = self.run.lines
        if seconds or moment:
            now = self.state.clock.now()
            since = now - timedelta(seconds=seconds) if seconds else _parse_time(moment or "")
            lines = [line for line in lines if line.at >= since]
        return lines if self.tail is None else tail_of(lines, self.tail)

    async def _write(self, lines: list[Line]) -> None:
        lines_text = "".join(f"{self._prefix(line)}{line.text}\n" for line in lines)
        await self._write_bytes(lines_text.encode("utf-8", "surrogateescape"))

    async def _write_bytes(self, text: bytes) -> None:
        if self.limit is not None:
            text = text[: self.limit]
            self.limit -= len(text)
        for start in range(0, len(text), CHUNK_BYTES):
            await self.response.write(text[start : start + CHUNK_BYTES])

    def _prefix(self, line: Line) -> str:
        return f"{micro_stamp(line.at)} " if self.stamped else ""

    async def _follow(self) -> None:
        sent = self.run.written
        while self._pod_exists() and self.limit != 0:
            await self.state.clock.sleep(FOLLOW_SECONDS)
            self.run.grow(self.state.clock.now())
            new_lines = self.run.written - sent
            if new_lines:
                await self._write(self.run.lines[-new_lines:])
                sent = self.run.written
            if self.run.until:
                return

    def _pod_exists(self) -> bool:
        meta = self.pod["metadata"]
        current: Obj | None = self.state.store.find(PODS, meta["namespace"], meta["name"])
        return current is not None and current["metadata"]["uid"] == meta["uid"]


def _parse_time(text: str) -> datetime:
    try:
        moment = parse_stamp(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise bad_request(f'parsing time "{text}" as RFC 3339')
    return moment
