"""A playbook as a Markdown document: what its steps say, their commands, and all its tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from itertools import groupby

from jinja2 import FunctionLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from bot import rules
from bot.model import Playbook, Scenario, Step

# What a person fills in, where Runbolt would.
BLANKS = {
    "severity": "SEV-X",
    "status": "Investigating/Identified/Resolved",
    "impact": "[Description of user impact]",
    "start_time": "[UTC timestamp]",
    "current_status": "[What's happening]",
    "next_update": "[When]",
}
SQL = re.compile(r"(?:--[^\n]*\n|\s)*(?:SELECT|WITH)\b", re.IGNORECASE)
# What would begin a list, a heading or a quotation, and what would be no text further on.
FIRST = re.compile(r"^(\d+)([.)])|^([#>+-])")
MARKUP = re.compile(r"([\\*<\[\]])")


@dataclass(frozen=True)
class Block:
    """Commands that stand together, and what is said about the last of them."""

    text: str
    correction: str
    recommended: bool

    @property
    def language(self) -> str:
        """What the commands are written in."""
        return "sql" if SQL.match(self.text) else "bash"

    @property
    def fence(self) -> str:
        """Longer than any within."""
        return "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`{3,}", self.text))])


@dataclass(frozen=True)
class Item:
    """One line of a list: steps that say the same."""

    text: str
    link: str
    blocks: tuple[Block, ...]


def render(playbook: Playbook) -> str:
    """The whole document."""
    known = {**BLANKS, "service": playbook.service, "title": playbook.title}
    return _ENVIRONMENT.get_template("runbook.md.j2").render(
        playbook=playbook,
        items=items,
        told=[severity.label for severity in rules.told_at(playbook)],
        internal_alert=_ENVIRONMENT.from_string(playbook.internal_alert).render(known),
        customer_message=_ENVIRONMENT.from_string(playbook.customer_message).render(known),
    )


def text(step: Step) -> str:
    """What a document says of a step."""
    return step.hint or str(step.params.get("instructions") or "") or step.title


def items(scenario: Scenario, phase: str) -> Iterator[Item]:
    """The steps of a phase; neighbours with the same words are one item."""
    steps = [step for step in scenario.steps if step.phase == phase]
    for words, group in groupby(steps, key=text):
        same = list(group)
        links = (str(step.params.get("link") or "") for step in same)
        yield Item(words, next(filter(None, links), ""), tuple(_blocks(same)))


def _blocks(steps: list[Step]) -> Iterator[Block]:
    """A note ends a block, so that it stands under the command that it is about."""
    commands: list[str] = []
    for step in steps:
        commands += [step.command.strip()] if step.command else []
        if step is steps[-1] or step.correction or step.recommended:
            yield Block("\n".join(commands), " ".join(step.correction.split()), step.recommended)
            commands = []


def _words(text: str) -> str:
    """Text that Markdown takes for nothing else; what is in backticks stays code."""
    return FIRST.sub(r"\1\\\2\3", MARKUP.sub(r"\\\1", " ".join(text.split())))


def _cell(text: str) -> str:
    return _words(text).replace("|", r"\|")


def _span(span: timedelta) -> str:
    """As a person writes it: `15 min`, `2 hours`, `24 hours`, `3 days`."""
    minutes = int(span.total_seconds()) // 60
    for size, unit in ((1440, "day"), (60, "hour")):
        count = minutes / size
        if count > 1 and count.is_integer():
            return f"{minutes // size} {unit}s"
    return "1 hour" if minutes == 60 else f"{minutes} min"


def _environment() -> SandboxedEnvironment:
    made = SandboxedEnvironment(
        loader=FunctionLoader(lambda name: (files("templates") / name).read_text("utf-8")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    made.filters |= {"words": _words, "cell": _cell, "span": _span}
    return made


_ENVIRONMENT = _environment()
