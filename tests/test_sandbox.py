"""`make sandbox` from outside: driven without a browser, kept when asked, ended by Ctrl-C."""

import asyncio
import os
import socket
import sys
from asyncio.subprocess import Process
from pathlib import Path
from typing import Any

import aiohttp

from sandbox.redis import free_port
from tests.sandboxes import ROOT, sandbox, starting
from tests.waiting import until_told

CHANNEL = "inc-1-orders-are-failing"


async def ask(url: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """What the control interface answers."""
    async with aiohttp.ClientSession() as session:
        method = "GET" if body is None else "POST"
        async with session.request(method, f"{url}/sandbox/{path}", json=body) as response:
            found: dict[str, Any] = await response.json()
            return found


async def declare(url: str) -> None:
    """Declare, and wait until the channel is there."""
    words = "/incident declare sev1 Orders are failing"
    said = {"user": "oncall", "channel": "general", "text": words}
    assert (await ask(url, "say", said))["ok"]
    while "pins.add" not in str(await ask(url, "calls")):
        pass


def left_behind(folder: Path) -> list[str]:
    """The processes that still have something to do with this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


async def test_driven_sandbox_leaves_no_process(
    tmp_path: Path,
) -> None:
    async with sandbox(tmp_path) as url:
        await declare(url)
        seen = await ask(url, f"messages?channel={CHANNEL}&user=oncall")
        assert "Complete Service Outage" in str(seen)
        assert "kubeconfig" in await ask(url, "info")
        names = [
            channel["name"] for channel in (await ask(url, "channels?user=oncall"))["channels"]
        ]
        assert CHANNEL in names
        refused = await ask(url, "say", {"user": "nobody", "channel": "general", "text": "x"})
        assert refused["ok"] is False

    assert left_behind(tmp_path) == []


async def test_data_is_kept_when_asked(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--keep") as url:
        await declare(url)
    async with sandbox(tmp_path, "--keep") as url:
        command = {"user": "second", "channel": "general", "text": "/incident"}
        await ask(url, "say", command)
        while "Open incidents" not in (seen := await messages(url, "general", "second")):
            pass
        assert "Orders are failing" in seen
        assert "Complete Service Outage" in await messages(url, CHANNEL, "second")
    async with sandbox(tmp_path) as url:
        names = [
            channel["name"] for channel in (await ask(url, "channels?user=oncall"))["channels"]
        ]
        assert CHANNEL not in names


async def test_the_first_command_is_heard(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    said = {"user": "oncall", "channel": "general", "text": "/incident"}
    async with starting(tmp_path, port=port) as process:
        answer = await until_told(lambda: first_answer(process, url, said))
        assert answer is not None
        assert (answer["ok"], answer["delivery"]["status"]) == (True, 200)
        assert (await ask(url, "scenarios"))["changing"] is False


async def first_answer(process: Process, url: str, said: dict[str, Any]) -> dict[str, Any] | None:
    """What the sandbox answers, or None when nobody listens there yet."""
    assert process.returncode is None
    try:
        return await ask(url, "say", said)
    except aiohttp.ClientConnectorError:
        return None


async def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sandbox", "--folder", str(tmp_path)),
            cwd=ROOT,
            env={**os.environ, "SANDBOX_PORT": str(port)},
            stderr=asyncio.subprocess.PIPE,
        )
        _, told = await process.communicate()
    assert told.decode() == (
        f"The sandbox did not start. Port {port} on 127.0.0.1 can't be used (Address already in "
        "use). Set SANDBOX_PORT to one that is free.\n"
    )
    assert left_in(tmp_path) == []


def left_in(folder: Path) -> list[Path]:
    """What was written into a folder."""
    return list(folder.iterdir())


async def messages(url: str, channel: str, user: str) -> str:
    """Everything in a channel, as text."""
    return str(await ask(url, f"messages?channel={channel}&user={user}"))
