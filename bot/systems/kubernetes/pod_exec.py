"""Exec over a websocket: frames of the v5 and v4 protocols, and the error channel that ends it."""

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientWebSocketResponse, WSMsgType

from bot.model.text import printable
from bot.systems.kubernetes.errors import ApiCall, CommandNotFound, RequestRefused

PROTOCOLS = "v5.channel.k8s.io,v4.channel.k8s.io"
STDOUT, STDERR, ERROR = 1, 2, 3
MAX_OUTPUT_BYTES = 64 * 1024
MESSAGE_LENGTH = 300
COMMAND_NOT_FOUND = ("executable file not found", "no such file or directory")


@dataclass(frozen=True)
class ExecResult:
    """How a command ended, and what it wrote: the first 64 KiB of each stream."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass
class Channels:
    """What has arrived so far, by channel; a character may be split between frames."""

    buffers: dict[int, bytearray] = field(
        default_factory=lambda: {channel: bytearray() for channel in (STDOUT, STDERR, ERROR)}
    )

    def feed(self, frame: bytes) -> None:
        """Add one frame; its first byte is the channel."""
        buffer = self.buffers.get(frame[0]) if frame else None
        if buffer is not None:
            buffer += frame[1 : 1 + max(0, MAX_OUTPUT_BYTES - len(buffer))]

    def text(self, channel: int) -> str:
        """Everything of a channel."""
        return printable(self.buffers[channel].decode("utf-8", "replace"))


async def read_result(socket: ClientWebSocketResponse, call: ApiCall, command: str) -> ExecResult:
    """Read the socket until the command ends; raises CommandNotFound and RequestRefused."""
    channels = Channels()
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            channels.feed(message.data)
        elif message.type is WSMsgType.TEXT:
            channels.feed(message.data.encode())
        if channels.buffers[ERROR]:
            break
    code = _exit_code(channels.text(ERROR), call, command)
    return ExecResult(code, channels.text(STDOUT), channels.text(STDERR))


def _exit_code(text: str, call: ApiCall, command: str) -> int:
    """The exit code in the error channel's text.

    Without one, it raises CommandNotFound or RequestRefused.
    """
    status = _parse_status(text)
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    message = str(status.get("message") or "the connection ended before the command did")
    if any(phrase in message for phrase in COMMAND_NOT_FOUND):
        raise CommandNotFound(
            f"The container of {call.subject} has no {command}. Nothing was run in it."
        )
    raise RequestRefused(
        f"{command} could not be run in {call.subject}: {message[:MESSAGE_LENGTH].rstrip('.')}. "
        "Nothing was changed. Look at the pod, then try again."
    )


def _parse_status(text: str) -> dict[str, Any]:
    """A Status; text that is none becomes its message."""
    try:
        status = json.loads(text)
    except ValueError:
        return {"message": text}
    return status if isinstance(status, dict) else {"message": text}
