"""The payment service's health endpoint."""

import asyncio
from enum import StrEnum

from aiohttp import web

from sandbox.loopback import LoopbackServer


class Health(StrEnum):
    """The health of the payment service."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    SLOW = "slow"
    DOWN = "down"


class PaymentService(LoopbackServer):
    """`GET /health` on loopback: healthy, degraded (503), slow (silent) or down (no listener)."""

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_get("/health", self._answer_health)
        super().__init__(web.AppRunner(app, access_log=None, shutdown_timeout=0.2))
        self.health = Health.HEALTHY
        self._changed = asyncio.Event()

    async def __aexit__(self, *_: object) -> None:
        self._changed.set()
        await super().__aexit__()

    async def set_health(self, health: Health) -> None:
        """Change the health; down means that nobody listens on the port."""
        self.health = health
        self._changed.set()
        self._changed = asyncio.Event()
        if health is Health.DOWN and self._site is not None:
            await self._site.stop()
            self._site = None
        elif health is not Health.DOWN and self._site is None:
            await self._listen()

    async def _answer_health(self, _: web.Request) -> web.Response:
        while self.health is Health.SLOW:
            await self._changed.wait()
        unhealthy = self.health is not Health.HEALTHY
        checks = {"database": "ok", "stripe": "timeout after 5000 ms" if unhealthy else "ok"}
        details = {"service": "payment-service", "version": "v1.18.0", "checks": checks}
        status = "degraded" if unhealthy else "ok"
        # A kept connection would outlive the end of listening.
        return web.json_response(
            {"status": status, **details},
            status=503 if unhealthy else 200,
            headers={"Connection": "close"},
        )
