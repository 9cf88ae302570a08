"""What an approver reads in ten seconds: what is lost meanwhile, and what stands in the way."""

from collections.abc import Sequence
from typing import Any

import pytest

from bot.actions.base import Change
from bot.actions.kubernetes.environment import SetEnvironment
from bot.actions.kubernetes.memory import MemoryLimit
from bot.actions.kubernetes.restarts import DeletePods, RollingRestart
from bot.actions.kubernetes.rollback import RollBack
from bot.actions.kubernetes.scale import ScaleDeployment
from bot.model import BlastRadius, Plan, Table
from bot.systems import ChangingSystems
from sandbox.cluster import Cluster
from tests.cluster_fixtures import SELECTOR, SHOP, USER, systems
from tests.conftest import Walk

__all__ = ["systems"]

NAME = "order-service"
RESTART = RollingRestart(deployment=NAME)
DELETE = DeletePods(selector=SELECTOR)
SCALE_DOWN = ScaleDeployment(deployment=NAME, replicas=1)
PAUSE = SetEnvironment(deployment=NAME, variable="ORDERS_PAUSED", value="true")
MEMORY = MemoryLimit(deployment=NAME, limit="768Mi")
ROLLBACK = RollBack(deployment=NAME)

FULL = f"The quota {SHOP} has no room for {{}} (shop-quota allows pods=8, 8 is used, and {{}}"
ALLOWED = (
    "The disruption budget order-service-budget lets {} go now, so that 2 stay ready. This takes "
    "{} and does not heed it."
)


def allow_missing(kube: Cluster, count: int) -> None:
    """Let a rollout take away so many pods, without another rollout."""
    spec = kube.deployment()["spec"]
    spec["strategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": count}}


async def warnings(change: Change, systems: ChangingSystems) -> Sequence[str]:
    return (await change.plan(systems.for_planning())).warnings


async def test_what_is_lost_stands_first(walk: Walk, kube: Cluster) -> None:
    kube.scale(5)
    await kube.wait_for_rollout()
    channel = await walk.declare()
    await walk.press_step("oncall", "delete-pods", channel)
    await walk.submit("oncall", reason="They hang")

    [message] = [
        message
        for message in walk.slack.messages(channel, "second")
        if "requested by" in str(message.get("blocks"))
    ]
    _, plan, table, small_print, *_ = message["blocks"]
    first, second, *_ = plan["text"]["text"].splitlines()
    assert first.startswith("*All 5 pods at once: no capacity for some ")
    assert second == "*Plan:* Delete 5 pods of app=order-service at once"
    assert table["type"] == "data_table"
    header, *rows = [[cell["text"] for cell in row] for row in table["rows"]]
    assert header == ["pod", "serves now", "status", "restarts", "age", "version"]
    assert [row[0] for row in rows] == sorted(kube.pod_names())
    assert {(row[1], row[2], row[5]) for row in rows} == {("yes", "Running", "v2.3.1")}
    assert small_print["type"] == "context"
    assert "capacity" not in str(small_print)
    assert "no capacity for some" in message["text"]


@pytest.mark.parametrize(
    ("change", "taken", "allowed", "expected"),
    [
        (RESTART, 1, 1, []),
        (RESTART, 2, 1, [ALLOWED.format("1 pod", 2)]),
        (PAUSE, 1, 0, [ALLOWED.format("no pods", 1)]),
        (MEMORY, 1, 0, [ALLOWED.format("no pods", 1)]),
        (SCALE_DOWN, 0, 1, [ALLOWED.format("1 pod", 2)]),
        (DELETE, 0, 1, [ALLOWED.format("1 pod", 3)]),
        (DELETE, 0, 3, []),
    ],
)
async def test_disruption_budgets_are_told(
    change: Change,
    taken: int,
    allowed: int,
    expected: Sequence[str],
    systems: ChangingSystems,
    kube: Cluster,
) -> None:
    allow_missing(kube, taken)
    kube.protect_pods(desired=2, allowed=allowed)
    kube.protect_pods(desired=2, allowed=0, app="another-service")

    told = await warnings(change, systems)

    assert [warning for warning in told if "disruption budget" in warning] == expected


