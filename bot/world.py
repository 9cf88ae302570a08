"""Everything that a flow may use: made once at the start, and passed as an argument."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from slack_sdk.web.async_client import AsyncWebClient

from bot.actions import Action, ChangingSystems
from bot.cache import Cache
from bot.config import Config
from bot.model import ChannelId, Playbook, UserId
from bot.pagerduty import PagerDuty
from bot.people import Directory
from bot.store.db import Pool
from bot.work import Work


@dataclass(frozen=True)
class Home:
    """The bot's workspace: its team, its own user, its channels, and the user groups by id."""

    team_id: str
    bot_user: UserId
    announcements: ChannelId
    customers: ChannelId | None
    responder_groups: tuple[str, ...]
    approver_groups: tuple[str, ...]


@dataclass(frozen=True)
class World:
    """The connections to the outside, and what stays the same while the bot runs.

    `now` tells the time in UTC; `customers` and `pagerduty` are None where not configured.
    """

    pool: Pool
    slack: AsyncWebClient
    home: Home
    people: Directory
    cache: Cache
    systems: ChangingSystems
    playbooks: tuple[Playbook, ...]
    actions: Mapping[str, type[Action]]
    config: Config
    now: Callable[[], datetime]
    work: Work
    pagerduty: PagerDuty | None
