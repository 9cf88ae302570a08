"""Exec over a websocket: frames of the v5 and v4 protocols, and the error channel that ends it."""

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType

from bot.cluster.errors import Ask, NoProgram, Refused

PROTOCOLS = "v5.channel.k8s.io,v4.channel.k8s.io"
STDOUT, STDERR, ERROR = 1, 2, 3
OUTPUT_CAP = 64 * 1024
MISSING = ("executable file not found", "no such file or directory")


@dataclass(frozen=True)
class Ran:
    """How a command ended, and what it wrote: the first 64 KiB of each stream."""

    code: int
    out: str
    err: str


@dataclass
class Channels:
    """What has arrived so far, by channel; a character may be split between frames."""

    kept: dict[int, bytearray] = field(
        default_factory=lambda: {one: bytearray() for one in (STDOUT, STDERR, ERROR)}
    )

    def feed(self, frame: bytes) -> None:
        """Take one frame in: its first byte names the channel."""
        channel = self.kept.get(frame[0]) if frame else None
        if channel is not None:
            channel += frame[1 : 1 + max(0, OUTPUT_CAP - len(channel))]

    def text(self, channel: int) -> str:
        """All of a channel."""
        return self.kept[channel].decode("utf-8", "replace")


async def run(socket: ClientWebSocketResponse, ask: Ask, program: str) -> Ran:
    """Read until the command has ended; raises NoProgram and Refused."""
    channels = Channels()
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            channels.feed(message.data)
        elif message.type is WSMsgType.TEXT:
            channels.feed(message.data.encode())
        if channels.kept[ERROR]:
            break
    return _ended(channels, ask, program)


def _ended(channels: Channels, ask: Ask, program: str) -> Ran:
    code = _exit_code(channels.text(ERROR), ask, program)
    return Ran(code, channels.text(STDOUT), channels.text(STDERR))


def _exit_code(told: str, ask: Ask, program: str) -> int:
    """The exit code that the error channel tells, or the reason why there is none."""
    status = _status(told)
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    said = str(status.get("message") or "the connection ended before the command did")
    if any(words in said for words in MISSING):
        raise NoProgram(f"The container of {ask.name} has no {program}. Nothing was run in it.")
    raise Refused(
        f"{program} could not be run in {ask.name}: {said[:300].rstrip('.')}. "
        "Nothing was changed. Look at the pod, then try again."
    )


def _status(told: str) -> dict[str, Any]:
    try:
        status = json.loads(told)
    except ValueError:
        return {"message": told}
    return status if isinstance(status, dict) else {"message": told}
