"""The HTTP server's application: Slack's signed events, health checks, the approvers' page."""

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk import signature
from slack_sdk.signature import SignatureVerifier
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from bot import slack, sweeps
from bot.store import db
from bot.web.approve_page import MAX_FORM_BYTES, PREFIX, SECURE, ApprovePage, NotSignedIn
from bot.world import World

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
T = TypeVar("T")

EVENTS_PATH = "/slack/events"
APPROVE_LINK = re.compile(rf"{PREFIX}([A-Za-z0-9_-]{{43}})")
# A press carries its message and form: Slack allows these a few hundred kilobytes.
MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024
# A request with its head, and what chunks add to its body.
MAX_REQUEST_BYTES = MAX_BODY_BYTES + 1024 * 1024
# Slack gives up after 3 s.
REQUEST_SECONDS = 10.0
LINGER_SECONDS = 1.0
SIGNATURE_SECONDS = 300
CHECK_SECONDS = 3
NO_PAYLOAD = "no Slack payload"
# What Bolt raises for a payload that is not as Slack sends it.
UNREADABLE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
# Everybody may ask whether the bot is ready, and Slack limits how often it may be asked.
SLACK_CHECK_INTERVAL = 10.0


class BoundedProtocol(HttpToolsProtocol):
    """HTTP where each request has a largest head, a largest size and a longest time to arrive.

    The server itself has no such bounds: it would keep a head of any size, and wait for ever.
    """

    _received = 0
    _has_head = False
    _is_refused = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request, and refuse the request where it becomes too large."""
        if self._is_refused:
            return
        self._received += len(data)
        super().data_received(data)
        if self._received > (MAX_REQUEST_BYTES if self._has_head else MAX_HEAD_BYTES):
            self._refuse(413 if self._has_head else 400)

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a request."""
        super().on_message_begin()
        self._wait()

    def on_headers_complete(self) -> None:
        """From here on the body counts. Raises ValueError, which is answered with 400."""
        if sum(len(name) + len(value) for name, value in self.headers) > MAX_HEAD_BYTES:
            raise ValueError("the head is too large")
        super().on_headers_complete()
        self._has_head = True

    def on_message_complete(self) -> None:
        """The request has arrived."""
        super().on_message_complete()
        self._stop_waiting()
        self._received, self._has_head = 0, False

    def _wait(self) -> None:
        self._stop_waiting()
        self._timer = self.loop.call_later(REQUEST_SECONDS, self._refuse, 408)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _refuse(self, status: int) -> None:
        """Answer, unless an answer has begun, and close; what still arrives is dropped."""
        if self.transport.is_closing():
            return
        self._is_refused = True
        cycle = self._latest_cycle()
        if self._received and not self._is_answered(cycle):
            head = b"content-length: 0\r\nconnection: close\r\n\r\n"
            self.transport.write(STATUS_LINE[status] + head)
            self.transport.write_eof()
        if cycle:
            cycle.disconnected = True
            cycle.message_event.set()
        # A client that is still sending would lose the answer if it were closed at once.
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _is_answered(self, cycle: RequestResponseCycle | None) -> bool:
        """Whether another answer could not be told from that of this request, or of the last."""
        if cycle is None:
            return False
        return cycle.response_started if self._has_head else not cycle.response_complete

    def _latest_cycle(self) -> RequestResponseCycle | None:
        """The request whose head came last; None before the first."""
        return self.cycle


class CutOff(Exception):
    """The rest of a request never came."""


