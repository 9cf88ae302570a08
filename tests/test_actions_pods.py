"""Pods as clusters have them: finished ones, init containers and sidecars, logs of every kind."""

import re

import pytest

from bot.actions.kubernetes import rollout
from bot.actions.kubernetes.dependencies import CheckDependencies
from bot.actions.kubernetes.logs import TailLogs
from bot.actions.kubernetes.pods import ListPods
from bot.actions.kubernetes.restarts import DeletePods, RollingRestart
from bot.actions.kubernetes.usage import PodUsage
from bot.model import ReadResult, UserError
from bot.systems import ChangingSystems
from bot.systems.kubernetes import Forbidden, LogGone
from sandbox.cluster import Cluster
from sandbox.cluster.tables import status_word
from tests.cluster_fixtures import SELECTOR, SHOP, USER, RecordedProgress, carry_out, systems

__all__ = ["systems"]

TIMES = {"watch_seconds": 0.3, "deadline_seconds": 8.0}
PROXY = {"name": "proxy", "image": "ghcr.io/tickettoken/proxy:v1", "restartPolicy": "Always"}
MIGRATE = {"name": "migrate", "image": "ghcr.io/tickettoken/migrate:v1"}


async def pods(systems: ChangingSystems) -> ReadResult:
    return await ListPods(selector=SELECTOR).read(systems.for_reading())


async def logs(systems: ChangingSystems) -> ReadResult:
    return await TailLogs(selector=SELECTOR).read(systems.for_reading())


def cells(result: ReadResult, *columns: str) -> list[list[str]]:
    assert result.table is not None
    indexes = [result.table.columns.index(column) for column in columns]
    return [[str(row[index]) for index in indexes] for row in result.table.rows]


@pytest.fixture
def finished(kube: Cluster) -> Cluster:
    """The cluster with a Job's pod and an evicted one, which carry the same label."""
    kube.add_finished_pod("migrate-x7k2p", "Completed")
    kube.add_finished_pod("order-service-evicted", "Evicted")
    return kube


async def test_finished_pods_do_not_count(systems: ChangingSystems, finished: Cluster) -> None:
    listed = await pods(systems)

    assert (listed.ok, listed.text) == (True, "3 of 3 ready (1 Completed, 1 Evicted)")
    statuses = [*["Running"] * 3, "Completed", "Evicted"]
    assert [status for [status] in cells(listed, "status")] == statuses
    usage = await PodUsage(selector=SELECTOR).read(systems.for_reading())
    assert usage.ok
    assert (len(cells(usage, "name")), usage.notes) == (3, ())


async def test_the_pod_of_a_job_does_not_count(systems: ChangingSystems, kube: Cluster) -> None:
    kube.add_unready_pod("migrate-x7k2p", "Job", "migrate")

    listed = await pods(systems)
    plan = await DeletePods(selector=SELECTOR).plan(systems.for_planning())

    assert (listed.ok, listed.text) == (True, "3 of 3 ready (1 of Jobs)")
    assert cells(listed, "name")[0] == ["migrate-x7k2p"]  # the one that is not ready
    assert plan.summary.startswith("Delete 3 pods of app=order-service at once: order-service-")
    assert "migrate" not in plan.summary


async def test_pods_of_another_workload_do_not_count(
    systems: ChangingSystems, kube: Cluster
) -> None:
    action = DeletePods.model_validate({"selector": SELECTOR} | TIMES)
    progress = RecordedProgress()
    plan = await action.plan(systems.for_planning())
    await action.execute(systems, plan, progress.run)
    kube.add_unready_pod("canary-7d4b9-x7k2p", "Rollout", "canary")

    verdict = await action.verify(systems.for_reading(), plan, progress.run)

    assert verdict.ok, verdict.text
    assert verdict.text.endswith("3 of 3 ready, no restarts for 0.3 s")


