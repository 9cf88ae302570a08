"""Errors of publishing: whatever fails is logged, returned, and tried again."""

import logging
from collections.abc import Awaitable

from bot.slack.client import SlackError

log = logging.getLogger(__name__)


async def attempt(subject: str, work: Awaitable[object]) -> Exception | None:
    """Await a part of publishing; returns what went wrong, or None.

    A mistake of our own waits like a refusal of Slack: the other parts are published all the same,
    and the scheduler does not repeat this one without a pause.
    """
    try:
        await work
    except SlackError as refused:
        log.warning("%s: Slack refused: %s", subject, refused.reason)
        return refused
    except Exception as error:
        log.exception("%s was not published", subject)
        return error
    return None
