"""What is read of quotas, autoscalers and nodes."""

from typing import Any

import pytest

from bot.systems.kubernetes.limits import parse_autoscaler, parse_node, parse_quota

Obj = dict[str, Any]

READY = {"type": "Ready", "status": "True"}
INITIALIZED = {"type": "Initialized", "status": "True"}


@pytest.mark.parametrize(
    ("spec", "used", "hard"),
    [
        ({"hard": {"pods": "10"}}, {"pods": "3"}, {"pods": 10.0}),
        ({"hard": {"cpu": "2500m"}}, {"requests.cpu": "1"}, {"requests.cpu": 2.5}),
        ({"hard": {"memory": "1Gi"}}, {"memory": "512Mi"}, {"requests.memory": 2.0**30}),
        ({"hard": {"count/pods": 4}}, {"pods": 1}, {"pods": 4.0}),
        ({"hard": {"pods": "10"}}, {}, {}),
        ({"hard": {"pods": "10"}, "scopes": ["BestEffort"]}, {"pods": "3"}, {}),
        ({"hard": {"pods": "10"}, "scopeSelector": {"matchExpressions": []}}, {"pods": "3"}, {}),
        ({}, {"pods": "3"}, {}),
    ],
)
def test_what_a_quota_leaves(spec: Obj, used: Obj, hard: dict[str, float]) -> None:
    raw = {"metadata": {"name": "q"}, "spec": spec, "status": {"used": used}}
    assert parse_quota(raw).hard == hard


@pytest.mark.parametrize(
    ("kind", "minimum", "deployment", "label"),
    [
        ("Deployment", {"minReplicas": 2}, "order-service", "orders (2 to 6)"),
        ("Deployment", {}, "order-service", "orders (1 to 6)"),
        ("StatefulSet", {"minReplicas": 0}, "", "orders (0 to 6)"),
    ],
)
def test_what_an_autoscaler_scales(kind: str, minimum: Obj, deployment: str, label: str) -> None:
    target = {"kind": kind, "name": "order-service"}
    raw = {
        "metadata": {"name": "orders"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 6, **minimum},
    }
    found = parse_autoscaler(raw)
    assert (found.deployment, found.label) == (deployment, label)


@pytest.mark.parametrize(
    ("spec", "status", "schedulable", "allocatable"),
    [
        ({}, {"conditions": [READY]}, True, {}),
        ({"unschedulable": True}, {"conditions": [READY]}, False, {}),
        ({}, {"conditions": [{"type": "Ready", "status": "Unknown"}]}, False, {}),
        ({}, {"conditions": [INITIALIZED]}, False, {}),
        ({}, None, False, {}),
        (
            {},
            {"allocatable": {"cpu": "1900m", "memory": "1Ki", "pods": "110", "gpu": "1"}},
            False,
            {"cpu": 1.9, "memory": 1024.0, "pods": 110.0},
        ),
    ],
)
def test_what_a_node_takes(
    spec: Obj, status: Obj | None, schedulable: bool, allocatable: dict[str, float]
) -> None:
    node = parse_node({"metadata": {"name": "n1"}, "spec": spec, "status": status})
    assert (node.schedulable, node.allocatable) == (schedulable, allocatable)
