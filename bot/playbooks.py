"""YAML to Playbook: read, check against the actions, and say of every mistake where it is."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar, cast

from jinja2 import TemplateSyntaxError, meta
from jinja2.sandbox import SandboxedEnvironment
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import ErrorDetails

from bot import durations, pages, statements
from bot.model import Contact, FollowUp, Level, Link, Playbook, Scenario, Severity, Step, UserError
from bot.pages import Mistake, Page, Place

# What the internal alert and the customer message may fill in.
MESSAGE_NAMES = (
    *("severity", "service", "title", "status"),
    *("impact", "start_time", "current_status", "next_update"),
)

# All of a scenario is one Slack message, which holds 50 blocks.
MAX_STEPS = 40

NOUNS: dict[str | int, type[BaseModel]] = {
    "severities": Level,
    "scenarios": Scenario,
    "steps": Step,
    "contacts": Contact,
    "links": Link,
    "post_incident": FollowUp,
}


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
    known = {action.name: cast(type[BaseModel], action) for action in actions}
    files = _files(where)
    read = [pages.read(file) for file in files]
    found = [_playbook(page, known) for page in read]
    _check_clashes(read, found)
    mistakes = [mistake for page in read for mistake in page.mistakes]
    if not files:
        mistakes.append(Mistake(str(where), *pages.NOWHERE, "expects .yml files, found none"))
    if mistakes:
        raise PlaybookError(mistakes)
    return tuple(playbook for playbook in found if playbook)


def _files(where: Path | Sequence[Path]) -> list[Path]:
    if not isinstance(where, Path):
        return list(where)
    if where.is_dir():
        return sorted(file for file in where.iterdir() if file.suffix in (".yml", ".yaml"))
    return [where]


def _playbook(page: Page, known: dict[str, type[BaseModel]]) -> Playbook | None:
    """The page as a playbook, or None; notes on the page what is wrong with it."""
    if page.mistakes and page.value is None:
        return None
    _check_levels(page)
    _check_follow_ups(page)
    _check_messages(page)
    _check_ids(page)
    for place, step in _steps(page.value):
        _check_step(page, place, step, known)
        _check_choice(page, place, step)
    return _parsed(page, Playbook, page.value)


def _check_levels(page: Page) -> None:
    """Every severity has its level, and its response time is read from words."""
    levels = page.value.get("severities") if isinstance(page.value, dict) else None
    if not isinstance(levels, dict):
        return
    for severity in Severity:
        if severity not in {_near(key, Severity) or key for key in levels}:
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
    page.wrong(page.spot(place), f'"{place[-1]}" expects {example}, found {_shown(words)}')
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
            page.wrong(spot, f'"{key}" fills in "{name}"{_meant(name, MESSAGE_NAMES)}')


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


def _steps(value: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    for at, scenario in _inside(value, "scenarios"):
        for under, step in _inside(scenario, "steps"):
            yield ("scenarios", at, "steps", under), step


def _check_step(
    page: Page, place: Place, step: dict[str, Any], known: dict[str, type[BaseModel]]
) -> None:
    """The action is known, its params fit, and what people are asked for is one of them."""
    name, params, ask = step.get("action"), step.get("params", {}), step.get("ask", [])
    if not isinstance(name, str) or not isinstance(params, dict) or not isinstance(ask, list):
        return
    if name not in known:
        page.wrong(page.spot((*place, "action")), f'unknown action "{name}"{_meant(name, known)}')
        return
    action, of = known[name], f'action "{name}": '
    for at, asked in enumerate(ask):
        if isinstance(asked, str) and asked not in fields(action):
            text = f'{of}unknown param "{asked}"{_meant(asked, fields(action))}'
            page.wrong(page.spot((*place, "ask", at)), text)
    for hidden in (params.keys() & action.model_fields.keys()) - fields(action).keys():
        text = f'{of}unknown param "{hidden}"; expects one of: {", ".join(fields(action))}'
        page.wrong(page.key_spot((*place, "params", hidden)), text)
    if "sql" in action.model_fields:
        _take_in(page, (*place, "params"), params, of)
    _parsed(page, action, params, (*place, "params"), of, ask)


def fields(noun: type[BaseModel]) -> dict[str, FieldInfo]:
    """What a file may say of a noun: all its fields but those that are filled in by reading it."""
    return {
        name: field
        for name, field in noun.model_fields.items()
        if not any(isinstance(one, SkipJsonSchema) for one in field.metadata)  # type: ignore[misc]
    }


def _take_in(page: Page, place: Place, params: dict[str, Any], of: str) -> None:
    """The text of the file that a query names: an incident keeps the statement it began with."""
    name = params.get("file", "")
    if not statements.is_name(name):
        return
    params["sql"] = ""
    try:
        params["sql"] = statements.read(name, Path(page.file))
    except ValueError as error:
        page.wrong(page.spot((*place, "file")), f'{of}"file" {error}, found {_shown(name)}')


def _check_choice(page: Page, place: Place, step: dict[str, Any]) -> None:
    """What people choose from is what another step of the scenario finds."""
    params = step.get("params")
    choice = params.get("choose_from") if isinstance(params, dict) else None
    wanted = choice.get("step") if isinstance(choice, dict) else None
    scenario = page.value["scenarios"][place[1]]
    steps = {str(one.get("id")): one for _, one in _inside(scenario, "steps")}
    if isinstance(wanted, str) and steps.get(wanted, {}).get("action") != "query":
        queries = [id for id, one in steps.items() if one.get("action") == "query"]
        text = f'"step" expects a query step of this scenario, found "{wanted}"'
        spot = page.spot((*place, "params", "choose_from", "step"))
        page.wrong(spot, text + _meant(wanted, queries))


# Saying what is wrong, in the words of people who write playbooks.

EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "string_too_short": "text, at least {min_length} long",
    "string_too_long": "text, at most {max_length} long",
    "too_short": "at least {min_length} in the list",
    "too_long": "at most {max_length} in the list",
    "string_pattern_mismatch": "text of the form {pattern}",
    "enum": "{expected}",
    "literal_error": "{expected}",
}

N = TypeVar("N", bound=BaseModel)


def _parsed(
    page: Page, noun: type[N], value: Any, base: Place = (), of: str = "", given: Any = ()
) -> N | None:
    """The value as a noun, or None; `given` names the fields that come from elsewhere."""
    try:
        # As JSON, because strict JSON has lists and words where Python has tuples and enums.
        return noun.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
    elsewhere = {(name,) for name in given if isinstance(name, str)}
    misspelled = {
        (*detail["loc"][:-1], _near(str(detail["loc"][-1]), _fields(noun, detail["loc"])))
        for detail in details
        if detail["type"] == "extra_forbidden"
    }
    for detail in details:
        absent = detail["type"] == "missing"
        if not absent or detail["loc"] not in misspelled | elsewhere:
            _tell(page, noun, detail, base, of)
    return None


def _tell(page: Page, noun: type[BaseModel], detail: ErrorDetails, base: Place, of: str) -> None:
    place, kind = (*base, *detail["loc"]), "param" if base else "key"
    name, spot = str(place[-1]) if place else "", page.spot(place)
    match detail["type"]:
        case "extra_forbidden":
            text = f'unknown {kind} "{name}"{_meant(name, _fields(noun, detail["loc"]))}'
            page.wrong(page.key_spot(place), of + text)
        case "missing":
            page.wrong(spot, f'{of}missing {kind} "{name}"')
        case "enum" if name == "[key]":
            word = str(detail["input"])
            text = f'unknown key "{word}"{_meant(word, _choices(detail))}'
            page.wrong(page.key_spot(place[:-1]), text)
        case _ if not page.is_wrong(spot):
            page.wrong(spot, f"{of}{_subject(page.nearest(place))} {_expects(detail)}")


def _subject(place: Place) -> str:
    match place:
        case ():
            return "a playbook"
        case (*_, str(list_), int(at)):
            return f'item {at + 1} of "{list_}"'
    return f'"{place[-1]}"'


def _expects(detail: ErrorDetails) -> str:
    context, found = detail.get("ctx", {}), detail["input"]
    if detail["type"] == "value_error":
        return f"{context['error']}, found {_shown(found)}"
    if detail["type"] not in EXPECTED:
        return f"is refused: {detail['msg']}, found {_shown(found)}"
    text = f"expects {EXPECTED[detail['type']].format_map(context)}, found {_shown(found)}"
    if not isinstance(found, str):
        return text
    near = _slug(found, context.get("pattern")) or _near(found, _choices(detail))
    return f'{text}; did you mean "{near}"?' if near else text


def _slug(found: str, pattern: str | None) -> str | None:
    """What was written, as an id, if that would do."""
    slug = re.sub(r"[^a-z0-9]+", "-", found.lower()).strip("-")
    try:
        return slug if pattern and re.search(pattern, slug) else None
    except re.error:  # pydantic's patterns are Rust's, not all of them Python's
        return None


def _choices(detail: ErrorDetails) -> list[str]:
    return re.findall(r"'([^']*)'", detail.get("ctx", {}).get("expected", ""))


def _fields(noun: type[BaseModel], loc: Place) -> Iterable[str]:
    """The keys that are known where `loc` is; none where an action nests further."""
    if len(loc) == 1:
        return fields(noun)
    inner = next((NOUNS[key] for key in reversed(loc[:-1]) if key in NOUNS), None)
    return inner.model_fields if inner and noun is Playbook else ()


def _near(word: str, known: Iterable[str]) -> str | None:
    """The one that was meant; None when none is near, or two are equally so."""
    matcher = difflib.SequenceMatcher(b=word.lower())
    nearness: dict[float, list[str]] = {}
    for name in known:
        matcher.set_seq1(name)
        nearness.setdefault(matcher.ratio(), []).append(name)
    best = max(nearness, default=0.0)
    return nearness[best][0] if best >= 0.6 and len(nearness[best]) == 1 else None


def _meant(word: str, known: Iterable[str]) -> str:
    near = _near(word, known)
    if near:
        return f'; did you mean "{near}"?'
    return f"; expects one of: {', '.join(known)}" if known else ""


def _shown(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case dict():
            return "keys and values"
        case list():
            return "a list"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:60]}…"
