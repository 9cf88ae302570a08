"""The one door to Redis, for what may vanish at any moment; when it is down, all goes on."""

import asyncio
import logging

from bot import sparing

sparing.load("redis", "redis.asyncio")

# The pool alone: the client above it brings every command of every server, 3 MB for four of them.
from redis.asyncio.connection import ConnectionPool  # noqa: E402
from redis.exceptions import RedisError  # noqa: E402

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.25
REST_SECONDS = 5.0


class Cache:
    """Redis, or nothing: no method raises because Redis is down."""

    def __init__(self, url: str) -> None:
        self._pool: ConnectionPool = ConnectionPool.from_url(
            url,
            decode_responses=True,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
        )
        self._rest_until = 0.0

    async def greet(self) -> None:
        """Connect now, so that the first press does not wait for it; if it is away, log that."""
        await self._ask("PING")

    async def first_time(self, key: str, seconds: int = 600) -> bool:
        """Whether this key is new; always so while Redis is down, since the database settles it."""
        said = ("SET", f"runbolt:seen:{key}", "1", "NX", "EX", seconds)
        return await self._ask(*said, otherwise="OK") == "OK"

    async def recall(self, key: str) -> str | None:
        """What was remembered under this key, or None."""
        return await self._ask("GET", f"runbolt:{key}")

    async def remember(self, key: str, value: str, seconds: int) -> None:
        """Keep a value for a while, if Redis is there."""
        await self._ask("SET", f"runbolt:{key}", value, "EX", seconds)

    async def forget(self, key: str) -> None:
        """Remember it no longer."""
        await self._ask("DEL", f"runbolt:{key}")

    async def close(self) -> None:
        """Give the connections back."""
        await self._pool.disconnect()

    async def _ask(self, *command: str | int, otherwise: str | None = None) -> str | None:
        """What Redis answers, or `otherwise` while it is down."""
        if asyncio.get_running_loop().time() < self._rest_until:
            return otherwise
        try:
            connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
            try:
                await connection.send_command(*command)
                answer = await connection.read_response()
            finally:
                await self._pool.release(connection)
        except (RedisError, OSError) as error:
            self._rest(error)
            return otherwise
        return None if answer is None else str(answer)

    def _rest(self, error: Exception) -> None:
        # One line for each rest, and no time-out on every press meanwhile.
        self._rest_until = asyncio.get_running_loop().time() + REST_SECONDS
        log.warning("Redis did not answer (%s); going on without it for %s s", error, REST_SECONDS)
