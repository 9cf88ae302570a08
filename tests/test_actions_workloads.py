"""StatefulSets, DaemonSets, releases that cannot be pulled, and what keeps new pods out."""

import pytest

from bot.actions.base import Change
from bot.actions.kubernetes.environment import SetEnvironment
from bot.actions.kubernetes.history import RolloutHistory
from bot.actions.kubernetes.memory import MemoryLimit
from bot.actions.kubernetes.pods import ListPods
from bot.actions.kubernetes.restarts import DeletePods, RollingRestart
from bot.actions.kubernetes.rollback import RollBack
from bot.actions.kubernetes.scale import ScaleDeployment
from bot.model import Plan, UserError
from bot.systems import ChangingSystems
from bot.systems.kubernetes import NotFound, RequestRefused
from sandbox.cluster import Cluster
from tests.cluster_fixtures import SHOP, RecordedProgress, carry_out, systems
from tests.conftest import Walk

__all__ = ["systems"]

TIMES = {"watch_seconds": 0.3, "deadline_seconds": 8.0}
POSTGRES = "tickettoken-postgres"
NAMED = {"deployment": "order-service"}
RESTART = RollingRestart.model_validate(NAMED | TIMES)
ROLLBACK = RollBack.model_validate(NAMED | TIMES)
PAUSE = SetEnvironment.model_validate(
    NAMED | TIMES | {"variable": "ORDERS_PAUSED", "value": "true"}
)
SCALE = ScaleDeployment.model_validate(NAMED | TIMES | {"replicas": 4})


LIMIT = MemoryLimit.model_validate(NAMED | TIMES | {"limit": "1Gi"})


async def plan(systems: ChangingSystems, change: Change) -> Plan:
    return await change.plan(systems.for_planning())


def delete(app: str) -> DeletePods:
    return DeletePods.model_validate({"selector": f"app={app}"} | TIMES)


async def test_pods_of_a_stateful_set(systems: ChangingSystems, kube: Cluster) -> None:
    listed = await ListPods(selector=f"app={POSTGRES}").read(systems.for_reading())
    uid = kube.pods(POSTGRES)[0]["metadata"]["uid"]

    made, verdict = await carry_out(delete(POSTGRES), systems, RecordedProgress())

    assert (listed.ok, listed.text) == (True, "1 of 1 ready")
    assert made.target.startswith(f"pods/app={POSTGRES} in ")
    assert made.warnings == (
        f"{POSTGRES} is a StatefulSet: its pods come back one after another, with their names and "
        f"volumes. `kubectl rollout restart statefulset/{POSTGRES} --namespace tickettoken` "
        "replaces them one by one.",
    )
    assert verdict.text == "1 pod was replaced: 1 of 1 ready, no restarts for 0.3 s"
    [pod] = kube.pods(POSTGRES)
    assert pod["metadata"]["name"] == f"{POSTGRES}-0"
    assert pod["metadata"]["uid"] != uid


async def test_pods_of_a_daemon_set(systems: ChangingSystems, kube: Cluster) -> None:
    kube.add_daemon_set("agent")
    await kube.wait_for_ready_pods(3, "agent")

    made, verdict = await carry_out(delete("agent"), systems, RecordedProgress())

    assert made.warnings == (
        "agent is a DaemonSet: its pods come back each on its node. `kubectl rollout restart "
        "daemonset/agent --namespace tickettoken` replaces them one by one.",
    )
    assert verdict.text == "3 pods were replaced: 3 of 3 ready, no restarts for 0.3 s"


