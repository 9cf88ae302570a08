"""`make sandbox`: Runbolt and every system it talks to, on loopback, with one page to open."""

import argparse
import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from sandbox.launcher import HERE, ROOT, RunningSandbox, start_sandbox
from sandbox.redis import ServerError
from sandbox.scenarios import Scenarios
from sandbox.slack import Slack

DEFAULT_PORT = 8765
FIRST_SCENARIO = "complete-service-outage"


async def main(port: int, folder: Path, *, keep: bool, playbooks: Path | None) -> None:
    """Start everything, print the address, and stop everything in order at the end."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    scenarios = Scenarios()
    slack = Slack(manifest=ROOT / "app-manifest.yml", page=HERE / "page", routes=scenarios.routes())
    saved = folder / "slack.pickle"
    if keep and saved.exists():
        slack.workspace.restore(saved)
    with reserve(port) as door:
        async with (
            start_sandbox(folder, slack, keep=keep, playbooks=playbooks) as stage,
            scenarios.on(stage.systems, lambda: slack.workspace.changed("scenarios")),
        ):
            await scenarios.begin(FIRST_SCENARIO)
            slack.info.update(kubeconfig=str(stage.kubeconfig), lines=terminal_commands(stage))
            await slack.open(door)
            print(welcome(stage), flush=True)
            await until_stopped(stop, stage)
    if keep:
        slack.workspace.save(saved)


def reserve(port: int) -> socket.socket:
    """Bind the page's port before anything starts, so that a taken port is found at once.

    Raises ServerError when it is taken.
    """
    listener = socket.socket()
    # A sandbox that has just ended must not keep the next one out.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        raise ServerError(
            f"Port {port} on 127.0.0.1 can't be used ({error.strerror}). Set SANDBOX_PORT to one "
            "that is free."
        ) from error
    return listener


async def until_stopped(stop: asyncio.Event, stage: RunningSandbox) -> None:
    """Wait for Ctrl-C; raises ServerError when the bot ends first."""
    while not stop.is_set():
        if not stage.bot.running:
            raise ServerError(f"The bot ended by itself: {stage.bot.log_tail()}")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1)
    print("\nStopping what was started …", flush=True)


def terminal_commands(stage: RunningSandbox) -> list[str]:
    """The commands that a person can type in a terminal."""
    payments = stage.systems.payments
    assert payments is not None
    return [
        f"psql '{stage.systems.shop.dsn}'   # the shop's orders",
        f"psql '{payments.database.dsn}'   # what people paid",
        f"psql '{stage.environment['DATABASE_URL']}'   # what Runbolt keeps",
    ]


def welcome(stage: RunningSandbox) -> str:
    """The text that is printed once everything is ready."""
    lines = "\n      ".join(terminal_commands(stage))
    return f"""
  Runbolt's sandbox is ready. Open

      {stage.slack.url}

  and type:  /incident declare sev1 Orders are failing

  Two teams work there, with a service each: docs/sandbox.md says what to try.

  Beside it, in a terminal of your own:
      export KUBECONFIG={stage.kubeconfig}
      kubectl get pods -l app=order-service
      kubectl get pods --context eu-west -l app=payment-service
      {lines}

  Ctrl-C stops everything.
"""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="make sandbox", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the data of the last start")
    parser.add_argument("--folder", type=Path, default=ROOT / ".sandbox", help="where data goes")
    parser.add_argument("--playbooks", type=Path, help="a folder of playbooks of your own")
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    try:
        chosen = int(os.environ.get("SANDBOX_PORT", DEFAULT_PORT))
        given.folder.mkdir(parents=True, exist_ok=True)
        folder = given.folder.absolute()
        asyncio.run(main(chosen, folder, keep=given.keep, playbooks=given.playbooks))
    except (ServerError, OSError) as error:
        sys.exit(f"The sandbox did not start. {error}")
