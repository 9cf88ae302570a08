"""The one door to Kubernetes: a small client, its nouns, and its refusals as sentences."""

from bot.cluster.access import Access
from bot.cluster.bounds import Autoscaler, Node, Quota
from bot.cluster.client import Cluster
from bot.cluster.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    NoProgram,
    NotFound,
    Refused,
    TimedOut,
    Unreachable,
    WriteStopped,
)
from bot.cluster.execs import Ran
from bot.cluster.nouns import Amounts, Container, Deployment, Pod, Revision, digest, quantity
from bot.cluster.patches import Change

__all__ = [
    "Access",
    "Amounts",
    "Autoscaler",
    "Change",
    "Cluster",
    "ClusterError",
    "Conflict",
    "Container",
    "Deployment",
    "Forbidden",
    "NoProgram",
    "Node",
    "NotFound",
    "Pod",
    "Quota",
    "Ran",
    "Refused",
    "Revision",
    "TimedOut",
    "Unreachable",
    "WriteStopped",
    "digest",
    "quantity",
]
