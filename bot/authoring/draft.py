"""Draft a playbook from a runbook: headings become scenarios, commands become steps."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot import durations, model
from bot.actions.base import Action
from bot.authoring import code_blocks, markdown
from bot.authoring.code_blocks import Command
from bot.authoring.markdown import CodeBlock, Item, Section
from bot.model import Phase, Severity
from bot.model.text import truncate
from bot.playbooks import loader

SCENARIO_HEADING = re.compile(r"SEV-?([1-4])\s*[:–—-]\s*(.+)", re.IGNORECASE)
DOCUMENT_TYPE_SUFFIX = re.compile(
    r"\s*[-–—:]\s*(?:incident response )?(?:playbook|runbook)\s*$", re.IGNORECASE
)
PHASE_HEADINGS = {
    Phase.IMMEDIATE: re.compile("immediate|triage|diagnos", re.IGNORECASE),
    Phase.RECOVERY: re.compile("recover|mitigat|remediat|resol", re.IGNORECASE),
}
SYMPTOMS_HEADING = "symptom"
KNOWN_SECTIONS = re.compile(
    r"overview|severit|communication|post-?(?:incident|mortem)|contact|related|links"
    rf"|^{SCENARIO_HEADING.pattern}$",
    re.IGNORECASE,
)
LABELED_REMARK = re.compile(r"(Recommended|Correction)\b:?\s*(.*)", re.DOTALL)
RECOMMENDED_LABEL = "Recommended"
TITLE_LENGTH = 75
Step = dict[str, Any]


@dataclass
class Draft:
    """A playbook file, its SQL files by name, and the problems by line of the runbook."""

    playbook: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)


def draft(text: str, actions: Sequence[type[Action]]) -> Draft:
    """Draft a playbook from the text of a runbook in Markdown."""
    return _Drafter(markdown.read(text), actions).draft()


class _Drafter:
    """Converts the sections of a runbook, and collects the SQL files and the problems."""

    def __init__(self, top: Section, actions: Sequence[type[Action]]) -> None:
        self.top = top.sections[0] if len(top.sections) == 1 else top
        self.title = DOCUMENT_TYPE_SUFFIX.sub("", self.top.title) or "Service"
        self.service = slug(self.title)
        self.actions = {action.name: action for action in actions}
        self.result = Draft()

    def draft(self) -> Draft:
        """Convert the whole runbook, with the keys in the order of a playbook."""
        playbook = {
            "service": self.service,
            "title": self.title,
            "overview": self._section_text("overview") or self.top.text,
            "severities": self._levels(),
            "scenarios": self._scenarios(),
            "internal_alert": _template(self._message("internal")),
            "customer_message": _template(self._message("customer")),
            "post_incident": [
                _follow_up(item.text) for item in self._items(r"post-?(incident|mortem)")
            ],
            "contacts": self._contacts(),
            "links": self._links(),
        }
        self.result.playbook = {key: value for key, value in playbook.items() if value}
        self._report_left_out()
        return self.result

    def _section_text(self, title: str) -> str:
        section = self.top.find(title)
        return section.text if section else ""

    def _items(self, title: str) -> list[Item]:
        section = self.top.find(title)
        return markdown.items(section.nodes) if section else []

    def _message(self, title: str) -> str:
        section = self._message_section(title)
        return section.code if section else ""

    def _message_section(self, title: str) -> Section | None:
        communication = self.top.find("communication")
        return communication.find(title) if communication else None

    def _levels(self) -> dict[str, dict[str, Any]]:
        section = self.top.find("severit")
        customers = self._message_section("customer")
        informed = re.findall(r"SEV-?(\d)", customers.title if customers else "", re.IGNORECASE)
        levels = {}
        for row in markdown.rows(section.nodes) if section else ():
            number = re.fullmatch(r"SEV-?([1-4])", row[0], re.IGNORECASE)
            if number and len(row) >= 3:
                levels[f"sev{number[1]}"] = _level(row, number[1] in informed)
        if missing := [severity.value for severity in Severity if severity not in levels]:
            line = section.line if section else self.top.line
            self._report(line, f"no table of severities has a row for {', '.join(missing)}")
        return levels

    def _contacts(self) -> list[dict[str, str]]:
        section = self.top.find("contact")
        rows = markdown.rows(section.nodes) if section else ()
        return [{"role": row[0], "contact": row[1]} for row in rows if len(row) > 1]

    def _links(self) -> list[dict[str, str]]:
        section = self.top.find("related|links")
        links = markdown.links(section.nodes) if section else ()
        return [{"title": title, "url": url} for title, url in links]

    def _scenarios(self) -> list[dict[str, Any]]:
        scenarios: list[dict[str, Any]] = []
        for section in self.top.sections:
            if heading := SCENARIO_HEADING.fullmatch(section.title):
                scenario_id = _unused_id(heading[2], {scenario["id"] for scenario in scenarios})
                scenario = self._scenario(section, *heading.groups())
                scenarios.append({"id": scenario_id, **scenario})
        return scenarios

    def _scenario(self, section: Section, severity: str, title: str) -> dict[str, Any]:
        symptoms = section.find(SYMPTOMS_HEADING)
        items = markdown.items(symptoms.nodes) if symptoms else []
        return {
            "title": truncate(title, TITLE_LENGTH),
            "severity": f"sev{severity}",
            "symptoms": [item.text for item in items],
            "steps": self._steps(section),
        }

    def _steps(self, scenario: Section) -> list[Step]:
        steps: list[Step] = []
        for part in scenario.sections:
            phase = _phase(part.title)
            for item in markdown.items(part.nodes) if phase else ():
                for step in self._item_steps(item):
                    step_id = _unused_id(step["title"], {other["id"] for other in steps})
                    steps.append({"id": step_id, **step, "phase": phase})
                    self._name_file(steps[-1])
        return [_in_model_order(step) for step in steps]

    def _item_steps(self, item: Item) -> Iterator[Step]:
        """One step for each command of an item; one manual step for an item without commands."""
        translated = [
            (block, code_blocks.read(block, self.service, self.actions))
            for block in item.code_blocks
        ]
        count = sum(len(commands) for _, commands in translated)
        if not count:
            yield self._manual(item, "") | _remarks(item.code_blocks)
        for block, commands in translated:
            for command in commands:
                step = self._step(item, command, alone=count == 1)
                # Remarks stand below a block, so they are about its last command.
                yield step | _remarks([block]) if command is commands[-1] else step

    def _step(self, item: Item, command: Command, *, alone: bool) -> Step:
        """The step of one command; `alone` means that it is the only one of its item."""
        call = command.call
        if call is None:
            first_line = command.text.strip().splitlines()[0]
            self._report(item.line, f"{first_line}: {command.reason}; kept as a manual step")
            return self._manual(item, command.text)
        title = _title(item) if alone else call.action.replace("-", " ").capitalize()
        hint = {} if item.text == title else {"hint": item.text}
        statement = {"sql": call.sql} if call.sql else {}
        return {
            "title": title or call.action,
            "action": call.action,
            "params": {**call.params, **statement},
            **hint,
            "command": command.text,
        }

    def _manual(self, item: Item, command: str) -> Step:
        link = {"link": item.link} if item.link else {}
        step: Step = {
            "title": _title(item) or "By hand",
            "action": "manual",
            "params": {"instructions": item.text, **link},
        }
        return step | ({"command": command} if command else {})

    def _name_file(self, step: Step) -> None:
        """Move the statement of a query into an SQL file with a name like the step's title."""
        text = step["params"].pop("sql", None)
        if text is not None:
            taken = {
                name.removesuffix(".sql")
                for name, other in self.result.files.items()
                if other != text
            }
            name = f"{_unused_id(step['title'], taken)}.sql"
            self.result.files[name] = text
            step["params"] = {"file": name, **step["params"]}

    def _report_left_out(self) -> None:
        """Report a runbook without scenarios, and everything that has no place in a playbook."""
        sections = self.top.sections
        scenarios = [section for section in sections if SCENARIO_HEADING.fullmatch(section.title)]
        if not scenarios:
            self._report(self.top.line, "no heading has the form “SEV-1: What is wrong”")
        left_out = [section for section in sections if not KNOWN_SECTIONS.search(section.title)]
        for scenario in scenarios:
            left_out += [part for part in scenario.sections if not _is_imported(part.title)]
            for node in scenario.nodes:
                if node.type != "hr":
                    self._report(markdown.line(node), "text before the first part is left out")
        for section in left_out:
            self._report(section.line, f"the section “{section.title}” is left out")

    def _report(self, line: int, message: str) -> None:
        self.result.problems.append((line, message))


