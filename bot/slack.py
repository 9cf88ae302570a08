"""What Slack answers, and how it refuses: one error family for every call."""

import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.model import UserError

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 20
SECONDS = re.compile(r"\d{1,6}")

# No retry by waiting: it would hold an answer to a person, and the clock draws again anyway.
# No retry at once either: a request that got no answer may have been carried out.
RETRIES: list[Any] = []
READING_METHODS = ("conversations.history", "conversations.info")


class Refused(UserError):
    """Slack said no (`code` is its word for it), or nothing (`code` is `no_answer`)."""

    @property
    def passing(self) -> bool:
        """Whether it passes by itself: a rate limit, a hiccup, no answer."""
        passes = self.code in ("no_answer", "ratelimited", "internal_error", "fatal_error")
        return passes or self.code.startswith("http_") or self.retry_after is not None

    def __init__(self, code: str, retry_after: float | None = None) -> None:
        self.code = code
        self.retry_after = retry_after
        super().__init__(
            f"Slack refused this ({code}). Nothing that was decided is lost; try again in a minute."
        )


def client(token: str, api_url: str, seconds: float = TIMEOUT_SECONDS) -> AsyncWebClient:
    """The Web API client; its connections are kept open and shared. Call inside the event loop."""
    session = ClientSession(
        connector=TCPConnector(limit=200, keepalive_timeout=30),
        timeout=ClientTimeout(total=seconds),
    )
    return AsyncWebClient(token=token, base_url=api_url, session=session, retry_handlers=RETRIES)


class PostStopped(UserError):
    """What was to leave the process was no look, and this client only looks."""


class ReadOnlyClient(AsyncWebClient):
    """A Web API client that calls only methods that read; others raise PostStopped."""

    async def api_call(self, api_method: str, **arguments: Any) -> AsyncSlackResponse:
        """Every method of the SDK comes by here."""
        if api_method not in READING_METHODS:
            log.error("stopped, not sent: %s", api_method)
            raise PostStopped(
                f"This was only to look, and would have called {api_method} of Slack, so it was "
                "stopped. Nothing was posted or deleted. It is a mistake in the step's action: "
                "report it to the people who look after Runbolt."
            )
        return await super().api_call(api_method, **arguments)


def read_only(client: AsyncWebClient) -> AsyncWebClient:
    """The same client, with its connections, which only reads."""
    return ReadOnlyClient(
        token=client.token,
        base_url=client.base_url,
        session=client.session,
        retry_handlers=RETRIES,
    )


async def answer(call: Awaitable[AsyncSlackResponse]) -> dict[str, Any]:
    """What Slack answers to a call; raises Refused."""
    try:
        response = await call
    except SlackApiError as error:
        raise _refused(error) from error
    except (TimeoutError, ClientError, OSError) as error:
        raise Refused("no_answer") from error
    except (AttributeError, ValueError) as error:  # the SDK trips over what is no JSON object
        raise Refused("no_answer") from error
    data = response.data
    if not isinstance(data, dict):
        raise Refused("no_answer")
    return data


def public_channels(client: AsyncWebClient) -> AsyncIterator[dict[str, Any]]:
    """Every public channel that is not archived, page by page; raises Refused."""

    def page(cursor: str | None) -> Awaitable[AsyncSlackResponse]:
        return client.conversations_list(
            types="public_channel", exclude_archived=True, limit=1000, cursor=cursor
        )

    return _pages(page, "channels")


def everybody(client: AsyncWebClient) -> AsyncIterator[dict[str, Any]]:
    """Every user of the workspace, page by page; raises Refused."""

    def page(cursor: str | None) -> Awaitable[AsyncSlackResponse]:
        return client.users_list(limit=200, cursor=cursor)

    return _pages(page, "members")


async def _pages(
    page: Callable[[str | None], Awaitable[AsyncSlackResponse]], of: str
) -> AsyncIterator[dict[str, Any]]:
    cursor: str | None = None
    while True:
        found = await answer(page(cursor))
        for one in found[of]:
            yield one
        cursor = (found.get("response_metadata") or {}).get("next_cursor") or None
        if cursor is None:
            return


def _refused(error: SlackApiError) -> Refused:
    response = error.response
    if not isinstance(response, AsyncSlackResponse):
        return Refused("no_answer")
    # A proxy may answer in Slack's place, and names a date where Slack counts seconds.
    asked = response.headers.get("Retry-After") or response.headers.get("retry-after") or ""
    seconds = float(asked) if SECONDS.fullmatch(asked) else None
    code = response.get("error") if isinstance(response.data, dict) else None
    return Refused(str(code or f"http_{response.status_code}"), seconds)


async def respond(client: AsyncWebClient, response_url: str, said: dict[str, Any]) -> None:
    """Answer one person by a press's or a command's own address; raises Refused."""
    body = {"response_type": "ephemeral", "replace_original": False, **said}
    session = client.session
    assert session is not None
    try:
        async with session.post(response_url, json=body) as response:
            if response.status != 200:
                raise Refused(f"http_{response.status}")
    except (ClientError, TimeoutError, OSError) as error:
        raise Refused("no_answer") from error
