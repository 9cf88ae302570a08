"""Who last wrote a field of a Deployment, and who else keeps it as it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.actions.base import Change
from bot.actions.kubernetes.environment import SetEnvironment
from bot.actions.kubernetes.memory import MemoryLimit
from bot.actions.kubernetes.restarts import RollingRestart
from bot.actions.kubernetes.rollback import RollBack
from bot.actions.kubernetes.scale import ScaleDeployment
from bot.systems import ChangingSystems
from bot.systems.kubernetes import managed_fields
from bot.systems.kubernetes.managed_fields import FieldWriter
from bot.systems.kubernetes.owners import Owner, OwnerKind, owners_of
from bot.systems.kubernetes.patches import DeploymentPatch
from sandbox.cluster import Cluster
from tests.cluster_fixtures import systems
from tests.manual_changes import patch_deployment, patch_env

__all__ = ["systems"]

ORDER = "order-service"
IMAGE = managed_fields.image(ORDER)
PAUSED = managed_fields.env(ORDER, "ORDERS_PAUSED")


async def writers(systems: ChangingSystems) -> dict[str, str | None]:
    """The managers of the image, the variable and the replicas of the order service."""
    deployment = await systems.cluster.deployment(ORDER)
    paths = {"image": IMAGE, "variable": PAUSED, "replicas": managed_fields.REPLICAS}
    found = {
        name: managed_fields.last_writer(deployment.managed_fields, path)
        for name, path in paths.items()
    }
    return {name: writer.manager if writer else None for name, writer in found.items()}


async def test_each_field_has_its_writer(systems: ChangingSystems, kube: Cluster) -> None:
    assert await writers(systems) == dict.fromkeys(("image", "variable", "replicas"), "pipeline")

    kube.deploy("v2.4.2", by="argocd-controller")
    kube.scale(2)
    await patch_env(kube, {"name": "ORDERS_PAUSED", "value": "true"})

    assert await writers(systems) == {
        "image": "argocd-controller",
        "variable": "Python",
        "replicas": "kubectl",
    }
    await patch_env(kube, {"name": "ORDERS_PAUSED", "$patch": "delete"})
    assert (await writers(systems))["variable"] is None


async def test_our_write_is_ours(systems: ChangingSystems, kube: Cluster) -> None:
    deployment = await systems.cluster.deployment(ORDER)
    before = datetime.now(UTC).replace(microsecond=0)

    rehearsed = await systems.cluster.dry_run(deployment, DeploymentPatch(replicas=2))
    patched = await systems.cluster.patch(deployment, DeploymentPatch(replicas=2), 7)

    for result in (rehearsed, patched):
        writer = managed_fields.last_writer(result.managed_fields, managed_fields.REPLICAS)
        assert writer is not None
        assert writer.is_ours
        assert writer.at is not None
        assert before <= writer.at <= before + timedelta(minutes=1)
    assert managed_fields.last_writer(patched.managed_fields, IMAGE) == FieldWriter(
        manager="pipeline", at=managed_fields.written_at(patched.managed_fields, "pipeline")
    )


def test_what_differs_between_templates() -> None:
    before = {"spec": {"containers": [{"name": "a", "image": "x:1", "args": ["1"]}]}}
    env = [{"name": "A", "value": "1"}]
    after = {"spec": {"containers": [{"name": "a", "image": "x:2", "args": ["2"], "env": env}]}}

    container = managed_fields.container("a")
    assert set(managed_fields.changed_paths(before, after)) == {
        (*container, "f:image"),
        (*container, "f:args"),
        (*container, "f:env"),
    }
    assert managed_fields.changed_paths(after, after) == ()


def entry(manager: str, subresource: str = "", **fields: Any) -> dict[str, Any]:
    """A note in managedFields."""
    spec = {f"f:{name}": value for name, value in fields.items()}
    written = {"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": spec}}
    return written | {"subresource": subresource, "time": "2026-11-30T10:00:00Z"}


FLUX = "toolkit.fluxcd.io"


@pytest.mark.parametrize(
    ("metadata", "owner"),
    [
        ({}, None),
        ({"managedFields": [entry("kubectl", "scale", replicas={})]}, None),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:a/b"}},
            Owner(kind=OwnerKind.ARGO_CD, name="shop"),
        ),
        (
            {"annotations": {"argocd.argoproj.io/tracking-id": "a; reboot:apps/Deployment:a/b"}},
            Owner(kind=OwnerKind.ARGO_CD),
        ),
        (
            {"labels": {"argocd.argoproj.io/instance": "shop"}},
            Owner(kind=OwnerKind.ARGO_CD, name="shop"),
        ),
        (
            {
                "labels": {"app.kubernetes.io/instance": "shop"},
                "managedFields": [entry("argocd-controller", template={})],
            },
            Owner(kind=OwnerKind.ARGO_CD, name="shop"),
        ),
        (
            {"labels": {f"kustomize.{FLUX}/name": "shop", f"kustomize.{FLUX}/namespace": "flux"}},
            Owner(kind=OwnerKind.FLUX_KUSTOMIZATION, name="shop", namespace="flux"),
        ),
        (
            {
                "labels": {f"helm.{FLUX}/name": "shop", "app.kubernetes.io/managed-by": "Helm"},
                "annotations": {"meta.helm.sh/release-name": "shop"},
            },
            Owner(kind=OwnerKind.FLUX_HELM_RELEASE, name="shop"),
        ),
        (
            {
                "labels": {"app.kubernetes.io/managed-by": "Helm"},
                "annotations": {"meta.helm.sh/release-name": "orders"},
            },
            Owner(kind=OwnerKind.HELM, name="orders"),
        ),
        (
            {"ownerReferences": [{"kind": "Shop", "name": "main", "controller": True}]},
            Owner(kind=OwnerKind.OPERATOR, name="main", resource="Shop"),
        ),
    ],
)
def test_who_keeps_it_as_it_is(metadata: dict[str, Any], owner: Owner | None) -> None:
    assert owners_of({"metadata": metadata}) == (() if owner is None else (owner,))


ARGO_CD = {"metadata": {"labels": {"argocd.argoproj.io/instance": "shop"}}}
WARNINGS: list[tuple[dict[str, Any], str]] = [
    (
        ARGO_CD,
        "Argo CD (application shop) keeps order-service as it is in Git, and may put this back "
        "within seconds. To keep it, first stop that with `argocd app set shop --sync-policy "
        "none`, and change it in Git too.",
    ),
    (
        {
            "metadata": {
                "labels": {f"kustomize.{FLUX}/name": "shop", f"kustomize.{FLUX}/namespace": "flux"}
            }
        },
        "Flux (Kustomization shop in flux) keeps order-service as it is in Git, and may put this "
        "back within seconds. To keep it, first stop that with `flux suspend kustomization shop "
        "--namespace flux`, and change it in Git too.",
    ),
    (
        {"metadata": {"annotations": {"meta.helm.sh/release-name": "orders"}}},
        "Helm (release orders) puts this back with its next upgrade. To keep it, change the values "
        "of the release too.",
    ),
    (
        {
            "metadata": {
                "ownerReferences": [
                    {
                        "apiVersion": "shop.example/v1",
                        "kind": "Shop",
                        "name": "main",
                        "uid": "u-1",
                        "controller": True,
                    }
                ]
            }
        },
        "Shop main owns order-service, and its operator may put this back. To keep it, change it "
        "there: `kubectl edit Shop main --namespace tickettoken`.",
    ),
]


@pytest.mark.parametrize(("owned", "warning"), WARNINGS)
async def test_plans_warn_of_owners(
    systems: ChangingSystems, kube: Cluster, owned: dict[str, Any], warning: str
) -> None:
    await patch_deployment(kube, owned)
    changes: tuple[Change, ...] = (
        RollBack(deployment=ORDER, to_revision=5),
        ScaleDeployment(deployment=ORDER, replicas=4),
        MemoryLimit(deployment=ORDER, limit="1Gi"),
        SetEnvironment(deployment=ORDER, variable="ORDERS_PAUSED", value="true"),
    )

    for change in changes:
        assert warning in (await change.plan(systems.for_planning())).warnings
    restart = await RollingRestart(deployment=ORDER).plan(systems.for_planning())
    assert (warning in restart.warnings) is ("Shop" in warning)


async def test_scaling_warns_of_keda(systems: ChangingSystems, kube: Cluster) -> None:
    kube.autoscale(2, 6, scaled_object="orders")

    plan = await ScaleDeployment(deployment=ORDER, replicas=5).plan(systems.for_planning())

    assert plan.warnings == (
        "The autoscaler order-service (2 to 6), made by KEDA from orders is in charge, and may set "
        "this back when it looks again. To make it last, change the autoscaler's own limit: "
        "`kubectl patch scaledobject --type merge orders --namespace tickettoken --patch "
        '\'{"spec":{"minReplicaCount":5}}\'`',
    )
