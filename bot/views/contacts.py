"""Whom to ask for what, and the runbooks that belong to it."""

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
    marks: Mapping[str, str],
    on_call: tuple[OnCall, ...] | None,
    troubles: Sequence[str],
    base: str,
) -> list[Block]:
    """The contacts and runbooks of each service; what could not be found out is said below."""
    parts = [part for book in _services(playbooks) for part in _of(book, marks, on_call, base)]
    if troubles:
        parts.append(blocks.context(text.render("contacts_troubles", troubles=troubles)))
    return parts


def _services(playbooks: Sequence[Playbook]) -> list[Playbook]:
    """A playbook for each service, with what all of its playbooks name, once."""
    found: dict[str, Playbook] = {}
    for book in playbooks:
        one = found.setdefault(book.service, book)
        both = {
            "contacts": tuple(dict.fromkeys([*one.contacts, *book.contacts])),
            "links": tuple(dict.fromkeys([*one.links, *book.links])),
        }
        found[book.service] = one.model_copy(update=both)
    return list(found.values())


def _of(
    book: Playbook, marks: Mapping[str, str], on_call: tuple[OnCall, ...] | None, base: str
) -> list[Block]:
    lines = [(one.role, reached(one.contact, marks, on_call)) for one in book.contacts]
    links = runbooks(book, base)
    words = text.render("contacts", playbook=book, lines=lines, runbooks=links)
    return blocks.sections(words)


def reached(
    contact: str, marks: Mapping[str, str], on_call: tuple[OnCall, ...] | None
) -> text.Mrkdwn:
    """A contact as something to click: people and groups as mentions, addresses as links."""
    mark = marks.get(contact.removeprefix("@").lower()) if contact.startswith("@") else None
    if mark:
        return text.Mrkdwn(mark)
    if "pagerduty" in contact.lower():
        return text.render("on_call", contact=contact, on_call=on_call, address=PAGERDUTY)
    if HOST.fullmatch(contact):
        return text.link(f"https://{contact}", contact)
    return text.link(contact, contact)


def runbooks(playbook: Playbook, base: str) -> list[tuple[Link, str | None]]:
    """Each related page with its address, or None where no base makes it a whole one."""
    addresses = [(link, urljoin(base, link.url)) for link in playbook.links]
    return [
        (link, address if text.LINK_ADDRESS.fullmatch(address) else None)
        for link, address in addresses
    ]
