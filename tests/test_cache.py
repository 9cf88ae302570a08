"""The cache: what Redis keeps, and how the bot goes on while Redis is down."""

import logging

import pytest

from bot.cache import Cache
from sandbox.redis import free_port


async def test_values_until_deleted(redis_url: str) -> None:
    cache = Cache(redis_url)
    await cache.set("key", "value", 60)
    assert await cache.get("key") == "value"
    await cache.delete("key")
    assert await cache.get("key") is None
    await cache.close()


async def test_redis_is_down(caplog: pytest.LogCaptureFixture) -> None:
    cache = Cache(f"redis://127.0.0.1:{free_port()}/0")
    with caplog.at_level(logging.WARNING):
        await cache.warm_up()
        await cache.set("key", "value", 60)
        assert await cache.get("key") is None
    await cache.close()
    assert len(caplog.records) == 1
