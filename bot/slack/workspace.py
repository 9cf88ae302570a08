"""The Slack workspace of the bot, checked when the bot starts."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Mapping, Set
from dataclasses import dataclass
from typing import NamedTuple

from slack_sdk.web.async_client import AsyncWebClient

from bot import rules, slack
from bot.config import Config, MemberSelector
from bot.model import ChannelId, Membership, Risk, UserError, UserId
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
    """The bot's workspace: its team, its own user, and the ids of configured channels."""

    team_id: str
    bot_user_id: UserId
    channels: Mapping[str, ChannelId]

    def channel(self, name: str) -> ChannelId | None:
        """The channel that the configuration calls so; None for none."""
        return self.channels.get(name)


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
    client: AsyncWebClient,
    identity: Identity,
    people: Directory,
    config: Config,
    start: Start,
    actions: Mapping[str, Risk],
) -> Workspace:
    """Join the configured channels and look up the groups; raises UserError.

    The log warns of changes, by the risks of their `actions`, that too few people can approve.
    """
    channels, everybody = await asyncio.gather(
        _join_configured(client, _configured_channels(config), start),
        _read_groups(people, config, start),
    )

    def count(selector: MemberSelector) -> int:
        return len(everybody.only(selector.groups).everybody | set(selector.users))

    for service in config.all:
        for warning in rules.policy.shortages(service, count, actions):
            log.warning("%s", warning)
    return Workspace(team_id=identity.team_id, bot_user_id=identity.user_id, channels=channels)


def _configured_channels(config: Config) -> dict[str, str]:
    """The names or ids of channels, each with the key that has it first."""
    keys: dict[str, str] = {}
    for service in config.all:
        of = f" of {service.id}" if service.id else ""
        for key in ("incidents", "customers"):
            if name := getattr(service.channels, key):
                keys.setdefault(name, f"channels.{key}{of}")
    return keys


async def _read_groups(people: Directory, config: Config, start: Start) -> Membership:
    """The configured groups, so that a misspelled one is found now, not during an incident."""
    selectors = [selector for each in config.all for selector in each.selectors]
    groups = tuple(dict.fromkeys(name for selector in selectors for name in selector.groups))
    task = f"read the user groups that RUNBOLT_CONFIG names ({', '.join(groups)})"
    return await people.fetch_membership(MemberSelector(groups=groups), start.asking(task))


async def _join_configured(
    client: AsyncWebClient, keys: Mapping[str, str], start: Start
) -> dict[str, ChannelId]:
    """Join the channels, each under a key of RUNBOLT_CONFIG; raises UserError."""
    by_name = {name: name.removeprefix("#") for name in keys if not CHANNEL_ID.fullmatch(name)}
    listed = await _find_by_name(client, set(by_name.values()), start)
    joined = {}
    for given, key in keys.items():
        name = by_name.get(given)
        if name is None:
            joined[given] = await _join(client, given, f"{given} ({key})", start)
        else:
            joined[given] = await _join_listed(client, listed.get(name), name, key, start)
    return joined


async def _join_listed(
    client: AsyncWebClient,
    channel: slack.client.Answer | None,
    name: str,
    key: str,
    start: Start,
) -> ChannelId:
    if channel is None:
        raise UserError(
            f"RUNBOLT_CONFIG names #{name} under {key}, which this workspace does not have, so "
            "nothing was started. Create the channel, or correct the file."
        )
    if channel.get("is_member"):
        return ChannelId(channel["id"])
    return await _join(client, channel["id"], f"#{name} ({key})", start)


async def _find_by_name(
    client: AsyncWebClient, names: Set[str], start: Start
) -> dict[str, slack.client.Answer]:
    """The channels of these names, from one reading of the list, as far as it is needed."""
    found: dict[str, slack.client.Answer] = {}
    if not names:
        return found
    async for channel in slack.client.iter_public_channels(
        client, start.asking("list the channels")
    ):
        if channel["name"] in names:
            found[channel["name"]] = channel
        if found.keys() == names:
            break
    return found


async def _join(client: AsyncWebClient, channel_id: str, name: str, start: Start) -> ChannelId:
    def join() -> Awaitable[slack.client.Answer]:
        return slack.client.call(client.conversations_join(channel=channel_id))

    await start.ask(f"join {name}", join)
    return ChannelId(channel_id)
