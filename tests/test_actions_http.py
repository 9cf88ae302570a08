"""Asking a web address: a real server on loopback, well, ill, mute, elsewhere, or not there."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from bot.actions.http import HttpCheck
from bot.actions.registry import ACTIONS
from bot.model import ReadResult
from bot.playbooks import loader
from bot.systems import Systems
from bot.systems.http import HttpError
from sandbox.redis import free_port
from tests.cluster_fixtures import systems
from tests.conftest import SHIPPED

__all__ = ["systems"]

# Signed by itself, for 127.0.0.1, until 2126; nobody else uses it.
SELF_SIGNED = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgkQTJ237GQTQm31qk
Rg00xFr07NTZj+d790Cyg/O6AsChRANCAAQyMHBfI0uuwbzkJXuzSg46popDsvoF
XiQuAuoq5OjocqhEXK+UCFrZM1nbNlKMbHPMRp+3HZCOu6hjzU4HTQEn
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUPZ/RdcZGe0La5UaQ2csHwEs0T8cwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyNDE4MDMxOFoYDzIxMjYxMDMx
MTgwMzE4WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQyMHBfI0uuwbzkJXuzSg46popDsvoFXiQuAuoq5OjocqhEXK+UCFrZ
M1nbNlKMbHPMRp+3HZCOu6hjzU4HTQEno2QwYjAdBgNVHQ4EFgQUkT/723bWCk56
wH674uuClekT3DcwHwYDVR0jBBgwFoAUkT/723bWCk56wH674uuClekT3DcwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IQC7/Gwn4ihd1oMxZwwnP43qaMYMFCcDYP0HCeCCft6TwQIgPRsiPak+qYHN4kj3
SeDzU7HVRr+D5lIKUAjxp9vyXGA=
-----END CERTIFICATE-----
"""

Handler = Any
DONE = web.AppKey("done", asyncio.Event)


async def health(_: web.Request) -> web.Response:
    return web.json_response(
        {"status": "ok", "stripe": "sk_live_4242424242424242", "to": "<!here>"}
    )


async def sick(_: web.Request) -> web.Response:
    return web.Response(status=503, text="database: down\x00\x1b[31m")


async def forbidden(_: web.Request) -> web.Response:
    return web.Response(status=403, text="no")


async def empty(_: web.Request) -> web.Response:
    return web.Response(status=204)


async def big(_: web.Request) -> web.Response:
    return web.Response(text="x" * 1_000_000)


