"""The HTTP side: signed and fresh requests only, acknowledged first; and whether it is well."""

import asyncio
import gzip
import hashlib
import hmac
import json
import socket
import time
from typing import Any, LiteralString
from urllib.parse import urlencode

import aiohttp
import pytest

from bot import __main__ as root
from bot import web
from bot.model import UserError
from bot.settings import Settings
from bot.views import action_ids
from sandbox.redis import free_port
from sandbox.slack import Slack
from tests.conftest import Bot, Clock, Walk, start_bot


def signed(secret: str, body: str, at: int) -> dict[str, str]:
    """Slack's headers for a body."""
    digest = hmac.new(secret.encode(), f"v0:{at}:{body}".encode(), hashlib.sha256).hexdigest()
    return {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": str(at),
        "x-slack-signature": f"v0={digest}",
    }


async def post(bot: Bot, body: str | bytes, headers: dict[str, str]) -> int:
    """The status of an answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{bot.url}/slack/events", data=body, headers=headers) as response,
    ):
        return response.status


@pytest.fixture
def body(slack: Slack) -> str:
    """A slash command, as Slack sends it."""
    return urlencode(
        {
            "command": "/incident",
            "text": "declare sev1 forged",
            "user_id": slack.user("oncall").id,
            "channel_id": "C0000000000",
            "trigger_id": "1.2.3",
            "team_id": "T0000000000",
        }
    )


@pytest.mark.parametrize(("secret", "age"), [("wrong", 0), ("right", 301), ("right", -301)])
async def test_forged_and_old_requests_are_refused(
    walk: Walk, bot: Bot, slack: Slack, body: str, secret: str, age: int
) -> None:
    key = slack.signing_secret if secret == "right" else "another secret"

    status = await post(bot, body, signed(key, body, int(time.time()) - age))
    await bot.drain()

    assert status == 401
    assert walk.calls("conversations.create") == []


async def test_signed_requests_are_taken(walk: Walk, bot: Bot, slack: Slack, body: str) -> None:
    status = await post(bot, body, signed(slack.signing_secret, body, int(time.time())))
    await bot.drain()

    assert status == 200
    assert len(walk.calls("conversations.create")) == 1


async def test_replayed_request_is_done_once(
    walk: Walk, bot: Bot, slack: Slack, body: str, clock: Clock
) -> None:
    now = int(time.time())

    # Slack repeats it, signed anew; later somebody replays the first one, whose signature still
    # holds. By then the same words, typed again, would be another incident.
    for at, later in ((now, 0), (now, 0), (now + 1, 100), (now, 86_000)):
        clock.forward(seconds=later)
        assert await post(bot, body, signed(slack.signing_secret, body, at)) == 200
        await bot.drain()

    assert len(walk.calls("conversations.create")) == 1


def payload(**fields: Any) -> str:
    return urlencode({"payload": json.dumps(fields)})


JSON = "application/json"
DEEP = '{"a":' * 50_000
# Of another type than that of a form, or of JSON that is no form.
MISTYPED = (
    ("payload=%7B%7D", JSON),
    ("1", JSON),
    ("[]", JSON),
    ('"x"', JSON),
    (DEEP, JSON),
    ('{"type": ' + "9" * 5_000 + "}", JSON),
    ('{"a": "\0"}', JSON),
    ('{"type": "event_callback", "event": []}', JSON),
    ('{"type": "event_callback", "event": {"type": 1}}', JSON),
    (
        '--b\r\nContent-Disposition: form-data; name="payload"\r\n\r\n{',
        "multipart/form-data; boundary=b",
    ),
    ("payload", "text/plain"),
    ("<payload/>", "application/xml"),
)
MALFORMED = (
    "",
    payload(type="unknown"),
    payload(type="view_closed", user={"id": "U1"}, view={"callback_id": "x"}),
    "command=%2Funknown&user_id=U1&channel_id=C1&trigger_id=1",
    "payload={",
    "payload=[]",
    "payload=null",
    "command=%2Fincident",
    payload(type="block_actions", actions=None),
    payload(type="block_actions", actions=[{"action_id": action_ids.APPROVE}]),
    payload(type="view_submission", view=None),
    payload(type="view_submission", user={"id": "U1"}, view={"callback_id": "declare"}),
    '{"event": null}',
    "{",
)


async def test_malformed_requests_are_refused(bot: Bot, slack: Slack) -> None:
    now = int(time.time())
    for body in MALFORMED:
        assert (body, await post(bot, body, signed(slack.signing_secret, body, now))) == (body, 400)
        assert (body, await post(bot, body, {})) == (body, 401)
    for body, content_type in MISTYPED:
        headers = signed(slack.signing_secret, body, now) | {"content-type": content_type}
        assert (body, await post(bot, body, headers)) == (body, 400)
    for raw in (b"payload=\xff", "payload={}".encode("utf-16"), gzip.compress(b"payload={}")):
        headers = signed(slack.signing_secret, "payload={}", now)
        assert (raw, await post(bot, raw, headers)) == (raw, 401)

    malformed, unsigned = len(MALFORMED) + len(MISTYPED), len(MALFORMED) + 3
    counts = f"no Slack payload {malformed}, not signed by Slack {unsigned}"
    assert await get(f"{bot.url}/readyz") == (
        200,
        f"ready\nrequests refused since the start: {counts}",
    )


async def test_event_without_meaning_is_acknowledged(bot: Bot, slack: Slack) -> None:
    """The app may be subscribed to more: Slack would repeat the event, and then stop sending."""
    body = '{"type": "event_callback", "event": {"type": "team_join"}, "event_id": "E1"}'
    headers = signed(slack.signing_secret, body, int(time.time())) | {"content-type": JSON}

    assert await post(bot, body, headers) == 200
    assert await get(f"{bot.url}/readyz") == (200, "ready")


async def test_malformed_signatures_are_refused(bot: Bot) -> None:
    now = str(int(time.time()))
    for at, signature in (("now", "v0=1"), ("9" * 400, "v0=1"), ("", ""), (now, "v0=\xe9")):
        headers = {"x-slack-request-timestamp": at, "x-slack-signature": signature}
        assert (at, await post(bot, "a=b", headers)) == (at, 401)


async def send_raw(bot: Bot, sent: bytes) -> str:
    """Send these bytes and no more; the status of the answer, empty without one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(bot.url.rpartition(":")[2]))
    writer.write(sent)
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    assert answer.count(b"HTTP/1.1 ") <= 1
    return answer.decode().partition(" ")[2][:3]


