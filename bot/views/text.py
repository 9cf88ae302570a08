"""The words, from templates/messages; whatever a person or a machine wrote is escaped."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot import durations
from bot.marks import escape as escape

SHORT = 150
LINK_ADDRESS = re.compile(r"https?://[^\s<>|]+")
PERSON = re.compile(r"<@([UW][A-Z0-9]+)>")
MENTION = re.compile(r"&lt;((?:@U|@W|#C)[A-Z0-9]+)&gt;")


class Mrkdwn(str):
    """Text whose marks are ours, so that it is not escaped."""

    __slots__ = ()


def _finalize(value: object) -> object:
    return value if isinstance(value, Mrkdwn) else escape(value)


def person(id: str | None) -> Mrkdwn:
    """A mention."""
    return Mrkdwn(f"<@{id}>") if id else Mrkdwn("the clock")


def when(at: datetime, form: str = "{date_short_pretty} {time}") -> Mrkdwn:
    """A time in the reader's own time zone; UTC where Slack cannot."""
    return Mrkdwn(f"<!date^{int(at.timestamp())}^{form}|{at:%Y-%m-%d %H:%M} UTC>")


def utc(at: datetime) -> str:
    """A time as files write it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def clock(at: datetime) -> str:
    """The hour and minute in UTC, where the day is clear."""
    return f"{at.astimezone(UTC):%H:%M}"


def ago(at: datetime) -> Mrkdwn:
    """A time as it is from now, kept true by Slack."""
    return when(at, "{ago}")


def link(address: str, title: str) -> Mrkdwn:
    """A link; an address that is none is shown as text."""
    if LINK_ADDRESS.fullmatch(address) is None:
        return Mrkdwn(escape(title))
    return Mrkdwn(f"<{address}|{escape(title).replace('|', '/')}>")


def quote(text: str) -> Mrkdwn:
    """Foreign text, set apart."""
    return Mrkdwn("\n".join(f">{escape(line)}" for line in text.splitlines()))


def brief(words: str) -> str:
    """The first sentence, where the whole stands elsewhere."""
    return words.split(". ")[0].rstrip(".")


def short(words: str) -> str:
    """One line of what may be long, where the whole stands elsewhere."""
    line = " ".join(words.split())
    return line if len(line) <= SHORT else line[: SHORT - 1].rstrip() + "…"


def gist(words: str) -> str:
    """The first two lines as one, where the whole stands elsewhere."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return " · ".join(lines[:2])


def listed(words: str) -> str:
    """Words that begin with an item of a list begin a line of their own."""
    return f"\n{words}" if words.startswith("- ") else words


# What the expressions of a playbook's own words may raise.
UNFILLED = (TemplateError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


def told(words: str) -> Mrkdwn:
    """A sentence of ours to one person, whose mentions are meant."""
    return reply(words)


def continued(words: str) -> Mrkdwn:
    """Words already escaped, as one item of a list: further lines cannot pass for items."""
    return Mrkdwn("\n  ".join(words.strip().splitlines()))


def channel(id: str) -> Mrkdwn:
    """A channel, to click."""
    return Mrkdwn(f"<#{id}>")


def _source(name: str) -> str | None:
    file = files("templates") / "messages" / f"{name}.j2"
    return file.read_text(encoding="utf-8") if file.is_file() else None


_environment = ImmutableSandboxedEnvironment(
    loader=FunctionLoader(_source),
    undefined=StrictUndefined,
    finalize=_finalize,
    autoescape=False,  # HTML's escapes would show; finalize knows Slack's
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_environment.tests["comment"] = lambda line: line.lstrip().startswith(("#", "--"))
_environment.filters |= {
    "person": person,
    "when": when,
    "ago": ago,
    "channel": channel,
    "brief": brief,
    "short": short,
    "gist": gist,
    "listed": listed,
    "clock": clock,
    "told": told,
    "continued": continued,
    "link": link,
    "quote": quote,
    "utc": utc,
    "duration": durations.words,
}


def compile_all() -> None:
    """Compile every message now, so that no incident waits for it."""
    for file in (files("templates") / "messages").iterdir():
        if file.name.endswith(".j2"):
            _environment.get_template(file.name.removesuffix(".j2"))


def render(name: str, **values: Any) -> Mrkdwn:
    """The words of a message; raises jinja2's UndefinedError for a value that is missing."""
    return Mrkdwn(_environment.get_template(name).render(values).strip())


_unescaped = _environment.overlay(finalize=None)


def plain(name: str, **values: Any) -> str:
    """The words of a message as they are kept; they are escaped where they are shown."""
    return _unescaped.get_template(name).render(values).strip()


def fill(template: str, **values: Any) -> Mrkdwn:
    """The words of a playbook's own template, in the same sandbox."""
    return Mrkdwn(_environment.from_string(template).render(values).strip())


def fill_plainly(template: str, **values: Any) -> str:
    """The same as it is kept, for people to go on writing; it is escaped where it is shown."""
    return _unescaped.from_string(template).render(values).strip()


def mentioned(words: str) -> tuple[str, ...]:
    """The ids of the people whom a text of ours mentions."""
    return tuple(dict.fromkeys(PERSON.findall(words)))


def for_file(words: str, names: Mapping[str, str]) -> str:
    """A text of ours as a file shows it: names for mentions, no escapes."""
    named = PERSON.sub(lambda match: f"@{names.get(match[1], match[1])}", words)
    return named.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def reply(sentence: str) -> Mrkdwn:
    """A sentence to one person: foreign text is escaped, mentions stay (they ping nobody there)."""
    return Mrkdwn(MENTION.sub(r"<\1>", escape(sentence)))
