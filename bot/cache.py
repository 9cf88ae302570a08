"""The cache in Redis, for what may be lost at any moment: while Redis is down, the bot goes on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from redis.asyncio import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.25
REST_SECONDS = 5.0


class Cache:
    """Redis, or nothing: no method raises because Redis is down."""

    def __init__(self, url: str) -> None:
        # Made from a URL, the client repeats no command.
        self._redis = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
        )
        self._rest_until = 0.0

    async def warm_up(self) -> None:
        """Connect now, so that the first interaction does not wait for it; log a failure."""
        await self._call(self._redis.ping)

    async def get(self, key: str) -> str | None:
        """The value of a key; None where there is none, or while Redis is down."""
        value = await self._call(lambda: self._redis.get(f"runbolt:{key}"))
        return value if isinstance(value, str) else None

    async def set(self, key: str, value: str, ttl_seconds: int) -> None:
        """Set a key for so many seconds."""
        await self._call(lambda: self._redis.set(f"runbolt:{key}", value, ex=ttl_seconds))

    async def delete(self, key: str) -> None:
        """Delete a key."""
        await self._call(lambda: self._redis.delete(f"runbolt:{key}"))

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()

    async def _call(self, command: Callable[[], Awaitable[object]]) -> object:
        """What Redis answers; None while it is down."""
        if asyncio.get_running_loop().time() < self._rest_until:
            return None
        try:
            return await command()
        except (RedisError, OSError) as error:
            self._rest(error)
            return None

    def _rest(self, error: Exception) -> None:
        # One log line for each rest, and no timeout on every interaction meanwhile.
        self._rest_until = asyncio.get_running_loop().time() + REST_SECONDS
        log.warning("Redis did not answer (%s); going on without it for %s s", error, REST_SECONDS)
