"""What people type to declare: how bad it is, which service, and what is wrong."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from bot.model import ServiceName, Severity
from bot.rules import service_names
from bot.rules.incidents import parse_severity
from bot.rules.service_names import NameReading

AT_START = re.compile(r"(sev[\s_-]?\d+|[1-4])(?:[\s:,]+|$)", re.IGNORECASE)
# Elsewhere a digit alone is a part of the sentence.
LATER = re.compile(r"(?<![\w-])sev[\s_-]?\d+(?![\w-])", re.IGNORECASE)
AROUND = " \t:,-–—"


class Words(NamedTuple):
    """What was typed: `severity` as it was written, the title, and the service that it names."""

    severity: str
    title: str
    name: NameReading


def split(text: str, services: Sequence[ServiceName]) -> Words:
    """Find the severity, which stands at the start or behind the service, and the service."""
    match = AT_START.match(text)
    if match is not None:
        title = text[match.end() :].strip()
        return Words(match[1], title, service_names.read(title, services))
    match = LATER.search(text)
    name = text[: match.start()].strip(AROUND) if match else ""
    if match is not None and name and service_names.is_name(name, services):
        rest = text[match.end() :].strip(AROUND)
        title = f"{name}: {rest}" if rest else name
        return Words(match[0], title, service_names.read(f"{name}: {rest}", services))
    return Words("", text, service_names.read(text, services))


def last_severity(text: str) -> Severity | None:
    """The severity that a text ends with, such as “orders hang, sev2”: it may mean another time."""
    found = list(LATER.finditer(text))
    if not found or text[found[-1].end() :].strip(" .!"):
        return None
    return parse_severity(found[-1][0])
