"""What the bot asks Slack before it starts; while Slack refuses in passing, it asks again.

A rolling restart asks for the same at the same time, and Slack limits some methods to 20 calls a
minute. So a refusal that passes is no reason to stop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TypeVar

from bot.model import UserError
from bot.slack.errors import SlackError

log = logging.getLogger(__name__)

T = TypeVar("T")

START_SECONDS = 120.0
FIRST_PAUSE, LAST_PAUSE = 0.2, 15.0


class Start:
    """The start of the bot, which waits for Slack for `seconds` in all."""

    def __init__(self, api_url: str, seconds: float = START_SECONDS) -> None:
        self._api_url = api_url
        self._seconds = seconds
        self._until = asyncio.get_running_loop().time() + seconds

    def asking(self, task: str) -> Callable[[Callable[[], Awaitable[T]]], Awaitable[T]]:
        """`ask` for this task."""
        return partial(self.ask, task)

    async def ask(self, task: str, make_call: Callable[[], Awaitable[T]]) -> T:
        """The answer to a call; raises UserError, which names the task and the fix.

        `make_call` is called again after each refusal that passes by itself.
        """
        for pause in _pauses():
            try:
                return await make_call()
            except SlackError as refused:
                seconds = pause if refused.retry_after is None else refused.retry_after
                left = self._until - asyncio.get_running_loop().time()
                if not refused.is_transient or seconds > left:
                    raise self._error(task, refused) from refused
                log.warning(
                    "Slack did not let the bot %s (%s). It asks again in %.3g s, for %.0f s at "
                    "most; then it stops.",
                    task,
                    refused.reason,
                    seconds,
                    left,
                )
            await asyncio.sleep(seconds)
        raise AssertionError("pauses never end")

    def _error(self, task: str, refused: SlackError) -> UserError:
        waited, fix = "", f"{refused.fix} Then start the bot again."
        if refused.retry_after is not None:
            fix = f"Start the bot again in {refused.retry_after:g} s."
        elif refused.is_transient:
            waited = f" for {self._seconds:g} s"
            fix = (
                f"Check SLACK_API_URL ({self._api_url}) and the network, then start the bot again."
            )
        return UserError(
            f"Slack did not let the bot {task}{waited} ({refused.code}), so nothing was started. "
            f"{fix}"
        )


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, LAST_PAUSE)
