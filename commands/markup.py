"""Slack's marks for people, channels and links, as plain text that mentions nobody."""

import re
from collections.abc import Mapping

MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
REFERENCE = re.compile(r"<([@#!]|https?://|mailto:)([^<>|]+)(?:\|([^<>]*))?>")


def mentioned_ids(text: str) -> tuple[str, ...]:
    """The ids of the users that a text mentions, in order; one who is mentioned twice is twice."""
    return tuple(MENTION.findall(text))


def plain_text(text: str, names: Mapping[str, str] | None = None) -> str:
    """A message's text without marks and escapes; `names` are the users' names by id."""
    plain = plain_command_text(text, names)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def plain_command_text(text: str, names: Mapping[str, str] | None = None) -> str:
    """A slash command's text without marks: Slack marks people there, but escapes nothing."""
    return REFERENCE.sub(lambda match: _plain(match, names or {}), text)


def _plain(reference: re.Match[str], names: Mapping[str, str]) -> str:
    """What a reference such as `<#C1|general>` shows; `kind` is what it begins with."""
    kind, target, label = reference.groups()
    match kind:
        case "@":
            return f"@{label or names.get(target, target)}"
        case "#":
            return f"#{label or target}"
        case "!":
            return _broadcast(target, label)
        case "mailto:":
            return str(label or target)
    return _link(kind, target, label)


def _broadcast(target: str, label: str | None) -> str:
    """`<!here>`, a user group, or a date, whose label is its text."""
    return label if label and "^" in target else f"@{target.rpartition('^')[2]}"


def _link(scheme: str, target: str, label: str | None) -> str:
    """The address, or the label with the address unless the label is the address itself."""
    address = f"{scheme}{target}"
    if not label:
        return address
    is_address = label.strip("/") in (target.strip("/"), address.strip("/"))
    return label if is_address else f"{label} ({address})"
