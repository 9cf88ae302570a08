"""Validation of well-formed objects: 422 Invalid with every invalid field."""

import re
from typing import Any

from sandbox.cluster.errors import FieldError, Obj, invalid
from sandbox.cluster.quantities import amount
from sandbox.cluster.resources import Resource
from sandbox.cluster.selectors import LABEL_KEY, LABEL_VALUE, selector_matches

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
    " and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must"
    " start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"
PULL_POLICIES = ("Always", "IfNotPresent", "Never")


def check_required_parts(resource: Resource, obj: Obj) -> None:
    """Raise ApiError (422) when main parts of an object are missing, before others read them."""
    paths = {
        "Deployment": ("spec.selector", "spec.template", "spec.template.spec"),
        "ReplicaSet": ("spec.selector", "spec.template", "spec.template.spec"),
        "StatefulSet": ("spec.selector", "spec.template", "spec.template.spec"),
        "DaemonSet": ("spec.selector", "spec.template", "spec.template.spec"),
        "Pod": ("spec",),
        "Event": ("involvedObject",),
        "ResourceQuota": ("spec.hard",),
        "LimitRange": ("spec.limits",),
        "HorizontalPodAutoscaler": ("spec.scaleTargetRef", "spec.maxReplicas"),
    }
    missing = [path for path in paths.get(resource.kind, ()) if _part(obj, path) is None]
    if missing:
        problems = [FieldError.required(path) for path in missing]
        raise invalid(resource.group, resource.kind, obj["metadata"].get("name", ""), problems)


def _part(obj: Obj, path: str) -> Any:
    value: Any = obj
    for step in path.split("."):
        value = (value or {}).get(step)
    return value


def check(resource: Resource, obj: Obj, before: Obj | None) -> None:
    """Raise ApiError (422) with every invalid field of an object."""
    problems = _meta(obj["metadata"], before)
    if resource.kind == "Deployment":
        problems += _deployment(obj["spec"], before)
    elif resource.kind in ("ReplicaSet", "StatefulSet"):
        problems += _replicas(obj["spec"])
    elif resource.kind == "Pod":
        problems += _pod(obj["spec"], before)
    elif resource.kind == "HorizontalPodAutoscaler":
        problems += _autoscaler(obj["spec"])
    if problems:
        raise invalid(resource.group, resource.kind, obj["metadata"].get("name", ""), problems)


def _meta(meta: Obj, before: Obj | None) -> list[FieldError]:
    problems = _labels(meta.get("labels"), "metadata.labels")
    name = meta.get("name") or ""
    if not name:
        problems.append(FieldError.required("metadata.name", "name or generateName is required"))
    elif not SUBDOMAIN.fullmatch(name) or len(name) > 253:
        problems.append(FieldError.invalid("metadata.name", name, SUBDOMAIN_RULE))
    if before and meta.get("uid") not in (None, before["metadata"]["uid"]):
        problems.append(FieldError.invalid("metadata.uid", meta["uid"], IMMUTABLE))
    for key in meta.get("annotations") or {}:
        if not LABEL_KEY.fullmatch(key.lower()):
            problems.append(
                FieldError.invalid("metadata.annotations", key, "must be a qualified name")
            )
    return problems


def _labels(labels: dict[str, str] | None, path: str) -> list[FieldError]:
    rule = "a valid label must be an empty string or consist of alphanumeric characters"
    problems = []
    for key, value in (labels or {}).items():
        if not LABEL_KEY.fullmatch(key):
            problems.append(
                FieldError.invalid(path, key, "name part must consist of alphanumerics")
            )
        if not LABEL_VALUE.fullmatch(value):
            problems.append(FieldError.invalid(path, value, rule))
    return problems


def _replicas(spec: Obj) -> list[FieldError]:
    if (spec.get("replicas") or 0) < 0:
        return [FieldError.invalid("spec.replicas", spec["replicas"], NEGATIVE)]
    return []


def _autoscaler(spec: Obj) -> list[FieldError]:
    target, least, most = spec["scaleTargetRef"], spec["minReplicas"], spec["maxReplicas"]
    problems = [
        FieldError.required(f"spec.scaleTargetRef.{name}")
        for name in ("kind", "name")
        if not target.get(name)
    ]
    if least < 1:
        problems.append(FieldError.invalid("spec.minReplicas", least, "must be greater than 0"))
    if most < 1:
        problems.append(FieldError.invalid("spec.maxReplicas", most, "must be greater than 0"))
    if most < least:
        why = "must be greater than or equal to `minReplicas`"
        problems.append(FieldError.invalid("spec.maxReplicas", most, why))
    return problems


def _deployment(spec: Obj, before: Obj | None) -> list[FieldError]:
    problems = _replicas(spec)
    for field in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        if (spec.get(field) or 0) < 0:
            problems.append(FieldError.invalid(f"spec.{field}", spec[field], NEGATIVE))
    template = spec["template"]
    labels = (template.get("metadata") or {}).get("labels") or {}
    problems += _labels(labels, "spec.template.metadata.labels")
    if not selector_matches(spec.get("selector"), labels):
        why = "`selector` does not match template `labels`"
        problems.append(FieldError.invalid("spec.template.metadata.labels", str(labels), why))
    if before and spec.get("selector") != before["spec"]["selector"]:
        problems.append(FieldError.invalid("spec.selector", str(spec.get("selector")), IMMUTABLE))
    return (
        problems + _strategy(spec["strategy"]) + _pod_spec(template["spec"], "spec.template.spec")
    )


