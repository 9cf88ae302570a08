"""Who else keeps a Deployment as it is, and would put a change back: GitOps, Helm, an operator."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from bot.model import Model
from bot.systems.kubernetes import managed_fields

Obj = dict[str, Any]

ARGO_LABEL = "argocd.argoproj.io/instance"
ARGO_ANNOTATION = "argocd.argoproj.io/tracking-id"
ARGO_MANAGERS = ("argocd-controller", "argocd-application-controller")
FLUX_KUSTOMIZATION = "kustomize.toolkit.fluxcd.io"
FLUX_HELM = "helm.toolkit.fluxcd.io"
HELM_RELEASE = "meta.helm.sh/release-name"
MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"
OLM_OWNER = "olm.owner"
SCALE_MANAGERS = {"keda": "keda", "keda-operator": "keda", "kube-controller-manager": "hpa"}


class OwnerKind(StrEnum):
    """What kind of thing keeps a Deployment as it is."""

    ARGO_CD = "argo-cd"
    FLUX_KUSTOMIZATION = "flux-kustomization"
    FLUX_HELM_RELEASE = "flux-helm-release"
    HELM = "helm"
    AUTOSCALER = "hpa"
    KEDA = "keda"
    OPERATOR = "operator"


class Owner(Model):
    """What keeps a Deployment as it is; `name` and `namespace` are of it, empty where not known."""

    kind: OwnerKind
    name: str = ""
    namespace: str = ""


def owners_of(raw: Obj) -> tuple[Owner, ...]:
    """The owners of a Deployment by its labels, annotations, owner references and managers.

    `raw` is the API's JSON. An autoscaler that has not changed the replicas yet is not seen here.
    """
    metadata = raw["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    notes = metadata.get("managedFields") or []
    found = [
        _argo_cd(labels, annotations, notes),
        _flux(labels, FLUX_KUSTOMIZATION, OwnerKind.FLUX_KUSTOMIZATION),
        _flux(labels, FLUX_HELM, OwnerKind.FLUX_HELM_RELEASE),
        _helm(labels, annotations),
        _scaler(notes),
        _operator(metadata, labels),
    ]
    return tuple(owner for owner in found if owner is not None)


def _argo_cd(
    labels: Mapping[str, str], annotations: Mapping[str, str], notes: Sequence[Obj]
) -> Owner | None:
    application = annotations.get(ARGO_ANNOTATION, "").partition(":")[0] or labels.get(ARGO_LABEL)
    if application is None and _has_manager(notes, ARGO_MANAGERS):
        application = labels.get(INSTANCE, "")
    return None if application is None else Owner(kind=OwnerKind.ARGO_CD, name=application)


def _has_manager(notes: Sequence[Obj], managers: Sequence[str]) -> bool:
    return any(entry.get("manager") in managers for entry in notes)


def _flux(labels: Mapping[str, str], prefix: str, kind: OwnerKind) -> Owner | None:
    name = labels.get(f"{prefix}/name")
    if name is None:
        return None
    return Owner(kind=kind, name=name, namespace=labels.get(f"{prefix}/namespace", ""))


def _helm(labels: Mapping[str, str], annotations: Mapping[str, str]) -> Owner | None:
    """The release, unless Flux or Argo CD makes it: then that is named."""
    if f"{FLUX_HELM}/name" in labels:
        return None
    release = annotations.get(HELM_RELEASE)
    if release is None and labels.get(MANAGED_BY) != "Helm":
        return None
    return Owner(kind=OwnerKind.HELM, name=release or labels.get(INSTANCE, ""))


def _scaler(notes: Sequence[Obj]) -> Owner | None:
    """The autoscaler that wrote the replicas, through the subresource that people do not use."""
    scaling = [entry for entry in notes if entry.get("subresource") == "scale"]
    writer = managed_fields.last_writer(scaling, managed_fields.REPLICAS)
    kind = SCALE_MANAGERS.get(writer.manager) if writer else None
    return None if kind is None else Owner(kind=OwnerKind(kind))


def _operator(metadata: Obj, labels: Mapping[str, str]) -> Owner | None:
    references = metadata.get("ownerReferences") or []
    for reference in references:
        if reference.get("controller"):
            name = f"{reference['kind']} {reference['name']}"
            return Owner(kind=OwnerKind.OPERATOR, name=name)
    name = labels.get(OLM_OWNER, "")
    return Owner(kind=OwnerKind.OPERATOR, name=name) if name else None
