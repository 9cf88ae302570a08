"""Asking a cluster's Service from outside of the cluster, through a proxy that stands inside."""

from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from bot.actions.http import HttpCheck
from bot.systems import Systems
from bot.systems.http import HttpClient, HttpError
from sandbox.proxy import Proxy
from sandbox.redis import free_port
from tests.cluster_fixtures import systems

__all__ = ["systems"]

HEALTH = HttpCheck(url="http://payment-service:3006/health")


async def health(_: web.Request) -> web.Response:
    return web.json_response({"status": "degraded"}, status=503)


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy behind which a sick payment-service is, and a Service without pods."""
    app = web.Application()
    app.router.add_get("/health", health)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    services = {
        ("payment-service", 3006): f"http://127.0.0.1:{runner.addresses[0][1]}",
        ("empty-service", 80): f"http://127.0.0.1:{free_port()}",
        ("payment-service.payments", 3006): f"http://127.0.0.1:{runner.addresses[0][1]}",
    }
    async with Proxy(services) as started:
        yield started
    await runner.cleanup()


async def test_a_service_by_its_name(systems: Systems, proxy: Proxy) -> None:
    reading = await HEALTH.read(replace(systems, http=HttpClient(proxy.url)))

    assert not reading.ok
    assert reading.text.startswith("payment-service:3006 answered 503 Service Unavailable")
    assert "degraded" in reading.excerpt


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("http://payment-servic:3006/health", "unknown host payment-servic"),
        ("http://payment-service.elsewhere:3006/health", "unknown host"),
        ("http://payment-service.svc:3006/health", "unknown host"),
        ("http://payment-service.tickettoken.example:3006/health", "unknown host"),
        ("http://payment-service:80/health", "connection refused"),
        ("http://empty-service/health", "ClientConnector"),
    ],
)
async def test_a_missing_service_is_502(
    systems: Systems, proxy: Proxy, address: str, why: str
) -> None:
    reading = await HttpCheck(url=address).read(replace(systems, http=HttpClient(proxy.url)))

    assert "answered 502 Bad Gateway" in reading.text
    assert why in reading.excerpt


@pytest.mark.parametrize("namespace", ["tickettoken", "payments"])
@pytest.mark.parametrize("domain", ["", ".svc", ".svc.cluster.local"])
async def test_a_service_by_longer_names(
    systems: Systems, proxy: Proxy, namespace: str, domain: str
) -> None:
    check = HttpCheck(url=f"http://payment-service.{namespace}{domain}:3006/health")
    reading = await check.read(replace(systems, http=HttpClient(proxy.url)))

    assert "answered 503" in reading.text


async def test_a_missing_proxy_is_told(systems: Systems) -> None:
    gone = replace(systems, http=HttpClient(f"http://127.0.0.1:{free_port()}"))

    with pytest.raises(HttpError, match=r"The proxy .* cannot be reached.*PLAYBOOK_PROXY"):
        await HEALTH.read(gone)


async def test_the_host_without_a_proxy(systems: Systems) -> None:
    with pytest.raises(HttpError, match="There is no host payment-service"):
        await HEALTH.read(systems)


async def test_the_proxy_only_reads(proxy: Proxy) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.post("http://payment-service:3006/health", proxy=proxy.url) as answer:
            assert answer.status == 405
        async with session.get(f"{proxy.url}/health") as answer:
            assert answer.status == 400
