"""A request to the cluster is sent once, to the server of the kubeconfig and to no other one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from bot.systems.kubernetes import Access, Cluster, RequestRefused, Unreachable
from bot.systems.kubernetes.resources import Pod
from sandbox.cluster import Cluster as SimulatedCluster
from tests.cluster_fixtures import SELECTOR, USER, open_cluster


@pytest.fixture
async def pod(kube: SimulatedCluster, tmp_path: Path) -> Pod:
    path = kube.write_kubeconfig(tmp_path / "direct", USER)
    async with open_cluster(path, 10.0) as cluster:
        return (await cluster.pods(SELECTOR))[0]


class Front:
    """A server before the API server; it answers reads, and does the rest as it is told."""

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[str] = []
        self.location: URL | None = None
        self.status = 307

    async def handle(self, request: web.Request) -> web.Response:
        self.sent.append(request.method)
        if request.method == "GET":
            return web.json_response({"items": []})
        if self.location is not None:
            headers = {"Location": str(self.location.with_path(request.path))}
            return web.Response(status=self.status, headers=headers)
        assert request.transport is not None
        request.transport.close()
        return web.Response()


@pytest.fixture
async def front() -> AsyncIterator[Front]:
    front = Front()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", front.handle)
    async with TestServer(app) as server:
        front.url = str(server.make_url("/")).rstrip("/")
        yield front


@pytest.fixture
async def cluster(front: Front, kube: SimulatedCluster, tmp_path: Path) -> AsyncIterator[Cluster]:
    """The cluster behind the front."""
    config = kube.kubeconfig(USER)
    config["clusters"][0]["cluster"]["server"] = front.url
    path = tmp_path / "front"
    path.write_text(yaml.safe_dump(config))
    async with open_cluster(path, 10.0) as cluster:
        yield cluster


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(
    status: int, front: Front, cluster: Cluster, kube: SimulatedCluster, pod: Pod
) -> None:
    front.location, front.status = URL(kube.url), status
    before = len(kube.requests)

    with pytest.raises(RequestRefused, match="redirects to another address"):
        await cluster.restricted(Access.PLAN).delete_pod(pod, dry_run=True)

    assert kube.requests[before:] == []


async def test_a_broken_delete_is_not_repeated(front: Front, cluster: Cluster, pod: Pod) -> None:
    await cluster.pods(SELECTOR)

    with pytest.raises(Unreachable, match="Whether it was changed is unknown"):
        await cluster.delete_pod(pod)

    assert front.sent == ["GET", "DELETE"]


async def test_a_broken_dry_run_changed_nothing(front: Front, cluster: Cluster, pod: Pod) -> None:
    await cluster.pods(SELECTOR)

    with pytest.raises(Unreachable, match="Nothing was changed") as broken:
        await cluster.delete_pod(pod, dry_run=True)

    assert not broken.value.unsure
