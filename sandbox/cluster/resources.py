"""The resources of this API server with their verbs."""

from dataclasses import dataclass

READ = ("get", "list", "watch")
WRITE = ("create", "delete", "deletecollection", "patch", "update")


@dataclass(frozen=True)
class Resource:
    """One resource of the API."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    verbs: tuple[str, ...] = READ
    categories: tuple[str, ...] = ()
    subresources: tuple[tuple[str, str, tuple[str, ...]], ...] = ()

    @property
    def api_version(self) -> str:
        """The `apiVersion` of this resource's objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """The singular name that people type."""
        return self.kind.lower()

    def subresource_verbs(self, name: str) -> tuple[str, ...]:
        """The verbs of a subresource; empty when it does not exist."""
        return next((verbs for sub, _, verbs in self.subresources if sub == name), ())


CHANGE = ("get", "patch", "update")
PODS = Resource(
    "",
    "v1",
    "pods",
    "Pod",
    short=("po",),
    verbs=READ + WRITE,
    categories=("all",),
    subresources=(
        ("exec", "PodExecOptions", ("create", "get")),
        ("log", "Pod", ("get",)),
        ("status", "Pod", CHANGE),
    ),
)
EVENTS = Resource("", "v1", "events", "Event", short=("ev",), verbs=(*READ, "create"))
SERVICES = Resource("", "v1", "services", "Service", short=("svc",), categories=("all",))
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False, short=("ns",))
NODES = Resource("", "v1", "nodes", "Node", namespaced=False, short=("no",))
QUOTAS = Resource(
    "", "v1", "resourcequotas", "ResourceQuota", short=("quota",), verbs=(*READ, *WRITE)
)
LIMIT_RANGES = Resource(
    "", "v1", "limitranges", "LimitRange", short=("limits",), verbs=(*READ, *WRITE)
)
DEPLOYMENTS = Resource(
    "apps",
    "v1",
    "deployments",
    "Deployment",
    short=("deploy",),
    verbs=READ + WRITE,
    categories=("all",),
    subresources=(("scale", "Scale", CHANGE), ("status", "Deployment", CHANGE)),
)
REPLICASETS = Resource(
    "apps",
    "v1",
    "replicasets",
    "ReplicaSet",
    short=("rs",),
    verbs=(*READ, "delete", "deletecollection", "patch", "update"),
    categories=("all",),
    subresources=(("scale", "Scale", CHANGE), ("status", "ReplicaSet", CHANGE)),
)
STATEFULSETS = Resource(
    "apps",
    "v1",
    "statefulsets",
    "StatefulSet",
    short=("sts",),
    verbs=READ + WRITE,
    categories=("all",),
    subresources=(("scale", "Scale", CHANGE), ("status", "StatefulSet", CHANGE)),
)
DAEMONSETS = Resource(
    "apps",
    "v1",
    "daemonsets",
    "DaemonSet",
    short=("ds",),
    verbs=READ + WRITE,
    categories=("all",),
    subresources=(("status", "DaemonSet", CHANGE),),
)
AUTOSCALERS = Resource(
    "autoscaling",
    "v2",
    "horizontalpodautoscalers",
    "HorizontalPodAutoscaler",
    short=("hpa",),
    verbs=READ + WRITE,
    categories=("all",),
    subresources=(("status", "HorizontalPodAutoscaler", CHANGE),),
)
DISRUPTION_BUDGETS = Resource(
    "policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", short=("pdb",)
)
POD_METRICS = Resource("metrics.k8s.io", "v1beta1", "pods", "PodMetrics", verbs=("get", "list"))
NODE_METRICS = Resource(
    "metrics.k8s.io", "v1beta1", "nodes", "NodeMetrics", namespaced=False, verbs=("get", "list")
)
ACCESS_REVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectaccessreviews",
    "SelfSubjectAccessReview",
    namespaced=False,
    verbs=("create",),
)
RULES_REVIEWS = Resource(
    "authorization.k8s.io",
    "v1",
    "selfsubjectrulesreviews",
    "SelfSubjectRulesReview",
    namespaced=False,
    verbs=("create",),
)

RESOURCES = (
    PODS,
    EVENTS,
    SERVICES,
    NAMESPACES,
    NODES,
    QUOTAS,
    LIMIT_RANGES,
    DEPLOYMENTS,
    REPLICASETS,
    STATEFULSETS,
    DAEMONSETS,
    AUTOSCALERS,
    DISRUPTION_BUDGETS,
    POD_METRICS,
    NODE_METRICS,
    ACCESS_REVIEWS,
    RULES_REVIEWS,
)
GROUPS = tuple(
    dict.fromkeys((resource.group, resource.version) for resource in RESOURCES if resource.group)
)


def find_resource(group: str, version: str, plural: str) -> Resource | None:
    """The resource of this name, or None."""
    wanted = (group, version, plural)
    matching = (
        resource
        for resource in RESOURCES
        if (resource.group, resource.version, resource.plural) == wanted
    )
    return next(matching, None)
