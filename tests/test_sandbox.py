"""`make sandbox` from outside: driven without a browser, kept when asked, ended by Ctrl-C."""

from pathlib import Path
from typing import Any

import aiohttp

from tests.sandboxes import sandbox

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


async def test_the_sandbox_is_driven_without_a_browser_and_leaves_no_process(
    tmp_path: Path,
) -> None:
    async with sandbox(tmp_path) as url:
        await declare(url)
        seen = await ask(url, f"messages?channel={CHANNEL}&user=oncall")
        assert "Complete Service Outage" in str(seen)
        assert "kubeconfig" in await ask(url, "info")
        names = [one["name"] for one in (await ask(url, "channels?user=oncall"))["channels"]]
        assert CHANNEL in names
        refused = await ask(url, "say", {"user": "nobody", "channel": "general", "text": "x"})
        assert refused["ok"] is False

    assert left_behind(tmp_path) == []


async def test_data_is_kept_when_asked_and_fresh_otherwise(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--keep") as url:
        await declare(url)
    async with sandbox(tmp_path, "--keep") as url:
        help = {"user": "second", "channel": "general", "text": "/incident"}
        await ask(url, "say", help)
        while "Open incidents" not in (seen := await messages(url, "general", "second")):
            pass
        assert "Orders are failing" in seen
        assert "Complete Service Outage" in await messages(url, CHANNEL, "second")
    async with sandbox(tmp_path) as url:
        names = [one["name"] for one in (await ask(url, "channels?user=oncall"))["channels"]]
        assert CHANNEL not in names


async def messages(url: str, channel: str, user: str) -> str:
    """Everything in a channel, as text."""
    return str(await ask(url, f"messages?channel={channel}&user={user}"))
