"""Looking: a read step runs at once; its verdict is in its line, the details are in the thread."""

import asyncio
import re
from pathlib import Path

import pytest

from bot.views import action_ids
from sandbox.cluster import Cluster
from sandbox.shop import Shop
from sandbox.slack import Button, Slack
from tests.cluster_fixtures import SHOP
from tests.conftest import Bot, Walk
from tests.readers import Post

READS = ("pods", "logs", "dependencies", "database-connections")
SCENARIO = "Complete Service Outage"
WELL = ":white_check_mark: 3 of 3 ready"
BY_ONCALL = "@oncall, 2026-11-24 10:00 UTC · details in the thread"


def results(walk: Walk, channel: str) -> list[Post]:
    """The results in the thread of the playbook."""
    [playbook] = [post for post in walk.posts(channel) if post.heading == f":notebook: {SCENARIO}"]
    return list(playbook.thread)


def button(slack: Slack, channel: str, step: str) -> Button:
    """The button of a step, as it is drawn now."""
    buttons = slack.find_buttons(action_ids.RUN_STEP, channel, "oncall")
    return next(button for button in buttons if button.value == step)


async def test_pods_are_well(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.press_step("oncall", "pods", channel)

    assert walk.step(channel, "pods").lines == (WELL, BY_ONCALL)


async def test_pods_crash_loop(walk: Walk, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    channel = await walk.declare()

    await walk.press_step("oncall", "pods", channel)

    verdict = ":warning: 0 of 3 ready: CrashLoopBackOff, exit 2"
    assert walk.step(channel, "pods").lines == (verdict, BY_ONCALL)


async def test_logs_come_as_a_file(walk: Walk, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    channel = await walk.declare()

    await walk.press_step("oncall", "logs", channel)

    last_error = (
        "Last error: ConfigError: STRIPE_WEBHOOK_TOLERANCE must be a whole number of seconds, "
        "got undefined"
    )
    assert walk.step(channel, "logs").lines[1:] == (last_error, BY_ONCALL)
    result, file = results(walk, channel)
    assert result.lines[2] == last_error
    assert (file.lines, file.files) == ((), ("logs-1.txt",))


async def test_details_are_in_the_thread(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.press_step("oncall", "pods", channel)

    [result] = results(walk, channel)
    assert result.lines[:2] == ("Pods · @oncall, 2026-11-24 10:00 UTC", WELL)


async def test_dependencies_are_asked_from_a_pod(walk: Walk, kube: Cluster) -> None:
    kube.set_port_answer("tickettoken-redis", 6379)
    channel = await walk.declare()

    await walk.press_step("oncall", "dependencies", channel)

    verdict, *answers, by = walk.step(channel, "dependencies").lines
    assert verdict.startswith(":warning: 2 of 3 answer, tried from order-service-")
    assert answers == ["tickettoken-redis:6379 connection refused"]
    assert by == BY_ONCALL


async def test_database_connections_are_counted(walk: Walk, shared_shop: Shop) -> None:
    channel = await walk.declare()

    async with shared_shop:
        await walk.press_step("oncall", "database-connections", channel)

    [result] = results(walk, channel)
    databases, uses, *_ = result.lines[1:]
    verdict = rf":white_check_mark: {shared_shop.database} uses \d+ of 100 connections \(\d+ %\)"
    assert re.fullmatch(verdict, databases)
    assert re.fullmatch(r"\d+ idle, \d+ active(, \d+ idle in transaction)?", uses)
    together = r"All databases of this server together: \d+ of 100 \(\d+ %\)\."
    assert re.fullmatch(together, result.lines[-1])


@pytest.mark.parametrize("step", ["pods", "logs", "dependencies"])
async def test_an_unreachable_cluster_is_said(walk: Walk, kube: Cluster, step: str) -> None:
    channel = await walk.declare()
    await kube.stop_listening()

    await walk.press_step("oncall", step, channel)

    read = walk.step(channel, step)
    assert read.verdict.startswith(":warning: Kubernetes cannot be reached at http://127.0.0.1")
    assert read.state == BY_ONCALL


async def test_a_forbidden_look_names_its_permission(walk: Walk, kube: Cluster) -> None:
    kube.forbid("runbolt", "list", "pods")
    channel = await walk.declare()

    await walk.press_step("oncall", "pods", channel)

    verdict = (
        f":warning: The bot may not list pods {SHOP}. Nothing was read. Grant it: "
        "deploy/rbac.yaml has every rule that the bot needs."
    )
    assert walk.step(channel, "pods").lines == (verdict, BY_ONCALL)


async def test_two_presses_look_once(slack: Slack, walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    kube.slow("/pods", 0.2)
    before = len(kube.requests)
    pods = button(slack, channel, "pods")

    await asyncio.gather(*(slack.press(who, pods) for who in ("oncall", "second")))
    await walk.bot.drain()

    paths = [request.path.rpartition("/")[2] for request in kube.requests[before:]]
    assert paths.count("pods") == 1
    told = walk.answers("oncall", channel) + walk.answers("second", channel)
    assert told == ["“Pods” is already running. Its result will appear in the playbook."]


async def test_everybody_looks_at_once(slack: Slack, walk: Walk, bot: Bot) -> None:
    channel = await walk.declare()
    people = ("oncall", "second", "lead")

    for _ in range(5):
        presses = [(who, button(slack, channel, step)) for who in people for step in READS]
        await asyncio.gather(*(slack.press(who, pressed) for who, pressed in presses))
        await bot.drain()

    told = {answer for who in people for answer in walk.answers(who, channel)}
    running = "is already running. Its result will appear in the playbook."
    titles = [walk.step(channel, step).title for step in READS]
    assert told <= {f"“{title}” {running}" for title in titles}


async def test_a_manual_step_is_ticked(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.press_step("second", "alert-team", channel)

    step = walk.step(channel, "alert-team")
    assert step.state == ":white_check_mark: Done by @second, 2026-11-24 10:00 UTC"
    assert step.buttons == ("Reopen",)


async def test_looking_again_keeps_both(walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "pods", channel)
    await kube.scenario("crash-loop")

    await walk.press_step("oncall", "pods", channel)

    verdicts = [result.lines[1] for result in results(walk, channel)]
    assert verdicts == [WELL, ":warning: 0 of 3 ready: CrashLoopBackOff, exit 2"]
    assert walk.step(channel, "pods").verdict == verdicts[-1]


@pytest.fixture
def named_pods(team: Path) -> None:
    """The policy names a pod that ports may be tried from."""
    with team.open("a") as file:
        file.write("policy: {probe_pods: app=tickettoken-redis}\n")


@pytest.mark.usefixtures("named_pods")
async def test_dependencies_without_a_pod(walk: Walk, kube: Cluster) -> None:
    await kube.scenario("no-pods")
    channel = await walk.declare()
    await walk.press_step("oncall", "dependencies", channel)

    assert walk.step(channel, "dependencies").verdict.startswith(
        ":white_check_mark: 3 of 3 answer, tried from tickettoken-redis-0, not of app=order-service"
    )
