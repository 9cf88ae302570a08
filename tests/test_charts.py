"""Figures as charts in Slack, and without them where Slack takes none."""

import json
from typing import Any

import pytest

from bot.model import Chart, Series
from bot.views import blocks
from sandbox.cluster import Cluster
from sandbox.slack import blocks as taken
from tests.conftest import Walk, seen

Obj = dict[str, Any]


async def look(walk: Walk) -> str:
    """Ask what the pods use; the channel."""
    channel = await walk.declare(severity="sev3")
    await walk.step("oncall", "pod-resources", channel)
    return channel


def answer(walk: Walk, channel: str) -> Obj:
    """The message with what the step saw."""
    replies = [one for m in walk.slack.messages(channel, "oncall") for one in m.get("replies", [])]
    [message] = [one for one in replies if one.get("blocks")]
    return dict(message)


def charts(message: Obj) -> list[Obj]:
    return [one for one in message["blocks"] if one["type"] == "data_visualization"]


def drawn(chart: Obj) -> dict[str, list[float]]:
    """The values of each series."""
    return {
        one["name"]: [point["value"] for point in one["data"]] for one in chart["chart"]["series"]
    }


async def test_what_pods_use_is_drawn_beside_what_they_may(walk: Walk, kube: Cluster) -> None:
    message = answer(walk, await look(walk))

    cpu, memory = charts(message)
    assert (cpu["title"], memory["title"]) == ("CPU (m)", "Memory (Mi)")
    assert drawn(cpu).keys() == {"used", "request", "limit"}
    assert drawn(cpu)["limit"] == [1000] * 3
    assert drawn(memory)["limit"] == [512] * 3
    assert all(0 < used < 1000 for used in drawn(cpu)["used"])
    pods = cpu["chart"]["axis_config"]["categories"]
    assert sorted(pods) == sorted(name.rpartition("-")[2] for name in kube.pod_names())


async def test_pods_without_figures_get_no_chart_and_no_green_mark(
    walk: Walk, kube: Cluster
) -> None:
    await kube.scenario("crash-loop")
    await kube.when_status("CrashLoopBackOff", 3)

    channel = await look(walk)

    assert charts(answer(walk, channel)) == []
    assert ":grey_question: No figures yet." in walk.text(channel)
    assert ":white_check_mark:" not in seen(answer(walk, channel))


@pytest.mark.parametrize(
    ("refusals", "kinds"),
    [
        (1, {"section", "data_table"}),
        (2, {"section", "table"}),
        (3, {"section"}),
    ],
)
async def test_a_slack_without_charts_gets_the_words_and_the_table(
    walk: Walk, refusals: int, kinds: set[str]
) -> None:
    channel = await walk.declare(severity="sev3")
    walk.slack.fail("chat.postMessage", error="invalid_blocks", times=refusals)
    await walk.step("oncall", "pod-resources", channel)

    *refused, _ = walk.calls("chat.postMessage")[-refusals - 1 :]
    assert "data_visualization" in str(refused[0].arguments)
    message = answer(walk, channel)
    assert {one["type"] for one in message["blocks"]} == kinds
    assert "3 pods use" in seen(message)


def test_a_chart_is_cut_to_what_slack_takes() -> None:
    long = "order-service-7d9f8b6c5-"
    chart = Chart(
        title="x" * 80,
        kind="line",
        categories=tuple(f"{long}{number}" for number in range(25)),
        series=tuple(
            Series(name=f"{long}{number}", values=tuple(range(25))) for number in range(9)
        ),
    )

    block = blocks.chart(chart)

    [shown] = taken.prepare([block], taken.MESSAGE, lambda: "b1", "invalid_blocks")
    assert len(shown["chart"]["series"]) == 6
    labels = shown["chart"]["axis_config"]["categories"]
    assert len(set(labels)) == len(labels) == 20
    assert json.dumps(shown).count(long) == 0