def _strategy(strategy: Obj) -> list[FieldError]:
    allowed = ("Recreate", "RollingUpdate")
    kind = strategy["type"]
    if kind not in allowed:
        return [FieldError.not_supported("spec.strategy.type", kind, allowed)]
    rolling: Obj = strategy.get("rollingUpdate") or {}
    path = "spec.strategy.rollingUpdate"
    if kind == "Recreate":
        why = "may not be specified when strategy `type` is 'Recreate'"
        return [FieldError.forbidden(path, why)] if rolling else []
    problems = []
    for field in ("maxSurge", "maxUnavailable"):
        if not _count_or_percent(rolling[field]):
            why = "must be an integer or percentage (e.g '5%')"
            problems.append(FieldError.invalid(f"{path}.{field}", rolling[field], why))
    if not problems and all(str(value).rstrip("%") == "0" for value in rolling.values()):
        why = "may not be 0 when `maxSurge` is 0"
        problems.append(FieldError.invalid(f"{path}.maxUnavailable", 0, why))
    return problems


def _count_or_percent(value: Any) -> bool:
    if isinstance(value, str):
        return bool(re.fullmatch(r"[0-9]+%", value))
    return isinstance(value, int) and value >= 0


def _pod(spec: Obj, before: Obj | None) -> list[FieldError]:
    problems = _pod_spec(spec, "spec")
    if before and _immutable_part(spec) != _immutable_part(before["spec"]):
        why = (
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
            "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to "
            "be set to 1 if it was previously negative)"
        )
        problems.append(FieldError.forbidden("spec", why))
    return problems


def _immutable_part(spec: Obj) -> Obj:
    """The part of a pod's spec that may not be changed."""
    changeable = ("activeDeadlineSeconds", "containers", "initContainers", "tolerations")
    rest = {key: value for key, value in spec.items() if key not in changeable}
    for field in ("containers", "initContainers"):
        rest[field] = [dict(container, image="") for container in spec.get(field) or []]
    return rest


def _pod_spec(spec: Obj, path: str) -> list[FieldError]:
    containers = spec.get("containers") or []
    problems = [] if containers else [FieldError.required(f"{path}.containers")]
    seen: set[str] = set()
    for at, container in enumerate(containers):
        here = f"{path}.containers[{at}]"
        problems += _container(container, here)
        name = container.get("name", "")
        if name in seen:
            duplicate = f'Duplicate value: "{name}"'
            problems.append(FieldError(f"{here}.name", "FieldValueDuplicate", duplicate))
        seen.add(name)
    return problems


def _container(container: Obj, path: str) -> list[FieldError]:
    problems = []
    name = container.get("name") or ""
    if not name:
        problems.append(FieldError.required(f"{path}.name"))
    elif not LABEL.fullmatch(name) or len(name) > 63:
        problems.append(FieldError.invalid(f"{path}.name", name, LABEL_RULE))
    if not container.get("image"):
        problems.append(FieldError.required(f"{path}.image"))
    elif container["image"].strip() != container["image"]:
        why = "must not have leading or trailing whitespace"
        problems.append(FieldError.invalid(f"{path}.image", container["image"], why))
    policy = container["imagePullPolicy"]
    if policy not in PULL_POLICIES:
        problems.append(FieldError.not_supported(f"{path}.imagePullPolicy", policy, PULL_POLICIES))
    return problems + _env(container, path) + _limits(container.get("resources") or {}, path)


def _env(container: Obj, path: str) -> list[FieldError]:
    problems = []
    for at, variable in enumerate(container.get("env") or []):
        here = f"{path}.env[{at}]"
        name = variable.get("name") or ""
        if not name:
            problems.append(FieldError.required(f"{here}.name"))
        elif not ENV_NAME.fullmatch(name):
            why = "a valid environment variable name must consist of alphabetic characters, digits"
            problems.append(FieldError.invalid(f"{here}.name", name, why))
        if variable.get("value") and variable.get("valueFrom"):
            why = "may not be specified when `value` is not empty"
            problems.append(FieldError.invalid(f"{here}.valueFrom", "", why))
    return problems


def _limits(resources: Obj, path: str) -> list[FieldError]:
    problems = []
    for part in ("limits", "requests"):
        for name, text in (resources.get(part) or {}).items():
            here = f"{path}.resources.{part}[{name}]"
            try:
                size = amount(text)
            except ValueError as error:
                problems.append(FieldError.invalid(here, text, str(error)))
                continue
            if size < 0:
                problems.append(FieldError.invalid(here, text, NEGATIVE))
    if problems:
        return problems
    limits = resources.get("limits") or {}
    for name, text in (resources.get("requests") or {}).items():
        if name in limits and amount(text) > amount(limits[name]):
            why = f"must be less than or equal to {name} limit of {limits[name]}"
            problems.append(FieldError.invalid(f"{path}.resources.requests", text, why))
    return problems
