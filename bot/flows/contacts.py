"""Contacts: whom a playbook names, found in Slack, and who is on call, found in PagerDuty."""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence

from bot import slack
from bot.model import Model, OnCall, Playbook, UserError
from bot.world import World

log = logging.getLogger(__name__)

HANDLE = re.compile(r"@[\w.-]+")


class ResolvedContacts(Model):
    """Mentions by handle; who is on call (None: not configured, or no answer); what went wrong."""

    mentions: Mapping[str, str]
    on_call: tuple[OnCall, ...] | None
    warnings: tuple[str, ...]


async def find(world: World, playbooks: Sequence[Playbook]) -> ResolvedContacts:
    """Look up both side by side; where one does not answer, a warning says so."""
    contacts = [contact.contact for book in playbooks for contact in book.contacts]
    (mentions, unknown), (on_call, unanswered) = await asyncio.gather(
        _mentions(world, [contact for contact in contacts if HANDLE.fullmatch(contact)]),
        _on_call(world),
    )
    warnings = tuple(filter(None, (unknown, unanswered)))
    return ResolvedContacts(mentions=mentions, on_call=on_call, warnings=warnings)


async def _mentions(world: World, handles: Sequence[str]) -> tuple[dict[str, str], str]:
    if not handles:
        return {}, ""
    try:
        return await world.directory.mentions(handles), ""
    except slack.client.SlackError as refused:
        log.warning("Slack refused: %s. %s", refused.reason, refused.fix)
        people = ", ".join(handles)
        return {}, f"Slack did not say who {people} are ({refused.code}). {refused.fix}"


async def _on_call(world: World) -> tuple[tuple[OnCall, ...] | None, str]:
    if world.pagerduty is None:
        return None, ""
    try:
        return await world.pagerduty.on_call(), ""
    except UserError as error:
        return None, str(error)