async def moved(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/health"})


async def away(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest"})


async def round_and_round(request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": "/round"})


async def mute(request: web.Request) -> web.Response:
    await request.app[DONE].wait()
    return web.Response()


async def drip(request: web.Request) -> web.StreamResponse:
    """Begins, and does not end."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    await answer.write(b"so far")
    await request.app[DONE].wait()
    return answer


@asynccontextmanager
async def serving(tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[int, list[str]]]:
    """The port, and what was asked."""
    asked: list[str] = []

    @web.middleware
    async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
        asked.append(f"{request.method} {request.path}")
        answer: web.StreamResponse = await handler(request)
        return answer

    app = web.Application(middlewares=[note])
    app[DONE] = asyncio.Event()
    handlers = (health, sick, forbidden, empty, big, moved, away, mute, drip)
    app.add_routes([web.get(f"/{handler.__name__}", handler) for handler in handlers])
    app.router.add_get("/round", round_and_round)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    yield runner.addresses[0][1], asked
    app[DONE].set()
    await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[tuple[int, list[str]]]:
    async with serving() as started:
        yield started


Server = tuple[int, list[str]]


async def ask(systems: Systems, port: int, path: str, *, timeout: float = 5) -> ReadResult:
    return await HttpCheck(url=f"http://127.0.0.1:{port}/{path}", timeout=timeout).read(systems)


async def test_a_healthy_service(systems: Systems, server: Server) -> None:
    reading = await ask(systems, server[0], "health")

    assert reading.ok
    assert reading.text.startswith(f"127.0.0.1:{server[0]} answered 200 OK in ")
    assert reading.text.endswith(" ms")
    assert '"status": "ok"' in reading.excerpt
    assert "<!here>" in reading.excerpt  # escaping is the view's
    assert "4242" not in reading.excerpt
    assert server[1] == ["GET /health"]


async def test_a_sick_service(systems: Systems, server: Server) -> None:
    reading = await ask(systems, server[0], "sick")

    assert not reading.ok
    assert "answered 503 Service Unavailable" in reading.text
    assert reading.excerpt == "database: down"


async def test_a_missing_permission(systems: Systems, server: Server) -> None:
    reading = await ask(systems, server[0], "forbidden")

    assert not reading.ok
    assert "answered 403 Forbidden" in reading.text


async def test_an_empty_answer(systems: Systems, server: Server) -> None:
    reading = await ask(systems, server[0], "empty")

    assert reading.ok
    assert "204 No Content" in reading.text
    assert reading.excerpt == ""


async def test_a_long_answer_is_cut(systems: Systems, server: Server) -> None:
    assert len((await ask(systems, server[0], "big")).excerpt) == 1_500


async def test_a_redirect_on_the_same_host(systems: Systems, server: Server) -> None:
    reading = await ask(systems, server[0], "moved")

    assert reading.ok
    assert server[1] == ["GET /moved", "GET /health"]


async def test_no_other_host_is_asked(systems: Systems, server: Server) -> None:
    reading = await ask(systems, server[0], "away")

    assert not reading.ok
    assert "302 Found" in reading.text
    assert "169.254.169.254:80, which was not requested" in reading.notes[0]


async def test_redirects_end(systems: Systems, server: Server) -> None:
    reading = await ask(systems, server[0], "round")

    assert not reading.ok
    assert len(server[1]) == 4


@pytest.mark.parametrize("path", ["mute", "drip"])
async def test_slow_answer_is_given_up(path: str, systems: Systems, server: Server) -> None:
    with pytest.raises(HttpError, match=r"no complete response within 0.2 s"):
        await ask(systems, server[0], path, timeout=0.2)


async def test_nobody_listens(systems: Systems) -> None:
    with pytest.raises(HttpError, match="refused the connection"):
        await ask(systems, free_port(), "health")


async def test_no_such_host(systems: Systems) -> None:
    with pytest.raises(HttpError, match=r"no host no-such-host\.invalid"):
        await HttpCheck(url="http://no-such-host.invalid:3006/health").read(systems)


async def test_an_untrusted_certificate(systems: Systems, tmp_path: Path) -> None:
    pem = tmp_path / "pem"
    pem.write_text(SELF_SIGNED)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    async with serving(context) as (port, asked):
        with pytest.raises(HttpError, match=r"cannot be trusted \(TLS\): self.signed certificate"):
            await HttpCheck(url=f"https://127.0.0.1:{port}/health").read(systems)
    assert asked == []


async def test_https_where_there_is_none(systems: Systems, server: Server) -> None:
    with pytest.raises(HttpError, match=r"cannot be trusted \(TLS\)"):
        await HttpCheck(url=f"https://127.0.0.1:{server[0]}/health").read(systems)


async def test_something_that_is_not_http(systems: Systems) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as listening:
        with pytest.raises(HttpError, match="gave no HTTP response"):
            await ask(systems, listening.sockets[0].getsockname()[1], "health")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://payment-service/health",
        "file:///etc/passwd",
        "http://bob:hunter2@payment-service/health",
        "http://payment-service:99999/health",
        "http://payment service/health",
        "http:///health",
    ],
)
def test_only_plain_web_addresses(url: str) -> None:
    with pytest.raises(ValidationError):
        HttpCheck(url=url)


def test_playbook_cannot_ask_for_address(tmp_path: Path) -> None:
    file = tmp_path / "order-service.yml"
    shipped = SHIPPED.read_text(encoding="utf-8")
    named = "          url: http://payment-service:3006/health\n"
    assert named in shipped
    file.write_text(shipped.replace(named, f"{named}        ask: [url]\n"), encoding="utf-8")

    with pytest.raises(loader.PlaybookError, match='"url" can only be set'):
        loader.load(file, ACTIONS)
