"""Several clusters in one kubeconfig: each is connected to, renewed and unreachable by itself."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.actions.kubernetes.dependencies import CheckDependencies
from bot.model import UserError
from bot.systems.kubernetes import Cluster, ClusterError, Clusters, NotConnected, patches
from bot.systems.kubernetes.clients import Clients, Surroundings
from bot.systems.kubernetes.credentials import Credentials
from sandbox.cluster import DEFAULT_NAMESPACE
from sandbox.cluster import Cluster as SimulatedCluster
from sandbox.cluster.resources import PODS
from tests.cluster_fixtures import SELECTOR, USER, open_clusters, systems_of
from tests.several_clusters import Obj, copy_order_service, merged, written
from tests.waiting import until


@pytest.fixture
async def other() -> AsyncIterator[SimulatedCluster]:
    """A second cluster, with nothing in it."""
    async with SimulatedCluster() as cluster:
        yield cluster


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.fixture
def path(kube: SimulatedCluster, other: SimulatedCluster, tmp_path: Path) -> Path:
    """A kubeconfig of both: the shop's cluster is the current one."""
    return written(tmp_path / "both", merged(eu=kube.kubeconfig(), us=other.kubeconfig()))


@pytest.fixture
async def clusters(path: Path) -> AsyncIterator[Clusters]:
    async with open_clusters(path) as opened:
        yield opened


def shop(clusters: Clusters, context: str = "") -> Cluster:
    return clusters.cluster(context, DEFAULT_NAMESPACE)


def test_which_contexts_there_are(path: Path) -> None:
    clusters = Clusters(path)

    assert (clusters.contexts(), clusters.current()) == (("eu", "us"), "eu")


async def test_each_context_has_its_cluster(clusters: Clusters) -> None:
    found = [len(await shop(clusters, context).pods(SELECTOR)) for context in ("", "eu", "us")]

    assert found == [3, 3, 0]


async def test_each_namespace_has_its_objects(clusters: Clusters, kube: SimulatedCluster) -> None:
    await copy_order_service(kube, "payments")
    payments = clusters.cluster("eu", "payments")
    await payments.patch(await payments.deployment("order-service"), patches.scale(2), 7)
    await kube.wait_until(lambda: len(kube.state.store.list(PODS, "payments")) == 2)

    names = {pod.name for pod in await payments.pods(SELECTOR)}
    assert len(names) == 2
    assert names.isdisjoint(pod.name for pod in await shop(clusters).pods(SELECTOR))
    assert (await shop(clusters).deployment("order-service")).replicas == 3


async def test_namespaces_share_their_connections(
    clusters: Clusters, kube: SimulatedCluster
) -> None:
    for namespace in (DEFAULT_NAMESPACE, "default", "payments", "search"):
        await clusters.cluster("eu", namespace).pods(SELECTOR)

    assert kube.connections == 1


async def test_nothing_is_connected_before_a_call(
    kube: SimulatedCluster, other: SimulatedCluster, tmp_path: Path
) -> None:
    configs = {f"c{number}": (kube, other)[number % 2].kubeconfig() for number in range(5)}
    program: Obj = {"exec": {"command": "false", "apiVersion": "v1"}}
    configs["c4"]["users"] = [{"name": USER, "user": program}]
    async with open_clusters(written(tmp_path / "five", merged(**configs))) as clusters:
        for number in range(200):
            clusters.cluster(f"c{number % 5}", f"namespace-{number}")
        await clusters.check("c4")

        assert (kube.connections, other.connections) == (0, 0)
        assert (kube.requests, other.requests) == ([], [])


async def test_closing_ends_every_connection(
    path: Path, kube: SimulatedCluster, other: SimulatedCluster
) -> None:
    async with open_clusters(path) as clusters:
        await asyncio.gather(*(shop(clusters, name).pods(SELECTOR) for name in ("eu", "us")))
        assert (kube.connections, other.connections) == (1, 1)

    await until(lambda: (kube.connections, other.connections) == (0, 0))


