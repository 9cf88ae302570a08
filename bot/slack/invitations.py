"""Invite people to a channel: whoever cannot come keeps out nobody else.

Slack passes over people who cannot come, with `force`, but not always: then it invites nobody.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from bot import slack
from bot.slack.client import ApiCall, SlackError

log = logging.getLogger(__name__)

Call = Callable[[ApiCall], Awaitable[dict[str, Any]]]

MAX_USERS = 100  # what Slack takes in one call

# They are in the channel, have left the company, or Slack never lets them in.
ALREADY_IN = "already_in_channel"
CANNOT_COME = {
    ALREADY_IN,
    "cant_invite",
    "cant_invite_self",
    "failed_for_some_users",
    "invitee_cant_see_channel",
    "no_external_invite_permission",
    "org_user_not_in_team",
    "ura_max_channels",
    "user_disabled",
    "user_is_restricted",
    "user_is_ultra_restricted",
    "user_not_found",
    "user_not_visible",
    "user_team_not_in_channel",
}


async def invite(client: AsyncWebClient, call: Call, channel: str, users: Sequence[str]) -> None:
    """Invite people by id, each call by `call`; raises SlackError."""
    for start in range(0, len(users), MAX_USERS):
        await _invite(client, call, channel, users[start : start + MAX_USERS])


async def _invite(client: AsyncWebClient, call: Call, channel: str, users: Sequence[str]) -> None:
    try:
        await call(client.conversations_invite(channel=channel, users=users, force=True))
    except SlackError as refused:
        if refused.code not in CANNOT_COME and not refused.refused_users:
            raise
        log.info("not all of %s were invited to %s: %s", users, channel, refused.reason)
        for others in await _others(client, channel, users, refused):
            await _invite(client, call, channel, others)


async def _others(
    client: AsyncWebClient, channel: str, users: Sequence[str], refused: SlackError
) -> list[Sequence[str]]:
    """Whom to invite next: those who were not refused, or each half where nobody knows who was."""
    cannot_come = set(refused.refused_users)
    if refused.code == ALREADY_IN and not cannot_come and len(users) > 1:
        cannot_come = set(await _members(client, channel))
    others = [user for user in users if user not in cannot_come]
    if len(others) < len(users):
        return [others] if others else []
    middle = len(users) // 2
    return [users[:middle], users[middle:]] if middle else []


async def _members(client: AsyncWebClient, channel: str) -> frozenset[str]:
    """Who is in a channel; nobody, where Slack does not let the bot read it."""
    try:
        return await slack.client.members(client, channel)
    except SlackError as refused:
        if refused.is_transient:
            raise
        return frozenset()
