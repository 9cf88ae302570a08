"""The default values that the API server sets on objects."""

from sandbox.cluster.errors import Obj

CONTAINER = {
    "imagePullPolicy": "IfNotPresent",
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
POD_SPEC = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
    "securityContext": {},
    "terminationGracePeriodSeconds": 30,
}
PROBE = {"failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1}


def _set_missing(obj: Obj, defaults: Obj) -> None:
    for key, value in defaults.items():
        if obj.get(key) is None:
            obj[key] = dict(value) if isinstance(value, dict) else value


def apply_pod_defaults(spec: Obj) -> None:
    """Set the defaults of a pod spec, in place."""
    _set_missing(spec, POD_SPEC)
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        _set_missing(container, CONTAINER)
        for port in container.get("ports") or []:
            _set_missing(port, {"protocol": "TCP"})
        for name in ("livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(name):
                _set_missing(container[name], PROBE)
                if container[name].get("httpGet"):
                    _set_missing(container[name]["httpGet"], {"scheme": "HTTP", "path": "/"})


def apply_deployment_defaults(obj: Obj) -> None:
    """Set the defaults of a Deployment, in place."""
    spec = obj["spec"]
    _set_missing(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    _set_missing(spec, {"strategy": {"type": "RollingUpdate"}})
    strategy = spec["strategy"]
    _set_missing(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        _set_missing(strategy, {"rollingUpdate": {}})
        _set_missing(strategy["rollingUpdate"], {"maxSurge": "25%", "maxUnavailable": "25%"})
    _apply_template_defaults(spec)


def _apply_template_defaults(spec: Obj) -> None:
    spec["template"].setdefault("metadata", {})
    apply_pod_defaults(spec["template"].setdefault("spec", {}))


def apply_stateful_set_defaults(obj: Obj) -> None:
    """Set the defaults of a StatefulSet, in place."""
    _set_missing(obj["spec"], {"replicas": 1, "revisionHistoryLimit": 10, "serviceName": ""})
    _set_missing(obj["spec"], {"podManagementPolicy": "OrderedReady"})
    _set_missing(obj["spec"], {"updateStrategy": {"type": "RollingUpdate"}})
    _apply_template_defaults(obj["spec"])


def apply_daemon_set_defaults(obj: Obj) -> None:
    """Set the defaults of a DaemonSet, in place."""
    rolling = {"maxSurge": 0, "maxUnavailable": 1}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    _set_missing(obj["spec"], {"revisionHistoryLimit": 10, "updateStrategy": strategy})
    _apply_template_defaults(obj["spec"])


def apply_limit_range_defaults(limit_range: Obj) -> None:
    """Set the defaults that a LimitRange gets itself, in place: the most is the default."""
    for rule in limit_range["spec"]["limits"]:
        if rule["type"] == "Container":
            rule["default"] = (rule.get("max") or {}) | (rule.get("default") or {})
            rule["defaultRequest"] = rule["default"] | (rule.get("defaultRequest") or {})


CPU_TARGET = {"type": "Utilization", "averageUtilization": 80}


def apply_autoscaler_defaults(obj: Obj) -> None:
    """Set the defaults of a HorizontalPodAutoscaler, in place."""
    measured = {"type": "Resource", "resource": {"name": "cpu", "target": dict(CPU_TARGET)}}
    _set_missing(obj["spec"], {"minReplicas": 1})
    if not obj["spec"].get("metrics"):
        obj["spec"]["metrics"] = [measured]


def apply_defaults(kind: str, obj: Obj) -> None:
    """Set the defaults of an object in place, if its kind has any."""
    if kind == "Deployment":
        apply_deployment_defaults(obj)
    elif kind == "HorizontalPodAutoscaler":
        apply_autoscaler_defaults(obj)
    elif kind == "LimitRange":
        apply_limit_range_defaults(obj)
    elif kind == "StatefulSet":
        apply_stateful_set_defaults(obj)
    elif kind == "DaemonSet":
        apply_daemon_set_defaults(obj)
    elif kind == "Pod":
        apply_pod_defaults(obj["spec"])
        obj["spec"].setdefault("serviceAccountName", "default")
