"""A playbook drafted from a runbook: headings become scenarios, commands become steps."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot import durations, model, playbooks
from bot.actions import Action
from bot.authoring import codes, runbook
from bot.authoring.codes import Code
from bot.authoring.runbook import Fence, Item, Section
from bot.model import Phase, Severity

SCENARIO = re.compile(r"SEV-?([1-4])\s*[:–—-]\s*(.+)", re.IGNORECASE)
KIND = re.compile(r"\s*[-–—:]\s*(?:incident response )?(?:playbook|runbook)\s*$", re.IGNORECASE)
PHASES = {
    Phase.IMMEDIATE: re.compile("immediate|triage|diagnos", re.IGNORECASE),
    Phase.RECOVERY: re.compile("recover|mitigat|remediat|resol", re.IGNORECASE),
}
SYMPTOMS = "symptom"
SECTIONS = re.compile(
    r"overview|severit|communication|post-?(?:incident|mortem)|contact|related|links"
    rf"|^{SCENARIO.pattern}$",
    re.IGNORECASE,
)
REMARK = re.compile(r"(Recommended|Correction)\b:?\s*(.*)", re.DOTALL)
RECOMMENDED = "Recommended"
TITLE = 75
Step = dict[str, Any]


@dataclass
class Draft:
    """A playbook file, the SQL files that belong to it, and what was not understood."""

    playbook: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)


def draft(text: str, actions: Sequence[type[Action]]) -> Draft:
    """What a Markdown text says; every problem has its line."""
    return _Drafter(runbook.read(text), actions).draft()


class _Drafter:
    def __init__(self, top: Section, actions: Sequence[type[Action]]) -> None:
        self.top = top.sections[0] if len(top.sections) == 1 else top
        self.title = KIND.sub("", self.top.title) or "Service"
        self.service = slug(self.title)
        self.actions = {action.name: action for action in actions}
        self.made = Draft()

    def draft(self) -> Draft:
        """All of it, in the order in which a playbook has it."""
        self.made.playbook = {
            "service": self.service,
            "title": self.title,
            "overview": self._words("overview") or self.top.words,
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
        self.made.playbook = {key: value for key, value in self.made.playbook.items() if value}
        self._tell_left_out()
        return self.made

    def _words(self, title: str) -> str:
        section = self.top.find(title)
        return section.words if section else ""

    def _items(self, title: str) -> list[Item]:
        section = self.top.find(title)
        return runbook.items(section.nodes) if section else []

    def _message(self, title: str) -> str:
        section = self._message_section(title)
        return section.code if section else ""

    def _message_section(self, title: str) -> Section | None:
        around = self.top.find("communication")
        return around.find(title) if around else None

    def _levels(self) -> dict[str, dict[str, Any]]:
        section = self.top.find("severit")
        customers = self._message_section("customer")
        told = re.findall(r"SEV-?(\d)", customers.title if customers else "", re.IGNORECASE)
        levels = {}
        for row in runbook.rows(section.nodes) if section else ():
            number = re.fullmatch(r"SEV-?([1-4])", row[0], re.IGNORECASE)
            if number and len(row) >= 3:
                levels[f"sev{number[1]}"] = _level(row, number[1] in told)
        if missing := [one.value for one in Severity if one not in levels]:
            line = section.line if section else self.top.line
            self._tell(line, f"no row about {', '.join(missing)} in a table of severities")
        return levels

    def _contacts(self) -> list[dict[str, str]]:
        section = self.top.find("contact")
        rows = runbook.rows(section.nodes) if section else ()
        return [{"role": row[0], "contact": row[1]} for row in rows if len(row) > 1]

    def _links(self) -> list[dict[str, str]]:
        section = self.top.find("related|links")
        found = runbook.links(section.nodes) if section else ()
        return [{"title": title, "url": url} for title, url in found]

    def _scenarios(self) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        for section in self.top.sections:
            if heading := SCENARIO.fullmatch(section.title):
                id = _free(heading[2], {one["id"] for one in made})
                made.append({"id": id, **self._scenario(section, *heading.groups())})
        return made

    def _scenario(self, section: Section, severity: str, title: str) -> dict[str, Any]:
        symptoms = section.find(SYMPTOMS)
        told = runbook.items(symptoms.nodes) if symptoms else []
        return {
            "title": _short(title),
            "severity": f"sev{severity}",
            "symptoms": [item.text for item in told],
            "steps": self._steps(section),
        }

    def _steps(self, scenario: Section) -> list[Step]:
        steps: list[Step] = []
        for part in scenario.sections:
            phase = _phase(part.title)
            for item in runbook.items(part.nodes) if phase else ():
                for step in self._of_item(item):
                    taken = {one["id"] for one in steps}
                    steps.append({"id": _free(step["title"], taken), **step, "phase": phase})
                    self._name_file(steps[-1])
        return [_in_order(step) for step in steps]

    def _of_item(self, item: Item) -> Iterator[Step]:
        """A step for each command; a manual one, where there is none."""
        read = [(fence, codes.read(fence, self.service, self.actions)) for fence in item.fences]
        count = sum(len(found) for _, found in read)
        if not count:
            yield self._manual(item, "") | _remarks(item.fences)
        for fence, found in read:
            for code in found:
                step = self._step(item, code, alone=count == 1)
                yield step | _remarks([fence]) if code is found[-1] else step

    def _step(self, item: Item, code: Code, *, alone: bool) -> Step:
        if code.found is None:
            first = code.text.strip().splitlines()[0]
            self._tell(item.line, f"{first}: {code.why}; kept as a manual step")
            return self._manual(item, code.text)
        name = code.found.action
        title = _title(item) if alone else name.replace("-", " ").capitalize()
        hint = {} if item.text == title else {"hint": item.text}
        kept = {"sql": code.found.sql} if code.found.sql else {}
        return {
            "title": title or name,
            "action": name,
            "params": {**code.found.params, **kept},
            **hint,
            "command": code.text,
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
        """The statement of a query goes into a file that is named like the step."""
        text = step["params"].pop("sql", None)
        if text is not None:
            taken = {
                name.removesuffix(".sql") for name, kept in self.made.files.items() if kept != text
            }
            name = f"{_free(step['title'], taken)}.sql"
            self.made.files[name] = text
            step["params"] = {"file": name, **step["params"]}

    def _tell_left_out(self) -> None:
        scenarios = [one for one in self.top.sections if SCENARIO.fullmatch(one.title)]
        if not scenarios:
            self._tell(self.top.line, "no heading is like “SEV-1: What is wrong”")
        left = [one for one in self.top.sections if not SECTIONS.search(one.title)]
        left += [part for one in scenarios for part in one.sections if not _is_read(part.title)]
        for section in left:
            self._tell(section.line, f"the section “{section.title}” is left out")
        for node in (node for one in scenarios for node in one.nodes if node.type != "hr"):
            self._tell(runbook.line(node), "what stands before the first part is left out")

    def _tell(self, line: int, words: str) -> None:
        self.made.problems.append((line, words))


def _phase(title: str) -> str | None:
    """The phase that a heading names, if any."""
    return next((phase.value for phase, words in PHASES.items() if words.search(title)), None)


def _is_read(title: str) -> bool:
    return _phase(title) is not None or SYMPTOMS in title.lower()


def _level(row: Sequence[str], customers: bool) -> dict[str, Any]:
    """A row of the table: the severity, what it means, how soon, and examples."""
    level = {"meaning": row[1], "response": row[2], "examples": "".join(row[3:4])}
    told = {"customers": True} if customers else {}
    return {**{key: value for key, value in level.items() if value}, **told}


def _follow_up(line: str) -> str | dict[str, str]:
    """What is due after the incident, `within 48 hours` or some day."""
    due = re.search(rf"\bwithin ({durations.WORDS})\b", line, re.IGNORECASE)
    return {"title": line, "due": due[1]} if due else line


def slug(text: str) -> str:
    """Text as an id: lower-case letters, digits and hyphens, at most 40, in whole words."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words if len(words) <= 40 else words[:40].rpartition("-")[0] or words[:40]


