"""All that a flow may touch: made once, passed by hand."""

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
    """Where the bot lives: its workspace, itself, the announcements channel, whom to call."""

    team_id: str
    bot_user: UserId
    announcements: ChannelId
    customers: ChannelId | None
    responder_groups: tuple[str, ...]
    approver_groups: tuple[str, ...]


@dataclass(frozen=True)
class World:
    """The outside things and the settled things, nothing that changes by itself."""

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
