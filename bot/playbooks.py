"""YAML to Playbook: read, check against the actions, and say of every mistake where it is."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

from jinja2 import TemplateSyntaxError, meta
from jinja2.sandbox import SandboxedEnvironment

from bot import deprecations, durations, pages, parsing, statements
from bot.model import Noun, Playbook, Severity, UserError
from bot.pages import Mistake, Page, Place

# What the internal alert and the customer message may fill in.
MESSAGE_NAMES = (
    *("severity", "service", "title", "status"),
    *("impact", "start_time", "current_status", "next_update"),
)

# All of a scenario is one Slack message, which holds 50 blocks.
MAX_STEPS = 40


class Named(Protocol):
    """What is asked of an action: a name. It is a noun besides, whose fields are its params."""

    name: ClassVar[str]


class PlaybookError(UserError):
    """Playbooks that cannot be used, with all their mistakes in the order of the files."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(set(mistakes)))
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        head = f"No playbook was loaded: {count}. Correct what is listed and start again."
        super().__init__("\n".join([head, *map(str, self.mistakes)]))


def load(where: Path | Sequence[Path], actions: Sequence[type[Named]]) -> tuple[Playbook, ...]:
    """Read a folder's playbooks, or the files given, in the order of their names.

    Steps are checked against `actions`. Raises PlaybookError with every mistake of every file.
    """
    found = read(where, actions)
    mistakes = [mistake for page, _ in found for mistake in page.mistakes]
    if not found:
        mistakes.append(Mistake(str(where), *pages.NOWHERE, "expects .yml files, found none"))
    if mistakes:
        raise PlaybookError(mistakes)
    return tuple(playbook for _, playbook in found if playbook)


def read(
    where: Path | Sequence[Path], actions: Sequence[type[Named]]
) -> list[tuple[Page, Playbook | None]]:
    """The same with all that is wrong noted on the pages; a page without mistakes is a playbook."""
    known = {action.name: cast(type[Noun], action) for action in actions}
    opened = [pages.read(file) for file in (files(where) if isinstance(where, Path) else where)]
    found = [_playbook(page, known) for page in opened]
    _check_clashes(opened, found)
    return list(zip(opened, found, strict=True))


def files(where: Path) -> list[Path]:
    """The playbooks of a folder by name, or the file itself."""
    if where.is_dir():
        return sorted(file for file in where.iterdir() if file.suffix in (".yml", ".yaml"))
    return [where]


def _playbook(page: Page, known: dict[str, type[Noun]]) -> Playbook | None:
    """The page as a playbook, or None; notes on the page what is wrong with it."""
    if page.mistakes and page.value is None:
        return None
    _replace_old_keys(page, known)
    _check_levels(page)
    _check_follow_ups(page)
    _check_messages(page)
    _check_ids(page)
    for place, step in steps(page.value):
        _check_step(page, place, step, known)
        _check_choice(page, place, step)
    return parsing.parsed(page, Playbook, page.value)


def _replace_old_keys(page: Page, known: dict[str, type[Noun]]) -> None:
    """In all that the file holds, and for each step in its action's params, given or asked."""
    deprecations.replace(page, Playbook)
    for place, step in steps(page.value):
        action = known.get(str(step.get("action")))
        if action is not None and "params" in step:
            deprecations.replace(page, action, (*place, "params"))
        if action is not None and isinstance(step.get("ask"), list):
            deprecations.replace_words(page, action, (*place, "ask"))


def _check_levels(page: Page) -> None:
    """Every severity has its level, and its response time is read from words."""
    levels = page.value.get("severities") if isinstance(page.value, dict) else None
    if not isinstance(levels, dict):
        return
    for severity in Severity:
        if severity not in {parsing.near(key, Severity) or key for key in levels}:
            page.wrong(page.key_spot(("severities",)), f'"severities" has no {severity}')
    for key, level in levels.items():
        if isinstance(level, dict) and "response" in level:
            place = ("severities", key, "response")
            level["response"] = _duration(page, place, level["response"])


def _check_follow_ups(page: Page) -> None:
    """A line alone is a title; until when it is due is read from words."""
    given = page.value.get("post_incident") if isinstance(page.value, dict) else None
    lines: list[Any] = given if isinstance(given, list) else []
    for at, line in enumerate(lines):
        if isinstance(line, str):
            lines[at] = {"title": line}
        elif isinstance(line, dict) and "due" in line:
            line["due"] = _duration(page, ("post_incident", at, "due"), line["due"])


def _duration(page: Page, place: Place, words: Any) -> str:
    """In ISO 8601, as strict JSON has it."""
    try:
        span = durations.parse(words)
    except (ValueError, OverflowError):
        span = None
    if isinstance(span, timedelta) and span:
        return f"PT{int(span.total_seconds())}S"
    example = 'a time in words, such as "15 min", "2 hours" or "24 h"'
    page.wrong(page.spot(place), f'"{place[-1]}" expects {example}, found {parsing.shown(words)}')
    return "PT1S"


def _check_messages(page: Page) -> None:
    """Found now rather than in the incident: a template that Jinja cannot fill in."""
    for key in ("internal_alert", "customer_message"):
        text = page.value.get(key) if isinstance(page.value, dict) else None
        if not isinstance(text, str):
            continue
        spot = page.spot((key,))
        try:
            names = _fills_in(text)
        except TemplateSyntaxError as error:
            reason = str(error.message).rstrip(".")
            text = f"is not a Jinja2 template: {reason}, in its line {error.lineno}"
            page.wrong(spot, f'"{key}" {text}')
            continue
        for name in sorted(names - set(MESSAGE_NAMES)):
            page.wrong(spot, f'"{key}" fills in "{name}"{parsing.meant(name, MESSAGE_NAMES)}')


