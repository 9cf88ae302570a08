"""Lines of logs counted by alternative and by time, and told apart by who wrote them."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.actions.kubernetes import log_lines
from bot.actions.kubernetes.log_counts import LogCounts
from bot.actions.kubernetes.log_lines import Line, LineReader, Source
from bot.actions.kubernetes.logs import TailLogs
from bot.actions.kubernetes.matching import Search, alternatives
from bot.model import ReadResult
from bot.systems import Systems
from bot.systems import kubernetes as door
from bot.views import action_ids
from sandbox.cluster import Cluster
from tests.cluster_fixtures import CALL_SECONDS, SELECTOR, systems
from tests.conftest import Walk

__all__ = ["systems"]

PAYMENTS = "order-service/payment-refund-failures"
SOURCE = Source(pod="order-service-1", container="app", label="order-service-1")

Obj = dict[str, Any]


def tally(times: Sequence[str], parts: Sequence[int] = (0,)) -> LogCounts:
    counted = LogCounts()
    for time in times:
        counted.count(Line(time, SOURCE, "x"), parts)
    return counted


async def read(systems: Systems, match: str | None = "stripe|webhook|payment") -> ReadResult:
    return await TailLogs(selector=SELECTOR, tail=500, match=match).read(systems)


def charts(walk: Walk, channel: str) -> list[Obj]:
    replies = [
        reply for m in walk.slack.messages(channel, "oncall") for reply in m.get("replies", [])
    ]
    found = [block for reply in replies for block in reply.get("blocks", [])]
    return [dict(block) for block in found if block["type"] == "data_visualization"]


async def test_webhook_lines_are_drawn_in_slack(walk: Walk) -> None:
    channel = await walk.declare(severity="sev2")
    await walk.press("oncall", action_ids.CHOOSE_SCENARIO, channel, PAYMENTS)
    await walk.press_step("oncall", "webhook-logs", channel)

    shown = walk.text(channel)
    said = re.search(r"(\d+) of \d+ lines .* match \(stripe (\d+), webhook (\d+), payment", shown)
    assert said is not None
    [chart] = charts(walk, channel)
    series = {
        series["name"]: sum(point["value"] for point in series["data"])
        for series in chart["chart"]["series"]
    }
    assert series.keys() == {"stripe", "webhook", "payment"}
    assert (series["stripe"], series["webhook"]) == (int(said[2]), int(said[3]))
    assert 1 < len(chart["chart"]["axis_config"]["categories"]) <= 20
    assert "UTC" in chart["title"]
    assert "Most lines per " in shown


async def test_nothing_found_is_not_drawn(systems: Systems, kube: Cluster) -> None:
    for pod in kube.pod_names():
        kube.set_logs(pod, ['{"level":"info","msg":"GET /orders"}'])
    reading = await read(systems)

    assert reading.ok is None
    assert reading.text == "None of 3 lines from 3 pods match stripe|webhook|payment"
    assert reading.charts == ()


async def test_without_match_nothing_is_drawn(systems: Systems) -> None:
    assert (await read(systems, None)).charts == ()


async def test_lines_cut_from_file_are_counted(systems: Systems, kube: Cluster) -> None:
    line = json.dumps({"level": "info", "msg": "stripe " + "x" * 2000})
    for pod in kube.pod_names():
        kube.set_logs(pod, [line] * 400)
    reading = await read(systems)

    assert reading.text.startswith("1200 of 1200 lines from 3 pods match (stripe 1200,")
    assert reading.attachment is not None
    kept = len(reading.attachment.text.splitlines())
    assert kept < 600
    assert f"All 1200 lines were counted; the file has the last {kept}." in reading.notes


async def test_log_that_stalls_times_out(systems: Systems, kube: Cluster) -> None:
    for pod in kube.pod_names():
        kube.stall_log(pod)
    with pytest.raises(door.TimedOut, match=f"within {CALL_SECONDS:g} s"):
        await read(systems)


async def test_nested_repetitions_take_no_time(systems: Systems, kube: Cluster) -> None:
    for pod in kube.pod_names():
        kube.set_logs(pod, ["a" * 5000 + "!", "b aaa"])
    reading = await read(systems, "(a+)+$")

    assert reading.text == "3 of 6 lines from 3 pods match (a+)+$, 0 errors"


async def test_excerpt_separates_pods_and_runs(systems: Systems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    await kube.wait_for_status("CrashLoopBackOff", 3)
    reading = await read(systems, None)

    heads = [line for line in reading.excerpt.splitlines() if line.endswith(":")]
    assert 2 <= len(heads) <= 4
    for head in heads:
        assert re.fullmatch(r"order-service-\S+ \(previous container\):", head)
    assert reading.attachment is not None
    assert "/order-service (previous container) " in reading.attachment.text


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("stripe|webhook|payment", ("stripe", "webhook", "payment")),
        ("refund", ("refund",)),
        (r"a(b|c)d|[x|]y|e\|f", ("a(b|c)d", "[x|]y", r"e\|f")),
        ("[]|]|[^]|]", ("[]|]", "[^]|]")),
        ("twice|twice", ("twice",)),
        ("a|", ("a|",)),
        ("(?s)a|b", ("(?s)a|b",)),
        ("[[:digit:]|x]y|z", ("[[:digit:]|x]y", "z")),
        (r"\Qa|b\E|c", (r"\Qa|b\E|c",)),
    ],
)
def test_what_stands_between_the_outer_bars(pattern: str, parts: tuple[str, ...]) -> None:
    assert alternatives(pattern) == parts


def test_line_counts_for_each_alternative() -> None:
    search = Search("stripe|webhook")

    found = [search.found(text) for text in ("Stripe WEBHOOK", "nothing", "a webhook")]

    assert found == [(0, 1), (), (1,)]


LINES = (
    *("", " ", "a", "A b", "ab", "ba", "a.b", "  c", "d a", "cc", "a 2026-11-24T10:00:00Z b", "äb"),
    *("\x1b[31ma\x1b[0mb", "old\rab", "a" * 300 + "b", "2026", "Z a", "x|y", "[a", "\tb", "b\r"),
)


@pytest.mark.parametrize(
    "pattern",
    [
        *("a", "^a", "a$", "^$", "b|^c|a$", "[^a]b", r"\Aa", r"b\Z", "a{,2}b", "x*", "a(b|c)|d"),
        *(r"\ba\b", r"\Ba", r"\s", r"\S", "a.b", "(?s)a.b", "(?i)A B", "2026", "^2026", "Z", "^Z"),
        *(r"\d{4}-\d\d", "a[|]b|x[|]y", r"\[a", "Ä", "(?:^|,)a", "(a|b)+c?$", "old", "31m"),
    ],
)
def test_block_of_lines_is_searched_as_each_line_is(pattern: str) -> None:
    block = "".join(f"2026-11-24T10:00:00.5Z {line}\n" for line in LINES).encode()
    shown = [line.text for line in LineReader(SOURCE).lines(block, log_lines.each)]
    search, alone = Search(pattern), re.compile(pattern.replace("{,", "{0,"), re.IGNORECASE)
    lines = LineReader(SOURCE).lines(block, search.candidates)

    found = [line.text for line in lines if search.found(line.text)]

    assert found == [text for text in shown if alone.search(text)]


@pytest.mark.parametrize(
    ("minutes", "title", "points"),
    [
        (1, "per minute", 1),
        (20, "per minute", 20),
        (21, "per 2 minutes", 11),
        (200, "per 10 minutes", 20),
        (24 * 60, "per 2 hours", 12),
        (100 * 24 * 60, "per 6 days", 17),
    ],
)
def test_at_most_twenty_points(minutes: int, title: str, points: int) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    times = [(start + timedelta(minutes=at)).isoformat()[:19] for at in range(minutes)]
    chart = tally(times).chart(["x"])

    assert chart is not None
    assert chart.title == f"Lines {title}, UTC"
    assert points - 1 <= len(chart.categories) <= min(points + 1, 20)
    assert len(set(chart.categories)) == len(chart.categories)
    assert sum(chart.series[0].values) == minutes


def test_lines_without_time_are_not_drawn() -> None:
    assert tally(["", ""]).chart(["x"]) is None
    assert tally(["", ""]).counts_text(["x"]) == "x 2"
    some = tally(["", "2026-11-24T10:00:00"]).chart(["x"])
    assert some is not None
    assert some.series[0].values == (1,)


def test_the_busiest_time_is_said() -> None:
    counted = tally(["2026-11-24T10:00:00", "2026-11-24T10:02:01", "2026-11-24T10:02:59"])

    assert counted.peak() == "Most lines per minute: 2, from 2026-11-24 10:02 UTC on."


def test_only_most_frequent_alternatives_are_shown() -> None:
    counted = tally(["2026-11-24T10:00:00"], parts=(3, 9))
    names = [f"p{number}" for number in range(12)]
    chart = counted.chart(names)

    assert chart is not None
    assert len(chart.series) == 6
    assert {"p3", "p9"} <= {series.name for series in chart.series}
    assert counted.counts_text(names).endswith("p9 1, 2 others")


def test_times_of_any_zone_become_utc() -> None:
    texts = ("2026-11-24T11:00:00.5+01:00 a", "2026-11-24T10:00:00.25Z b", "c")
    block = "".join(f"{text}\n" for text in texts).encode()
    lines = LineReader(SOURCE).lines(block, log_lines.each)

    assert [(line.at, line.text) for line in lines] == [
        ("2026-11-24T10:00:00.500000", "a"),
        ("2026-11-24T10:00:00.25", "b"),
        ("2026-11-24T10:00:00.25", "c"),
    ]
