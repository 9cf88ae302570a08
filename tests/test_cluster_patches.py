"""What a change of a Deployment sends, what a template notes, and which logs a pod has."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bot.actions.kubernetes import log_lines
from bot.systems.kubernetes import Container, Deployment, Pod, patches, temporary
from bot.systems.kubernetes.patches import DeploymentPatch
from bot.systems.kubernetes.temporary import Setting

Obj = dict[str, Any]

CAUSE = "kubernetes.io/change-cause"
EXECUTION = "runbolt.dev/execution"
TEST = {"op": "test", "path": "/metadata/resourceVersion", "value": "42"}
TEMPLATE: Obj = {"spec": {"containers": [{"name": "main"}, {"name": "log", "image": "log:1"}]}}


def deployment(**changes: Any) -> Deployment:
    values = {
        "cluster": "k:6443",
        "place": "namespace shop of cluster eu",
        "namespace": "shop",
        "name": "order-service",
        "uid": "u",
        "resource_version": "42",
        "spec_observed": True,
        "paused": False,
        "revision": 5,
        "replicas": 3,
        "current_replicas": 3,
        "updated_replicas": 3,
        "available_replicas": 3,
        "max_unavailable": 1,
        "selector": "app=order-service",
        "stuck_reason": "",
        "annotations": {CAUSE: "release 5", "team": "orders"},
        "template": TEMPLATE,
        "spec_digest": "d",
    }
    return Deployment.model_validate(values | changes)


def noted(**annotations: str) -> Obj:
    return {"op": "add", "path": "/metadata/annotations", "value": annotations}


@pytest.mark.parametrize(
    ("patch", "execution", "expected"),
    [
        (DeploymentPatch(), "", []),
        (
            DeploymentPatch(),
            "7",
            [noted(**{CAUSE: "release 5", "team": "orders", EXECUTION: "7"})],
        ),
        (
            patches.scale(0),
            "",
            [{"op": "replace", "path": "/spec/replicas", "value": 0}],
        ),
        (DeploymentPatch(cause=""), "", [noted(team="orders")]),
        (DeploymentPatch(cause="release 5"), "", []),
        (DeploymentPatch(cause="again"), "", [noted(**{CAUSE: "again", "team": "orders"})]),
        (
            DeploymentPatch(rolled_back_from=5),
            "",
            [
                noted(
                    **{
                        CAUSE: "release 5",
                        "team": "orders",
                        "runbolt.dev/rolled-back-from": "5",
                    }
                )
            ],
        ),
        (
            DeploymentPatch(template={}, replicas=1),
            "",
            [
                {"op": "replace", "path": "/spec/template", "value": {}},
                {"op": "replace", "path": "/spec/replicas", "value": 1},
            ],
        ),
    ],
)
def test_what_a_change_sends(patch: DeploymentPatch, execution: str, expected: list[Obj]) -> None:
    assert patch.json_patch(deployment(), execution) == [TEST, *expected]


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (None, {"annotations": {patches.RESTARTED_AT_ANNOTATION: "now"}}),
        (
            {"labels": {"app": "a"}, "annotations": {"x": "y"}},
            {
                "labels": {"app": "a"},
                "annotations": {"x": "y", patches.RESTARTED_AT_ANNOTATION: "now"},
            },
        ),
        (
            {"annotations": {patches.RESTARTED_AT_ANNOTATION: "before"}},
            {"annotations": {patches.RESTARTED_AT_ANNOTATION: "now"}},
        ),
    ],
)
def test_what_a_restart_notes(metadata: Obj | None, expected: Obj) -> None:
    given = deployment(template=TEMPLATE | {"metadata": metadata})
    assert patches.restart(given, "now").template == TEMPLATE | {"metadata": expected}


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        (None, {"limits": {"memory": "1Gi"}}),
        ({"limits": None}, {"limits": {"memory": "1Gi"}}),
        (
            {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"memory": "256Mi"}},
            {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"memory": "256Mi"}},
        ),
    ],
)
def test_one_container_gets_memory(resources: Obj | None, expected: Obj) -> None:
    other = {"name": "log"}
    containers = [{"name": "main", "resources": resources}, other]
    given = deployment(template={"spec": {"containers": containers}})

    patch = patches.memory_limit(given, "main", "1Gi")

    assert patch.cause == "memory limit of main: 1Gi"
    assert patch.template == {
        "spec": {"containers": [{"name": "main", "resources": expected}, other]}
    }


def template(*env: Obj, **annotations: str) -> Obj:
    metadata = {"metadata": {"annotations": annotations}} if annotations else {"metadata": {}}
    return {**metadata, "spec": {"containers": [{"name": "main", "env": list(env)}]}}


PAUSED = Setting(value="true", description="Checkout is paused")
ON = {"name": "PAUSE", "value": "true"}


def test_a_note_comes_and_goes() -> None:
    plain = template(ON, team="orders")
    marked = temporary.annotate(plain, "PAUSE", PAUSED)

    assert temporary.descriptions(plain) == ()
    assert temporary.descriptions(marked) == ("Checkout is paused",)
    assert temporary.annotate(marked, "PAUSE", None) == plain


def test_a_last_note_leaves_nothing() -> None:
    plain = template(ON)
    assert temporary.annotate(temporary.annotate(plain, "PAUSE", PAUSED), "PAUSE", None) == plain


@pytest.mark.parametrize(
    ("value", "env", "applies"),
    [
        ("true", [ON], True),
        ("true", [], False),
        ("true", [{"name": "PAUSE", "value": "false"}], False),
        ("true", [{"name": "PAUSE", "value": "false"}, ON], True),
        ("true", [ON, {"name": "PAUSE", "value": "false"}], False),
        ("", [{"name": "PAUSE"}], True),
        (None, [], True),
        (None, [ON], False),
        (None, [{"name": "OTHER", "value": "1"}], True),
    ],
)
def test_a_note_needs_its_value(value: str | None, env: list[Obj], applies: bool) -> None:
    setting = Setting(value=value, description="Changed")
    marked = temporary.annotate(template(*env), "PAUSE", setting)
    assert temporary.descriptions(marked) == (("Changed",) if applies else ())


@pytest.mark.parametrize("note", ["", "{", "[]", '{"PAUSE": 1}', '{"PAUSE": {"value": "true"}}'])
def test_notes_of_others_are_ignored(note: str) -> None:
    assert temporary.descriptions(template(ON, **{temporary.ANNOTATION: note})) == ()


def container(name: str = "main", **changes: Any) -> Container:
    values = {
        "name": name,
        "image": "shop:1",
        "ready": True,
        "running": True,
        "restarts": 0,
        "reason": "",
        "exit_code": None,
    }
    return Container.model_validate(values | changes)


def logs(*containers: Container) -> list[str]:
    pod = Pod(
        name="order-1",
        uid="u",
        resource_version="1",
        status="Running",
        ready=True,
        terminating=False,
        created=datetime(2026, 11, 24, tzinfo=UTC),
        node="n1",
        owner="rs",
        owner_uid="o",
        containers=containers,
    )
    return [source.label for source in log_lines.log_sources(pod)]


BEFORE = "order-1 (previous container)"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["order-1"]),
        ({"restarts": 3, "exit_code": 0}, ["order-1"]),
        ({"restarts": 3, "exit_code": 137}, [BEFORE, "order-1"]),
        ({"restarts": 0, "exit_code": 137}, ["order-1"]),
        ({"running": False}, []),
        ({"running": False, "exit_code": 1}, ["order-1"]),
        ({"running": False, "exit_code": 0}, ["order-1"]),
        ({"running": False, "exit_code": 1, "restarts": 2}, [BEFORE]),
    ],
)
def test_which_logs_a_pod_has(changes: Obj, expected: list[str]) -> None:
    assert logs(container(**changes)) == expected


def test_several_containers_are_named() -> None:
    assert logs(container(), container("proxy", running=False, exit_code=1, restarts=1)) == [
        "order-1/main",
        "order-1/proxy (previous container)",
    ]
