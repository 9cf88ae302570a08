"""The Slack workspace of the bot, checked when the bot starts."""

import logging
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import NamedTuple

from slack_sdk.web.async_client import AsyncWebClient

from bot import rules, slack
from bot.config import Config, MemberSelector
from bot.model import ChannelId, Membership, UserError, UserId
from bot.slack.directory import Directory
from bot.slack.starting import Start

log = logging.getLogger(__name__)

CHANNEL_ID = re.compile(r"C[A-Z0-9]{8,}")


class Identity(NamedTuple):
    """The bot's team, and its own user."""

    team_id: str
    user_id: UserId


@dataclass(frozen=True)
class Workspace:
    """The bot's workspace: its team, its own user and its channels."""

    team_id: str
    bot_user_id: UserId
    announcements_channel: ChannelId
    customer_channel: ChannelId | None


async def authenticate(client: AsyncWebClient, start: Start) -> Identity:
    """Who the bot is, by auth.test; raises UserError that names the variable and the fix."""

    async def test() -> Identity:
        answer = await slack.client.call(client.auth_test())
        return Identity(answer["team_id"], UserId(answer["user_id"]))

    return await start.ask("authenticate", test)


async def socket_url(client: AsyncWebClient, app_token: str, start: Start) -> str:
    """Where Socket Mode connects to; raises UserError that names the variable and the fix."""

    async def open_connection() -> str:
        call = client.apps_connections_open(app_token=app_token)
        return str((await slack.client.call(call))["url"])

    return await start.ask("connect by Socket Mode", open_connection)


async def load_workspace(
    client: AsyncWebClient, identity: Identity, people: Directory, config: Config, start: Start
) -> Workspace:
    """Join the configured channels and look up the groups; raises UserError."""
    channels = config.channels
    incidents = await _join_configured(client, channels.incidents, "channels.incidents", start)
    customers = None
    if channels.customers:
        customers = await _join_configured(client, channels.customers, "channels.customers", start)
    approvers = (await _read_groups(people, config, start)).only(config.approvers.groups)
    for warning in rules.policy.shortages(config, len(approvers.everybody)):
        log.warning("%s", warning)
    return Workspace(
        team_id=identity.team_id,
        bot_user_id=identity.user_id,
        announcements_channel=incidents,
        customer_channel=customers,
    )


async def _read_groups(people: Directory, config: Config, start: Start) -> Membership:
    """The configured people, so that a misspelled group is found now, not during an incident."""
    groups = tuple(dict.fromkeys((*config.responders.groups, *config.approvers.groups)))
    selected = MemberSelector(users=config.approvers.users, groups=groups)
    task = f"read the user groups that RUNBOLT_CONFIG names ({', '.join(groups)})"
    return await people.fetch_membership(selected, start.asking(task))


async def _join_configured(
    client: AsyncWebClient, id_or_name: str, key: str, start: Start
) -> ChannelId:
    """Join the channel under a key of RUNBOLT_CONFIG; raises UserError."""
    if CHANNEL_ID.fullmatch(id_or_name):
        return await _join(client, id_or_name, f"{id_or_name} ({key})", start)
    name = id_or_name.removeprefix("#")
    channel = await _find_by_name(client, name, start)
    if channel is None:
        raise UserError(
            f"RUNBOLT_CONFIG names #{name} under {key}, which this workspace does not have, so "
            "nothing was started. Create the channel, or correct the file."
        )
    if channel.get("is_member"):
        return ChannelId(channel["id"])
    return await _join(client, channel["id"], f"#{name} ({key})", start)


async def _find_by_name(
    client: AsyncWebClient, name: str, start: Start
) -> slack.client.Answer | None:
    ask = start.asking("list the channels")
    async for channel in slack.client.iter_public_channels(client, ask):
        if channel["name"] == name:
            return channel
    return None


async def _join(client: AsyncWebClient, channel_id: str, name: str, start: Start) -> ChannelId:
    def join() -> Awaitable[slack.client.Answer]:
        return slack.client.call(client.conversations_join(channel=channel_id))

    await start.ask(f"join {name}", join)
    return ChannelId(channel_id)
