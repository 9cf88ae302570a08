"""The one door to Kubernetes: a small client, its nouns, and its refusals as sentences."""

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
)
from bot.cluster.execs import Ran
from bot.cluster.logs import Tail
from bot.cluster.nouns import Amounts, Container, Deployment, Pod, Revision, digest
from bot.cluster.patches import Change

__all__ = [
    "Amounts",
    "Change",
    "Cluster",
    "ClusterError",
    "Conflict",
    "Container",
    "Deployment",
    "Forbidden",
    "NoProgram",
    "NotFound",
    "Pod",
    "Ran",
    "Refused",
    "Revision",
    "Tail",
    "TimedOut",
    "Unreachable",
    "digest",
]
