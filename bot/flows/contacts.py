"""Contacts: whom a playbook names, found in Slack, and who is on call, found in PagerDuty."""

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence

from bot import slack
from bot.config import OnCallSource
from bot.model import Model, OnCall, Playbook, UserError
from bot.systems.pagerduty import PagerDuty
from bot.world import World

log = logging.getLogger(__name__)

HANDLE = re.compile(r"@[\w.-]+")


class ResolvedContacts(Model):
    """Mentions by handle; who is on call, by service, where that is known; what went wrong."""

    mentions: Mapping[str, str]
    on_call: Mapping[str, tuple[OnCall, ...]]
    warnings: tuple[str, ...]


async def find(world: World, playbooks: Sequence[Playbook]) -> ResolvedContacts:
    """Look up both side by side; where one does not answer, a warning says so."""
    contacts = [contact.contact for book in playbooks for contact in book.contacts]
    (mentions, unknown), (on_call, unanswered) = await asyncio.gather(
        _mentions(world, [contact for contact in contacts if HANDLE.fullmatch(contact)]),
        _on_call(world, sorted({book.service for book in playbooks})),
    )
    warnings = tuple(filter(None, (unknown, *unanswered)))
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


async def _on_call(
    world: World, services: Sequence[str]
) -> tuple[dict[str, tuple[OnCall, ...]], tuple[str, ...]]:
    """Who is on call, by service, and why it is not known of others; each source is asked once."""
    if world.pagerduty is None:
        return {}, ()
    sources = {service: world.config.of(service).pagerduty for service in services}
    different = tuple(dict.fromkeys(sources.values()))
    answers = await asyncio.gather(*(_ask(world.pagerduty, source) for source in different))
    by_source = dict(zip(different, answers, strict=True))
    found = {service: by_source[source] for service, source in sources.items()}
    known = {service: on_call for service, on_call in found.items() if isinstance(on_call, tuple)}
    return known, tuple(dict.fromkeys(answer for answer in answers if isinstance(answer, str)))


async def _ask(pagerduty: PagerDuty, source: OnCallSource) -> tuple[OnCall, ...] | str:
    """Who is on call, or why that is not known."""
    try:
        return await pagerduty.on_call(source)
    except UserError as error:
        return str(error)
