"""The HTTP server's application: Slack's signed events, and health checks."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.middleware.request_verification.async_request_verification import (
    AsyncRequestVerification,
)
from slack_sdk import signature
from slack_sdk.signature import SignatureVerifier

from bot import slack, sweeps
from bot.store import db
from bot.world import World

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

CHECK_SECONDS = 3


class SignatureCheck(AsyncRequestVerification):
    """Bolt's check of Slack's signature, which is good for 5 min by the database's clock."""

    def __init__(self, secret: str, clock: Callable[[], datetime]) -> None:
        super().__init__(secret)
        self._checked = SignatureVerifier(secret, _SignatureClock(clock))

    @property
    def verifier(self) -> SignatureVerifier:
        """What checks it."""
        return self._checked


class _SignatureClock(signature.Clock):
    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock().timestamp()


class Web:
    """An ASGI application: `POST /slack/events`, `GET /healthz` and `GET /readyz`."""

    def __init__(self, app: AsyncApp, world: World, *, events: bool) -> None:
        self._events = AsyncSlackRequestHandler(app) if events else None
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path")
        if path == "/healthz":
            await _respond(send, 200, "ok")
        elif path == "/readyz":
            problems = await self._problems()
            await _respond(
                send, 503 if problems else 200, "\n".join(problems) or await self._ready()
            )
        elif self._events is not None:
            await self._events(scope, receive, send)
        elif scope["type"] == "http":
            await _respond(send, 404, "not found")

    async def _problems(self) -> list[str]:
        """Why the bot is not ready, if it is not."""
        problems = await asyncio.gather(self._check_database(), self._check_slack())
        return [problem for problem in problems if problem is not None]

    async def _ready(self) -> str:
        """What is said of a bot that is ready: with how many rows are set aside, if any."""
        count = await sweeps.count_set_aside(self._world)
        return f"ready, but {count} set aside: see the log" if count else "ready"

    async def _check_database(self) -> str | None:
        if not await db.is_reachable(self._world.pool, CHECK_SECONDS):
            return "the database in DATABASE_URL does not answer"
        return None

    async def _check_slack(self) -> str | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await slack.client.call(self._world.slack.auth_test())
        except (slack.client.SlackError, TimeoutError):
            return "Slack does not accept SLACK_BOT_TOKEN, or does not answer"
        return None


async def _respond(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
