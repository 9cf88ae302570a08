"""The one door to Redis, for what may vanish at any moment; when it is down, all goes on."""

import asyncio
import logging

from redis.asyncio import Redis
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.25
REST_SECONDS = 5.0


class Cache:
    """Redis, or nothing: no method raises because Redis is down."""

    def __init__(self, url: str) -> None:
        self._redis: Redis = Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
        )
        self._rest_until = 0.0

    async def first_time(self, key: str, seconds: int = 600) -> bool:
        """Whether this key is new; always so while Redis is down, since the database settles it."""
        if self._resting():
            return True
        try:
            return bool(await self._redis.set(f"runbolt:seen:{key}", "1", nx=True, ex=seconds))
        except (RedisError, OSError) as error:
            self._rest(error)
            return True

    async def recall(self, key: str) -> str | None:
        """What was remembered under this key, or None."""
        if self._resting():
            return None
        try:
            value = await self._redis.get(f"runbolt:{key}")
        except (RedisError, OSError) as error:
            self._rest(error)
            return None
        return None if value is None else str(value)

    async def remember(self, key: str, value: str, seconds: int) -> None:
        """Keep a value for a while, if Redis is there."""
        if self._resting():
            return
        try:
            await self._redis.set(f"runbolt:{key}", value, ex=seconds)
        except (RedisError, OSError) as error:
            self._rest(error)

    async def forget(self, key: str) -> None:
        """Remember it no longer."""
        if self._resting():
            return
        try:
            await self._redis.delete(f"runbolt:{key}")
        except (RedisError, OSError) as error:
            self._rest(error)

    async def close(self) -> None:
        """Give the connections back."""
        await self._redis.aclose()

    def _resting(self) -> bool:
        return asyncio.get_running_loop().time() < self._rest_until

    def _rest(self, error: Exception) -> None:
        # One line for each rest, and no time-out on every press meanwhile.
        self._rest_until = asyncio.get_running_loop().time() + REST_SECONDS
        log.warning("Redis did not answer (%s); going on without it for %s s", error, REST_SECONDS)