@pytest.mark.parametrize(
    ("change", "taken", "expected"),
    [
        (
            RESTART,
            0,
            FULL.format("one more pod", "1 more is needed), and no pod is stopped before its ")
            + "successor is ready: the rollout would stand still. Raise the quota first.",
        ),
        (
            RESTART,
            1,
            FULL.format("one more pod", "1 more is needed): each new pod waits until an old one ")
            + "has stopped.",
        ),
        (
            DELETE,
            0,
            FULL.format("3 more pods", "3 more is needed): new ones start only when these have ")
            + "stopped.",
        ),
    ],
)
async def test_a_full_quota_is_told(
    change: Change, taken: int, expected: str, systems: ChangingSystems, kube: Cluster
) -> None:
    allow_missing(kube, taken)
    kube.limit_namespace(pods="8")

    assert (await warnings(change, systems))[0] == expected


@pytest.mark.parametrize("change", [RESTART, PAUSE, MEMORY, SCALE_DOWN, ROLLBACK])
async def test_a_server_that_takes_it_back_is_told(
    change: Change, systems: ChangingSystems, kube: Cluster
) -> None:
    assert "takes this back" not in str(await warnings(change, systems))

    kube.take_back_writes("deployments")

    assert (await warnings(change, systems))[0] == (
        "The API server takes this back at once: in its dry run order-service stays as it is. An "
        "admission webhook does that; find out whose it is before you approve."
    )


@pytest.mark.parametrize(
    ("spec", "advice"),
    [
        ({}, ("A rolling restart does the same without losing capacity.",)),
        (
            {"strategy": {"rollingUpdate": {"maxUnavailable": 1}}},
            ("A rolling restart does the same with 1 pod missing at a time.",),
        ),
        ({"strategy": {"type": "Recreate"}}, ()),
        ({"paused": True}, ()),
    ],
)
async def test_a_restart_is_advised_where_it_loses_less(
    spec: dict[str, Any], advice: Sequence[str], systems: ChangingSystems, kube: Cluster
) -> None:
    kube.deployment()["spec"].update(spec)

    assert await warnings(DELETE, systems) == advice


async def test_unknown_budgets_are_told(systems: ChangingSystems, kube: Cluster) -> None:
    kube.forbid(USER, "list", "poddisruptionbudgets")
    [warning, _] = await warnings(DELETE, systems)

    assert warning.startswith("Whether a disruption budget lets these pods go is not known. ")
    assert await warnings(RESTART, systems) == ()


@pytest.mark.parametrize(
    ("taken", "words"),
    [
        (0, "No capacity is lost: 3 pods are replaced; none stops before its successor is ready."),
        (1, "Up to 1 of 3 pods (33 %) missing at a time, until all are replaced."),
        (3, "All 3 pods at once: no capacity until new ones are ready."),
    ],
)
async def test_a_rollout_says_what_is_lost(
    taken: int, words: str, systems: ChangingSystems, kube: Cluster
) -> None:
    allow_missing(kube, taken)

    assert (await RESTART.plan(systems.for_planning())).blast_radius.text == words


async def test_pods_that_do_not_serve_are_no_loss(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")
    await kube.wait_for_status("CrashLoopBackOff", 3)
    plan = await DELETE.plan(systems.for_planning())

    assert plan.blast_radius.text == "No capacity is lost: none of these 3 pods is ready."
    assert plan.table is None
    assert plan.summary.count("order-service-") == 3


PLAN = Plan(target="x", summary="x", blast_radius=BlastRadius(text="x"), check="x")


@pytest.mark.parametrize(
    "later",
    [
        {"table": Table(columns=("pod",), rows=(("a",),))},
        {"blast_radius": BlastRadius(text="y", effect="Nobody can order")},
    ],
)
def test_older_versions_know_plans_without_these(later: dict[str, Any]) -> None:
    plan = PLAN.model_copy(update=later)

    assert PLAN.model_dump(mode="json").keys().isdisjoint({"table"})
    assert PLAN.model_dump(mode="json")["blast_radius"].keys().isdisjoint({"effect"})
    assert plan.digest == PLAN.digest
    assert Plan.model_validate(plan.model_dump(mode="json")) == plan
