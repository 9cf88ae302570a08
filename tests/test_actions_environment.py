"""Setting a variable: with its plan, its guard, its check and its undo, and never a secret."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bot.actions.base import AlreadyApplied
from bot.actions.kubernetes.environment import SetEnvironment
from bot.actions.registry import ACTIONS
from bot.model import UserError, Verdict
from bot.playbooks import loader
from bot.systems import ChangingSystems
from bot.systems import kubernetes as door
from sandbox.cluster import DEFAULT_NAMESPACE, Cluster
from tests.cluster_fixtures import USER, RecordedProgress, carry_out, systems
from tests.conftest import SHIPPED
from tests.manual_changes import environment, patch_env, patch_pods, variable

__all__ = ["systems"]


def setting(value: str | None = "true", **more: Any) -> SetEnvironment:
    """Pause orders, unless said otherwise."""
    params = {"deployment": "order-service", "variable": "ORDERS_PAUSED", "value": value}
    times = {"watch_seconds": 0.3, "deadline_seconds": 8.0}
    return SetEnvironment.model_validate(params | times | more)


async def undo(systems: ChangingSystems, params: dict[str, Any]) -> None:
    _, verdict = await carry_out(
        SetEnvironment.model_validate(params), systems, RecordedProgress(8)
    )
    assert verdict.ok, verdict.text


async def test_changed_value_is_put_back(systems: ChangingSystems, kube: Cluster) -> None:
    before = environment(kube)

    plan, verdict = await carry_out(setting(effect="No new orders."), systems, RecordedProgress())

    assert plan.summary == "Set ORDERS_PAUSED of order-service from “false” to “true”"
    place = f"{DEFAULT_NAMESPACE} of 127.0.0.1:{kube.port}/users/{USER}"
    assert plan.target == f"deployment/order-service in {place}"
    assert plan.blast_radius.effect == "No new orders."
    assert "-      value: 'false'" in plan.diff
    assert "+      value: 'true'" in plan.diff
    assert plan.temporary is None
    assert verdict.ok, verdict.text
    assert verdict.text.startswith("ORDERS_PAUSED of order-service is “true”: 3 of 3 ready")
    assert [variable["name"] for variable in environment(kube)] == [
        variable["name"] for variable in before
    ]
    assert variable(kube) == "true"
    assert all(
        {"name": "ORDERS_PAUSED", "value": "true"} in pod["spec"]["containers"][0]["env"]
        for pod in kube.ready_pods()
    )

    assert plan.undo is not None
    await undo(systems, plan.undo.params)
    assert environment(kube) == before


async def test_added_variable_is_taken_away(systems: ChangingSystems, kube: Cluster) -> None:
    before = environment(kube)

    plan, verdict = await carry_out(setting(variable="FRAUD_MODE"), systems, RecordedProgress())

    assert verdict.ok, verdict.text
    assert environment(kube) == [*before, {"name": "FRAUD_MODE", "value": "true"}]
    assert plan.undo is not None
    assert plan.undo.summary == "Remove FRAUD_MODE of order-service"
    await undo(systems, plan.undo.params)
    assert environment(kube) == before


async def test_without_a_value_it_is_removed(systems: ChangingSystems, kube: Cluster) -> None:
    plan, verdict = await carry_out(setting(None), systems, RecordedProgress())

    assert plan.summary == "Remove ORDERS_PAUSED of order-service, which is “false”"
    assert verdict.ok, verdict.text
    assert "is not set" in verdict.text
    assert variable(kube) is None


async def test_removal_leaves_no_empty_list(systems: ChangingSystems, kube: Cluster) -> None:
    only = {"name": "ORDERS_PAUSED", "value": "false"}
    await patch_env(kube, {"$patch": "replace"}, only)

    _, verdict = await carry_out(setting(None), systems, RecordedProgress())

    assert verdict.ok, verdict.text
    assert "env" not in kube.deployment()["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("value", ["false", None])
async def test_what_is_so_already_is_refused(
    systems: ChangingSystems, kube: Cluster, value: str | None
) -> None:
    if value is None:
        await patch_env(kube, {"name": "ORDERS_PAUSED", "$patch": "delete"})

    with pytest.raises(AlreadyApplied, match="so there is nothing to do"):
        await setting(value).plan(systems.for_planning())


async def test_an_empty_value_is_a_value(systems: ChangingSystems, kube: Cluster) -> None:
    await carry_out(setting(""), systems, RecordedProgress())

    with pytest.raises(AlreadyApplied, match="is “” already"):
        await setting("").plan(systems.for_planning())
    assert (await setting(None).plan(systems.for_planning())).undo is not None


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"secretKeyRef": {"name": "shop", "key": "paused"}}, r"Secret shop \(paused\)"),
        ({"configMapKeyRef": {"name": "shop", "key": "paused"}}, r"ConfigMap shop \(paused\)"),
        ({"fieldRef": {"fieldPath": "metadata.name"}}, "the pod itself"),
    ],
)
async def test_a_value_from_elsewhere_is_refused(
    systems: ChangingSystems, kube: Cluster, source: dict[str, Any], words: str
) -> None:
    await patch_env(kube, {"name": "ORDERS_PAUSED", "value": None, "valueFrom": source})

    with pytest.raises(UserError, match=f"comes from {words}, so nothing was planned"):
        await setting().plan(systems.for_planning())


@pytest.mark.parametrize(
    ("variable", "value"), [("REDIS_URL", "redis://app:hunter2@redis:6379"), ("SMTP_PW", "hunter2")]
)
async def test_undo_keeps_no_secret(
    systems: ChangingSystems, kube: Cluster, variable: str, value: str
) -> None:
    await patch_env(kube, {"name": variable, "value": value})

    with pytest.raises(UserError, match="holds something secret") as refused:
        await setting("redis://redis:6379", variable=variable).plan(systems.for_planning())
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"variable": "STRIPE_SECRET_KEY"}, "holds no secret"),
        ({"variable": "A B"}, "pattern"),
        ({"variable": "A=B"}, "pattern"),
        ({"value": "x" * 501}, "500"),
        ({"revert_after": "9 min"}, "greater than or equal to 10"),
        ({"revert_after": "5 hours"}, "less than or equal to 240"),
        ({"revert_after": "90 s"}, "integer"),
    ],
)
def test_parameters_are_bounded(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        setting(**params)


@pytest.mark.parametrize("asked", ["deployment", "container", "variable", "value"])
def test_playbook_cannot_ask_for_variable(tmp_path: Path, asked: str) -> None:
    file = tmp_path / "order-service.yml"
    words = SHIPPED.read_text(encoding="utf-8")
    file.write_text(words.replace("ask: [revert_after]", f"ask: [{asked}]"), encoding="utf-8")

    with pytest.raises(loader.PlaybookError, match=f'"{asked}" can only be set'):
        loader.load(file, ACTIONS)


@pytest.mark.parametrize(
    ("after", "minutes"), [("30 min", 30), ("2 hours", 120), (45, 45), ("45", 45)]
)
async def test_a_temporary_plan_says_how_long(
    systems: ChangingSystems, after: object, minutes: int
) -> None:
    plan = await setting(revert_after=after, state="orders paused").plan(systems.for_planning())

    assert plan.temporary is not None
    assert plan.temporary.state == "orders paused"
    assert plan.temporary.lasts.total_seconds() == 60 * minutes
    assert plan.undo is not None
    inverse = SetEnvironment.model_validate(plan.undo.params)
    assert inverse.revert_after is None
    assert plan.digest != (await setting(state="orders paused").plan(systems.for_planning())).digest


async def test_of_several_containers_one_is_named(systems: ChangingSystems, kube: Cluster) -> None:
    proxy = {"name": "proxy", "image": "ghcr.io/tickettoken/order-service:v2.3.1"}
    await patch_pods(kube, {"containers": [proxy]})

    with pytest.raises(UserError, match=r"several containers \(proxy, order-service\)"):
        await setting().plan(systems.for_planning())
    with pytest.raises(UserError, match="no container cache"):
        await setting(container="cache").plan(systems.for_planning())
    _, verdict = await carry_out(setting(container="order-service"), systems, RecordedProgress())

    assert verdict.ok, verdict.text
    containers = kube.deployment()["spec"]["template"]["spec"]["containers"]
    assert "env" not in containers[0]
    assert {"name": "ORDERS_PAUSED", "value": "true"} in containers[1]["env"]


async def test_missing_right_stops_the_plan(systems: ChangingSystems, kube: Cluster) -> None:
    kube.forbid(USER, "patch", "deployments")

    with pytest.raises(door.Forbidden, match="patch deployments"):
        await setting().plan(systems.for_planning())


async def test_an_unreachable_cluster(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await setting().plan(systems.for_planning())
    await kube.stop_listening()

    with pytest.raises(door.Unreachable):
        await setting().plan(systems.for_planning())
    with pytest.raises(door.Unreachable):
        await setting().execute(systems, plan, RecordedProgress().run)


async def test_a_slow_cluster_is_waited_for(systems: ChangingSystems, kube: Cluster) -> None:
    kube.slow("*", 0.2)

    _, verdict = await carry_out(setting(), systems, RecordedProgress())

    assert verdict.ok, verdict.text


async def test_a_mute_cluster(systems: ChangingSystems, kube: Cluster) -> None:
    kube.hang("*")

    with pytest.raises(door.TimedOut):
        await setting().plan(systems.for_planning())


async def test_drift_is_refused(systems: ChangingSystems, kube: Cluster) -> None:
    plan = await setting().plan(systems.for_planning())
    await patch_env(kube, {"name": "NODE_ENV", "value": "staging"})

    with pytest.raises(UserError, match="changed since the plan"):
        await setting().execute(systems, plan, RecordedProgress().run)
    assert variable(kube) == "false"


async def test_what_was_not_done_is_said(systems: ChangingSystems) -> None:
    plan = await setting().plan(systems.for_planning())

    assert await setting().settle(systems, plan, RecordedProgress().run) == Verdict(
        ok=False,
        was_applied=False,
        text="The change was not done: ORDERS_PAUSED of order-service is “false”.",
    )


@pytest.mark.parametrize(
    ("seconds", "when"),
    [(0, "within a second"), (1, "after about 1 s"), (12, "after about 12 s")],
)
async def test_what_somebody_changed_afterwards_is_said(
    systems: ChangingSystems, kube: Cluster, seconds: int, when: str
) -> None:
    """The server notes whole seconds: nobody knows whether these were 11.1 s or 12.9 s."""
    plan = await setting().plan(systems.for_planning())
    await setting().execute(systems, plan, RecordedProgress().run)
    await patch_env(kube, {"name": "ORDERS_PAUSED", "value": "maybe"})
    notes = {note["manager"]: note for note in kube.deployment()["metadata"]["managedFields"]}
    ours = datetime.fromisoformat(notes["runbolt"]["time"])
    notes["Python"]["time"] = f"{ours + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"

    verdict = await setting().verify(systems.for_reading(), plan, RecordedProgress().run)

    assert (verdict.ok, verdict.undone_outside) == (False, True)
    assert verdict.text == (
        f"Done, then changed by Python {when}: ORDERS_PAUSED of order-service is “maybe”."
    )


async def test_unready_pods_fail_the_check(systems: ChangingSystems, kube: Cluster) -> None:
    await kube.scenario("crash-loop")

    action = setting(watch_seconds=1.5, deadline_seconds=3.0)
    _, verdict = await carry_out(action, systems, RecordedProgress())

    assert not verdict.ok
    assert verdict.was_applied
    assert "exit 2" in verdict.text