def _fills_in(template: str) -> set[str]:
    """Raises TemplateSyntaxError, for an unknown filter too."""
    environment = SandboxedEnvironment()
    environment.from_string(template)
    return meta.find_undeclared_variables(environment.parse(template))


def _check_ids(page: Page) -> None:
    """Ids are unique: scenarios in a playbook, steps in a scenario, which are not too many."""
    _check_unique(page, ("scenarios",), page.value)
    for at, scenario in _inside(page.value, "scenarios"):
        place: Place = ("scenarios", at, "steps")
        _check_unique(page, place, scenario)
        if len(list(_inside(scenario, "steps"))) > MAX_STEPS:
            page.wrong(page.key_spot(place), f'"steps" expects at most {MAX_STEPS} in the list')


def _check_unique(page: Page, place: Place, value: Any) -> None:
    seen: dict[str, int] = {}
    for at, item in _inside(value, str(place[-1])):
        line, column = page.spot((*place, at, "id"))
        id = str(item.get("id"))
        if id in seen:
            page.wrong((line, column), f'id "{id}" is taken on line {seen[id]}; expects another')
        elif "id" in item:
            seen[id] = line


def _check_clashes(read: Sequence[Page], found: Sequence[Playbook | None]) -> None:
    """Several files may be about one service, as long as people can tell the scenarios apart."""
    seen: dict[tuple[str, str], str] = {}
    for page, playbook in zip(read, found, strict=True):
        for at, scenario in enumerate(playbook.scenarios if playbook else ()):
            key = (playbook.service if playbook else "", scenario.id)
            first = seen.setdefault(key, page.file)
            if first != page.file:
                text = f'id "{scenario.id}" is taken for {key[0]} in {first}; expects another'
                page.wrong(page.spot(("scenarios", at, "id")), text)


def _inside(value: Any, key: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The mappings in the list under a key, whatever shape the file really has."""
    items = value.get(key) if isinstance(value, dict) else None
    for at, item in enumerate(items if isinstance(items, list) else []):
        if isinstance(item, dict):
            yield at, item


def steps(value: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    """The steps of all scenarios and where they are, whatever shape the file really has."""
    for at, scenario in _inside(value, "scenarios"):
        for under, step in _inside(scenario, "steps"):
            yield ("scenarios", at, "steps", under), step


def _check_step(
    page: Page, place: Place, step: dict[str, Any], known: dict[str, type[Noun]]
) -> None:
    """The action is known, its params fit, and what people are asked for is one of them."""
    name, params, ask = step.get("action"), step.get("params", {}), step.get("ask", [])
    if not isinstance(name, str) or not isinstance(params, dict) or not isinstance(ask, list):
        return
    if name not in known:
        page.wrong(
            page.spot((*place, "action")), f'unknown action "{name}"{parsing.meant(name, known)}'
        )
        return
    action, of = known[name], f'action "{name}": '
    for at, asked in enumerate(ask):
        if isinstance(asked, str) and asked not in parsing.fields(action):
            text = f'{of}unknown param "{asked}"{parsing.meant(asked, parsing.fields(action))}'
            page.wrong(page.spot((*place, "ask", at)), text)
        elif asked in getattr(action, "fixed", ()):
            text = f'{of}"{asked}" comes from the playbook, people are not asked for it'
            page.wrong(page.spot((*place, "ask", at)), text)
    for hidden in (params.keys() & action.model_fields.keys()) - parsing.fields(action).keys():
        text = f'{of}unknown param "{hidden}"; expects one of: {", ".join(parsing.fields(action))}'
        page.wrong(page.key_spot((*place, "params", hidden)), text)
    if "sql" in action.model_fields:
        _take_in(page, (*place, "params"), params, of)
    parsing.parsed(page, action, params, (*place, "params"), of, ask)


def _take_in(page: Page, place: Place, params: dict[str, Any], of: str) -> None:
    """The text of the file that a query names: an incident keeps the statement it began with."""
    name = params.get("file", "")
    if not statements.is_name(name):
        return
    params["sql"] = ""
    try:
        params["sql"] = statements.read(name, Path(page.file))
    except ValueError as error:
        page.wrong(page.spot((*place, "file")), f'{of}"file" {error}, found {parsing.shown(name)}')


def _check_choice(page: Page, place: Place, step: dict[str, Any]) -> None:
    """What people choose from is what another step of the scenario finds."""
    params = step.get("params")
    choice = params.get("choose_from") if isinstance(params, dict) else None
    wanted = choice.get("step") if isinstance(choice, dict) else None
    scenario = page.value["scenarios"][place[1]]
    all_steps = {str(one.get("id")): one for _, one in _inside(scenario, "steps")}
    if isinstance(wanted, str) and all_steps.get(wanted, {}).get("action") != "query":
        queries = [id for id, one in all_steps.items() if one.get("action") == "query"]
        text = f'"step" expects a query step of this scenario, found "{wanted}"'
        spot = page.spot((*place, "params", "choose_from", "step"))
        page.wrong(spot, text + parsing.meant(wanted, queries))
