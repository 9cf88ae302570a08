"""A small client of the Kubernetes API, its resources, and its errors as texts for people."""

from bot.systems.kubernetes.access import Access
from bot.systems.kubernetes.client import Cluster
from bot.systems.kubernetes.clusters import Clusters
from bot.systems.kubernetes.errors import (
    ClusterError,
    CommandNotFound,
    Conflict,
    Forbidden,
    LogGone,
    NotConnected,
    NotFound,
    ObjectNotFound,
    RequestRefused,
    TimedOut,
    Unauthorized,
    Unavailable,
    Unreachable,
    WriteStopped,
)
from bot.systems.kubernetes.limits import (
    Autoscaler,
    DisruptionBudget,
    LimitRange,
    Node,
    Quota,
)
from bot.systems.kubernetes.logs import MAX_LINE_BYTES
from bot.systems.kubernetes.patches import DeploymentPatch
from bot.systems.kubernetes.pod_exec import ExecResult
from bot.systems.kubernetes.resources import (
    Container,
    Deployment,
    Event,
    Pod,
    ResourceAmounts,
    Revision,
    digest,
    format_amount,
    parse_quantity,
)

__all__ = [
    "MAX_LINE_BYTES",
    "Access",
    "Autoscaler",
    "Cluster",
    "ClusterError",
    "Clusters",
    "CommandNotFound",
    "Conflict",
    "Container",
    "Deployment",
    "DeploymentPatch",
    "DisruptionBudget",
    "Event",
    "ExecResult",
    "Forbidden",
    "LimitRange",
    "LogGone",
    "Node",
    "NotConnected",
    "NotFound",
    "ObjectNotFound",
    "Pod",
    "Quota",
    "RequestRefused",
    "ResourceAmounts",
    "Revision",
    "TimedOut",
    "Unauthorized",
    "Unavailable",
    "Unreachable",
    "WriteStopped",
    "digest",
    "format_amount",
    "parse_quantity",
]
