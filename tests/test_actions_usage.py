"""What pods use: on a cluster that measures, does not, or does not let the bot see it."""

import pytest
import yaml

from bot.actions.kubernetes.usage import COLUMNS, PodUsage
from bot.model import ReadResult, UserError
from bot.systems import Systems
from bot.systems import kubernetes as door
from bot.systems.kubernetes.resources import parse_amounts
from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from sandbox.cluster.resources import PODS
from sandbox.cluster.store import editable_copy
from tests.cluster_fixtures import CALL_SECONDS, SELECTOR, USER, systems
from tests.conftest import ROOT

__all__ = ["systems"]

METRICS = "*/metrics.k8s.io/*"


def usage() -> PodUsage:
    return PodUsage(selector=SELECTOR)


def rows(reading: ReadResult) -> list[dict[str, str]]:
    assert reading.table is not None
    return [dict(zip(COLUMNS, map(str, row), strict=True)) for row in reading.table.rows]


def limit(kube: Cluster, pod: str, limits: dict[str, str]) -> None:
    """Let a pod have had other limits from the start."""
    changed = editable_copy(kube.state.store.get(PODS, DEFAULT_NAMESPACE, pod))
    changed["spec"]["containers"][0]["resources"]["limits"] = limits
    kube.state.store.update(PODS, changed)


async def test_what_healthy_pods_use(systems: Systems, kube: Cluster) -> None:
    reading = await usage().read(systems)

    assert reading.ok
    assert reading.text.startswith("3 pods use ")
    assert reading.text.endswith(" memory, none near a limit")
    assert {row["name"] for row in rows(reading)} == set(kube.pod_names())
    for row in rows(reading):
        assert row["CPU"].endswith("m")
        assert row["CPU request"].startswith("250m (")
        assert row["CPU limit"].startswith("1000m (")
        assert row["memory limit"].startswith("512Mi (")
    assert reading.notes == ()


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"cpu": "1", "memory": "100Mi"}, "memory {memory} of 100Mi"),
        ({"cpu": "20m", "memory": "8Gi"}, "CPU {CPU} of 20m"),
    ],
)
async def test_pod_over_limit_comes_first(
    limits: dict[str, str], words: str, systems: Systems, kube: Cluster
) -> None:
    tight = kube.pod_names()[-1]
    limit(kube, tight, limits)
    reading = await usage().read(systems)

    first = rows(reading)[0]
    assert not reading.ok
    assert "; 1 at 90 % of a limit or above\n" in reading.text
    assert f"{tight}: {words.format(**first)} (" in reading.text
    assert first["name"] == tight


async def test_a_pod_without_limits(systems: Systems, kube: Cluster) -> None:
    for pod in kube.pod_names():
        limit(kube, pod, {})
    reading = await usage().read(systems)

    assert (reading.ok, reading.is_unjudged) == (None, True)
    assert reading.text.endswith(", and no container has a limit")
    assert {(row["CPU limit"], row["memory limit"]) for row in rows(reading)} == {("–", "–")}


async def test_pods_without_figures_are_not_judged(systems: Systems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    await kube.wait_for_status("CrashLoopBackOff", 3)
    reading = await usage().read(systems)

    assert reading.ok is None
    assert reading.charts == ()
    assert reading.text.startswith("No figures yet.")
    assert {row["CPU"] for row in rows(reading)} == {"–"}
    assert {row["CPU limit"] for row in rows(reading)} == {"1000m"}
    assert all("yet: CrashLoopBackOff, " in note for note in reading.notes)


async def test_no_pods_is_not_well(systems: Systems, kube: Cluster) -> None:
    await kube.scenario("no-pods")
    reading = await usage().read(systems)

    assert (reading.ok, reading.text) == (
        False,
        "No pods match app=order-service in namespace tickettoken of cluster sandbox.",
    )


async def test_a_cluster_that_measures_nothing(systems: Systems, kube: Cluster) -> None:
    kube.fail(METRICS, 404)
    with pytest.raises(UserError, match=r"has no metrics\.k8s\.io.*Install the metrics server"):
        await usage().read(systems)


async def test_a_metrics_server_that_is_down(systems: Systems, kube: Cluster) -> None:
    kube.fail(METRICS, 503)
    with pytest.raises(
        UserError, match=r"^The metrics server of cluster sandbox does not answer yet.*in a minute"
    ):
        await usage().read(systems)


async def test_a_missing_right_is_named(systems: Systems, kube: Cluster) -> None:
    kube.forbid(USER, "list", "pods.metrics.k8s.io")
    words = r"may not list pods\.metrics\.k8s\.io.*deploy/rbac\.yaml"
    with pytest.raises(door.Forbidden, match=words):
        await usage().read(systems)


async def test_the_shipped_role_is_enough(systems: Systems, kube: Cluster) -> None:
    [rules] = [
        document["rules"]
        for document in yaml.safe_load_all((ROOT / "deploy" / "rbac.yaml").read_text())
        if document["metadata"]["name"] == "runbolt-look" and document["kind"] == "Role"
    ]
    kube.restrict(USER, rules)

    assert (await usage().read(systems)).ok


async def test_an_unreachable_cluster_is_said(systems: Systems, kube: Cluster) -> None:
    await kube.stop_listening()
    with pytest.raises(door.Unreachable, match="Nothing was read"):
        await usage().read(systems)


async def test_silent_metrics_server_times_out(systems: Systems, kube: Cluster) -> None:
    kube.hang(METRICS)
    with pytest.raises(door.TimedOut, match=f"within {CALL_SECONDS:g} s"):
        await usage().read(systems)


def test_quantities() -> None:
    read = parse_amounts({"cpu": "123456789n", "memory": "512Mi"})

    assert read.cpu == pytest.approx(0.123456789)
    assert read.memory == 512 * 1024 * 1024
    assert parse_amounts({"memory": "1e3"}) == door.ResourceAmounts(memory=1000)
