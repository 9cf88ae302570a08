"""What the API server adds to an object that does not say everything."""

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


def _fill(obj: Obj, defaults: Obj) -> None:
    for key, value in defaults.items():
        if obj.get(key) is None:
            obj[key] = dict(value) if isinstance(value, dict) else value


def pod_spec(spec: Obj) -> None:
    """Complete a pod spec, in place."""
    _fill(spec, POD_SPEC)
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        _fill(container, CONTAINER)
        for port in container.get("ports") or []:
            _fill(port, {"protocol": "TCP"})
        for name in ("livenessProbe", "readinessProbe", "startupProbe"):
            if container.get(name):
                _fill(container[name], PROBE)
                if container[name].get("httpGet"):
                    _fill(container[name]["httpGet"], {"scheme": "HTTP", "path": "/"})


def deployment(obj: Obj) -> None:
    """Complete a Deployment, in place."""
    spec = obj["spec"]
    _fill(spec, {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600})
    _fill(spec, {"strategy": {"type": "RollingUpdate"}})
    strategy = spec["strategy"]
    _fill(strategy, {"type": "RollingUpdate"})
    if strategy["type"] == "RollingUpdate":
        _fill(strategy, {"rollingUpdate": {}})
        _fill(strategy["rollingUpdate"], {"maxSurge": "25%", "maxUnavailable": "25%"})
    spec["template"].setdefault("metadata", {})
    pod_spec(spec["template"].setdefault("spec", {}))


CPU_TARGET = {"type": "Utilization", "averageUtilization": 80}


def autoscaler(obj: Obj) -> None:
    """Complete a HorizontalPodAutoscaler, in place."""
    measured = {"type": "Resource", "resource": {"name": "cpu", "target": dict(CPU_TARGET)}}
    _fill(obj["spec"], {"minReplicas": 1})
    if not obj["spec"].get("metrics"):
        obj["spec"]["metrics"] = [measured]


def complete(kind: str, obj: Obj) -> None:
    """Complete an object of a kind that has defaults, in place."""
    if kind == "Deployment":
        deployment(obj)
    elif kind == "HorizontalPodAutoscaler":
        autoscaler(obj)
    elif kind == "Pod":
        pod_spec(obj["spec"])
        obj["spec"].setdefault("serviceAccountName", "default")
