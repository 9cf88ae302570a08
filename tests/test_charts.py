"""Figures as charts in Slack, and without them where Slack takes none."""

import json
import re
from typing import Any

import pytest

from bot.model import Chart, Series
from bot.views import blocks
from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from sandbox.cluster.resources import PODS
from sandbox.cluster.store import editable_copy
from sandbox.slack import blocks as taken
from tests.conftest import Walk, message_text

Obj = dict[str, Any]


async def look(walk: Walk) -> str:
    """Ask what the pods use; the channel."""
    channel = await walk.declare(severity="sev3")
    await walk.press_step("oncall", "pod-resources", channel)
    return channel


def answer(walk: Walk, channel: str) -> Obj:
    """The message with what the step saw."""
    replies = [
        reply for m in walk.slack.messages(channel, "oncall") for reply in m.get("replies", [])
    ]
    [message] = [reply for reply in replies if reply.get("blocks")]
    return dict(message)


def charts(message: Obj) -> list[Obj]:
    return [block for block in message["blocks"] if block["type"] == "data_visualization"]


def drawn(chart: Obj) -> dict[str, list[float]]:
    """The values of each series."""
    return {
        series["name"]: [point["value"] for point in series["data"]]
        for series in chart["chart"]["series"]
    }


async def test_usage_is_drawn_beside_limits(walk: Walk, kube: Cluster) -> None:
    message = answer(walk, await look(walk))

    cpu, memory = charts(message)
    assert (cpu["title"], memory["title"]) == ("CPU (m)", "Memory (Mi)")
    assert drawn(cpu).keys() == {"used", "request", "limit"}
    assert drawn(cpu)["limit"] == [1000] * 3
    assert drawn(memory)["limit"] == [512] * 3
    assert all(0 < used < 1000 for used in drawn(cpu)["used"])
    pods = cpu["chart"]["axis_config"]["categories"]
    assert sorted(pods) == sorted(name.rpartition("-")[2] for name in kube.pod_names())


async def test_pod_without_figures_is_skipped(walk: Walk, kube: Cluster) -> None:
    await kube.scenario("image-pull")

    message = answer(walk, await look(walk))

    assert [len(drawn(chart)["used"]) for chart in charts(message)] == [3, 3]
    assert re.search(r"No figures of order-service-\S+ yet: \w*ImagePull", message_text(message))
    assert ":white_check_mark: 3 pods use" in message_text(message)


async def test_pod_nearest_limit_comes_first(walk: Walk, kube: Cluster) -> None:
    tight = kube.pod_names()[-1]
    pod = editable_copy(kube.state.store.get(PODS, DEFAULT_NAMESPACE, tight))
    pod["spec"]["containers"][0]["resources"]["limits"] = {"cpu": "1", "memory": "100Mi"}
    kube.state.store.update(PODS, pod)

    message = answer(walk, await look(walk))

    for chart in charts(message):
        first = chart["chart"]["axis_config"]["categories"][0]
        assert tight.endswith(f"-{first}")
    assert drawn(charts(message)[1])["limit"] == [100, 512, 512]
    assert ":warning:" in message_text(message)


async def test_partial_limit_is_not_drawn(walk: Walk, kube: Cluster) -> None:
    pod = editable_copy(kube.state.store.get(PODS, DEFAULT_NAMESPACE, kube.pod_names()[0]))
    pod["spec"]["containers"][0]["resources"]["limits"] = {"cpu": "1"}
    kube.state.store.update(PODS, pod)

    cpu, memory = charts(answer(walk, await look(walk)))

    assert drawn(cpu).keys() == {"used", "request", "limit"}
    assert drawn(memory).keys() == {"used", "request"}


async def test_no_figures_give_no_chart(walk: Walk, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    await kube.wait_for_status("CrashLoopBackOff", 3)

    channel = await look(walk)

    assert charts(answer(walk, channel)) == []
    assert ":grey_question: No figures yet." in walk.text(channel)
    assert ":white_check_mark:" not in message_text(answer(walk, channel))


@pytest.mark.parametrize(
    ("refusals", "kinds"),
    [
        (1, {"section", "data_table"}),
        (2, {"section", "table"}),
        (3, {"section"}),
    ],
)
async def test_table_or_words_replace_refused_chart(
    walk: Walk, refusals: int, kinds: set[str]
) -> None:
    channel = await walk.declare(severity="sev3")
    walk.slack.fail("chat.postMessage", error="invalid_blocks", times=refusals)
    await walk.press_step("oncall", "pod-resources", channel)

    *refused, _ = walk.calls("chat.postMessage")[-refusals - 1 :]
    assert "data_visualization" in str(refused[0].arguments)
    message = answer(walk, channel)
    assert {block["type"] for block in message["blocks"]} == kinds
    assert "3 pods use" in message_text(message)


def test_large_chart_is_cut() -> None:
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
