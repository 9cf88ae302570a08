"""Slack's Web API: its client, and one error for every call that failed."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from slack_sdk.errors import SlackApiError, SlackRequestError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.model import UserError
from bot.redaction import redact, redact_values
from bot.slack.errors import NO_ANSWER as NO_ANSWER
from bot.slack.errors import SlackError as SlackError

log = logging.getLogger(__name__)

# Shorter than the time within which everything is shown after an outage: a call that began before
# its end waits that long.
TIMEOUT_SECONDS = 15
RETRY_AFTER = re.compile(r"\d{1,6}")
UPLOAD_STATUS = re.compile(r"status: (\d{3})")

# The client retries nothing. After a wait the answer to a person would be late, and the scheduler
# publishes again anyway. At once it might act twice: a call without an answer may have had effect.
RETRY_HANDLERS: list[Any] = []
READ_METHODS = ("conversations.history", "conversations.info")


ApiCall = Awaitable[AsyncSlackResponse]
T = TypeVar("T")


class Answer(dict[str, Any]):
    """An object in what Slack answered; a field that Slack always sends and that is not there is
    no answer of Slack's."""

    def __missing__(self, key: str) -> Any:
        raise SlackError(NO_ANSWER)


# Makes a call and awaits it, maybe again and again; raises SlackError.
Ask = Callable[[Callable[[], Awaitable[T]]], Awaitable[T]]
# Some of many, and the cursor of the next.
Page = tuple[list[Any], str | None]


# What Slack or the bot reads again: ids, addresses, keys. People read everything else.
MACHINE_KEYS_TEXT = """
token channel channels channel_id channel_ids user users user_id usergroup ts thread_ts message_ts
timestamp cursor trigger_id view_id hash action_id block_id callback_id external_id private_metadata
metadata type style value emoji length image_url headers email
"""
MACHINE_KEYS = frozenset(MACHINE_KEYS_TEXT.split())
# Longer ones are masked in a thread, so that nobody waits for it.
LONG = 8192


