"""The one door to the channel where customers are told: a message, found again by its key."""

from collections.abc import Awaitable
from typing import Any, NamedTuple

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot import marks, slack
from bot.model import ChannelId, UserError

EVENT = "customer_message"
NEWEST = 999  # what one page of a channel's history holds
FIXES = {
    "not_in_channel": "Invite the bot there, and ask again.",
    "channel_not_found": "Invite the bot there, or correct channels.customers in RUNBOLT_CONFIG.",
    "is_archived": "Bring the channel back, or correct channels.customers in RUNBOLT_CONFIG.",
    "restricted_action": "Let the bot post there, in the channel's settings, and ask again.",
    "msg_too_long": "Write less, and ask again.",
}


class CustomersError(UserError):
    """Slack did not do what customers were to see."""


class Posted(NamedTuple):
    """A message as it stands in its channel; `ts` names it there."""

    ts: str
    text: str


class Customers:
    """Where customers are told; without a channel, their words are released in the incident's own.

    Every message carries a key in its metadata, which no person sees. Raises CustomersError.
    """

    def __init__(self, client: AsyncWebClient, channel: ChannelId | None) -> None:
        self._slack = client
        self.channel = channel

    def read_only(self) -> "Customers":
        """The same door, by which nothing is posted or deleted."""
        return Customers(slack.read_only(self._slack), self.channel)

    async def name(self, channel: str) -> str:
        """How the channel is called; raises CustomersError when the bot cannot post there."""
        call = self._slack.conversations_info(channel=channel)
        found = (await _must(call, "look at the channel"))["channel"]
        if found.get("is_archived"):
            raise _mistake("post there", "is_archived")
        if not found.get("is_member"):
            raise _mistake(f"post to #{found['name']}", "not_in_channel")
        return str(found["name"])

    async def post(self, channel: str, words: str, key: str, heading: str = "") -> None:
        """Say it there, once; nothing in the words is a mention, the heading is ours."""
        text = "\n\n".join(filter(None, (heading, marks.escape(words))))
        metadata = {"event_type": EVENT, "event_payload": {"key": key}}
        call = self._slack.chat_postMessage(channel=channel, text=text, metadata=metadata)
        await _must(call, "post it")

    async def find(self, channel: str, key: str) -> Posted | None:
        """The message of that key, among the newest of the channel."""
        call = self._slack.conversations_history(
            channel=channel, limit=NEWEST, include_all_metadata=True
        )
        for message in (await _must(call, "look at the channel"))["messages"]:
            payload = (message.get("metadata") or {}).get("event_payload") or {}
            if payload.get("key") == key:
                return Posted(ts=message["ts"], text=message["text"])
        return None

    async def delete(self, channel: str, ts: str) -> None:
        """Take it out of the channel again."""
        await _must(self._slack.chat_delete(channel=channel, ts=ts), "delete it")


async def _must(call: Awaitable[AsyncSlackResponse], what: str) -> dict[str, Any]:
    try:
        return await slack.answer(call)
    except slack.Refused as refused:
        raise _mistake(what, refused.code) from refused


def _mistake(what: str, code: str) -> CustomersError:
    if code == "no_answer" or code.startswith("http_5"):
        return CustomersError(
            f"Slack gave no answer when the bot was to {what} ({code}). Whether it was done is not "
            "known: look at the channel.",
            unsure=True,
        )
    fix = FIXES.get(code, "Ask again in a minute.")
    return CustomersError(f"Slack did not let the bot {what} ({code}), so nothing was done. {fix}")
