"""A small client of the Kubernetes API, its resources, and its errors as texts for people."""

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