async def test_a_rollout_passes_over_failed_pods(systems: ChangingSystems, kube: Cluster) -> None:
    kube.add_finished_pod("order-service-lost", "Error")
    deployment = await systems.cluster.deployment("order-service")

    status = await rollout.rollout_status(systems.cluster, deployment, "")

    assert (status.failure, status.summary) == ("", "3 of 3 ready")
    assert "order-service-lost" not in {pod.name for pod in status.pods}


async def test_only_finished_pods(systems: ChangingSystems, finished: Cluster) -> None:
    finished.scale(0)
    await finished.wait_until(lambda: len(finished.pods()) == 2)

    listed = await pods(systems)
    usage = await PodUsage(selector=SELECTOR).read(systems.for_reading())

    assert (listed.ok, listed.text) == (False, "0 of 0 ready (1 Completed, 1 Evicted)")
    assert usage.text == f"All pods of app=order-service {SHOP} have finished."


@pytest.mark.parametrize("kind", [DeletePods, RollingRestart])
async def test_checks_pass_over_finished_pods(
    systems: ChangingSystems, finished: Cluster, kind: type[DeletePods | RollingRestart]
) -> None:
    params = {"selector": SELECTOR} if kind is DeletePods else {"deployment": "order-service"}
    action = kind.model_validate(params | TIMES)

    plan, verdict = await carry_out(action, systems, RecordedProgress())

    assert "evicted" not in plan.summary
    assert verdict.ok, verdict.text
    assert verdict.text.endswith("3 of 3 ready, no restarts for 0.3 s")
    assert {"migrate-x7k2p", "order-service-evicted"} < set(finished.pod_names())


async def test_sidecars_count_as_kubectl_counts(systems: ChangingSystems, kube: Cluster) -> None:
    kube.set_init_containers([MIGRATE, PROXY])
    await kube.wait_for_rollout()
    await kube.wait_until(lambda: len(kube.pods()) == 3)

    listed = await pods(systems)

    assert listed.ok
    assert cells(listed, "ready", "status", "restarts") == [["2/2", "Running", "0"]] * 3
    usage = await PodUsage(selector=SELECTOR).read(systems.for_reading())
    assert usage.ok is not False
    read = await logs(systems)
    assert read.attachment is not None
    sources = set(re.findall(r"Z? \S+/(\S+) ", read.attachment.text))
    assert {"proxy", "order-service"} <= sources
    assert "migrate" not in sources


async def test_crashing_init_container(systems: ChangingSystems, kube: Cluster) -> None:
    kube.set_init_containers([MIGRATE | {"image": "ghcr.io/tickettoken/migrate:v2-crash"}, PROXY])
    await kube.wait_for_status("Init:CrashLoopBackOff", 3)

    listed, read = await pods(systems), await logs(systems)

    assert listed.text.startswith("3 of 6 ready: Init:CrashLoopBackOff, exit 2")
    crashing = [
        row
        for row in cells(listed, "status", "ready", "restarts")
        if row[0] == "Init:CrashLoopBackOff"
    ]
    assert [row[1] for row in crashing] == ["0/2"] * 3
    assert all(int(row[2]) >= 1 for row in crashing)
    # What the excerpt has space for depends on how much the healthy pods wrote meanwhile.
    assert read.attachment is not None
    assert "/migrate (previous container) " in read.attachment.text
    assert "\nLast error: ConfigError: " in read.text


async def test_the_run_that_has_just_ended(systems: ChangingSystems, kube: Cluster) -> None:
    """Until it waits for its next start, a container's present log is the one of the crash."""
    pod = kube.pod_names()[0]
    kube.set_logs(pod, ["FATAL the first"], previous=True)
    kube.set_logs(pod, ["FATAL the second"])
    kube.end_container(pod, restarts=1)
    assert status_word(kube.pods()[0]) == "Error"

    read = await logs(systems)

    assert read.attachment is not None
    assert "FATAL the second" in read.attachment.text
    assert "FATAL the first" not in read.attachment.text


