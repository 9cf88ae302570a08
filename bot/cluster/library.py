"""The Kubernetes library, as little of it as is used.

Its packages import the synchronous client, informers and more when they are first named: 10 MB of
memory and 80 ms of every start. Their modules work without that, so only those are loaded.
"""

import sys
from importlib.util import find_spec, module_from_spec

for package in ("kubernetes", "kubernetes.aio", "kubernetes.utils"):
    spec = find_spec(package)
    assert spec is not None
    sys.modules.setdefault(package, module_from_spec(spec))

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
