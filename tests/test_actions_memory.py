"""The memory limit of a container: bounded, planned, written once, watched, and undone."""

import pytest

from bot.actions.kubernetes.memory import MemoryLimit
from bot.model import UserError, Verdict
from bot.systems import ChangingSystems
from bot.systems import kubernetes as door
from sandbox.cluster import Cluster
from sandbox.cluster.errors import Obj
from sandbox.cluster.resources import DEPLOYMENTS
from sandbox.cluster.store import editable_copy
from tests.cluster_fixtures import USER, RecordedProgress, carry_out, systems

__all__ = ["systems"]


def limit(text: str = "1Gi", **more: object) -> MemoryLimit:
    given = {"deployment": "order-service", "limit": text, "watch_seconds": 0.4}
    return MemoryLimit.model_validate(given | {"deadline_seconds": 8.0} | more)


def resources(kube: Cluster) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = _container(kube.deployment())["resources"]
    return found


def _container(deployment: Obj) -> Obj:
    found: Obj = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


def give(kube: Cluster, **wanted: dict[str, str]) -> None:
    """Let somebody else write the resources of the container."""
    changed = editable_copy(kube.deployment())
    _container(changed)["resources"] = wanted
    changed["metadata"]["generation"] += 1
    kube.state.store.update(DEPLOYMENTS, changed)


async def test_more_memory_heals_the_service(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("oom")
    plan, verdict = await carry_out(limit(), systems, RecordedProgress())

    assert verdict.ok, verdict.text
    assert verdict.text.startswith("order-service in order-service may use 1Gi of memory: 3 of 3")
    assert resources(kube) == {
        "requests": {"cpu": "250m", "memory": "256Mi"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
    assert [line.split() for line in plan.diff.splitlines() if line[:2] in ("- ", "+ ")] == [
        ["-", "memory:", "512Mi"],
        ["+", "memory:", "1Gi"],
    ]
    assert "3 pods are replaced" in plan.blast_radius.text


async def test_the_undo_goes_back(systems: ChangingSystems, kube: Cluster) -> None:
    plan, _ = await carry_out(limit(), systems, RecordedProgress())
    assert plan.undo is not None
    assert (plan.undo.params["limit"], plan.undo.params["container"]) == ("512Mi", "order-service")
    _, verdict = await carry_out(
        MemoryLimit.model_validate(plan.undo.params), systems, RecordedProgress(8)
    )

    assert verdict.ok, verdict.text
    assert resources(kube)["limits"]["memory"] == "512Mi"


async def test_rare_notation_has_an_undo(systems: ChangingSystems, kube: Cluster) -> None:
    give(kube, limits={"memory": "5e8"}, requests={"memory": "256Mi"})
    plan = await limit().plan(systems.for_planning())

    assert plan.undo is not None
    assert MemoryLimit.model_validate(plan.undo.params).limit == "500000000"


async def test_plan_writes_nothing(systems: ChangingSystems, kube: Cluster) -> None:
    plans = [await limit().plan(systems.for_planning()) for _ in range(2)]

    assert len({plan.digest for plan in plans}) == 1
    assert kube.writes == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("512Mi", "512Mi already"),
        ("0.5Gi", "512Mi already"),
        ("3Gi", "one step changes it by at most 4 times"),
        ("100Mi", "requests 256Mi"),
        ("1024", "requests 256Mi"),
    ],
)
async def test_what_is_out_of_bounds(
    text: str, words: str, systems: ChangingSystems, kube: Cluster
) -> None:
    with pytest.raises(UserError, match=words):
        await limit(text).plan(systems.for_planning())
    assert kube.requests[-1].verb == "get"


async def test_less_than_quarter_is_refused(systems: ChangingSystems, kube: Cluster) -> None:
    give(kube, limits={"memory": "8Gi"}, requests={"memory": "256Mi"})
    with pytest.raises(UserError, match="is 8Gi, and one step changes it by at most 4 times"):
        await limit().plan(systems.for_planning())


async def test_less_than_is_used_is_refused(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("oom")
    await carry_out(limit(), systems, RecordedProgress())
    await kube.wait_until(lambda: len(_measured(kube)) == 3)
    with pytest.raises(UserError, match="would end it at once"):
        await limit("384Mi").plan(systems.for_planning())


def _measured(kube: Cluster) -> list[str]:
    """The pods that the metrics server has measured."""
    now = kube.state.clock
    started = [kube.state.logs.started(pod, "order-service") for pod in kube.ready_pods()]
    return ["" for at in started if at is not None and now.age(at) >= 20]


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, ""),
        (403, ""),
        (
            503,
            " The metrics server does not answer now; if it is only starting, request this again "
            "in a minute, and the plan checks it.",
        ),
        (
            500,
            " Kubernetes failed with status 500 (list pods.metrics.k8s.io in namespace "
            "tickettoken of cluster sandbox). Nothing was read. Check that the API server is "
            "healthy, then try again. Kubernetes says: Internal error occurred: etcdserver: "
            "request timed out.",
        ),
    ],
)
async def test_unmeasured_decrease_is_warned_of(
    systems: ChangingSystems, kube: Cluster, status: int, reason: str
) -> None:
    kube.fail("*/metrics.k8s.io/*", status)
    plan = await limit("384Mi").plan(systems.for_planning())

    assert plan.warnings[0] == (
        "The bot cannot read how much memory it uses now, so the lower limit may end it at once."
        f"{reason}"
    )


