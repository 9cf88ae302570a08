"""Systems that are absent, mute or odd: the whole sentence that people read of them."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot import config
from bot.model import OnCall
from bot.systems.database import Database
from bot.systems.http import HttpClient, HttpError
from bot.systems.pagerduty import PagerDuty, PagerDutyError
from bot.systems.postgres import ConnectionSettings, DatabaseError, error_text
from bot.systems.sessions import SessionTerminator
from bot.systems.tcp import PortStatus, TcpProber
from tests.sessions import Unrecorded


@asynccontextmanager
async def serving(*answers: web.Response) -> AsyncIterator[tuple[str, list[web.Request]]]:
    """A server that gives these answers in turn, and what it was asked."""
    asked: list[web.Request] = []
    left = list(answers)

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return left.pop(0)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/")), asked


def moved(location: str, status: int = 302) -> web.Response:
    return web.Response(status=status, headers={"Location": location})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(status: int) -> None:
    async with serving(moved("/there?x=1", status), web.Response(text="here")) as (url, asked):
        found = await HttpClient().get(f"{url}from", 2)

    assert (found.status, found.body, found.redirect_host) == (200, "here", "")
    assert [str(request.rel_url) for request in asked] == ["/from", "/there?x=1"]


@pytest.mark.parametrize(
    ("location", "elsewhere"),
    [
        ("http://other.example/x", "other.example:80"),
        ("https://other.example/x", "other.example:443"),
        ("//other.example:8080/x", "other.example:8080"),
        ("http://127.0.0.1:1/x", "127.0.0.1:1"),
        ("http://user:hunter2@other.example/?token=t", "other.example:80"),
    ],
)
async def test_other_hosts_are_only_named(location: str, elsewhere: str) -> None:
    async with serving(moved(location)) as (url, asked):
        found = await HttpClient().get(url, 2)

    assert (found.status, found.redirect_host, len(asked)) == (302, elsewhere, 1)


@pytest.mark.parametrize(
    "response",
    [
        web.Response(status=302),
        web.Response(status=304, headers={"Location": "/x"}),
        web.Response(status=201, headers={"Location": "/x"}),
        web.Response(status=302, headers={"Location": "http://[::1/x"}),
    ],
)
async def test_what_is_no_redirect(response: web.Response) -> None:
    async with serving(response) as (url, asked):
        found = await HttpClient().get(url, 2)

    assert (found.status, found.redirect_host, len(asked)) == (response.status, "", 1)


async def test_three_redirects_at_most() -> None:
    async with serving(*[moved("/x") for _ in range(5)]) as (url, asked):
        found = await HttpClient().get(url, 2)

    assert (found.status, len(asked)) == (302, 4)


async def test_a_request_asks_for_plain_bytes() -> None:
    packed = web.Response(body=b"\x1f\x8bzip", headers={"Content-Encoding": "gzip"})
    async with serving(packed) as (url, asked):
        found = await HttpClient().get(url, 2)

    [request] = asked
    assert found.body == "\x1f\ufffdzip"
    assert (request.headers["Accept-Encoding"], request.headers["User-Agent"]) == (
        "identity",
        "runbolt",
    )


@pytest.mark.parametrize(
    ("size", "kept"), [(0, 0), (65_535, 65_535), (65_536, 65_536), (65_537, 65_536)]
)
async def test_a_body_is_cut(size: int, kept: int) -> None:
    async with serving(web.Response(body=b"x" * size)) as (url, _):
        assert len((await HttpClient().get(url, 2)).body) == kept


async def test_no_cookie_is_kept() -> None:
    baked = moved("/x")
    baked.set_cookie("session", "s")
    async with serving(baked, web.Response()) as (url, asked):
        await HttpClient().get(url, 2)

    assert [request.headers.get("Cookie") for request in asked] == [None, None]


async def test_a_proxy_is_asked_instead() -> None:
    async with serving(web.Response(text="by proxy")) as (proxy, asked):
        found = await HttpClient(proxy).get("http://payment.shop:3006/health", 2)

    assert found.body == "by proxy"
    assert [request.headers["Host"] for request in asked] == ["payment.shop:3006"]


async def test_a_proxy_that_is_away() -> None:
    with pytest.raises(HttpError) as refused:
        await HttpClient("http://me:hunter2@127.0.0.1:1").get("http://payment.shop:3006/", 2)

    assert str(refused.value) == (
        "The proxy 127.0.0.1:1 cannot be reached, so payment.shop:3006 was not asked. Nothing was "
        "changed. Check that it is running, or correct PLAYBOOK_PROXY."
    )


async def test_a_refused_address() -> None:
    with pytest.raises(HttpError) as refused:
        await HttpClient().get("http://me:hunter2@127.0.0.1:1/?token=t", 2)

    assert str(refused.value) == (
        "127.0.0.1:1 refused the connection. Nothing was changed. Nothing listens on that port: "
        "check that its pods are running."
    )


@asynccontextmanager
async def mute() -> AsyncIterator[int]:
    """The port of a server that accepts, and says nothing."""
    done = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await done.wait()
        writer.close()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        done.set()


async def test_a_mute_address() -> None:
    async with mute() as port:
        with pytest.raises(HttpError) as refused:
            await HttpClient().get(f"http://127.0.0.1:{port}/", 0.2)

    assert str(refused.value) == (
        f"127.0.0.1:{port} gave no complete response within 0.2 s. Nothing was changed. It is "
        "overloaded, it hangs, or a firewall is in between: look at its pods."
    )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", PortStatus.REFUSED),
        ("localhost", PortStatus.REFUSED),
        ("a" * 64 + ".example", PortStatus.UNKNOWN_HOST),
        ("..", PortStatus.UNKNOWN_HOST),
    ],
)
async def test_how_a_port_answers(host: str, expected: PortStatus) -> None:
    assert await TcpProber().probe(host, 1, 5) is expected


async def test_an_open_port_without_words() -> None:
    async with mute() as port:
        assert await TcpProber().probe("127.0.0.1", port, 2) is PortStatus.OPEN


async def test_one_open_address_is_enough() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        found = await TcpProber().probe("localhost", listening.getsockname()[1], 2)

    assert found is PortStatus.OPEN


async def test_no_time_left() -> None:
    assert await TcpProber().probe("127.0.0.1", 1, 0) is PortStatus.TIMED_OUT


def entry(name: str = "Ana", level: object = 1, **more: Any) -> dict[str, Any]:
    return {
        "user": {"summary": name, "html_url": f"https://pd.example/{name}"},
        "escalation_policy": {"summary": "Orders"},
        "escalation_level": level,
        **more,
    }


SOURCE = config.OnCallSource()


async def test_who_is_on_call() -> None:
    until = "2026-11-24T18:00:00Z"
    entries = [entry(end=until), entry("Ben", 2), entry("Cleo"), entry("Cleo", end=until)]
    async with serving(web.json_response({"oncalls": entries, "more": False})) as (url, _):
        found = await PagerDuty("t", url).on_call(SOURCE)

    end = datetime(2026, 11, 24, 18, tzinfo=UTC)
    assert found == (
        OnCall(name="Ana", page="https://pd.example/Ana", policy="Orders", until=end),
        OnCall(name="Cleo", page="https://pd.example/Cleo", policy="Orders", until=end),
    )


@pytest.mark.parametrize(
    ("source", "query"),
    [
        ({}, {}),
        ({"schedule": "S1"}, {"schedule_ids[]": "S1"}),
        ({"escalation_policy": "P1"}, {"escalation_policy_ids[]": "P1"}),
        (
            {"schedule": "S1", "escalation_policy": "P1"},
            {"schedule_ids[]": "S1", "escalation_policy_ids[]": "P1"},
        ),
    ],
)
async def test_what_pagerduty_is_asked(source: dict[str, str], query: dict[str, str]) -> None:
    async with serving(web.json_response({"oncalls": []})) as (url, asked):
        found = await PagerDuty("secret", url).on_call(config.OnCallSource(**source))

    [request] = asked
    assert found == ()
    assert (request.method, request.path) == ("GET", "/oncalls")
    assert dict(request.query) == {"limit": "100", "earliest": "true", **query}
    assert request.headers["Authorization"] == "Token token=secret"
    assert request.headers["Accept"] == "application/vnd.pagerduty+json;version=2"


NO_TOKEN = "refuses the token"
RENEW = "Renew PAGERDUTY_TOKEN: a read-only key is enough."
UNKNOWN = "does not know the schedule or the escalation policy it was asked for"
CORRECT = "Correct its id in RUNBOLT_CONFIG."
ODD = "answered with something other than its API's JSON"
CHECK = "Check that PAGERDUTY_API_URL is PagerDuty's."


@pytest.mark.parametrize(
    ("response", "problem", "fix"),
    [
        (web.Response(status=401), NO_TOKEN, RENEW),
        (web.Response(status=403), NO_TOKEN, RENEW),
        (web.Response(status=400), UNKNOWN, CORRECT),
        (web.Response(status=404), UNKNOWN, CORRECT),
        (
            web.Response(status=429, headers={"ratelimit-reset": "7"}),
            "limits the bot's requests at the moment",
            "Try again in 7 s.",
        ),
        (
            web.Response(status=429),
            "limits the bot's requests at the moment",
            "Try again in 60 s.",
        ),
        (web.Response(status=500), "failed with status 500", "Try again in a minute."),
        (moved("http://127.0.0.1:1/"), "failed with status 302", "Try again in a minute."),
        (web.Response(text="<html>"), ODD, CHECK),
        (web.Response(text=""), ODD, CHECK),
        (web.json_response([]), ODD, CHECK),
        (web.json_response({}), ODD, CHECK),
        (web.json_response({"oncalls": [{}]}), ODD, CHECK),
        (web.json_response({"oncalls": [entry(level="first")]}), ODD, CHECK),
    ],
)
async def test_why_nobody_knows(response: web.Response, problem: str, fix: str) -> None:
    async with serving(response) as (url, asked):
        with pytest.raises(PagerDutyError) as refused:
            await PagerDuty("t", url).on_call(SOURCE)

    assert len(asked) == 1
    assert str(refused.value) == (f"PagerDuty {problem}, so it is not known who is on call. {fix}")


async def test_pagerduty_is_away() -> None:
    with pytest.raises(PagerDutyError) as refused:
        await PagerDuty("t", "http://127.0.0.1:1").on_call(SOURCE)

    assert str(refused.value) == (
        "PagerDuty cannot be reached, so it is not known who is on call. Check "
        "PAGERDUTY_API_URL and the bot's network."
    )


UNSET = (
    "The bot cannot connect to the database: ORDERS_DATABASE_URL is not set. Nothing was read or "
    "changed. Set it to a PostgreSQL URL of the role runbolt_ro, then restart the bot."
)
NO_URL = (
    "ORDERS_DATABASE_URL isn't a PostgreSQL URL. Nothing was read or changed. Write it as "
    "postgresql://role:password@host:5432/database, then restart the bot."
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (None, UNSET),
        ("", UNSET),
        ("hunter2", NO_URL),
        ("mysql://me:hunter2@db/x", NO_URL),
        ("postgresql://me:hunter2@db/x?nonsense=1", NO_URL),
    ],
)
async def test_a_database_without_address(url: str | None, expected: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        await Database(url).select("SELECT 1")

    assert str(refused.value) == expected


async def test_a_database_that_is_away() -> None:
    with pytest.raises(DatabaseError) as refused:
        await Database("postgresql://me:hunter2@127.0.0.1:1/shop").select("SELECT 1")

    first, *_, last = str(refused.value).split(". ")
    assert first.startswith("The database cannot be reached: ")
    assert last == "Check the database and ORDERS_DATABASE_URL, then try again."
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://ops@db/x", "ops"),
        ("postgresql://ops:p%40ss@db/x", "ops"),
        ("user=ops host=db", "ops"),
    ],
)
def test_who_ends_sessions(url: str, expected: str) -> None:
    assert SessionTerminator(url).role == expected


def test_nobody_ends_sessions() -> None:
    with pytest.raises(DatabaseError) as refused:
        _ = SessionTerminator("postgresql://db/x").role

    assert str(refused.value) == (
        "ORDERS_DATABASE_ADMIN_URL names no role. Nothing was changed. Write it as "
        "postgresql://role:password@host:5432/database, then restart the bot."
    )


async def test_reading_ends_no_session() -> None:
    terminator = SessionTerminator("postgresql://ops@127.0.0.1:1/x").read_only()

    with pytest.raises(DatabaseError) as refused:
        await terminator.terminate([], Unrecorded())

    assert not refused.value.unsure
    assert str(refused.value).startswith(
        "This step may only read, but tried to end sessions of the database, so it was stopped. "
        "No session was ended."
    )


async def test_sessions_of_no_database() -> None:
    with pytest.raises(DatabaseError) as refused:
        await SessionTerminator("postgresql://ops:hunter2@127.0.0.1:1/x").terminate(
            [], Unrecorded()
        )

    assert not refused.value.unsure
    assert "No session was ended" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (psycopg.OperationalError("first\nlast."), "last"),
        (psycopg.OperationalError("refused\n\tIs the server running?"), "refused"),
        (psycopg.OperationalError(""), ""),
        (psycopg.OperationalError("password=hunter2"), "password=[masked]"),
        (psycopg.OperationalError("x" * 400), "x" * 300),
        (psycopg.DataError('invalid input: "Alice" or "Bob"'), 'invalid input: "[masked]"'),
        (psycopg.ProgrammingError('no column "name"'), 'no column "name"'),
    ],
)
def test_what_the_server_says(error: psycopg.Error, expected: str) -> None:
    assert error_text(error) == expected


def test_a_checked_url_is_unchanged() -> None:
    settings = ConnectionSettings("postgresql://ro@db/x", "X_URL", "ro")
    assert settings.checked_url() == "postgresql://ro@db/x"