def head(*headers: str) -> bytes:
    lines = ["POST /slack/events HTTP/1.1", "Host: bot", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def recent(*headers: str) -> bytes:
    """A head with which the body is looked at."""
    at = f"X-Slack-Request-Timestamp: {int(time.time())}"
    return head(at, "X-Slack-Signature: v0=1", *headers)


async def test_large_requests_are_not_read(bot: Bot) -> None:
    megabyte, chunked = b"x" * 1024 * 1024, "Transfer-Encoding: chunked"
    for sent, status in (
        (head("Content-Length: 314572800"), "413"),
        (head(f"Content-Length: {'0' * 5000}9999999"), "413"),
        (head(f"Content-Length: {'0' * 5000}3") + b"a=b", "401"),
        (
            head("Content-Length: 4000000", "Connection: close"),
            "401",
        ),  # and its body, which never comes
        (head(chunked) + b"600000\r\n" + 6 * megabyte, "401"),
        (recent(chunked) + b"400001\r\n" + 4 * megabyte + b"x", "413"),
        (recent(chunked) + b"1;" + 6 * megabyte, "413"),  # in what a chunk adds
        (recent(chunked) + b"1\r\nx\r\n0\r\nX: " + 6 * megabyte, "413"),
        (b"POST /slack/events HTTP/1.1\r\nX: " + megabyte, "400"),
        (head(*["X: y"] * 100_000), "400"),
        (head("X: " + "y" * 70_000), "400"),
    ):
        assert (sent[:200], await send_raw(bot, sent)) == (sent[:200], status)


async def test_slow_requests_are_given_up(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web.requests, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(web.requests, "LINGER_SECONDS", 0.1)

    answers = await asyncio.gather(
        send_raw(bot, b""),
        send_raw(bot, b"POST /slack"),
        send_raw(bot, recent("Content-Length: 10") + b"x"),
        send_raw(bot, recent("Transfer-Encoding: chunked") + b"1\r\nx\r\n"),
        send_raw(bot, head("Content-Length: 10")),
    )

    assert [*answers] == ["", "408", "408", "408", "401"]
    assert await get(f"{bot.url}/readyz") == (
        200,
        "ready\nrequests refused since the start: not signed by Slack 1, too slow, or cut off 2",
    )


async def test_no_http_is_refused(bot: Bot) -> None:
    for sent in (
        head("Content-Length: 10", "Content-Length: 11"),
        head("Content-Length: -1"),
        head("Content-Length: 10", "Transfer-Encoding: chunked"),
        head("Transfer-Encoding: gzip"),
        head("Transfer-Encoding: chunked") + b"zz\r\n",
        head("X: a\0b"),
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"CONNECT a:1 HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    ):
        assert (sent, await send_raw(bot, sent)) == (sent, "400")


async def test_readiness_asks_slack_rarely(bot: Bot, slack: Slack) -> None:
    before = len(slack.called("auth.test"))

    answers = await asyncio.gather(*(get(f"{bot.url}/readyz") for _ in range(50)))

    assert set(answers) == {(200, "ready")}
    assert len(slack.called("auth.test")) == before + 1


async def test_a_slow_slack_delays_no_acknowledgement(walk: Walk, slack: Slack) -> None:
    slack.latency = 0.5

    delivery = await slack.say("oncall", "/incident declare sev1 It burns", channel="general")

    assert delivery.ok
    assert delivery.seconds < slack.latency
    await walk.bot.drain()


async def get(url: str) -> tuple[int, str]:
    """Status and text of an answer."""
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


async def test_health_and_readiness(bot: Bot) -> None:
    assert await get(f"{bot.url}/healthz") == (200, "ok")
    assert await get(f"{bot.url}/readyz") == (200, "ready")
    assert (await get(f"{bot.url}/nowhere"))[0] == 404


async def rename_table(bot: Bot, name: LiteralString, new_name: LiteralString) -> None:
    async with bot.world.pool.connection() as conn:
        await conn.execute(f"ALTER TABLE {name} RENAME TO {new_name}")


async def test_database_without_table_is_not_ready(bot: Bot) -> None:
    await rename_table(bot, "set_aside", "another")
    answer = await get(f"{bot.url}/readyz")
    await rename_table(bot, "another", "set_aside")

    assert answer == (503, "the database in DATABASE_URL cannot be read: see the log")


@pytest.mark.parametrize(
    ("refusal", "status", "answer"),
    [
        (
            {"error": "token_revoked"},
            503,
            "Slack does not accept SLACK_BOT_TOKEN, or does not answer (token_revoked)",
        ),
        (
            {"status": 503},
            503,
            "Slack does not accept SLACK_BOT_TOKEN, or does not answer (http_503)",
        ),
        ({"ratelimited": 30}, 200, "ready"),
    ],
)
async def test_readiness_tells_what_slack_refuses(
    bot: Bot, slack: Slack, refusal: dict[str, Any], status: int, answer: str
) -> None:
    slack.fail("auth.test", **refusal)

    assert await get(f"{bot.url}/readyz") == (status, answer)
    assert (await get(f"{bot.url}/healthz"))[0] == 200


async def test_socket_mode_does_the_same(slack: Slack, given: Settings, clock: Clock) -> None:
    by_socket = given.model_copy(
        update={"slack_app_token": slack.app_token, "slack_signing_secret": None}
    )
    slack.request_url = None

    async with start_bot(by_socket, clock) as bot:
        walk = Walk(slack, bot)
        channel = await walk.declare()
        await walk.press_step("oncall", "pods", channel)

        assert "3 of 3 ready" in walk.text(channel)
        assert await get(f"{bot.url}/readyz") == (200, "ready")
        assert (await get(f"{bot.url}/slack/events"))[0] == 404


async def test_no_database_at_the_start(given: Settings, clock: Clock) -> None:
    nowhere = f"postgresql://runbolt:hunter2@127.0.0.1:{free_port()}/runbolt"

    with pytest.raises(Exception, match="DATABASE_URL did not answer") as mistake:
        async with start_bot(given.model_copy(update={"database_url": nowhere}), clock):
            pass

    assert "hunter2" not in str(mistake.value)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("approvers: {groups: [nobody]}", "user group nobody"),
        (
            "approvers: {groups: [order-service-approvers]}\nchannels: {incidents: nowhere}",
            "#nowhere",
        ),
        ("approvers: {groups: [order-service-approvers]}\nplaybooks: /nowhere", "nowhere"),
    ],
)
async def test_a_config_with_unknown_names(
    given: Settings, clock: Clock, words: str, sentence: str
) -> None:
    given.config.write_text(words)

    with pytest.raises(Exception, match=sentence):
        async with start_bot(given, clock):
            pass


@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1", "Address already in use"), ("192.0.2.1", "Cannot assign requested address")],
)
async def test_a_taken_port_starts_nothing(
    host: str, reason: str, given: Settings, slack: Slack
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"cannot listen on {host}, port {port}: {reason}"):
            await root.serve(given.model_copy(update={"host": host, "port": port}))

    assert not slack.called("auth.test")


async def test_it_listens_on_ipv6_too(given: Settings, clock: Clock) -> None:
    async with start_bot(given.model_copy(update={"host": "::1"}), clock) as bot:
        port = bot.url.rpartition(":")[2]
        assert await get(f"http://[::1]:{port}/healthz") == (200, "ok")