class RedactingClient(AsyncWebClient):
    """A Web API client: what people may read of a request passes the gate before it is sent."""

    async def _request(
        self, *, http_verb: str, api_url: str, req_args: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Send a request, as all of the SDK do."""
        sent: dict[str, Any] = await super()._request(
            http_verb=http_verb, api_url=api_url, req_args=await _redacted(req_args)
        )
        return sent

    async def files_upload_v2(
        self, *, content: str | bytes | None = None, **fields: Any
    ) -> AsyncSlackResponse:
        """Upload a text file; Slack is told its length before it is sent."""
        if not isinstance(content, str):
            raise TypeError("only text is uploaded: nothing else passes the gate")
        masked = await asyncio.to_thread(redact, content)
        # Its title is sent under `files`, beside ids that must stay as they are.
        shown = redact_values(fields, MACHINE_KEYS)
        return await super().files_upload_v2(content=masked, **shown)


async def _redacted(value: Any) -> Any:
    if len(repr(value)) <= LONG:
        return redact_values(value, MACHINE_KEYS)
    return await asyncio.to_thread(redact_values, value, MACHINE_KEYS)


def open_client(token: str, api_url: str, seconds: float = TIMEOUT_SECONDS) -> AsyncWebClient:
    """A Web API client with a session of its own; call it inside the event loop."""
    session = ClientSession(
        # Unlimited: an answer must not wait behind what is published, which has limits
        # of its own.
        connector=TCPConnector(limit=0, keepalive_timeout=30),
        timeout=ClientTimeout(total=seconds),
    )
    return RedactingClient(
        token=token, base_url=api_url, session=session, retry_handlers=RETRY_HANDLERS
    )


class PostStopped(UserError):
    """A call was stopped before it was sent, because this client may only read."""


class ReadOnlyClient(RedactingClient):
    """A Web API client for methods that only read."""

    async def _request(
        self, *, http_verb: str, api_url: str, req_args: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Send a request, as all of the SDK do; raises PostStopped for one that does not read."""
        if api_url not in {f"{self.base_url}{method}" for method in READ_METHODS}:
            method = api_url.removeprefix(self.base_url)
            log.error("stopped, not sent: %s", method)
            raise PostStopped(
                f"This step may only read, but tried to call {method} of Slack, so it was "
                "stopped. Nothing was posted or deleted. This is a defect in the step's action: "
                "report it to the people who run Runbolt."
            )
        sent: dict[str, Any] = await super()._request(
            http_verb=http_verb, api_url=api_url, req_args=req_args
        )
        return sent


def read_only(client: AsyncWebClient) -> AsyncWebClient:
    """A client with the same session that only reads."""
    return ReadOnlyClient(
        token=client.token,
        base_url=client.base_url,
        session=client.session,
        retry_handlers=RETRY_HANDLERS,
    )


async def call(api_call: ApiCall) -> Answer:
    """Await an API call and return Slack's answer; raises SlackError."""
    response = await translated(api_call)
    if not isinstance(response.data, dict):
        raise SlackError(NO_ANSWER)
    return Answer({key: _strict(value) for key, value in response.data.items()})


async def translated(sending: Awaitable[T]) -> T:
    """Await what the SDK sends; raises SlackError instead of the SDK's own errors."""
    try:
        return await sending
    except SlackApiError as error:
        raise _from_api_error(error) from error
    except SlackRequestError as error:  # an upload that was refused
        status = UPLOAD_STATUS.search(str(error))
        raise SlackError(f"http_{status[1]}" if status else NO_ANSWER, method="upload") from error
    except (TimeoutError, ClientError, OSError) as error:
        raise SlackError(NO_ANSWER) from error
    except (AttributeError, ValueError) as error:  # from the SDK, for a body that is no JSON object
        raise SlackError(NO_ANSWER) from error


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return Answer({key: _strict(inner) for key, inner in value.items()})
    return [_strict(inner) for inner in value] if isinstance(value, list) else value


def _from_api_error(error: SlackApiError) -> SlackError:
    response = error.response
    if not isinstance(response, AsyncSlackResponse):
        return SlackError(NO_ANSWER)
    # A proxy that answers for Slack may send a date, where Slack sends seconds.
    header = response.headers.get("Retry-After") or response.headers.get("retry-after") or ""
    body = response.data if isinstance(response.data, dict) else {}
    return SlackError(
        str(body.get("error") or f"http_{response.status_code}"),
        float(header) if RETRY_AFTER.fullmatch(header) else None,
        method=response.api_url.rpartition("/")[2],
        scope=str(body.get("needed") or ""),
        refused_users=_refused_users(body.get("errors")),
    )


def _refused_users(errors: Any) -> dict[str, str]:
    """Slack's codes by the user whom each is about."""
    listed = errors if isinstance(errors, list) else []
    about_users = [error for error in listed if isinstance(error, dict) and "user" in error]
    return {str(error["user"]): str(error.get("error")) for error in about_users}


async def ask_once(make_call: Callable[[], Awaitable[T]]) -> T:
    """Make the call and await it; raises SlackError."""
    return await make_call()


def iter_public_channels(
    client: AsyncWebClient, ask: Ask[Page] = ask_once
) -> AsyncIterator[Answer]:
    """Every public channel that is not archived, each page by `ask`; raises what that raises."""

    def fetch(cursor: str | None) -> ApiCall:
        return client.conversations_list(
            types="public_channel", exclude_archived=True, limit=1000, cursor=cursor
        )

    return _paginate(fetch, "channels", ask)


def iter_users(client: AsyncWebClient) -> AsyncIterator[Answer]:
    """Every user of the workspace; raises SlackError."""

    def fetch(cursor: str | None) -> ApiCall:
        return client.users_list(limit=200, cursor=cursor)

    return _paginate(fetch, "members")


async def members(client: AsyncWebClient, channel: str) -> frozenset[str]:
    """Who is in a channel, by id; raises SlackError."""

    def fetch(cursor: str | None) -> ApiCall:
        return client.conversations_members(channel=channel, limit=1000, cursor=cursor)

    return frozenset([str(member) async for member in _paginate(fetch, "members")])


async def _paginate(
    fetch: Callable[[str | None], ApiCall], key: str, ask: Ask[Page] = ask_once
) -> AsyncIterator[Any]:
    cursor: str | None = None
    while True:
        items, cursor = await ask(partial(_page, fetch, key, cursor))
        for item in items:
            yield item
        if cursor is None:
            return


async def _page(fetch: Callable[[str | None], ApiCall], key: str, cursor: str | None) -> Page:
    answer = await call(fetch(cursor))
    return answer[key], (answer.get("response_metadata") or {}).get("next_cursor") or None


async def respond(client: AsyncWebClient, response_url: str, message: dict[str, Any]) -> None:
    """Send a message to one person, by the response URL of an interaction; raises SlackError."""
    body = {"response_type": "ephemeral", "replace_original": False, **await _redacted(message)}
    session = client.session
    assert session is not None
    try:
        async with session.post(response_url, json=body) as response:
            if response.status != 200:
                raise SlackError(f"http_{response.status}")
    except (ClientError, TimeoutError, OSError) as error:
        raise SlackError(NO_ANSWER) from error
