"""Where the bot lives in Slack, found and checked when it starts."""

import re
from collections.abc import Awaitable
from typing import Any, TypeVar

from slack_sdk.web.async_client import AsyncWebClient

from bot import slack
from bot.config import Config
from bot.model import ChannelId, UserError, UserId
from bot.people import Directory
from bot.world import Home

Answer = TypeVar("Answer")

CHANNEL_ID = re.compile(r"C[A-Z0-9]{8,}")


async def identify(client: AsyncWebClient) -> dict[str, Any]:
    """Who the token belongs to; raises UserError that names the variable and the fix."""
    try:
        return await slack.answer(client.auth_test())
    except slack.Refused as refused:
        if refused.passing:
            raise UserError(
                f"Slack at {client.base_url} did not answer, so nothing was started. Check "
                "SLACK_API_URL and the network, and start again."
            ) from refused
        raise UserError(
            f"Slack refuses SLACK_BOT_TOKEN ({refused.code}), so nothing was started. Copy the bot "
            "token again from the app's page, under OAuth & Permissions."
        ) from refused


async def find_home(
    client: AsyncWebClient, identity: dict[str, Any], people: Directory, config: Config
) -> Home:
    """The announcements channel, joined, and the groups to call; raises UserError."""
    channels = config.channels
    announcements = await _channel(client, channels.incidents, "channels.incidents")
    customers = None
    if channels.customers:
        customers = await _channel(client, channels.customers, "channels.customers")
    # A misspelled group is found now, not at three in the morning.
    groups = [await people.group_id(group) for group in config.responders.groups]
    approvers = [await people.group_id(group) for group in config.approvers.groups]
    return Home(
        team_id=identity["team_id"],
        bot_user=UserId(identity["user_id"]),
        announcements=announcements,
        customers=customers,
        responder_groups=tuple(groups),
        approver_groups=tuple(approvers),
    )


async def _channel(client: AsyncWebClient, wanted: str, key: str) -> ChannelId:
    """The channel given by id or name under a key of RUNBOLT_CONFIG, joined."""
    if CHANNEL_ID.fullmatch(wanted):
        return await _join(client, wanted, wanted)
    name = wanted.removeprefix("#")
    found = await _must(_by_name(client, name), "list the channels")
    if found is None:
        raise UserError(
            f"RUNBOLT_CONFIG names #{name} under {key}, which this workspace does not have, so "
            "nothing was started. Make the channel, or correct the file."
        )
    if found.get("is_member"):
        return ChannelId(found["id"])
    return await _join(client, found["id"], f"#{name}")


async def _by_name(client: AsyncWebClient, name: str) -> dict[str, Any] | None:
    async for channel in slack.public_channels(client):
        if channel["name"] == name:
            return channel
    return None


async def _join(client: AsyncWebClient, id: str, name: str) -> ChannelId:
    await _must(slack.answer(client.conversations_join(channel=id)), f"join {name}")
    return ChannelId(id)


async def _must(call: Awaitable[Answer], what: str) -> Answer:
    try:
        return await call
    except slack.Refused as refused:
        raise UserError(
            f"Slack did not let the bot {what} ({refused.code}), so nothing was started. Install "
            "the app again from app-manifest.yml, and start again."
        ) from refused