@pytest.mark.parametrize(
    ("name", "kind"), [(POSTGRES, "StatefulSet"), ("agent", "DaemonSet"), ("nothing", "")]
)
async def test_a_step_that_names_no_deployment(
    systems: ChangingSystems, kube: Cluster, name: str, kind: str
) -> None:
    kube.add_daemon_set("agent")
    await kube.wait_for_ready_pods(3, "agent")

    with pytest.raises(NotFound) as refused:
        await plan(systems, RESTART.model_copy(update={"deployment": name}))

    assert str(refused.value) == (
        f"{name} {SHOP} is a {kind}, and this step is for Deployments. Nothing was read or "
        "changed. Name a Deployment, or use kubectl, such as `kubectl rollout restart "
        f"{kind.lower()}/{name} --namespace tickettoken`."
        if kind
        else f"There is no deployment nothing {SHOP}. Nothing was read. Check the name. "
        'Kubernetes says: deployments.apps "nothing" not found.'
    )


async def test_history_while_an_image_is_missing(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("image-pull")

    history = await RolloutHistory(deployment="order-service").read(systems.for_reading())

    assert history.ok is False
    assert history.text.startswith("Revision 7 (missing) was rolled out last, first rolled out ")
    assert history.text.endswith(
        ": 0 of 3 ready, and 3 pods of revision 6 (v2.3.1) still serve. A rollback would go to "
        "revision 6 (v2.3.1)"
    )
    assert history.table is not None
    rows = [dict(zip(history.table.columns, row, strict=True)) for row in history.table.rows[:2]]
    states = [(str(row["revision"]), str(row["ready"]), str(row["state"])) for row in rows]
    assert states == [("7", "0/3", "rolled out last"), ("6", "3/3", "still serves")]


async def test_rollback_while_an_image_is_missing(systems: ChangingSystems, kube: Cluster) -> None:
    before = {pod["metadata"]["uid"] for pod in kube.ready_pods()}
    await kube.scenario("image-pull")

    made, verdict = await carry_out(ROLLBACK, systems, RecordedProgress())

    assert made.blast_radius.text == (
        "No capacity is lost: 3 of 3 pods run revision 6 still, and stay. The others are removed."
    )
    assert verdict.ok, verdict.text
    assert {pod["metadata"]["uid"] for pod in kube.ready_pods()} == before


@pytest.mark.parametrize("change", [RESTART, ROLLBACK, PAUSE])
async def test_a_full_quota_is_warned_of(
    systems: ChangingSystems, kube: Cluster, change: Change
) -> None:
    kube.limit_namespace(pods=str(len(kube.pods()) + len(kube.pods("payment-service")) + 3))

    [warning] = (await plan(systems, change)).warnings

    assert warning == (
        f"The quota {SHOP} has no room for one more pod (shop-quota allows pods=8, 8 is "
        "used, and 1 more is needed), and no pod is stopped before its successor is ready: the "
        "rollout would stand still. Raise the quota first."
    )


async def test_finished_pods_fill_no_quota(systems: ChangingSystems, kube: Cluster) -> None:
    kube.add_finished_pod("migrate-x7k2p", "Completed")
    kube.limit_namespace(pods="9")

    assert (await plan(systems, RESTART)).warnings == ()


@pytest.mark.parametrize(
    ("kind", "rule", "problem"),
    [
        ("Container", {"max": {"memory": "768Mi"}}, "allows 768Mi of memory at most"),
        ("Pod", {"max": {"memory": "768Mi"}}, "allows 768Mi of memory at most"),
        (
            "Container",
            {"maxLimitRequestRatio": {"memory": "2"}},
            "allows a limit of memory up to 2 times its request",
        ),
    ],
)
async def test_a_limit_range_refuses_while_planning(
    systems: ChangingSystems,
    kube: Cluster,
    kind: str,
    rule: dict[str, dict[str, str]],
    problem: str,
) -> None:
    kube.limit_resources(kind, **rule)  # type: ignore[arg-type]
    with pytest.raises(UserError) as refused:
        await plan(systems, LIMIT)

    name = "the pod" if kind == "Pod" else "order-service"
    assert str(refused.value) == (
        "No pod with a limit of 1Gi would be let into namespace tickettoken of cluster sandbox: "
        f"the LimitRange shop-limits {problem}, which {name} "
        "breaks. Nothing was planned. Ask for another limit, or change the LimitRange first."
    )


@pytest.mark.parametrize("change", [RESTART, ROLLBACK, PAUSE, SCALE])
async def test_a_limit_range_is_warned_of(
    systems: ChangingSystems, kube: Cluster, change: Change
) -> None:
    kube.limit_resources("Container", min={"memory": "1Gi"})

    assert (await plan(systems, change)).warnings == (
        "New pods would not be let in: the LimitRange shop-limits demands 1Gi of memory at least, "
        "which order-service breaks.",
    )


async def test_a_limit_range_keeps_pods_out(systems: ChangingSystems, kube: Cluster) -> None:
    kube.limit_resources("Container", max={"memory": "256Mi"})

    made, verdict = await carry_out(RESTART, systems, RecordedProgress())

    assert made.warnings
    assert "maximum memory usage per Container is 256Mi, but limit is 512Mi" in verdict.text


async def test_a_limit_range_that_fits(systems: ChangingSystems, kube: Cluster) -> None:
    ranges = {"max": {"memory": "512Mi"}, "min": {"cpu": "100m"}}
    kube.limit_resources("Container", **ranges, maxLimitRequestRatio={"cpu": "4"})

    assert (await plan(systems, RESTART)).warnings == ()


CLIENT = (
    "deployment/order-service is kept with `kubectl apply`, and the file that was applied last has "
    "{} too: the next apply sets this back without a word. Change the file too."
)
SERVER = (
    "deployment/order-service is kept with server-side apply by kubectl, whose file has {} too: "
    "the next apply fails with a conflict with “runbolt”, until the file is changed too."
)


@pytest.mark.parametrize(("on_server", "text"), [(False, CLIENT), (True, SERVER)])
@pytest.mark.parametrize(
    ("change", "noun"),
    [
        (SCALE, "the replicas"),
        (PAUSE, "this variable"),
        (LIMIT, "this limit"),
        (ROLLBACK, "what it changes"),
    ],
)
async def test_what_the_next_apply_does(
    systems: ChangingSystems, kube: Cluster, change: Change, noun: str, on_server: bool, text: str
) -> None:
    kube.mark_as_applied(on_server=on_server)

    assert (await plan(systems, change)).warnings == (text.format(noun),)


async def test_an_apply_of_other_fields(systems: ChangingSystems, kube: Cluster) -> None:
    new = ScaleDeployment.model_validate(NAMED | TIMES | {"replicas": 4})
    added = PAUSE.model_copy(update={"variable": "NEW_PAUSED"})
    kube.mark_as_applied(on_server=True)
    await carry_out(new, systems, RecordedProgress())

    back = await plan(systems, new.model_copy(update={"replicas": 3}))
    assert back.warnings == (), "the field is the bot's by now"
    assert (await plan(systems, added)).warnings == ()


async def test_a_policy_refuses_while_planning(systems: ChangingSystems, kube: Cluster) -> None:
    kube.deny_writes("deployments", "no changes on a Friday")

    with pytest.raises(RequestRefused) as refused:
        await plan(systems, SCALE)

    assert str(refused.value) == (
        f"Kubernetes refused to patch deployments order-service {SHOP}. Nothing was changed. "
        "Kubernetes "
        'says: deployments.apps "order-service" is forbidden: ValidatingAdmissionPolicy '
        "'shop-policy' with binding 'shop-policy' denied request: no changes on a Friday."
    )
    assert kube.writes == []


async def test_a_refused_plan_asks_nobody(walk: Walk, kube: Cluster) -> None:
    channel = await walk.declare()
    kube.deny_writes("deployments", "no changes on a Friday")

    await walk.press_step("oncall", "rolling-restart", channel)
    await walk.submit("oncall", reason="it is slow")

    assert "no changes on a Friday" in walk.text(channel, "oncall")
    assert "Needs 1 more approval" not in walk.text(channel)