class Refusals:
    """Counts the requests that were refused, by why; the log tells whenever a number doubles."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, reason: str) -> None:
        """Count a request."""
        self._counts[reason] += 1
        count = self._counts[reason]
        if count & (count - 1) == 0:
            log.warning("requests refused since the start: %s %s", reason, count)

    def __str__(self) -> str:
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(self._counts.items()))
        return f"\nrequests refused since the start: {counts}" if counts else ""


class SignatureCheck:
    """Checks Slack's signature of a request, which is good for 5 min by the database's clock."""

    def __init__(self, secret: str, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._verifier = SignatureVerifier(secret, _SignatureClock(clock))

    def may_pass(self, headers: dict[str, str]) -> bool:
        """Whether a body could make these headers valid: they name a signature, and about now."""
        try:
            age = self._clock().timestamp() - int(headers["x-slack-request-timestamp"])
        except (ArithmeticError, LookupError, ValueError):
            return False
        return abs(age) <= SIGNATURE_SECONDS and headers.get("x-slack-signature", "") != ""

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
    """An ASGI application: `POST /slack/events`, `GET /healthz`, `GET /readyz`, `/approve/…`.

    Without a signature check, as in Socket Mode, it takes no events; without a sign-in there is no
    page for approvals.
    """

    def __init__(
        self,
        app: AsyncApp,
        world: World,
        signatures: SignatureCheck | None,
        refusals: Refusals,
        page: ApprovePage | None = None,
    ) -> None:
        self._events = AsyncSlackRequestHandler(app)
        self._world = world
        self._signatures = signatures
        self._refusals = refusals
        self._page = page
        self._check_database = SharedCheck(lambda: db.problem(world.pool, CHECK_SECONDS))
        self._check_slack = SharedCheck(self._ask_slack, SLACK_CHECK_INTERVAL)
        self._count_set_aside = SharedCheck(self._count)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["method"], scope["path"]:
            case _, "/healthz":
                await _respond(send, 200, "ok")
            case _, "/readyz":
                status, answer = await self._readiness()
                await _respond(send, status, f"{answer}{self._refusals}")
            case "POST", path if path == EVENTS_PATH and self._signatures is not None:
                await self._take_event(scope, receive, send, self._signatures)
            case "GET" | "POST", path if self._page is not None and (
                link := APPROVE_LINK.fullmatch(path)
            ):
                await self._answer_page(self._page, link[1], scope, receive, send)
            case _:
                await _respond(send, 404, "not found")

    async def _answer_page(
        self, page: ApprovePage, token: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """The page for an approval: only through the firm's sign-in, and a POST with its form."""
        headers, peer = scope["headers"], (scope.get("client") or ("",))[0]
        try:
            email = page.signed_in(peer, headers)
        except NotSignedIn:
            self._refusals.add("not through the firm's sign-in")
            await _respond(send, 403, "not through the firm's sign-in")
            return
        if scope["method"] == "GET":
            answer = await page.show(token, email)
        else:
            try:
                body = await _read_body(receive, MAX_FORM_BYTES)
            except CutOff:
                self._refusals.add("too slow, or cut off")
                return
            if body is None:
                await self._refuse_large(send)
                return
            answer = await page.confirm(token, email, headers, body)
        start = {"type": "http.response.start", "status": answer.status, "headers": list(SECURE)}
        await send(start)
        await send({"type": "http.response.body", "body": answer.html.encode()})

    async def _take_event(
        self, scope: Scope, receive: Receive, send: Send, signatures: SignatureCheck
    ) -> None:
        """Pass on what Slack has signed; nothing else is parsed."""
        raw = scope["headers"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
        if _announces_too_much(headers):
            await self._refuse_large(send)
            return
        if not signatures.may_pass(headers):
            await self._refuse_unsigned(send)
            return
        try:
            body = await _read_body(receive)
        except CutOff:
            self._refusals.add("too slow, or cut off")
            return
        if body is None:
            await self._refuse_large(send)
        elif not signatures.passes(body, headers):
            await self._refuse_unsigned(send)
        else:
            await self._dispatch(scope, body, send)

    async def _refuse_large(self, send: Send) -> None:
        self._refusals.add("too large")
        # Or the server would read the rest, only to forget it.
        await _respond(send, 413, "too large", (b"connection", b"close"))

    async def _refuse_unsigned(self, send: Send) -> None:
        self._refusals.add("not signed by Slack")
        await _respond(send, 401, "not signed by Slack")

    async def _dispatch(self, scope: Scope, body: bytes, send: Send) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            await self._events(scope, receive, send)
        except UNREADABLE:  # until it is acknowledged a request is only read, so it is malformed
            log.exception("a signed request could not be read")
            self._refusals.add(NO_PAYLOAD)
            await _respond(send, 400, "malformed request")

    async def _readiness(self) -> tuple[int, str]:
        """Whether the bot is ready: 200, with how many rows are set aside, or 503 with why not."""
        found = await asyncio.gather(self._check_database(), self._check_slack())
        if problems := [problem for problem in found if problem is not None]:
            return 503, "\n".join(problems)
        count = await self._count_set_aside()
        if count is None:  # the database has gone meanwhile, or is not as this version needs it
            return 503, "the database in DATABASE_URL cannot be read: see the log"
        return 200, f"ready, but {count} set aside: see the log" if count else "ready"

    async def _count(self) -> int | None:
        """How many rows are set aside; None, with a line in the log, where nobody can tell."""
        try:
            return await sweeps.count_set_aside(self._world)
        except db.ANY_ERROR as error:
            log.warning("the rows that are set aside cannot be counted: %s", error)
            return None

    async def _ask_slack(self) -> str | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await slack.client.call(self._world.slack.auth_test())
        except TimeoutError:
            return "Slack does not answer"
        except slack.client.SlackError as refused:
            if refused.code != "ratelimited":  # others have asked too often: Slack is there
                return f"Slack does not accept SLACK_BOT_TOKEN, or does not answer ({refused.code})"
        return None


def _announces_too_much(headers: dict[str, str]) -> bool:
    announced = headers.get("content-length", "").lstrip("0")
    # 20 digits are more than a parsed head has; int() refuses thousands of them, zeros too.
    return announced.isdecimal() and int(announced[:20]) > MAX_BODY_BYTES


async def _read_body(receive: Receive, largest: int = MAX_BODY_BYTES) -> bytes | None:
    """The body of a request; None, without the rest of it, where it is too large.

    Raises CutOff when the client is gone, or was too slow.
    """
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CutOff
        body += message.get("body", b"")
        if len(body) > largest:
            return None
        more = message.get("more_body", False)
    return bytes(body)


async def _respond(send: Send, status: int, text: str, *more: tuple[bytes, bytes]) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