async def test_a_log_that_its_node_lost(systems: ChangingSystems, kube: Cluster) -> None:
    pod, *others = kube.pod_names()
    kube.lose_log(pod)

    read = await logs(systems)

    gone = (
        f"The log of order-service in pod {pod} {SHOP} is no longer on its node. Nothing was read. "
        "Look for it where your logs are collected."
    )
    assert read.notes[-1] == gone
    assert read.attachment is not None
    assert "unable to retrieve" not in read.attachment.text
    kube.set_logs(others[0], ["FATAL"], previous=True)
    kube.lose_log(others[0], previous=True)
    with pytest.raises(LogGone, match=r"^The log of the previous run of order-service in "):
        await systems.cluster.log(others[0], "order-service", ignore, tail=1, previous=True)
    for other in others:
        kube.lose_log(other)
    with pytest.raises(LogGone):
        await logs(systems)


async def ignore(_: bytes) -> None:
    """Take no lines."""


LONG = "".join(f"{number:07} " for number in range(5000))


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("a\0b\0", "ab"),
        ("invalid \udcff\udcfe bytes", "invalid \ufffd\ufffd bytes"),
        ("windows\r", "windows"),
        ("10 %\r 55 %\r100 % done", "100 % done"),
        ("10 %\r100 % done\r", "100 % done"),
        (LONG, LONG[: 16 * 1024 - 28]),
    ],
)
async def test_lines_of_every_kind(
    systems: ChangingSystems, kube: Cluster, line: str, shown: str
) -> None:
    for pod in kube.pod_names():
        kube.set_logs(pod, [line, "the next"])

    read = await logs(systems)

    assert read.attachment is not None
    texts = [row.split(" ", 2)[2] for row in read.attachment.text.splitlines()]
    assert sorted(texts) == sorted([shown, "the next"] * 3)
    assert read.text == "6 lines from 3 pods, 0 errors"


async def test_the_tail_begins_within_a_long_line(systems: ChangingSystems, kube: Cluster) -> None:
    for pod in kube.pod_names():
        kube.set_logs(pod, [LONG])

    read = await TailLogs(selector=SELECTOR, tail=1).read(systems.for_reading())

    assert read.attachment is not None
    [*_, last] = read.attachment.text.splitlines()
    assert last.split(" ", 2)[2] == LONG[2 * 16 * 1024 :]


@pytest.mark.parametrize("verb", ["get", "create"])
async def test_a_forbidden_exec_names_its_verb(
    systems: ChangingSystems, kube: Cluster, verb: str
) -> None:
    kube.forbid(USER, verb, "pods/exec")

    with pytest.raises(Forbidden) as refused:
        await CheckDependencies(selector=SELECTOR, checks=("redis:6379",)).read(
            systems.for_reading()
        )

    assert str(refused.value) == (
        f"The bot may not {verb} pods/exec {SHOP}. Nothing was read. Grant it: "
        "deploy/rbac.yaml has every rule that the bot needs."
    )


async def test_an_exec_into_no_pod(systems: ChangingSystems, kube: Cluster) -> None:
    with pytest.raises(UserError) as refused:
        await systems.cluster.exec("order-1", "order-service", ["nc"], timeout=2.0)

    assert str(refused.value) == (
        f"There is no pod order-1 {SHOP}. Nothing was read. Check the name. Kubernetes "
        'says: pods "order-1" not found.'
    )


async def test_an_nc_without_the_scan_option(systems: ChangingSystems, kube: Cluster) -> None:
    kube.forget_scan_option()
    read = CheckDependencies(selector=SELECTOR, checks=(f"127.0.0.1:{kube.port}",), timeout=2)

    result = await read.read(systems.for_reading())

    assert (result.ok, result.text) == (True, "1 of 1 answer, tried from the bot, not from a pod")
    [note] = result.notes
    assert re.fullmatch(
        r"The nc in the image of order-service-\S+ cannot test ports \(it knows no -z\), so the "
        r"bot tried by itself\. The bot may not be in the pods' network\.",
        note,
    )
