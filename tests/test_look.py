"""Looking: a read step runs at once; its verdict is in its line, the details are in the thread."""

import asyncio

import pytest

from sandbox.cluster import Cluster
from sandbox.shop import Shop
from sandbox.slack import Slack
from tests.conftest import Bot, Walk


async def test_pods_of_a_healthy_service(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.press_step("oncall", "pods", channel)

    seen = walk.text(channel)
    assert "3 of 3 ready" in seen
    assert "v2.3.1" in seen


async def test_pods_that_crash_loop(walk: Walk, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    channel = await walk.declare()

    await walk.press_step("oncall", "pods", channel)

    seen = walk.text(channel)
    assert "0 of 3 ready: CrashLoopBackOff, exit 2" in seen
    assert ":warning:" in seen


async def test_logs_of_the_crashed_containers_and_a_file_with_all_of_them(
    walk: Walk, kube: Cluster
) -> None:
    await kube.scenario("crash-loop")
    channel = await walk.declare()

    await walk.press_step("oncall", "logs", channel)

    files = [
        file
        for message in walk.slack.messages(channel, "oncall")
        for reply in [message, *message.get("replies", [])]
        for file in reply.get("files", [])
    ]
    assert [file["name"] for file in files] == ["logs-1.txt"]
    assert "error" in walk.text(channel).lower()


async def test_the_details_are_in_the_thread_of_the_playbook(walk: Walk) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "pods", channel)

    playbook = next(
        message
        for message in walk.slack.messages(channel, "oncall")
        if "Its steps are the buttons" in message["text"]
    )
    assert "order-service" in str(playbook["replies"])
    assert "details in the thread" in str(playbook["blocks"])


async def test_dependencies_are_checked_from_inside_a_pod(walk: Walk, kube: Cluster) -> None:
    kube.set_port_answer("tickettoken-redis", 6379)
    channel = await walk.declare()

    await walk.press_step("oncall", "dependencies", channel)

    seen = walk.text(channel)
    assert "tickettoken-postgres" in seen
    assert "tickettoken-redis" in seen
    assert "refused" in seen


async def test_database_connections_are_counted(walk: Walk, shared_shop: Shop) -> None:
    channel = await walk.declare()

    async with shared_shop:
        await walk.press_step("oncall", "database-connections", channel)

    seen = walk.text(channel)
    assert "All databases of this server together" in seen
    assert "idle in transaction" in seen


@pytest.mark.parametrize("step", ["pods", "logs", "dependencies"])
async def test_an_unreachable_cluster_is_said(walk: Walk, kube: Cluster, step: str) -> None:
    channel = await walk.declare()
    await kube.stop_listening()

    await walk.press_step("oncall", step, channel)

    assert ":warning:" in walk.text(channel)
    assert "did not answer" in walk.text(channel) or "reach" in walk.text(channel)


async def test_a_forbidden_look_names_the_permission(walk: Walk, kube: Cluster) -> None:
    kube.forbid("runbolt", "list", "pods")
    channel = await walk.declare()

    await walk.press_step("oncall", "pods", channel)

    assert "list" in walk.text(channel)
    assert "deploy/rbac.yaml" in walk.text(channel)


async def test_two_presses_at_once_look_once(slack: Slack, walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    kube.slow("/pods", 0.2)
    before = len(kube.requests)
    found = slack.find_buttons("step.run", channel, "oncall")
    pods = next(button for button in found if button.value == "pods")

    await asyncio.gather(*(slack.press(who, pods) for who in ("oncall", "second")))
    await walk.bot.drain()

    assert (
        len([request for request in kube.requests[before:] if request.path.endswith("/pods")]) == 1
    )
    told = walk.text(channel, "oncall") + walk.text(channel, "second")
    assert "is already running. Its result will appear in the playbook." in told


async def test_every_step_at_once_by_everybody_is_answered(
    slack: Slack, walk: Walk, bot: Bot
) -> None:
    channel = await walk.declare()
    reads = ("pods", "logs", "dependencies", "database-connections")
    people = ("oncall", "second", "lead")

    async def press(who: str, step: str) -> None:
        found = slack.find_buttons("step.run", channel, who)
        await slack.press(who, next(message for message in found if message.value == step))

    for _ in range(5):
        await asyncio.gather(*(press(who, step) for who in people for step in reads))
        await bot.drain()

    told = "".join(walk.text(channel, who) for who in people)
    assert "Something went wrong" not in told


async def test_a_step_done_by_hand_is_ticked_off(walk: Walk) -> None:
    channel = await walk.declare()

    await walk.press_step("second", "alert-team", channel)

    assert "Done by <@" in walk.text(channel)


async def test_reading_again_gives_a_new_answer(walk: Walk, kube: Cluster, bot: Bot) -> None:
    channel = await walk.declare()
    await walk.press_step("oncall", "pods", channel)
    await kube.scenario("crash-loop")

    await walk.press_step("oncall", "pods", channel)

    assert "3 of 3 ready" in walk.text(channel)
    assert "0 of 3 ready" in walk.text(channel)
