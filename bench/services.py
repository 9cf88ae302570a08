"""What 200 services on 5 clusters cost: the start, connections, memory, and a declaration."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bench import processes
from sandbox.configuration import write_configuration
from sandbox.launcher import ROOT, RunningSandbox, run_bot, start_sandbox
from sandbox.slack import Slack

SERVICES, CLUSTERS = 200, 5
BOUND_START, BOUND_MB = 2.0, 130
IDLE_SECONDS = 10.0
EXAMPLE = ROOT / "templates" / "playbooks" / "examples" / "web-service.yml"
DECLARE = "/incident declare sev1 shop-017: it times out"
Declare = Callable[[RunningSandbox, str], Awaitable[dict[str, float]]]


@dataclass
class Silent:
    """An API server that nobody should call: it counts who connects, and answers nothing."""

    port: int = 0
    connections: int = 0
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Silent"]:
        """Listen on a free port of this machine."""
        server = await asyncio.start_server(self._count, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            for writer in self._writers:
                writer.close()
            server.close()

    async def _count(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)


async def services(folder: Path, slack: Slack, declare: Declare) -> None:
    """Print what it costs beside the bounds; `declare` declares and tells how long it took."""
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(start_sandbox(folder, slack))
        await stage.bot.stop()
        silent = [
            await stack.enter_async_context(Silent().listening()) for _ in range(CLUSTERS - 1)
        ]
        environment = dict(stage.environment)
        config = write_configuration(folder)
        (config / "playbooks.yml").write_text(yaml.safe_dump({"playbooks": _playbooks(folder)}))
        (config / "shops.yml").write_text(yaml.safe_dump({"services": _shops()}))
        environment |= {
            "RUNBOLT_CONFIG": str(config),
            "KUBECONFIG": str(_kubeconfig(Path(environment["KUBECONFIG"]), folder, silent)),
        }
        times = []
        for _ in range(3):
            start, asked = time.perf_counter(), len(slack.calls)
            async with run_bot(folder, slack, environment) as bot:
                times.append(time.perf_counter() - start)
                calls = len(slack.calls) - asked
                await asyncio.sleep(IDLE_SECONDS)
                memory, busy = (
                    processes.resident(bot.process.pid),
                    processes.busy_seconds(bot.process.pid),
                )
        opened = sum(server.connections for server in silent)
        async with run_bot(folder, slack, environment):
            rows = [await declare(stage, f"{DECLARE}, run {number}") for number in range(5)]
    print(f"\n{SERVICES} services on {CLUSTERS} clusters")
    print(
        f"  start until ready {sorted(times)[1]:6.2f} s (bound {BOUND_START}), {calls} Slack calls"
    )
    print(f"  processor         {busy:6.2f} s until idle for {IDLE_SECONDS:.0f} s")
    print(f"  idle memory       {memory / 1e6:6.1f} MB resident (bound {BOUND_MB})")
    print(f"  connections       {opened:6} to clusters that nobody asked for (bound 0)")
    for name in ("acknowledged", "channel exists", "declarer in it", "all posted"):
        print(f"  {name:16} {sorted(row[name] for row in rows)[2]:8.1f} ms (median of 5)")


def _playbooks(folder: Path) -> str:
    """The playbooks of the sandbox, and the shipped example for all shops."""
    target = folder / "all-playbooks"
    for source in (ROOT / "templates" / "playbooks", ROOT / "sandbox" / "playbooks"):
        shutil.copytree(source, target, dirs_exist_ok=True)
    text = EXAMPLE.read_text(encoding="utf-8")
    names = ", ".join(_shops())
    (target / "shops.yml").write_text(text.replace("services: all", f"services: [{names}]"))
    return str(target)


def _shops() -> dict[str, Any]:
    """The settings of the services, each with a namespace of its own, on the clusters in turn."""
    return {
        f"shop-{number:03}": {
            "title": f"Shop {number:03}",
            "cluster": f"cluster-{number % CLUSTERS}" if number % CLUSTERS else "us-east",
            "namespace": f"shop-{number:03}",
            "approvers": {"groups": ["order-service-approvers"]},
            "responders": {"groups": ["order-service-responders"]},
            "values": {
                "deployment": f"shop-{number:03}",
                "selector": f"app=shop-{number:03}",
                "replicas": 3,
            },
        }
        for number in range(SERVICES)
    }


def _kubeconfig(source: Path, folder: Path, silent: list[Silent]) -> Path:
    """The bot's kubeconfig with a context more for each silent server."""
    config = yaml.safe_load(source.read_text(encoding="utf-8"))
    user = config["contexts"][0]["context"]["user"]
    for number, server in enumerate(silent, 1):
        name = f"cluster-{number}"
        url = f"http://127.0.0.1:{server.port}"
        config["clusters"].append({"name": name, "cluster": {"server": url}})
        config["contexts"].append({"name": name, "context": {"cluster": name, "user": user}})
    target = folder / "kubeconfig-of-many"
    target.write_text(yaml.dump(config))
    return target
