"""The HTTP side: Slack's events, and whether the bot is well."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp

from bot import slack
from bot.store import db
from bot.world import World

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

CHECK_SECONDS = 3


class Web:
    """An ASGI application: `POST /slack/events`, `GET /healthz` and `GET /readyz`."""

    def __init__(self, app: AsyncApp, world: World, *, events: bool) -> None:
        self._events = AsyncSlackRequestHandler(app) if events else None
        self._world = world

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path")
        if path == "/healthz":
            await _say(send, 200, "ok")
        elif path == "/readyz":
            mistakes = await self._mistakes()
            await _say(send, 503 if mistakes else 200, "\n".join(mistakes) or "ready")
        elif self._events is not None:
            await self._events(scope, receive, send)
        elif scope["type"] == "http":
            await _say(send, 404, "not found")

    async def _mistakes(self) -> list[str]:
        checks = await asyncio.gather(self._database(), self._slack())
        return [mistake for mistake in checks if mistake is not None]

    async def _database(self) -> str | None:
        if not await db.answers(self._world.pool, CHECK_SECONDS):
            return "the database in DATABASE_URL does not answer"
        return None

    async def _slack(self) -> str | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                await slack.answer(self._world.slack.auth_test())
        except (slack.Refused, TimeoutError):
            return "Slack does not accept SLACK_BOT_TOKEN, or does not answer"
        return None


async def _say(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
