"""What it costs the bot to read 200 MB of logs with `match`, compared with kubectl and grep."""

import asyncio
import os
import re
import shutil
import time
from pathlib import Path

from bench import processes
from bot.views import action_ids
from sandbox.configuration import write_configuration
from sandbox.launcher import ROOT, RunningSandbox, run_bot, start_sandbox
from sandbox.slack import Slack

TOTAL = 200_000_000
LINE = 200  # what a line of the simulated cluster's endless log has
BOUND_MB = 40
BOUND_TIMES = 1.5
WAIT_SECONDS = 60.0
SCENARIO = "order-service/payment-refund-failures"
RESULT = re.compile(r"(\d+) of \d+ lines from 3 pods match \([^)]*\)")
GREP = r"kubectl logs -l app=order-service --tail={tail} | grep -ic 'stripe\|webhook\|payment'"


async def logs(folder: Path, slack: Slack) -> None:
    """Print by how much the bot's process grew, and how long people waited."""
    async with start_sandbox(folder, slack) as stage:
        pods = stage.systems.cluster.pod_names()
        tail = TOTAL // len(pods) // LINE
        await stage.bot.stop()
        environment = {**stage.environment, "RUNBOLT_CONFIG": str(_team(folder, tail))}
        async with run_bot(folder, slack, environment) as bot:
            channel = await _declare(stage)
            for pod in pods:
                stage.systems.cluster.endless_log(pod, tail * LINE)
            pid = bot.process.pid
            processes.reset_peak(pid)
            before, busy = processes.resident(pid), processes.busy_seconds(pid)
            start = time.perf_counter()
            sentence = await _run_step(slack, channel)
            seconds, busy = time.perf_counter() - start, processes.busy_seconds(pid) - busy
            growth_mb = (processes.peak(pid) - before) / 1e6
        by_hand = await _by_hand(folder / "kubeconfig", tail)
    print(f"\nlogs with match    {len(pods) * tail * LINE / 1e6:8.0f} MB: {sentence}")
    print(f"  bot grew by      {growth_mb:8.1f} MB at most (bound {BOUND_MB})")
    print(f"  answer           {seconds:8.1f} s, of which the bot had a processor for {busy:.1f}")
    if by_hand is not None:
        waited, cpu, counted = by_hand
        times, cpu_times = seconds / waited, busy / cpu
        print(
            f"  kubectl | grep   {waited:8.1f} s, {counted} lines; "
            f"the bot {times:.1f} times that (bound {BOUND_TIMES}), on a machine that is not busy"
        )
        print(f"                   {cpu:8.1f} s of a processor; the bot {cpu_times:.1f} times that")


def _team(folder: Path, tail: int) -> Path:
    """Write the sandbox's configuration with a playbook that reads `tail` lines per pod."""
    shipped = (ROOT / "templates" / "playbooks" / "order-service.yml").read_text()
    books = folder / "playbooks"
    books.mkdir()
    (books / "order-service.yml").write_text(shipped.replace("tail: 500\n", f"tail: {tail}\n"))
    return write_configuration(folder, books)


async def _declare(stage: RunningSandbox) -> str:
    """Declare an incident, choose its scenario, and return the channel's name."""
    slack = stage.slack
    await slack.say("oncall", "/incident declare sev2 Webhooks fail", channel="general")
    channel = str(
        await slack.wait_for(
            lambda: next(
                (
                    channel["name"]
                    for channel in slack.channels("oncall")
                    if str(channel["name"]).startswith("inc-")
                    and slack.find_buttons(action_ids.CHOOSE_SCENARIO, channel["name"], "oncall")
                ),
                None,
            ),
            WAIT_SECONDS,
        )
    )
    await slack.press(
        "oncall", action_id=action_ids.CHOOSE_SCENARIO, channel=channel, value=SCENARIO
    )
    await slack.wait_for(lambda: _step(slack, channel), WAIT_SECONDS)
    return channel


def _step(slack: Slack, channel: str) -> bool:
    buttons = slack.find_buttons(action_ids.RUN_STEP, channel, "oncall")
    return any(button.value == "webhook-logs" for button in buttons)


async def _run_step(slack: Slack, channel: str) -> str:
    """Press the step and return the sentence that reports the result."""
    await slack.press(
        "oncall", action_id=action_ids.RUN_STEP, channel=channel, value="webhook-logs"
    )
    match = await slack.wait_for(
        lambda: RESULT.search(str(slack.messages(channel, "oncall"))), WAIT_SECONDS
    )
    return str(match[0])


async def _by_hand(kubeconfig: Path, tail: int) -> tuple[float, float, int] | None:
    """The seconds that kubectl and grep take, in all and of a processor, and the lines they count.

    None without kubectl.
    """
    if shutil.which("kubectl") is None:
        return None
    start, busy = time.perf_counter(), processes.children_busy_seconds()
    child = await asyncio.create_subprocess_shell(
        GREP.format(tail=tail),
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(kubeconfig.parent),  # where it keeps what it was told of the API
            "KUBECONFIG": str(kubeconfig),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    count, _ = await child.communicate()
    seconds = time.perf_counter() - start
    return seconds, processes.children_busy_seconds() - busy, int(count)
