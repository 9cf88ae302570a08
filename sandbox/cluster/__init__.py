"""A simulated Kubernetes cluster that `kubernetes.aio` and a stock `kubectl` cannot tell apart."""

from sandbox.cluster.cluster import DEFAULT_NAMESPACE, Cluster, Scenario, write_kubeconfig
from sandbox.cluster.requests import Request
from sandbox.cluster.state import Load

__all__ = ["DEFAULT_NAMESPACE", "Cluster", "Load", "Request", "Scenario", "write_kubeconfig"]
