"""Deliveries to the app: signed HTTP requests or socket envelopes, with retries."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from sandbox.slack.errors import Obj
from sandbox.slack.sockets import Sockets

Kind = Literal["slash_commands", "interactive", "events_api"]

ACKNOWLEDGE_SECONDS = 3.0
MAX_REMEMBERED = 5_000
RETRY_AFTER = (0.0, 60.0, 300.0)

# What the person reads, and what a retried event says about the attempt before it.
TIMEOUT, NO_CONNECTION, SERVER_ERROR, CLIENT_ERROR = (
    "operation_timeout",
    "dispatch_failed",
    "http_service_error",
    "http_client_error",
)
REASONS = {TIMEOUT: "http_timeout", NO_CONNECTION: "connection_failed"}


@dataclass
class Delivery:
    """One delivery to the app and the app's answer."""

    kind: Kind
    payload: Obj
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 0
    answer: Any = None
    seconds: float = 0.0
    error: str = ""
    attempts: int = 0
    no_retry: bool = False
    to: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the app acknowledged it in time."""
        return not self.error

    def summary(self) -> Obj:
        """What the control interface says about it."""
        return {
            "ok": self.ok,
            "kind": self.kind,
            "status": self.status,
            "answer": self.answer,
            "seconds": round(self.seconds, 6),
            "error": self.error or None,
        }


class Deliveries:
    """Delivers to the app over HTTP when it has an address, else over its sockets."""

    def __init__(self, signing_secret: str, pace: float) -> None:
        self.signing_secret = signing_secret
        self.pace = pace
        self.acknowledge_seconds = ACKNOWLEDGE_SECONDS
        self.request_url: str | None = None
        self.options_url: str | None = None
        self.sockets = Sockets()
        self.sent: list[Delivery] = []
        self._session: ClientSession | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._retries: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Open the HTTP session."""
        # How long an answer may take is up to the attempt.
        self._session = ClientSession(
            timeout=ClientTimeout(total=None), connector=TCPConnector(limit=0)
        )

    async def close(self) -> None:
        """Stop sending and drop pending retries."""
        waiting = [*self._tasks, *self._retries]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await self.sockets.close()
        if self._session is not None:
            await self._session.close()

    def background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine in the background."""
        return _start_task(work, self._tasks)

    async def settled(self, *, retries: bool = False) -> None:
        """Wait until no delivery is under way; with `retries`, no retry either."""
        while pending := [*self._tasks, *(self._retries if retries else ())]:
            # Gathering what is done already would give nobody else a turn, from Python 3.12 on.
            await asyncio.wait(pending)

    async def deliver(self, kind: Kind, payload: Obj, to: str | None = None) -> Delivery:
        """Deliver once and wait for the acknowledgement; `to` is another address of the app's."""
        delivery = Delivery(kind, payload, body=_body(kind, payload), to=to)
        delivery.headers = self._sign(kind, delivery.body)
        self._remember(delivery)
        await self._attempt(delivery, {})
        return delivery

    def _remember(self, delivery: Delivery) -> None:
        self.sent.append(delivery)
        del self.sent[:-MAX_REMEMBERED]

    async def event(self, payload: Obj) -> Delivery:
        """Deliver an event; retry up to three times in the background."""
        delivery = await self.deliver("events_api", payload)
        if not delivery.ok and not delivery.no_retry:
            _start_task(self._try_again(delivery), self._retries)
        return delivery

    async def redeliver(self, delivery: Delivery) -> Delivery:
        """Deliver the same payload again, as Slack does when it misses the acknowledgement."""
        again = Delivery(delivery.kind, delivery.payload, delivery.body, dict(delivery.headers))
        again.attempts = delivery.attempts
        self._remember(again)
        retry = _retry(again, "http_timeout") if again.kind == "events_api" else {}
        await self._attempt(again, retry)
        return again

    async def _try_again(self, delivery: Delivery) -> None:
        for wait in RETRY_AFTER:
            await asyncio.sleep(wait / self.pace)
            reason = REASONS.get(delivery.error, "http_error")
            delivery.headers = self._sign(delivery.kind, delivery.body)
            await self._attempt(delivery, _retry(delivery, reason))
            if delivery.ok or delivery.no_retry:
                return

    async def _attempt(self, delivery: Delivery, retry: dict[str, str]) -> None:
        delivery.attempts += 1
        started = time.perf_counter()
        delivery.error = ""
        try:
            async with asyncio.timeout(self.acknowledge_seconds):
                if self.request_url:
                    await self._by_http(delivery, retry)
                else:
                    await self._by_socket(delivery, retry)
        except TimeoutError:
            delivery.error = TIMEOUT
        except (ClientError, OSError):
            delivery.error = NO_CONNECTION
        delivery.seconds = time.perf_counter() - started

    async def _by_http(self, delivery: Delivery, retry: dict[str, str]) -> None:
        assert self._session is not None
        assert self.request_url is not None
        async with self._session.post(
            delivery.to or self.request_url,
            data=delivery.body.encode(),
            headers={**delivery.headers, **retry},
            allow_redirects=False,
        ) as response:
            delivery.status = response.status
            delivery.answer = _parse(await response.text())
            delivery.no_retry = response.headers.get("X-Slack-No-Retry") == "1"
        if delivery.status != 200:
            delivery.error = SERVER_ERROR if delivery.status >= 500 else CLIENT_ERROR

    async def _by_socket(self, delivery: Delivery, retry: dict[str, str]) -> None:
        envelope: Obj = {"type": delivery.kind, "payload": delivery.payload}
        envelope["accepts_response_payload"] = delivery.kind != "events_api"
        if delivery.kind == "events_api":
            envelope["retry_attempt"] = int(retry.get("X-Slack-Retry-Num", 0))
            envelope["retry_reason"] = retry.get("X-Slack-Retry-Reason", "")
        acknowledged = await self.sockets.send(envelope)
        if acknowledged is None:
            delivery.error = NO_CONNECTION
        else:
            delivery.status, delivery.answer = 200, acknowledged

    def _sign(self, kind: Kind, body: str) -> dict[str, str]:
        at = str(int(time.time()))
        form = "application/x-www-form-urlencoded"
        return {
            "Content-Type": "application/json" if kind == "events_api" else form,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": at,
            "X-Slack-Signature": signature(self.signing_secret, at, body),
        }


def _start_task(work: Coroutine[Any, Any, Any], tasks: set[asyncio.Task[Any]]) -> asyncio.Task[Any]:
    """Start a task and keep a reference to it until it is done."""
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
    return task


def signature(secret: str, at: str, body: str) -> str:
    """Slack's request signature, version 0."""
    signed = hmac.new(secret.encode(), f"v0:{at}:{body}".encode(), hashlib.sha256)
    return f"v0={signed.hexdigest()}"


def _retry(delivery: Delivery, reason: str) -> dict[str, str]:
    return {"X-Slack-Retry-Num": str(delivery.attempts), "X-Slack-Retry-Reason": reason}


def _body(kind: Kind, payload: Obj) -> str:
    if kind == "slash_commands":
        return urlencode(payload)
    written = json.dumps(payload, separators=(",", ":"))
    return written if kind == "events_api" else urlencode({"payload": written})


def _parse(text: str) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
