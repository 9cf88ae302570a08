"""The HTTP server's application: Slack's signed events, and health checks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk import signature
from slack_sdk.signature import SignatureVerifier

from bot import slack, sweeps
from bot.store import db
from bot.world import World

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
T = TypeVar("T")

EVENTS_PATH = "/slack/events"
# A press carries its message and form: Slack allows these a few hundred kilobytes.
MAX_BODY_BYTES = 4 * 1024 * 1024
CHECK_SECONDS = 3
# Everybody may ask whether the bot is ready, and Slack limits how often it may be asked.
SLACK_CHECK_INTERVAL = 10.0


class SignatureCheck:
    """Checks Slack's signature of a request, which is good for 5 min by the database's clock."""

    def __init__(self, secret: str, clock: Callable[[], datetime]) -> None:
        self._verifier = SignatureVerifier(secret, _SignatureClock(clock))

    def passes(self, body: bytes, headers: dict[str, str]) -> bool:
        """Whether Slack has signed this body, and not long ago; `headers` by lower-case name."""
        try:
            return self._verifier.is_valid_request(body, headers)
        except (ArithmeticError, TypeError, ValueError):  # no time, no UTF-8, no ASCII
            return False


class _SignatureClock(signature.Clock):
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock().timestamp()


class SharedCheck(Generic[T]):
    """A check that runs once for all who ask meanwhile, and again only after `seconds`."""

    def __init__(self, check: Callable[[], Awaitable[T]], seconds: float = 0.0) -> None:
        self._check = check
        self._seconds = seconds
        self._again_at = 0.0
        self._running: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        now = asyncio.get_running_loop().time()
        if self._running is None or (self._running.done() and now >= self._again_at):
            self._running = asyncio.create_task(self._run())
        return await asyncio.shield(self._running)

    async def _run(self) -> T:
        answer = await self._check()
        self._again_at = asyncio.get_running_loop().time() + self._seconds
        return answer


class Web:
    """An ASGI application: `POST /slack/events`, `GET /healthz` and `GET /readyz`.

    Without a signature check, as in Socket Mode, it takes no events.
    """

    def __init__(self, app: AsyncApp, world: World, signatures: SignatureCheck | None) -> None:
        self._events = AsyncSlackRequestHandler(app)
        self._world = world
        self._signatures = signatures
        self._check_database = SharedCheck(lambda: db.problem(world.pool, CHECK_SECONDS))
        self._check_slack = SharedCheck(self._ask_slack, SLACK_CHECK_INTERVAL)
        self._count_set_aside = SharedCheck(lambda: sweeps.count_set_aside(world))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["method"], scope["path"]:
            case _, "/healthz":
                await _respond(send, 200, "ok")
            case _, "/readyz":
                problems = await self._problems()
                answer = "\n".join(problems) or await self._ready()
                await _respond(send, 503 if problems else 200, answer)
            case "POST", path if path == EVENTS_PATH and self._signatures is not None:
                await self._take_event(scope, receive, send, self._signatures)
            case _:
                await _respond(send, 404, "not found")

    async def _take_event(
        self, scope: Scope, receive: Receive, send: Send, signatures: SignatureCheck
    ) -> None:
        """Pass on what Slack has signed; nothing else is parsed."""
        raw = scope["headers"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
        body = await _read_body(headers, receive)
        if body is None:
            # Or the server would read the rest, only to forget it.
            await _respond(send, 413, "too large", (b"connection", b"close"))
        elif not signatures.passes(body, headers):
            await _respond(send, 401, "not signed by Slack")
        else:
            await self._dispatch(scope, body, send)

    async def _dispatch(self, scope: Scope, body: bytes, send: Send) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            await self._events(scope, receive, send)
        except Exception:  # until it is acknowledged a request is only read, so it is malformed
            log.exception("a signed request could not be read")
            await _respond(send, 400, "malformed request")

    async def _problems(self) -> list[str]:
        """Why the bot is not ready, if it is not."""
        problems = await asyncio.gather(self._check_database(), self._check_slack())
        return [problem for problem in problems if problem is not None]

    async def _ready(self) -> str:
        """What is said of a bot that is ready: with how many rows are set aside, if any."""
        count = await self._count_set_aside()
        return f"ready, but {count} set aside: see the log" if count else "ready"

    async def _ask_slack(self) -> str | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await slack.client.call(self._world.slack.auth_test())
        except (slack.client.SlackError, TimeoutError):
            return "Slack does not accept SLACK_BOT_TOKEN, or does not answer"
        return None


async def _read_body(headers: dict[str, str], receive: Receive) -> bytes | None:
    """The body of a request; None, without the rest of it, where it is too large."""
    announced = headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_BODY_BYTES:
        return None
    body = bytearray()
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            return None
        more = message.get("more_body", False)
    return bytes(body)


async def _respond(send: Send, status: int, text: str, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
