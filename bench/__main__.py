"""`make bench`: how fast incidents are declared, what the bot costs, and how it reads logs."""

import asyncio
import compileall
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from bench import logs, masking, processes, services, trouble
from sandbox.launcher import ROOT, RunningSandbox, run_bot, start_sandbox
from sandbox.slack import Call, Slack
from sandbox.slack.model import Channel

WAIT_SECONDS = 120.0
PART_SECONDS = 300.0  # after which a part is given up; each takes a minute at most
# The words fit the playbook, which comes with the channel.
DECLARE = "/incident declare sev1 order-service: orders fail"
DECLARES_AT_ONCE = 200


def new_slack(latency: float = 0.0, *, rate_limits: bool = False, pace: float = 1.0) -> Slack:
    """A workspace whose Web API answers after `latency` seconds."""
    manifest = ROOT / "app-manifest.yml"
    return Slack(manifest=manifest, latency=latency, rate_limits=rate_limits, pace=pace)


async def wait_until(condition: Callable[[], bool], seconds: float = WAIT_SECONDS) -> None:
    """Wait until a condition is true; raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


def answered(slack: Slack, method: str, since: float) -> list[Call]:
    """The calls of a Web API method that began after `since`, in seconds since the epoch."""
    return [call for call in slack.calls if call.method == method and call.time >= since]


def answered_after_ms(call: Call, start: float) -> float:
    """Milliseconds from `start` until Slack had answered the call."""
    return (call.time + call.seconds - start) * 1000


async def declare_once(stage: RunningSandbox, words: str) -> dict[str, float]:
    """Declare in these words; returns how long each part took: milliseconds, and two counts."""
    slack = stage.slack
    before = len(slack.calls)
    start = time.time()
    delivery = await slack.say("oncall", words, channel="general")
    await wait_until(lambda: any(call.method == "pins.add" for call in slack.calls[before:]))
    await wait_until(lambda: is_quiet(slack))
    calls = slack.calls[before:]
    first = {call.method: call for call in reversed(calls)}
    return {
        "acknowledged": delivery.seconds * 1000,
        "channel exists": answered_after_ms(first["conversations.create"], start),
        "declarer in it": answered_after_ms(first["conversations.invite"], start),
        "all posted": max(
            answered_after_ms(call, start) for call in calls if call.method.startswith("chat.")
        ),
        "calls": len(calls),
        "in flight": max(call.in_flight for call in calls),
    }


def is_quiet(slack: Slack) -> bool:
    """Whether nothing was called for 50 ms beyond the latency."""
    last = max(call.time + call.seconds for call in slack.calls)
    return time.time() - last > 0.05 + slack.latency


async def declares(folder: Path, latency: float) -> None:
    """Print how long one declaration takes at a Web API latency given in seconds."""
    async with start_sandbox(folder, new_slack(latency)) as stage:
        cold = await declare_once(stage, f"{DECLARE}, right after the start")
        rows = [await declare_once(stage, f"{DECLARE}, run {number}") for number in range(5)]
    print(f"\none declaration, {latency * 1000:.0f} ms per call (median of 5; the first)")
    for name in rows[0]:
        value = sorted(row[name] for row in rows)[2]
        unit = "   " if name in ("calls", "in flight") else " ms"
        print(f"  {name:16} {value:8.1f}{unit} {cold[name]:8.1f}{unit}")


async def many_declares(folder: Path, *, rate_limits: bool) -> None:
    """Print how 200 declarations at once are handled."""
    # With limits, Slack's minutes pass in fractions of a second, or this would take a quarter hour.
    slack = new_slack(0.3, rate_limits=rate_limits, pace=60.0)
    async with start_sandbox(folder, slack) as stage:
        start = time.time()
        deliveries = await asyncio.gather(
            *(
                stage.slack.say(
                    "oncall",
                    f"{DECLARE}, no. {n}",
                    channel="general",
                )
                for n in range(DECLARES_AT_ONCE)
            )
        )
        await wait_until(lambda: len(complete_channels(slack)) >= DECLARES_AT_ONCE, PART_SECONDS)
        seconds = time.time() - start
        await wait_until(lambda: is_quiet(slack))
    names = Counter(str(channel["name"]).split("-")[1] for channel in incident_channels(slack))
    acks = sorted(delivery.seconds for delivery in deliveries)
    twice = duplicate_cards(slack)
    print(f"\n{DECLARES_AT_ONCE} declarations at once, 300 ms per call, limits {rate_limits}")
    print(f"  acknowledged     {sum(delivery.ok for delivery in deliveries)} in time")
    print(f"  slowest answer   {acks[-1] * 1000:8.1f} ms")
    print(f"  channels         {sum(names.values())}, most for one incident {max(names.values())}")
    print(f"  everything there {seconds:8.1f} s, cards said twice {twice}")


def incident_channels(slack: Slack) -> list[dict[str, object]]:
    """The incident channels of the workspace."""
    return [
        channel for channel in slack.channels("oncall") if str(channel["name"]).startswith("inc-")
    ]


def complete_channels(slack: Slack) -> list[Channel]:
    """The channels whose card is pinned, which is the last call for an incident.

    Read from the workspace, which forgets nothing: of its calls it only keeps the last 5,000.
    """
    return [channel for channel in slack.workspace.channels.values() if channel.pins]


def duplicate_cards(slack: Slack) -> int:
    """How many cards were posted twice."""
    cards = (
        sum("incident.resolve" in str(message.blocks) for message in channel.messages)
        for channel in complete_channels(slack)
    )
    return sum(count - 1 for count in cards)


async def running_cost(folder: Path) -> None:
    """Print how long the bot takes to be ready, and how much memory it needs when idle."""
    for package in ("bot", "commands", "templates"):
        compileall.compile_dir(ROOT / package, quiet=2)
    async with start_sandbox(folder, new_slack()) as stage:
        await stage.bot.stop()
        times = []
        for _ in range(3):
            start = time.perf_counter()
            async with run_bot(folder, stage.slack, stage.environment) as bot:
                times.append(time.perf_counter() - start)
                await asyncio.sleep(2)
                memory = processes.resident(bot.process.pid)
    print(f"\nstart until ready  {sorted(times)[1]:8.2f} s (median of 3, byte-compiled)")
    print(f"idle memory        {memory / 1e6:8.1f} MB resident")


def install_size(folder: Path) -> None:
    """Print how many packages a runtime install has, and their size."""
    venv = folder / "venv"
    run = partial(subprocess.run, check=True, timeout=PART_SECONDS)
    run([sys.executable, "-m", "venv", venv])
    pip = [str(venv / "bin" / "pip"), "--quiet", "--disable-pip-version-check"]
    pins = str(constraints(folder))
    run([*pip, "install", "--constraint", pins, str(ROOT)])
    site = next(venv.glob("lib/python*/site-packages"))
    own = {"pip", "setuptools"}
    packages = [p.name for p in site.glob("*.dist-info") if p.name.split("-")[0] not in own]
    parts = (p for p in site.rglob("*") if p.is_file() and p.relative_to(site).parts[0] not in own)
    size = sum(part.stat().st_size for part in parts)
    print(f"\nruntime install    {len(packages)} packages, {size / 1e6:.0f} MB byte-compiled")


def constraints(folder: Path) -> Path:
    """The lock file without its hashes, which pip does not take as constraints."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [line.split(" \\")[0] for line in lines if "==" in line and not line.startswith(" ")]
    file = folder / "constraints.txt"
    file.write_text("\n".join(pins))
    return file


