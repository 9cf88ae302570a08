"""The Kubernetes library, as little of it as is used: the whole is 10 MB and 80 ms of a start."""

from bot import sparing

sparing.load("kubernetes", "kubernetes.aio", "kubernetes.utils")

from kubernetes.aio.client.api_client import ApiClient  # noqa: E402
from kubernetes.aio.client.configuration import Configuration  # noqa: E402
from kubernetes.aio.config import (  # noqa: E402
    ConfigException,
    load_incluster_config,
    load_kube_config,
)
from kubernetes.aio.stream import WsApiClient  # noqa: E402
from kubernetes.utils.quantity import parse_quantity  # noqa: E402

__all__ = [
    "ApiClient",
    "ConfigException",
    "Configuration",
    "WsApiClient",
    "load_incluster_config",
    "load_kube_config",
    "parse_quantity",
]
