"""The Kubernetes library, as little of it as is used.

Its packages import the synchronous client, informers and more when they are first named: 10 MB of
memory and 80 ms of every start. Here a package loads a module when somebody asks for it.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType


def _lazy(package: str) -> Callable[[str], ModuleType]:
    def load(name: str) -> ModuleType:
        try:
            return import_module(f"{package}.{name}")
        except ModuleNotFoundError as error:
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from error

    return load


for package in ("kubernetes", "kubernetes.aio", "kubernetes.utils"):
    spec = find_spec(package)
    assert spec is not None
    if package not in sys.modules:
        module = module_from_spec(spec)
        module.__dict__["__getattr__"] = _lazy(package)
        sys.modules[package] = module

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
