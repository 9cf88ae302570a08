"""The stock Kubernetes client, against a cluster of a test's own."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from kubernetes.aio import client
from kubernetes.aio.config import load_kube_config_from_dict

from sandbox.cluster import Cluster

# Every field of the client's models may be None: spelled out, that would bury the tests in asserts.
Api = Any


@pytest.fixture
async def kube() -> AsyncIterator[Cluster]:
    async with Cluster(speed=20.0) as cluster:
        await cluster.seed_order_service()
        yield cluster


@pytest.fixture
async def api(kube: Cluster) -> AsyncIterator[Api]:
    configuration = client.Configuration()
    load: Any = load_kube_config_from_dict
    await load(kube.kubeconfig(), client_configuration=configuration)
    async with client.ApiClient(configuration) as made:
        yield made


@pytest.fixture
def core(api: Api) -> Api:
    return client.CoreV1Api(api)


@pytest.fixture
def apps(api: Api) -> Api:
    return client.AppsV1Api(api)
