"""The words, from templates/messages; all that people or machines wrote is escaped."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bot import durations, rules
from bot.model import Incident, Place, target
from bot.model.text import listed, truncate
from bot.slack.escaping import escape as escape

LINE_LENGTH = 150
LIST_MARK = re.compile(r"^- ", re.MULTILINE)
TEMPLATE_LABEL = re.compile(r"^([A-Z][\w ]*:)(?=[ \t]*\{\{)", re.MULTILINE)
# Not behind a date: such a time says its day, or stands in Slack's own form already.
UTC_CLOCK = re.compile(r"(?<!\d{4}-\d\d-\d\d )\b([01]\d|2[0-3]):([0-5]\d) UTC\b")
HTTP_URL = re.compile(r"https?://[^\s<>|]+")
USER_MENTION = re.compile(r"<@([UW][A-Z0-9]+)>")
ESCAPED_MENTION = re.compile(r"&lt;((?:@U|@W|#C)[A-Z0-9]+)&gt;")


class Mrkdwn(str):
    """Text that is mrkdwn already, so that it is not escaped again."""

    __slots__ = ()


def _finalize(value: object) -> object:
    return value if isinstance(value, Mrkdwn) else escape(value)


def mention(user_id: str | None) -> Mrkdwn:
    """A mention; without an id, the clock, which acts by itself at set times."""
    return Mrkdwn(f"<@{user_id}>") if user_id else Mrkdwn("the clock")


def local_time(at: datetime, form: str = "{date_short_pretty} {time}") -> Mrkdwn:
    """A time in the reader's own time zone, in one of Slack's forms; UTC as the fallback."""
    return Mrkdwn(f"<!date^{int(at.timestamp())}^{form}|{at:%Y-%m-%d %H:%M} UTC>")


def utc_time(at: datetime) -> str:
    """A time in a file, in UTC, to the second."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def utc_clock(at: datetime) -> str:
    """The hour and minute in UTC, where the day is clear."""
    return f"{at.astimezone(UTC):%H:%M}"


def relative_time(at: datetime) -> Mrkdwn:
    """A time such as “in 5 minutes”, which Slack keeps up to date."""
    return local_time(at, "{ago}")


def link(address: str, title: str) -> Mrkdwn:
    """A link; only its title where the address is not an HTTP address."""
    if HTTP_URL.fullmatch(address) is None:
        return Mrkdwn(escape(title))
    return Mrkdwn(f"<{address}|{escape(title).replace('|', '/')}>")


def quote(text: str) -> Mrkdwn:
    """A block quote."""
    return Mrkdwn("\n".join(f">{escape(line)}" for line in text.splitlines()))


def first_sentence(text: str) -> str:
    """The first sentence, without its full stop."""
    return text.split(". ")[0].rstrip(".")


def capitalized(text: str) -> str:
    """The text with a capital letter; the rest stays as it is."""
    return f"{text[:1].upper()}{text[1:]}"


def one_line(text: str, length: int = LINE_LENGTH) -> str:
    """A text on one line, truncated."""
    return truncate(" ".join(text.split()), length)


def beyond(hint: str, title: str) -> str:
    """A hint without the title that it begins with: empty where it says nothing more."""
    if hint.lower().rstrip(".") == title.lower():
        return ""
    return f"…{hint[len(title) :]}" if hint.lower().startswith(f"{title.lower()} ") else hint


def quoted_sentence(text: str) -> str:
    """A quoted text that ends a sentence: with one full stop, in the quotes where it is there."""
    ends = text.rstrip().endswith((".", "!", "?", "…"))
    return f"“{text}”" if ends else f"“{text}”."


def items_on_one_line(text: str) -> str:
    """A text that may be a list on one line, truncated, without the marks of its items."""
    items = [line.removeprefix("- ").strip() for line in text.splitlines()]
    return one_line(" · ".join(item for item in items if item))


