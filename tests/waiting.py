"""Waiting for a condition: the one place where tests look again and again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

SECONDS = 50.0  # generous: the machine may be busy
PAUSE = 0.005


async def until(condition: Callable[[], T]) -> T:
    """Wait until a condition returns something true, and return that; raises TimeoutError."""

    async def look() -> T:
        return condition()

    return await until_told(look)


async def until_told(ask: Callable[[], Awaitable[T]]) -> T:
    """The same for a condition that has to be asked for."""
    async with asyncio.timeout(SECONDS):
        while True:
            if answer := await ask():
                return answer
            await asyncio.sleep(PAUSE)
