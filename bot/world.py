"""Everything that a flow may use: made once at the start, and passed as an argument."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from slack_sdk.web.async_client import AsyncWebClient

from bot.actions.base import Action
from bot.background import BackgroundTasks
from bot.backoff import Backoff
from bot.cache import Cache
from bot.clock import DatabaseClock
from bot.config import Config
from bot.model import Playbook
from bot.publishers import Publishers
from bot.services import Services
from bot.slack.directory import Directory
from bot.slack.workspace import Workspace
from bot.store.db import Pool
from bot.systems.pagerduty import PagerDuty


@dataclass(frozen=True)
class World:
    """The connections to the outside, and what stays the same while the bot runs.

    `now` tells the time in UTC: what `clock` says, except in tests. `pagerduty` is None where it is
    not configured.
    """

    pool: Pool
    slack: AsyncWebClient
    workspace: Workspace
    directory: Directory
    cache: Cache
    services: Services
    playbooks: tuple[Playbook, ...]
    actions: Mapping[str, type[Action]]
    config: Config
    now: Callable[[], datetime]
    clock: DatabaseClock
    backoff: Backoff
    background: BackgroundTasks
    publishers: Publishers
    pagerduty: PagerDuty | None