async def test_each_context_has_its_proxy(path: Path, tmp_path: Path) -> None:
    sent: list[str] = []

    async def refuse(request: web.Request) -> web.Response:
        sent.append(request.path.rpartition("/")[2])
        return web.Response(status=503)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    async with TestServer(app) as proxy:
        config = read(path)
        config["clusters"][1]["cluster"]["proxy-url"] = str(proxy.make_url("/"))
        async with open_clusters(written(tmp_path / "proxy", config)) as clusters:
            assert len(await shop(clusters, "eu").pods(SELECTOR)) == 3
            with pytest.raises(ClusterError):
                await shop(clusters, "us").pods(SELECTOR)
            with pytest.raises(ClusterError):
                await shop(clusters, "us").exec("a-pod", "main", ["nc"], timeout=2.0)

    assert sent == ["pods", "exec"]


def test_an_unknown_context(path: Path) -> None:
    with pytest.raises(UserError) as unknown:
        Clusters(path).cluster("prod", "shop")

    assert str(unknown.value) == (
        f"There is no context “prod” in {path}. Its contexts: eu, us. Name one of them, or add it "
        "to the file that KUBECONFIG names."
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it is no kubeconfig"),
        ("[]", "it is no kubeconfig"),
        ("contexts: 3", "its contexts are no list of names, each with its context"),
        ("users: [{user: {token: a}}]", "its users are no list of names, each with its user"),
        ("users: [{name: a, user: b}]", "its users are no list of names, each with its user"),
        ("current-context: [a]", "its current-context is no name"),
        ("users:\n- name: a\n  user: {token: secret: secret}", "it is no YAML (line 3)"),
    ],
)
def test_a_kubeconfig_that_is_none(content: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(content)

    with pytest.raises(UserError) as unreadable:
        Clusters(path)

    assert str(unreadable.value) == (
        f"The configuration of the cluster cannot be read from {path}: {reason}. Nothing was "
        "started. Set KUBECONFIG to a kubeconfig file, or run in the cluster."
    )


@pytest.mark.parametrize(
    ("cluster", "reason"),
    [
        ("gone", "Expected object with name gone in"),
        ("unset", "Expected key server in"),
    ],
)
async def test_a_context_without_a_server(
    cluster: str, reason: str, path: Path, tmp_path: Path
) -> None:
    config = read(path)
    config["clusters"].append({"name": "unset", "cluster": {"insecure-skip-tls-verify": True}})
    config["contexts"].append({"name": "broken", "context": {"cluster": cluster, "user": "eu"}})
    async with open_clusters(written(tmp_path / "broken", config)) as clusters:
        with pytest.raises(UserError, match=f"of cluster broken cannot be read from .*{reason}"):
            shop(clusters, "broken")

        assert len(await shop(clusters).pods(SELECTOR)) == 3


async def test_without_a_current_context(path: Path, tmp_path: Path) -> None:
    config = read(path)
    del config["current-context"]
    async with open_clusters(written(tmp_path / "none", config)) as clusters:
        with pytest.raises(UserError, match="no current-context, and the bot runs in no cluster"):
            shop(clusters)

        assert len(await shop(clusters, "eu").pods(SELECTOR)) == 3


async def test_credentials_that_cannot_be_read(path: Path, tmp_path: Path) -> None:
    config = read(path)
    config["users"][1]["user"] = {"tokenFile": "gone"}
    async with open_clusters(written(tmp_path / "missing", config)) as clusters:
        with pytest.raises(NotConnected, match=r"the credentials cannot be read: .*gone"):
            await shop(clusters, "us").pods(SELECTOR)
        with pytest.raises(UserError, match=r"of cluster us cannot be read from .*gone"):
            await clusters.check("us")

        assert len(await shop(clusters).pods(SELECTOR)) == 3


async def test_renewal_of_one_context(
    clusters: Clusters, path: Path, kube: SimulatedCluster, other: SimulatedCluster
) -> None:
    contexts = ("eu", "us")
    for context in contexts:
        await shop(clusters, context).pods(SELECTOR)
    other.expire_tokens()
    written(path, merged(eu=kube.kubeconfig(), us=other.kubeconfig()))
    for context in contexts:
        await shop(clusters, context).pods(SELECTOR)

    assert [request.status for request in kube.requests] == [200, 200]
    assert [request.status for request in other.requests] == [200, 401, 200]
    assert kube.connections == 1


async def test_a_program_that_hangs_delays_its_context_alone(
    path: Path, kube: SimulatedCluster, tmp_path: Path
) -> None:
    config = read(path)
    started = tmp_path / "started"
    script = f"import pathlib, time; pathlib.Path({str(started)!r}).touch(); time.sleep(60)"
    program = {"command": sys.executable, "args": ["-c", script], "apiVersion": "v1"}
    config["users"][1]["user"] = {"exec": program}
    async with open_clusters(written(tmp_path / "hangs", config)) as clusters:
        hanging = asyncio.create_task(shop(clusters, "us").pods(SELECTOR))
        await until(started.exists)

        assert len(await shop(clusters).pods(SELECTOR)) == 3
        assert not hanging.done()
        hanging.cancel()


async def seconds_of_calls(cluster: Cluster) -> list[float]:
    """How long each of some calls takes."""
    seconds = []
    for _ in range(20):
        start = perf_counter()
        await cluster.pods(SELECTOR)
        seconds.append(perf_counter() - start)
    return seconds


@asynccontextmanager
async def people_who_try(cluster: Cluster) -> AsyncIterator[None]:
    """Some who call a cluster that cannot be reached, and press again."""

    async def keep_calling() -> None:
        while True:
            with pytest.raises(ClusterError):
                await cluster.pods(SELECTOR)
            await asyncio.sleep(0.1)

    callers = [asyncio.create_task(keep_calling()) for _ in range(5)]
    yield
    assert not [caller for caller in callers if caller.done()]
    for caller in callers:
        caller.cancel()
    await asyncio.wait(callers)


@pytest.mark.parametrize("trouble", ["refuses", "is silent"])
async def test_a_healthy_cluster_is_as_fast_as_ever(
    trouble: str, clusters: Clusters, other: SimulatedCluster
) -> None:
    """In turns, as the machine has other work too."""
    healthy, unreachable = shop(clusters, "eu"), shop(clusters, "us")
    await healthy.pods(SELECTOR)
    if trouble == "refuses":
        await other.stop_listening()
    else:
        other.hang("*")
    alone, beside = list[float](), list[float]()
    for _ in range(10):
        alone += await seconds_of_calls(healthy)
        async with people_who_try(unreachable):
            beside += await seconds_of_calls(healthy)

    assert median(beside) < 3 * median(alone)


@pytest.mark.parametrize(
    ("host", "own", "current", "other"),
    [
        ("redis", ["redis.shop"], ["redis.shop", "redis"], []),
        ("redis.cache", ["redis.cache"], ["redis.cache"], ["redis.cache."]),
        ("redis.cache.svc", ["redis.cache.svc"], ["redis.cache.svc"], []),
        ("redis.cache.svc.cluster.local", *[["redis.cache.svc.cluster.local"]] * 2, []),
        ("10.0.0.7", *[["10.0.0.7"]] * 3),
    ],
)
def test_names_mean_the_same_for_the_bot(
    host: str, own: list[str], current: list[str], other: list[str]
) -> None:
    """`redis` in the bot's own namespace, or cluster, is another one."""
    found = [
        Cluster(Clients(Credentials(None, "", "https://10.0.0.1"), "", where), "shop", 1.0)
        for where in (Surroundings.OWN, Surroundings.CURRENT, Surroundings.OTHER)
    ]

    assert [list(cluster.names_outside(host)) for cluster in found] == [own, current, other]


async def test_ports_of_another_cluster(
    clusters: Clusters, other: SimulatedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def look_up(host: str, port: int, **_: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    systems = systems_of(shop(clusters, "us")).for_reading()
    checks = (f"redis:{other.port}", f"db.example:{other.port}")
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    read = await CheckDependencies(selector=SELECTOR, checks=checks, timeout=2).read(systems)

    assert read.table is not None
    tried = {str(row[0]): str(row[1]) for row in read.table.rows}
    assert tried == dict(zip(checks, ("not checked", "open"), strict=True))
    assert "db.example." in asked
    assert not [host for host in asked if host.startswith("redis")]
