"""The channel where customers are informed: messages, each found again by its key."""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot import slack
from bot.model import ChannelId, UserError
from bot.slack import errors, escaping

EVENT_TYPE = "customer_message"
HISTORY_LIMIT = 999  # Slack's maximum for one page
FIXES = {
    "not_in_channel": "Invite the bot there, and request it again.",
    "channel_not_found": "Invite the bot there, or correct channels.customers in RUNBOLT_CONFIG.",
    "is_archived": "Unarchive the channel, or correct channels.customers in RUNBOLT_CONFIG.",
    "restricted_action": "Let the bot post there, in the channel's settings, and request it again.",
    "message_not_found": "Somebody else has deleted it.",
    "msg_too_long": "Shorten the message, and request it again.",
}
# With these errors Slack says that it did nothing. What any other one means is not known: of its
# own failures, such as fatal_error, Slack says that a part may have been done.
REFUSALS = frozenset(
    {
        *FIXES,
        *errors.FIXES,
        "cant_delete_message",
        "invalid_arguments",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "message_limit_exceeded",
        "metadata_too_large",
        "missing_scope",
        "no_text",
        "ratelimited",
    }
)


class CustomerChannelError(UserError):
    """Slack refused or did not answer a call about the customers' channel."""


class PostedMessage(NamedTuple):
    """A message as it stands in its channel, where `ts` identifies it."""

    ts: str
    text: str


class CustomerChannel:
    """The customers' channel; None where messages are posted in the incident's own.

    Every message has a key in its metadata, which nobody sees in Slack.
    """

    def __init__(self, client: AsyncWebClient, channel: ChannelId | None) -> None:
        self._slack = client
        self.channel_id = channel

    def read_only(self) -> "CustomerChannel":
        """The same channel, with a client that posts and deletes nothing."""
        return CustomerChannel(slack.client.read_only(self._slack), self.channel_id)

    async def channel_name(self, channel: str) -> str:
        """The channel's name; raises CustomerChannelError when the bot cannot post there."""
        call = self._slack.conversations_info(channel=channel)
        answer = (await _read(call))["channel"]
        if answer.get("is_archived"):
            raise _error("post there", slack.client.SlackError("is_archived"))
        if not answer.get("is_member"):
            raise _error(f"post to #{answer['name']}", slack.client.SlackError("not_in_channel"))
        return str(answer["name"])

    async def post(self, channel: str, text: str, key: str, heading: str = "") -> str:
        """Post a message; its words cannot mention anybody, the heading can. Returns its `ts`.

        Raises CustomerChannelError.
        """
        body = "\n\n".join(filter(None, (heading, escaping.escape(text))))
        metadata = {"event_type": EVENT_TYPE, "event_payload": {"key": key}}
        call = self._slack.chat_postMessage(channel=channel, text=body, metadata=metadata)
        return str((await _call(call, "post it"))["ts"])

    async def find(self, channel: str, key: str) -> PostedMessage | None:
        """The message with that key among the newest 999; raises CustomerChannelError."""
        call = self._slack.conversations_history(
            channel=channel, limit=HISTORY_LIMIT, include_all_metadata=True
        )
        for message in (await _read(call))["messages"]:
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            if payload.get("key") == key:
                return PostedMessage(ts=message["ts"], text=message["text"])
        return None

    async def delete(self, channel: str, ts: str) -> None:
        """Delete a message; raises CustomerChannelError."""
        await _call(self._slack.chat_delete(channel=channel, ts=ts), "delete it")


async def _read(call: Awaitable[AsyncSlackResponse]) -> dict[str, Any]:
    """Slack's answer to a call that changes nothing; raises CustomerChannelError."""
    try:
        return await slack.client.call(call)
    except slack.client.SlackError as error:
        raise _error("look at the channel", error) from error


async def _call(call: Awaitable[AsyncSlackResponse], task: str) -> dict[str, Any]:
    """Slack's answer to an API call; raises CustomerChannelError, which names the task."""
    try:
        return await slack.client.call(call)
    except slack.client.SlackError as error:
        if error.code in REFUSALS:
            raise _error(task, error) from error
        raise CustomerChannelError(
            f"Slack failed when the bot tried to {task} ({error.code}). Whether it was done is "
            "unknown: look at the channel.",
            unsure=True,
        ) from error


def _error(task: str, error: slack.client.SlackError) -> CustomerChannelError:
    fix = FIXES.get(error.code, error.fix)
    return CustomerChannelError(
        f"Slack did not let the bot {task} ({error.code}), so nothing was done. {fix}"
    )