def _free(title: str, taken: set[str]) -> str:
    """An id like the title that nothing else has."""
    wanted = slug(title) or "step"
    candidates = [wanted, *(f"{wanted[:36]}-{number}" for number in range(2, 100))]
    return next(one for one in candidates if one not in taken)


def _short(text: str) -> str:
    return text if len(text) <= TITLE else f"{text[: TITLE - 1].rstrip()}…"


def _title(item: Item) -> str:
    return _short(item.name or item.text)


def _remarks(fences: Sequence[Fence]) -> Step:
    found: Step = {}
    for remark in (one for fence in fences for one in fence.remarks):
        match REMARK.fullmatch(remark):
            case re.Match() as hit if hit[1] == RECOMMENDED:
                found["recommended"] = True
            case re.Match() as hit:
                found["correction"] = hit[2]
            case _:
                found["correction"] = remark
    return found


def _in_order(step: Step) -> Step:
    return {key: step[key] for key in model.Step.model_fields if key in step}


def _template(text: str) -> str:
    """What people fill in, as Runbolt does: `Impact: […]` is the impact."""
    return "\n".join(_template_line(line) for line in text.splitlines())


def _template_line(line: str) -> str:
    label, colon, _ = line.partition(":")
    name = slug(label).replace("-", "_")
    if colon and name in playbooks.MESSAGE_NAMES:
        return f"{label}: {{{{ {name} }}}}"
    return re.sub(r"\bSEV-X\b", "{{ severity }}", line)
