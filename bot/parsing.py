"""A value as a noun, and what is wrong with it in the words of people who write playbooks."""

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import ErrorDetails

from bot.model import Contact, FollowUp, Level, Link, Playbook, Scenario, Step
from bot.pages import Page, Place

NOUNS: dict[str | int, type[BaseModel]] = {
    "severities": Level,
    "scenarios": Scenario,
    "steps": Step,
    "contacts": Contact,
    "links": Link,
    "post_incident": FollowUp,
}

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


def parsed(
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
        (*detail["loc"][:-1], near(str(detail["loc"][-1]), _fields(noun, detail["loc"])))
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
            text = f'unknown {kind} "{name}"{meant(name, _fields(noun, detail["loc"]))}'
            page.wrong(page.key_spot(place), of + text)
        case "missing":
            page.wrong(spot, f'{of}missing {kind} "{name}"')
        case "enum" if name == "[key]":
            word = str(detail["input"])
            text = f'unknown key "{word}"{meant(word, _choices(detail))}'
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
        return f"{context['error']}, found {shown(found)}"
    if detail["type"] not in EXPECTED:
        return f"is refused: {detail['msg']}, found {shown(found)}"
    text = f"expects {EXPECTED[detail['type']].format_map(context)}, found {shown(found)}"
    if not isinstance(found, str):
        return text
    like = _slug(found, context.get("pattern")) or near(found, _choices(detail))
    return f'{text}; did you mean "{like}"?' if like else text


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


def near(word: str, known: Iterable[str]) -> str | None:
    """The one that was meant; None when none is near, or two are equally so."""
    matcher = difflib.SequenceMatcher(b=word.lower())
    nearness: dict[float, list[str]] = {}
    for name in known:
        matcher.set_seq1(name)
        nearness.setdefault(matcher.ratio(), []).append(name)
    best = max(nearness, default=0.0)
    return nearness[best][0] if best >= 0.6 and len(nearness[best]) == 1 else None


def meant(word: str, known: Iterable[str]) -> str:
    """What to say after an unknown word: the one that was meant, or all that there are."""
    like = near(word, known)
    if like:
        return f'; did you mean "{like}"?'
    return f"; expects one of: {', '.join(known)}" if known else ""


def shown(value: Any) -> str:
    """A value as it is quoted to people."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "keys and values"
        case list():
            return "a list"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:60]}…"


def fields(noun: type[BaseModel]) -> dict[str, FieldInfo]:
    """What a file may say of a noun: all its fields but those that are filled in by reading it."""
    return {
        name: field
        for name, field in noun.model_fields.items()
        if not any(isinstance(one, SkipJsonSchema) for one in field.metadata)  # type: ignore[misc]
    }
