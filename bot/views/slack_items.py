"""What Slack should show, as values: publishing sends those that differ from what it shows."""

import hashlib
import json
from dataclasses import dataclass

from bot.model import AttachedPlaybook, ExecutionId
from bot.views.blocks import Block

INCIDENT_CHANNEL = "incident"
PLAYBOOK = "playbook"  # the key of the first one
ANNOUNCEMENTS_CHANNEL = "announcements"


@dataclass(frozen=True)
class Message:
    """A message, edited in place; `thread` is the key of the message that it answers."""

    key: str
    text: str
    blocks: list[Block]
    place: str = INCIDENT_CHANNEL
    thread: str | None = None


@dataclass(frozen=True)
class Topic:
    """The channel's topic."""

    text: str
    key: str = "topic"


@dataclass(frozen=True)
class Bookmark:
    """A link in the channel's bookmarks bar."""

    key: str
    title: str
    link: str


@dataclass(frozen=True)
class Invitation:
    """People to invite to the channel."""

    key: str
    users: tuple[str, ...]


@dataclass(frozen=True)
class Pin:
    """A pinned message; `of` is its key."""

    key: str
    of: str


@dataclass(frozen=True)
class File:
    """A text file, in the thread of the message with the key `thread`, or in the channel.

    Its content is `text`, or else the attachment that is stored with the execution. A message may
    wait for it, and is rendered again once it is shown: `completes` says so.
    """

    key: str
    name: str
    thread: str | None = None
    execution: ExecutionId | None = None
    text: str = ""
    completes: bool = False


def playbook_key(attached: AttachedPlaybook) -> str:
    """The key of the message of one of an incident's playbooks."""
    return f"{PLAYBOOK}:{attached.service}" if attached.prefix else PLAYBOOK


SlackItem = Message | Topic | Bookmark | Invitation | Pin | File


def digest(item: SlackItem) -> str:
    """A hash of an item's content: items with equal digests are the same in Slack.

    Digests are stored: after a change of a field's name, each item is sent once more.
    """
    canonical = json.dumps(vars(item), sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
