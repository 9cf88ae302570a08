"""The Slack workspace of the bot, checked when the bot starts."""

import logging
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from slack_sdk.web.async_client import AsyncWebClient

from bot import rules, slack
from bot.config import Config, MemberSelector
from bot.model import ChannelId, UserError, UserId
from bot.slack.directory import Directory

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

CHANNEL_ID = re.compile(r"C[A-Z0-9]{8,}")


@dataclass(frozen=True)
class Workspace:
    """The bot's workspace: its team, its own user and its channels."""

    team_id: str
    bot_user_id: UserId
    announcements_channel: ChannelId
    customer_channel: ChannelId | None


async def authenticate(client: AsyncWebClient) -> dict[str, Any]:
    """Slack's answer to auth.test; raises UserError that names the variable and the fix."""
    try:
        return await slack.client.call(client.auth_test())
    except slack.client.SlackError as error:
        if error.is_transient:
            raise UserError(
                f"Slack at {client.base_url} did not answer, so nothing was started. Check "
                "SLACK_API_URL and the network, then start the bot again."
            ) from error
        raise UserError(
            f"Slack refuses SLACK_BOT_TOKEN ({error.code}), so nothing was started. Copy the bot "
            "token again from the app's page, under OAuth & Permissions."
        ) from error


async def load_workspace(
    client: AsyncWebClient, identity: dict[str, Any], people: Directory, config: Config
) -> Workspace:
    """Join the configured channels and look up the groups; raises UserError.

    `identity` is what `authenticate` returned.
    """
    channels = config.channels
    announcements = await _join_configured(client, channels.incidents, "channels.incidents")
    customers = None
    if channels.customers:
        customers = await _join_configured(client, channels.customers, "channels.customers")
    # So that a misspelled group is found now, not during an incident.
    groups = (*config.responders.groups, *config.approvers.groups)
    selected = MemberSelector(users=config.approvers.users, groups=groups)
    approvers = (await people.fetch_membership(selected)).only(config.approvers.groups)
    for warning in rules.policy.shortages(config, len(approvers.everybody)):
        log.warning("%s", warning)
    return Workspace(
        team_id=identity["team_id"],
        bot_user_id=UserId(identity["user_id"]),
        announcements_channel=announcements,
        customer_channel=customers,
    )


async def _join_configured(client: AsyncWebClient, id_or_name: str, key: str) -> ChannelId:
    """Join the channel under a key of RUNBOLT_CONFIG; raises UserError."""
    if CHANNEL_ID.fullmatch(id_or_name):
        return await _join(client, id_or_name, id_or_name)
    name = id_or_name.removeprefix("#")
    channel = await _required(_find_by_name(client, name), "list the channels")
    if channel is None:
        raise UserError(
            f"RUNBOLT_CONFIG names #{name} under {key}, which this workspace does not have, so "
            "nothing was started. Create the channel, or correct the file."
        )
    if channel.get("is_member"):
        return ChannelId(channel["id"])
    return await _join(client, channel["id"], f"#{name}")


async def _find_by_name(client: AsyncWebClient, name: str) -> dict[str, Any] | None:
    async for channel in slack.client.iter_public_channels(client):
        if channel["name"] == name:
            return channel
    return None


async def _join(client: AsyncWebClient, channel_id: str, name: str) -> ChannelId:
    await _required(
        slack.client.call(client.conversations_join(channel=channel_id)), f"join {name}"
    )
    return ChannelId(channel_id)


async def _required(answer: Awaitable[Answer], task: str) -> Answer:
    """Await what the bot cannot start without; raises UserError, which names the task."""
    try:
        return await answer
    except slack.client.SlackError as error:
        raise UserError(
            f"Slack did not let the bot {task} ({error.code}), so nothing was started. Install "
            "the app again from app-manifest.yml, then start the bot again."
        ) from error
