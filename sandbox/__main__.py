"""`make sandbox`: everything Runbolt talks to on loopback, Runbolt too, and one page to open."""

import argparse
import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

from sandbox.redis import ServerError
from sandbox.scenarios import Scenarios
from sandbox.slack import Slack
from sandbox.stage import HERE, ROOT, Stage, open_stage

DEFAULT_PORT = 8765
FIRST = "complete-service-outage"


async def main(port: int, folder: Path, *, keep: bool, playbooks: Path | None) -> None:
    """Start everything, say where it is, and stop everything in order."""
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
            open_stage(folder, slack, keep=keep, playbooks=playbooks) as stage,
            scenarios.on(stage.systems, lambda: slack.workspace.changed("scenarios")),
        ):
            await scenarios.begin(FIRST)
            slack.info.update(kubeconfig=stage.environment["KUBECONFIG"], lines=beside(stage))
            await slack.open(door)
            print(welcome(stage), flush=True)
            await until_stopped(stop, stage)
    if keep:
        slack.workspace.save(saved)


def reserve(port: int) -> socket.socket:
    """The port for people: taken before anything starts, open once all of it is ready.

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


async def until_stopped(stop: asyncio.Event, stage: Stage) -> None:
    """Wait for Ctrl-C; raises ServerError when the bot ends before."""
    while not stop.is_set():
        if not stage.bot.running:
            raise ServerError(f"The bot ended by itself: {stage.bot.log_tail()}")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1)
    print("\nStopping what was started …", flush=True)


def beside(stage: Stage) -> list[str]:
    """What a person can type in a terminal beside the page."""
    return [
        f"psql '{stage.systems.shop.dsn}'   # the shop's orders",
        f"psql '{stage.environment['DATABASE_URL']}'   # what Runbolt keeps",
    ]


def welcome(stage: Stage) -> str:
    """What is printed once everything is ready."""
    lines = "\n      ".join(beside(stage))
    return f"""
  Runbolt's sandbox is ready. Open

      {stage.slack.url}

  and type:  /incident declare sev1 Orders are failing

  Beside it, in a terminal of your own:
      export KUBECONFIG={stage.environment["KUBECONFIG"]}   # kubectl get pods -l app=order-service
      {lines}

  Ctrl-C stops everything.
"""


def arguments() -> argparse.Namespace:
    """What can be said on the command line."""
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
