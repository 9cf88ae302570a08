"""Orphaned messages: what the bot sent to Slack and did not record.

A lost answer, a database that was away or a process that died leaves them. A message carries its
key as metadata, and a file has a name of its own: so they are found instead of sent again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bot import slack
from bot.model import Incident
from bot.store.messages import SentItem
from bot.world import World

EVENT = "runbolt_drawing"  # stored with every message: never change it
SKEW_SECONDS = 300  # how far Slack's clock and ours may be apart
MAX_SEARCHED = 200


def message_metadata(incident: Incident, key: str) -> dict[str, Any]:
    """What a message carries unseen: which item of which incident it is."""
    return {"event_type": EVENT, "event_payload": {"incident": incident.id, "key": key}}


def oldest_timestamp(incident: Incident) -> int:
    """The oldest time, in Slack's seconds, from which a message may be the incident's."""
    return int(incident.declared_at.timestamp()) - SKEW_SECONDS


@dataclass(frozen=True)
class MessagesInSlack:
    """What Slack shows of ours in one channel or thread: messages by key, files by name."""

    messages: Mapping[str, SentItem] = field(default_factory=dict)
    files: frozenset[str] = frozenset()


async def find_orphans(
    world: World, incident: Incident, channel: str, thread: str | None
) -> MessagesInSlack:
    """The newest of what is ours in a channel or a thread; raises SlackError."""
    oldest = str(oldest_timestamp(incident))
    if thread is None:
        call = world.slack.conversations_history(
            channel=channel, oldest=oldest, limit=MAX_SEARCHED, include_all_metadata=True
        )
    else:
        call = world.slack.conversations_replies(
            channel=channel,
            ts=thread,
            oldest=oldest,
            limit=MAX_SEARCHED,
            include_all_metadata=True,
        )
    found = (await slack.client.call(call))["messages"]
    ours = [message for message in found if message.get("user") == world.workspace.bot_user_id]
    keys = {_key(incident, message): message["ts"] for message in ours}
    return MessagesInSlack(
        messages={
            key: SentItem(key=key, channel=channel, ts=ts, digest="")
            for key, ts in keys.items()
            if key is not None
        },
        files=frozenset(
            file.get("name", "") for message in ours for file in message.get("files", [])
        ),
    )


def _key(incident: Incident, message: Mapping[str, Any]) -> str | None:
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return payload.get("key") if payload.get("incident") == incident.id else None
