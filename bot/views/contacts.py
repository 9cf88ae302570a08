"""The contacts of a service, and its runbooks."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urljoin

from bot.model import Link, OnCall, Playbook
from bot.views import blocks, text
from bot.views.blocks import Block

PAGERDUTY = "https://app.pagerduty.com/"
HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+(?:/\S*)?")


def page(
    playbooks: Sequence[Playbook],
    mentions: Mapping[str, str],
    on_call: Mapping[str, tuple[OnCall, ...]],
    warnings: Sequence[str],
    base_urls: Mapping[str, str],
) -> list[Block]:
    """The contacts and runbooks of each service, then the warnings about what was not found."""
    parts = []
    for playbook in _services(playbooks):
        service = playbook.service
        parts += _contacts(playbook, mentions, on_call.get(service), base_urls[service])
    if warnings:
        parts.append(blocks.context(text.render("contacts_warnings", warnings=warnings)))
    return parts


def _services(playbooks: Sequence[Playbook]) -> list[Playbook]:
    """One playbook for each service, with the contacts and links of all its playbooks."""
    services: dict[str, Playbook] = {}
    for playbook in playbooks:
        merged = services.setdefault(playbook.service, playbook)
        both = {
            "contacts": tuple(dict.fromkeys([*merged.contacts, *playbook.contacts])),
            "links": tuple(dict.fromkeys([*merged.links, *playbook.links])),
        }
        services[playbook.service] = merged.model_copy(update=both)
    return list(services.values())


def _contacts(
    playbook: Playbook,
    mentions: Mapping[str, str],
    on_call: tuple[OnCall, ...] | None,
    base_url: str,
) -> list[Block]:
    mrkdwn = text.render(
        "contacts",
        playbook=playbook,
        contacts=[
            (contact.role, contact_link(contact.contact, mentions, on_call))
            for contact in playbook.contacts
        ],
        runbooks=runbooks(playbook, base_url),
    )
    return blocks.sections(mrkdwn)


def contact_link(
    contact: str, mentions: Mapping[str, str], on_call: tuple[OnCall, ...] | None
) -> text.Mrkdwn:
    """A contact to click: people and groups as mentions, addresses as links."""
    mark = mentions.get(contact.removeprefix("@").lower()) if contact.startswith("@") else None
    if mark:
        return text.Mrkdwn(mark)
    if "pagerduty" in contact.lower():
        return text.render("on_call", contact=contact, on_call=on_call, address=PAGERDUTY)
    if HOST.fullmatch(contact):
        return text.link(f"https://{contact}", contact)
    return text.link(contact, contact)


def runbooks(playbook: Playbook, base_url: str) -> list[tuple[Link, str | None]]:
    """Each related page with its full address, or None where `base_url` is missing for it."""
    addresses = [(link, urljoin(base_url, link.url)) for link in playbook.links]
    return [
        (link, address if text.HTTP_URL.fullmatch(address) else None) for link, address in addresses
    ]