def _phase(title: str) -> str | None:
    """The phase whose steps stand under a heading; None for other headings."""
    matching = (phase for phase, heading in PHASE_HEADINGS.items() if heading.search(title))
    return next((phase.value for phase in matching), None)


def _is_imported(title: str) -> bool:
    return _phase(title) is not None or SYMPTOMS_HEADING in title.lower()


def _level(row: Sequence[str], customers: bool) -> dict[str, Any]:
    """Convert a row with the columns severity, meaning, response time and (optional) examples.

    `customers` says whether customers are informed of incidents of this severity.
    """
    level = {
        "meaning": row[1],
        "response": row[2],
        "examples": "".join(row[3:4]),
        "customers": customers,
    }
    return {key: value for key, value in level.items() if value}


def _follow_up(line: str) -> str | dict[str, str]:
    """Convert a line of post-incident work; `within 48 hours` in it is when it is due."""
    due = re.search(rf"\bwithin ({durations.PATTERN})\b", line, re.IGNORECASE)
    return {"title": line, "due": due[1]} if due else line


def slug(text: str) -> str:
    """Convert text to an id: whole words in lower case, with hyphens, at most 40 characters."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words if len(words) <= 40 else words[:40].rpartition("-")[0] or words[:40]


def _unused_id(title: str, taken: set[str]) -> str:
    """An id made from a title, with a number if it is taken."""
    base = slug(title) or "step"
    candidates = [base, *(f"{base[:36]}-{number}" for number in range(2, 100))]
    return next(candidate for candidate in candidates if candidate not in taken)


def _title(item: Item) -> str:
    return truncate(item.name or item.text, TITLE_LENGTH)


def _remarks(code_blocks: Sequence[CodeBlock]) -> Step:
    """The keys of a step that remarks set: `recommended`, and `correction` for all others."""
    keys: Step = {}
    for remark in (remark for block in code_blocks for remark in block.remarks):
        match LABELED_REMARK.fullmatch(remark):
            case re.Match() as match if match[1] == RECOMMENDED_LABEL:
                keys["recommended"] = True
            case re.Match() as match:
                keys["correction"] = match[2]
            case _:
                keys["correction"] = remark
    return keys


def _in_model_order(step: Step) -> Step:
    """The same step, with its keys in the order of the model's fields."""
    return {key: step[key] for key in model.Step.model_fields if key in step}


def _template(text: str) -> str:
    """Replace what people fill in by variables: `Impact: […]` becomes `Impact: {{ impact }}`."""
    return "\n".join(_template_line(line) for line in text.splitlines())


def _template_line(line: str) -> str:
    label, colon, _ = line.partition(":")
    name = slug(label).replace("-", "_")
    if colon and name in loader.MESSAGE_VARIABLES:
        return f"{label}: {{{{ {name} }}}}"
    return re.sub(r"\bSEV-X\b", "{{ severity }}", line)
