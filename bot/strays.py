"""Strays: messages of ours that Slack shows and nobody wrote down.

An answer that was lost, a database that was away or a process that died leaves them; each carries
its key with it, so that it is found and taken over instead of said again.
"""

from typing import Any

from bot import slack
from bot.model import Incident
from bot.store.messages import Shown
from bot.world import World

EVENT = "runbolt_drawing"
SKEW_SECONDS = 300  # how far Slack's clock and ours may be apart
LOOKED_AT = 200


def mark(incident: Incident, key: str) -> dict[str, Any]:
    """What a message carries with it, unseen: which part of which incident it is."""
    return {"event_type": EVENT, "event_payload": {"incident": incident.id, "key": key}}


def since(incident: Incident) -> int:
    """Since when Slack may show something of it, by Slack's own clock."""
    return int(incident.declared_at.timestamp()) - SKEW_SECONDS


async def find(
    world: World, incident: Incident, channel: str, thread: str | None
) -> dict[str, Shown]:
    """The incident's newest messages in a channel or a thread, by key; raises slack.Refused."""
    oldest = str(since(incident))
    if thread is None:
        call = world.slack.conversations_history(
            channel=channel, oldest=oldest, limit=LOOKED_AT, include_all_metadata=True
        )
    else:
        call = world.slack.conversations_replies(
            channel=channel, ts=thread, oldest=oldest, limit=LOOKED_AT, include_all_metadata=True
        )
    answer = await slack.answer(call)
    ours = [one for one in answer["messages"] if one.get("user") == world.home.bot_user]
    marked = [(one["ts"], (one.get("metadata") or {}).get("event_payload", {})) for one in ours]
    return {
        said["key"]: Shown(key=said["key"], channel=channel, ts=ts, digest="")
        for ts, said in marked
        if said.get("incident") == incident.id
    }