async def bounded(name: str, part: Awaitable[object], seconds: float = PART_SECONDS) -> None:
    """Run a part of the benchmark, and print that it is given up when it takes too long."""
    try:
        async with asyncio.timeout(seconds):
            await part
    except TimeoutError:
        print(f"\n{name}: given up, because it waited for too long")


async def main() -> None:
    """Run every benchmark, one after another."""
    masking.masking()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, latency in enumerate((0.0, 0.1)):
            place = make_folder(folder / f"declare{number}")
            await bounded("one declaration", declares(place, latency))
        for number, limits in enumerate((False, True)):
            place = make_folder(folder / f"many{number}")
            await bounded("many declarations", many_declares(place, rate_limits=limits))
        await bounded("trouble", trouble.trouble(make_folder(folder / "trouble"), new_slack()))
        await bounded("running cost", running_cost(make_folder(folder / "cost")))
        place = make_folder(folder / "services")
        await bounded("services", services.services(place, new_slack(0.1), declare_once))
        await bounded("logs", logs.logs(make_folder(folder / "logs"), new_slack()))
        try:
            install_size(make_folder(folder / "install"))
        except subprocess.TimeoutExpired:
            print("\nruntime install: given up, because it waited for too long")


def make_folder(folder: Path) -> Path:
    """Create the folder and return it."""
    folder.mkdir()
    return folder


if __name__ == "__main__":
    asyncio.run(main())
