"""Warnings of what else keeps a Deployment as it is, with what to do so that a change stays."""

from bot.systems.kubernetes import Deployment
from bot.systems.kubernetes.owners import Owner, OwnerKind


def warnings(deployment: Deployment, *, only_operators: bool = False) -> tuple[str, ...]:
    """A warning for each owner that may put a change back."""
    return tuple(
        _warning(deployment, owner)
        for owner in deployment.owners
        if owner.kind is OwnerKind.OPERATOR or not only_operators
    )


def _warning(deployment: Deployment, owner: Owner) -> str:
    name = deployment.name
    match owner.kind:
        case OwnerKind.ARGO_CD:
            command = f"`argocd app set {owner.name or 'APPLICATION'} --sync-policy none`"
            return _gitops(name, f"Argo CD{_named('application', owner)}", command)
        case OwnerKind.FLUX_KUSTOMIZATION:
            return _gitops(name, f"Flux{_named('Kustomization', owner)}", _suspend(owner))
        case OwnerKind.FLUX_HELM_RELEASE:
            return _gitops(name, f"Flux{_named('HelmRelease', owner)}", _suspend(owner))
        case OwnerKind.HELM:
            return (
                f"Helm{_named('release', owner)} puts this back with its next upgrade. To keep it, "
                "change the values of the release too."
            )
        case OwnerKind.OPERATOR:
            return (
                f"{owner.resource} {owner.name} owns {name}, and its operator may put this back. "
                f"To keep it, change it there: `kubectl edit {owner.resource} {owner.name} "
                f"--namespace {deployment.namespace}`."
            )


def _gitops(name: str, controller: str, stop_command: str) -> str:
    return (
        f"{controller} keeps {name} as it is in Git, and may put this back within seconds. To keep "
        f"it, first stop that with {stop_command}, and change it in Git too."
    )


def _named(noun: str, owner: Owner) -> str:
    if not owner.name:
        return ""
    return f" ({noun} {owner.name}{f' in {owner.namespace}' if owner.namespace else ''})"


def _suspend(owner: Owner) -> str:
    """The command that has Flux leave something alone for a while."""
    resource = owner.kind.removeprefix("flux-").replace("-", "")
    namespace = f" --namespace {owner.namespace}" if owner.namespace else ""
    return f"`flux suspend {resource} {owner.name}{namespace}`"