async def test_container_without_limit_is_refused(systems: ChangingSystems, kube: Cluster) -> None:
    give(kube, requests={"memory": "256Mi"})
    with pytest.raises(UserError, match="has no memory limit"):
        await limit().plan(systems.for_planning())


async def test_guaranteed_pods_are_warned_of(systems: ChangingSystems, kube: Cluster) -> None:
    give(kube, limits={"memory": "512Mi"}, requests={"memory": "512Mi"})
    plan = await limit().plan(systems.for_planning())

    assert "Burstable" in plan.warnings[0]


async def test_of_several_containers_one_is_named(systems: ChangingSystems, kube: Cluster) -> None:
    changed = editable_copy(kube.deployment())
    containers = changed["spec"]["template"]["spec"]["containers"]
    containers.append(containers[0] | {"name": "sidecar"})
    kube.state.store.update(DEPLOYMENTS, changed)

    with pytest.raises(UserError, match=r"several containers \(order-service, sidecar\)"):
        await limit().plan(systems.for_planning())
    with pytest.raises(UserError, match="no container other"):
        await limit(container="other").plan(systems.for_planning())
    plan = await limit(container="sidecar").plan(systems.for_planning())
    assert plan.undo is not None
    assert plan.undo.params["container"] == "sidecar"


@pytest.mark.parametrize(
    ("hard", "words"),
    [
        ({"limits_memory": "3Gi"}, "allows limits.memory=3Gi, 2.5Gi is used, and 1.5Gi more"),
        ({"pods": "8"}, "allows pods=8, 8 is used, and 1 more"),
    ],
)
async def test_a_quota_without_room_refuses_it(
    hard: dict[str, str], words: str, systems: ChangingSystems, kube: Cluster
) -> None:
    """The pods in the end, or the first new one beside the old ones."""
    kube.limit_namespace(**hard)
    with pytest.raises(UserError, match=words):
        await limit().plan(systems.for_planning())
    assert kube.writes == []


async def test_quota_with_room_allows_it(systems: ChangingSystems, kube: Cluster) -> None:
    kube.limit_namespace(limits_memory="16Gi", pods="40")

    assert (await limit().plan(systems.for_planning())).warnings == ()


async def test_forbidden_quota_is_warned_of(systems: ChangingSystems, kube: Cluster) -> None:
    kube.forbid(USER, "list", "resourcequotas")
    plan = await limit().plan(systems.for_planning())

    assert "may not list resourcequotas" in plan.warnings[0]


@pytest.mark.parametrize("mute", [True, False])
async def test_unknown_quota_is_warned_of(
    mute: bool, systems: ChangingSystems, kube: Cluster
) -> None:
    if mute:
        kube.hang("list */resourcequotas")
    else:
        kube.fail("list */resourcequotas", 500)
    plan = await limit().plan(systems.for_planning())

    assert "Whether the quota has room is not known. Kubernetes " in plan.warnings[0]


async def test_missing_right_stops_the_plan(systems: ChangingSystems, kube: Cluster) -> None:
    kube.forbid(USER, "patch", "deployments")
    with pytest.raises(door.Forbidden, match="patch deployments"):
        await limit().plan(systems.for_planning())


async def test_drift_is_refused(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await limit().plan(systems.for_planning())
    give(kube, limits={"memory": "600Mi"}, requests={"memory": "256Mi"})
    with pytest.raises(UserError, match="changed since the plan"):
        await limit().execute(systems, plan, RecordedProgress().run)
    assert resources(kube)["limits"] == {"memory": "600Mi"}


async def test_what_was_not_done_is_said(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await limit().plan(systems.for_planning())
    verdict = await limit().settle(systems, plan, RecordedProgress().run)

    assert verdict == Verdict(
        ok=False,
        was_applied=False,
        text="The change was not done: order-service in order-service may use 512Mi of memory.",
    )


async def test_too_little_still_fails_the_check(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("oom")
    action = limit("640Mi", watch_seconds=1.5, deadline_seconds=3.0)
    _, verdict = await carry_out(action, systems, RecordedProgress())

    assert not verdict.ok
    assert "137" in verdict.text


async def test_a_mute_and_an_unreachable_cluster(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await limit().plan(systems.for_planning())
    fault = kube.hang("get */deployments/*")
    with pytest.raises(door.TimedOut):
        await limit().plan(systems.for_planning())
    kube.heal(fault)
    await kube.stop_listening()
    with pytest.raises(door.Unreachable):
        await limit().plan(systems.for_planning())
    with pytest.raises(door.Unreachable):
        await limit().execute(systems, plan, RecordedProgress().run)