def first_two_lines(text: str) -> str:
    """The first two lines that are not blank, joined to one."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " · ".join(lines[:2])


def as_list(text: str) -> str:
    """Text that begins with a list item, on a line of its own; other text as it is."""
    return f"\n{text}" if text.startswith("- ") else text


def as_bullets(text: str) -> str:
    """The same, with the marks of its items as Slack shows those of a list."""
    return LIST_MARK.sub("• ", as_list(text))


def bold_labels(template: str) -> str:
    """A template with the words before each of its values, such as `Status:`, in bold type."""
    return TEMPLATE_LABEL.sub(r"*\1*", template)


def local_clocks(text: str, at: datetime) -> Mrkdwn:
    """Text with each `20:21 UTC` in the reader's own time zone: the last such moment until `at`."""

    def local(clock: re.Match[str]) -> str:
        day = at.astimezone(UTC)
        moment = day.replace(hour=int(clock[1]), minute=int(clock[2]), second=0, microsecond=0)
        moment -= timedelta(days=moment > day)
        return f"<!date^{int(moment.timestamp())}^{{time}}|{clock[0]}>"

    mrkdwn = text if isinstance(text, Mrkdwn) else escape(text)
    return Mrkdwn(UTC_CLOCK.sub(local, mrkdwn))


# What the expressions in a playbook's templates may raise.
TEMPLATE_ERRORS = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


def to_person(sentence: str) -> Mrkdwn:
    """A sentence to one person, escaped but for its mentions, which notify nobody there."""
    return Mrkdwn(ESCAPED_MENTION.sub(r"<\1>", escape(sentence)))


def list_item(text: str) -> Mrkdwn:
    """Escaped text as one item of a list: its other lines are indented, so they are no items."""
    return Mrkdwn("\n  ".join(text.strip().splitlines()))


def place_mark(place: Place | None, incident: Incident, own_clusters: Mapping[str, str]) -> Mrkdwn:
    """A place in brackets and a space, before what was done there; empty where it is clear."""
    names = rules.places.names(incident, place, own_clusters) if place else ()
    return Mrkdwn(f"[{escape(', '.join(names))}] " if names else "")


def service_note(place: Place, incident: Incident) -> Mrkdwn:
    """The service in parentheses behind a title, where the incident has several."""
    return Mrkdwn(f" ({escape(place.service)})" if incident.has_several_services else "")


def channel_link(channel_id: str) -> Mrkdwn:
    """A link to a channel."""
    return Mrkdwn(f"<#{channel_id}>")


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
    "person": mention,
    "local_time": local_time,
    "relative_time": relative_time,
    "channel": channel_link,
    "first_sentence": first_sentence,
    "capitalized": capitalized,
    "one_line": one_line,
    "described_target": target.describe,
    "quoted_sentence": quoted_sentence,
    "beyond": beyond,
    "items_on_one_line": items_on_one_line,
    "first_two_lines": first_two_lines,
    "as_list": as_list,
    "as_bullets": as_bullets,
    "local_clocks": local_clocks,
    "utc_clock": utc_clock,
    "to_person": to_person,
    "list_item": list_item,
    "link": link,
    "place_mark": place_mark,
    "service_note": service_note,
    "joined": listed,
    "quote": quote,
    "utc": utc_time,
    "duration": durations.describe,
    "elapsed": durations.describe_elapsed,
}


def compile_all() -> None:
    """Compile every template at the start, so that no incident waits for it."""
    for file in (files("templates") / "messages").iterdir():
        if file.name.endswith(".j2"):
            _environment.get_template(file.name.removesuffix(".j2"))


def render(name: str, **values: Any) -> Mrkdwn:
    """A message from its template, as mrkdwn; raises UndefinedError for a missing value."""
    return Mrkdwn(_environment.get_template(name).render(values).strip())


_unescaped = _environment.overlay(finalize=None)


def render_unescaped(name: str, **values: Any) -> str:
    """The same as plain text, to store: it is escaped where it is shown."""
    return _unescaped.get_template(name).render(values).strip()


def fill(template: str, **values: Any) -> Mrkdwn:
    """Fill in a playbook's own template, as mrkdwn; raises one of TEMPLATE_ERRORS."""
    return Mrkdwn(_environment.from_string(template).render(values).strip())


def fill_unescaped(template: str, **values: Any) -> str:
    """The same as plain text, for people to edit: it is escaped where it is shown."""
    return _unescaped.from_string(template).render(values).strip()


def variables(template: str) -> set[str]:
    """What a playbook's own template fills in; raises one of TEMPLATE_ERRORS."""
    return meta.find_undeclared_variables(_unescaped.parse(template))


def mentioned_users(text: str) -> tuple[str, ...]:
    """The user ids that a text mentions, without repeats."""
    return tuple(dict.fromkeys(USER_MENTION.findall(text)))


def for_text_file(text: str, names: Mapping[str, str]) -> str:
    """Mrkdwn as a text file shows it: with names instead of mentions, and no escapes."""
    named = USER_MENTION.sub(lambda match: f"@{names.get(match[1], match[1])}", text)
    return named.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
