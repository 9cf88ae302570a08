"""What is to be seen in Slack, as values: the publisher compares them with what Slack shows."""

import hashlib
import json
from dataclasses import dataclass

from bot.model import ExecutionId
from bot.views.blocks import Block

INCIDENT = "incident"
ANNOUNCEMENTS = "announcements"


@dataclass(frozen=True)
class Message:
    """A message, redrawn in place; `thread` is the key of the message it answers."""

    key: str
    text: str
    blocks: list[Block]
    place: str = INCIDENT
    thread: str | None = None


@dataclass(frozen=True)
class Topic:
    """The channel's topic."""

    text: str
    key: str = "topic"


@dataclass(frozen=True)
class Bookmark:
    """A link in the channel's bar."""

    key: str
    title: str
    link: str


@dataclass(frozen=True)
class Invitation:
    """People who belong into the channel."""

    key: str
    users: tuple[str, ...]


@dataclass(frozen=True)
class Pin:
    """A message that stays in sight."""

    key: str
    of: str


@dataclass(frozen=True)
class File:
    """A text as a file, in a message's thread or by itself; `execution` is where it is kept."""

    key: str
    name: str
    thread: str | None = None
    execution: ExecutionId | None = None
    text: str = ""


Drawing = Message | Topic | Bookmark | Invitation | Pin | File


def digest(drawing: Drawing) -> str:
    """Equal digests look equal."""
    canonical = json.dumps(vars(drawing), sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()
