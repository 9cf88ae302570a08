"""Who else keeps a Deployment as it is, and would put a change back: GitOps, Helm, an operator."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from bot.model import Model

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
OLM_RESOURCE = "ClusterServiceVersion"
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


class OwnerKind(StrEnum):
    """What kind of thing keeps a Deployment as it is."""

    ARGO_CD = "argo-cd"
    FLUX_KUSTOMIZATION = "flux-kustomization"
    FLUX_HELM_RELEASE = "flux-helm-release"
    HELM = "helm"
    OPERATOR = "operator"


class Owner(Model):
    """What keeps a Deployment as it is; `name` and `namespace` are of it, empty where not known.

    `resource` is the kind of the object that an operator acts for.
    """

    kind: OwnerKind
    name: str = ""
    namespace: str = ""
    resource: str = ""


def owners_of(raw: Obj) -> tuple[Owner, ...]:
    """The owners of a Deployment by its labels, annotations, owner references and managers.

    `raw` is the API's JSON. Autoscalers are not seen here: they are objects of their own.
    """
    metadata = raw["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    notes = metadata.get("managedFields") or []
    found = [
        _argo_cd(labels, annotations, notes),
        _flux(labels, FLUX_KUSTOMIZATION, OwnerKind.FLUX_KUSTOMIZATION),
        _flux(labels, FLUX_HELM, OwnerKind.FLUX_HELM_RELEASE),
        _helm(labels, annotations),
        _operator(metadata, labels),
    ]
    return tuple(owner for owner in found if owner is not None)


def _argo_cd(
    labels: Mapping[str, str], annotations: Mapping[str, str], notes: Sequence[Obj]
) -> Owner | None:
    application = annotations.get(ARGO_ANNOTATION, "").partition(":")[0] or labels.get(ARGO_LABEL)
    if application is None and _has_manager(notes, ARGO_MANAGERS):
        application = labels.get(INSTANCE, "")
    if application is None:
        return None
    return Owner(kind=OwnerKind.ARGO_CD, name=_checked(application))


def _has_manager(notes: Sequence[Obj], managers: Sequence[str]) -> bool:
    return any(entry.get("manager") in managers for entry in notes)


def _flux(labels: Mapping[str, str], prefix: str, kind: OwnerKind) -> Owner | None:
    name = labels.get(f"{prefix}/name")
    if name is None:
        return None
    namespace = _checked(labels.get(f"{prefix}/namespace", ""))
    return Owner(kind=kind, name=_checked(name), namespace=namespace)


def _helm(labels: Mapping[str, str], annotations: Mapping[str, str]) -> Owner | None:
    """The release, unless Flux makes it: then that is named."""
    if f"{FLUX_HELM}/name" in labels:
        return None
    release = annotations.get(HELM_RELEASE)
    if release is None and labels.get(MANAGED_BY) != "Helm":
        return None
    return Owner(kind=OwnerKind.HELM, name=_checked(release or labels.get(INSTANCE, "")))


def _operator(metadata: Obj, labels: Mapping[str, str]) -> Owner | None:
    for reference in metadata.get("ownerReferences") or []:
        if reference.get("controller"):
            name, resource = _checked(reference["name"]), _checked(reference["kind"])
            return Owner(kind=OwnerKind.OPERATOR, name=name, resource=resource)
    name = _checked(labels.get(OLM_OWNER, ""))
    if not name:
        return None
    return Owner(kind=OwnerKind.OPERATOR, name=name, resource=OLM_RESOURCE)


def _checked(name: str) -> str:
    """The name, or nothing where it is none: people copy it into a shell."""
    return name if NAME.fullmatch(name) else ""
