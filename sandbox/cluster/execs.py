"""Exec over websockets: the v4 and v5 channel protocols."""

import asyncio
import json
from contextlib import suppress

from aiohttp import web

from sandbox.cluster.errors import ApiError, Obj, bad_request
from sandbox.cluster.podstatus import container_statuses
from sandbox.cluster.programs import Outcome, Shell
from sandbox.cluster.reads import container_of
from sandbox.cluster.requests import Target
from sandbox.cluster.state import State

PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
STDOUT, STDERR, ERROR = 1, 2, 3
FRAME_BYTES = 32 * 1024


async def execute(state: State, request: web.Request, target: Target) -> web.StreamResponse:
    """Run a command in a container and send its output and exit status; raises ApiError."""
    if "dryRun" in target.query:
        raise bad_request("dryRun is not supported")
    pod = state.store.get(target.resource, target.namespace, target.name)
    container = container_of(pod, target.query.get("container"))
    command = request.query.getall("command", [])
    _check(pod, target, command)
    protocol = _protocol(request)
    is_running = _is_running(pod, container)
    if not is_running and protocol == PROTOCOLS[1]:
        raise ApiError(404, "NotFound", f'container not found ("{container}")')
    socket = web.WebSocketResponse(protocols=PROTOCOLS, compress=False)
    await socket.prepare(request)
    session = Session(socket, target)
    await session.send_connected()
    if not is_running:
        message = f'unable to upgrade connection: container not found ("{container}")'
        await session.fail(message)
    else:
        await session.run(Shell(state, pod, container), command)
    await socket.close()
    return socket


def _check(pod: Obj, target: Target, command: list[str]) -> None:
    if not command:
        raise bad_request("you must specify at least one command for the container")
    if not any(target.flag(name) for name in ("stdin", "stdout", "stderr") if name in target.query):
        raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
    phase, name = pod["status"].get("phase"), pod["metadata"]["name"]
    if phase in ("Failed", "Succeeded"):
        raise bad_request(
            f"cannot exec into a container in a completed pod; current phase is {phase}"
        )
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {name} does not have a host assigned")


def _protocol(request: web.Request) -> str:
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise bad_request("Upgrade request required")
    offered = request.headers.get("Sec-WebSocket-Protocol", "").replace(" ", "").split(",")
    for protocol in offered:
        if protocol in PROTOCOLS:
            return protocol
    raise bad_request(f"unable to upgrade: none of {offered} is spoken here")


def _is_running(pod: Obj, container: str) -> bool:
    return any(
        status["name"] == container and "running" in status["state"]
        for status in container_statuses(pod)
    )


class Session:
    """One exec over a websocket."""

    def __init__(self, socket: web.WebSocketResponse, target: Target) -> None:
        self.socket = socket
        self.tty = target.flag("tty") if "tty" in target.query else False
        self.wanted = {
            STDOUT: "stdout" in target.query and target.flag("stdout"),
            STDERR: "stderr" in target.query and target.flag("stderr"),
            ERROR: True,
        }

    async def send_connected(self) -> None:
        """Send the empty frame on the lowest channel that says the client is connected."""
        lowest = min(channel for channel, wanted in self.wanted.items() if wanted)
        await self.socket.send_bytes(bytes([lowest]))

    async def run(self, shell: Shell, command: list[str]) -> None:
        """Run the command and send its outcome; cancel it when the client disconnects."""
        program = asyncio.create_task(shell.run(command))
        reader = asyncio.create_task(self._drain())
        try:
            await asyncio.wait({program, reader}, return_when=asyncio.FIRST_COMPLETED)
            if program.done():
                await self._send_outcome(command, program.result())
        finally:
            for task in (program, reader):
                task.cancel()
            with suppress(asyncio.CancelledError):
                await reader

    async def _drain(self) -> None:
        # Input is read and dropped, and so are the v5 signals that close it.
        async for _ in self.socket:
            pass

    async def _send_outcome(self, command: list[str], outcome: Outcome) -> None:
        if self.tty:
            # A terminal has one stream for both, and ends its lines as terminals do.
            both = (outcome.stdout + outcome.stderr).replace("\n", "\r\n")
            await self._send(STDOUT, both.encode())
        else:
            await self._send(STDOUT, outcome.stdout.encode())
            await self._send(STDERR, outcome.stderr.encode())
        if outcome.failure:
            await self.fail(outcome.failure)
        elif outcome.code:
            await self._end(_exit_status(command, outcome.code))
        else:
            await self._end({"metadata": {}, "status": "Success"})

    async def _send(self, channel: int, data: bytes) -> None:
        if not self.wanted[channel]:
            return
        for start in range(0, len(data), FRAME_BYTES):
            await self.socket.send_bytes(bytes([channel]) + data[start : start + FRAME_BYTES])

    async def fail(self, why: str) -> None:
        """Send the status of a command that could not be started."""
        status: Obj = {"metadata": {}, "status": "Failure"}
        status["message"] = f"Internal error occurred: {why}"
        causes = [{"message": why}]
        status |= {"reason": "InternalError", "details": {"causes": causes}, "code": 500}
        await self._end(status)

    async def _end(self, status: Obj) -> None:
        await self._send(ERROR, json.dumps(status, separators=(",", ":")).encode())


def _exit_status(command: list[str], code: int) -> Obj:
    command_line = " ".join(command)
    return {
        "metadata": {},
        "status": "Failure",
        "message": "command terminated with non-zero exit code: error executing command "
        f"[{command_line}], exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
