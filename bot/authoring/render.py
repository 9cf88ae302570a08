"""Render a playbook as a runbook in Markdown, with its steps, commands and tables."""

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

# What the document shows where Runbolt would fill in a value.
PLACEHOLDERS = {
    "severity": "SEV-X",
    "status": "Investigating/Identified/Resolved",
    "impact": "[Description of user impact]",
    "start_time": "[UTC timestamp]",
    "current_status": "[What's happening]",
    "next_update": "[When]",
}
SQL = re.compile(r"(?:--[^\n]*\n|\s)*(?:SELECT|WITH)\b", re.IGNORECASE)
# What would begin a list, a heading or a quotation; and what would be markup anywhere in a text.
BLOCK_MARKER = re.compile(r"^(\d+)([.)])|^([#>+-])")
INLINE_MARKUP = re.compile(r"([\\*<\[\]])")


@dataclass(frozen=True)
class Block:
    """A block of commands, with the remarks on the last of them."""

    text: str
    correction: str
    recommended: bool

    @property
    def language(self) -> str:
        """The language of the commands, for highlighting."""
        return "sql" if SQL.match(self.text) else "bash"

    @property
    def fence(self) -> str:
        """The backticks around the block: more than any run of backticks within it."""
        return "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`{3,}", self.text))])


@dataclass(frozen=True)
class Item:
    """One item of a list: the neighbouring steps with the same text."""

    text: str
    link: str
    blocks: tuple[Block, ...]


def render(playbook: Playbook) -> str:
    """The whole document, from templates/runbook.md.j2."""
    variables = {**PLACEHOLDERS, "service": playbook.service, "title": playbook.title}
    return _ENVIRONMENT.get_template("runbook.md.j2").render(
        playbook=playbook,
        items=items,
        informed_severities=[
            severity.label for severity in rules.permissions.customer_severities(playbook)
        ],
        internal_alert=_ENVIRONMENT.from_string(playbook.internal_alert).render(variables),
        customer_message=_ENVIRONMENT.from_string(playbook.customer_message).render(variables),
    )


def text(step: Step) -> str:
    """The text of a step in the document."""
    return step.hint or str(step.params.get("instructions") or "") or step.title


def items(scenario: Scenario, phase: str) -> Iterator[Item]:
    """The steps of a phase; neighbouring steps with the same text become one item."""
    steps = [step for step in scenario.steps if step.phase == phase]
    for item_text, group in groupby(steps, key=text):
        item_steps = list(group)
        links = (str(step.params.get("link") or "") for step in item_steps)
        yield Item(item_text, next(filter(None, links), ""), tuple(_blocks(item_steps)))


def _blocks(steps: list[Step]) -> Iterator[Block]:
    """The commands of steps, in blocks that each end with the command that a remark is about."""
    commands: list[str] = []
    for step in steps:
        commands += [step.command.strip()] if step.command else []
        if step is steps[-1] or step.correction or step.recommended:
            yield Block("\n".join(commands), " ".join(step.correction.split()), step.recommended)
            commands = []


def _escape(text: str) -> str:
    """Escape text for Markdown; code in backticks stays code."""
    return BLOCK_MARKER.sub(r"\1\\\2\3", INLINE_MARKUP.sub(r"\\\1", " ".join(text.split())))


def _escape_cell(text: str) -> str:
    return _escape(text).replace("|", r"\|")


def _format_duration(span: timedelta) -> str:
    """Format a duration as runbooks do: `15 min`, `2 hours`, `24 hours`, `3 days`."""
    minutes = int(span.total_seconds()) // 60
    for size, unit in ((1440, "day"), (60, "hour")):
        count = minutes / size
        if count > 1 and count.is_integer():
            return f"{minutes // size} {unit}s"
    return "1 hour" if minutes == 60 else f"{minutes} min"


def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        loader=FunctionLoader(lambda name: (files("templates") / name).read_text("utf-8")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "escaped": _escape,
        "cell": _escape_cell,
        "duration": _format_duration,
    }
    return environment


_ENVIRONMENT = _environment()
