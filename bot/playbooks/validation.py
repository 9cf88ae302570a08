"""Validate values with pydantic, and put its errors into words for people who write YAML."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import ErrorDetails

from bot import durations
from bot.model import Contact, FollowUp, Link, Playbook, Scenario, SeverityLevel, Step
from bot.model.text import truncate
from bot.playbooks.yaml_source import KeyPath, SourceFile

# The key of each part of a playbook that has a model of its own.
MODELS: dict[str | int, type[BaseModel]] = {
    "severities": SeverityLevel,
    "scenarios": Scenario,
    "steps": Step,
    "contacts": Contact,
    "links": Link,
    "post_incident": FollowUp,
}

DATE = "a date such as 2026-12-24"
DATE_AND_TIME = "a date and time such as 2026-12-24 18:00"

# What goes after "expects", by pydantic's type of error; fields in braces are from its context.
EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "model_attributes_type": "keys and values",
    "path_type": "a path",
    "time_type": "a time of day such as 09:30",
    "time_parsing": "a time of day such as 09:30",
    "date_type": DATE,
    "date_parsing": DATE,
    "date_from_datetime_parsing": DATE,
    "date_from_datetime_inexact": DATE,
    "datetime_type": DATE_AND_TIME,
    "datetime_parsing": DATE_AND_TIME,
    "datetime_from_date_parsing": DATE_AND_TIME,
    "zoneinfo_str": "a time zone such as Europe/Berlin",
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

QUOTED_LENGTH = 60
TIMEDELTA = re.compile(r"datetime\.timedelta\((?:days=(\d+))?(?:, )?(?:seconds=(\d+))?0?\)")

# How alike two words must be, from 0 to 1, to suggest one for the other; difflib's own default.
LIKENESS = 0.6

AnyModel = TypeVar("AnyModel", bound=BaseModel)


def validate(
    source: SourceFile,
    model: type[AnyModel],
    value: Any,
    base: KeyPath = (),
    prefix: str = "",
    supplied: Sequence[Any] = (),
) -> AnyModel | None:
    """Validate part of a file against a model; report every mistake on the file, return None then.

    `base` is where the value stands in the file, `prefix` begins every message, and `supplied`
    names the fields that may be missing, because their values come from elsewhere.
    """
    try:
        # As JSON, because strict JSON has lists and words where Python has tuples and enums.
        return model.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
    supplied_keys = ((name,) for name in supplied if isinstance(name, str))
    accounted_for: set[KeyPath] = {*supplied_keys, *_intended(model, details)}
    for detail in details:
        if detail["type"] != "missing" or detail["loc"] not in accounted_for:
            _report(source, model, detail, base, prefix)
    return None


def _intended(model: type[BaseModel], details: Sequence[ErrorDetails]) -> Iterator[KeyPath]:
    """The keys that misspelled keys were meant to be, so that they are not reported as missing."""
    for detail in details:
        if detail["type"] == "extra_forbidden":
            *parent, name = detail["loc"]
            key = closest_match(str(name), _known_keys(model, detail["loc"]))
            if key is not None:
                yield (*parent, key)


def _report(
    source: SourceFile, model: type[BaseModel], detail: ErrorDetails, base: KeyPath, prefix: str
) -> None:
    """Report one error of pydantic's at the key or the value that it is about."""
    path, kind = (*base, *detail["loc"]), "param" if base else "key"
    name, position = str(path[-1]) if path else "", source.position(path)
    match detail["type"]:
        case "extra_forbidden":
            ending = suggestion(name, _known_keys(model, detail["loc"]))
            source.report(source.key_position(path), f'{prefix}unknown {kind} "{name}"{ending}')
        case "missing":
            source.report(position, f'{prefix}missing {kind} "{name}"')
        case "enum" if name == "[key]":  # pydantic's name for a key of a dict, beside its value
            key = str(detail["input"])
            message = f'unknown key "{key}"{suggestion(key, _allowed_values(detail))}'
            source.report(source.key_position(path[:-1]), message)
        case _ if not source.has_error_at(position):
            subject = _subject(source.closest_existing(path))
            source.report(position, f"{prefix}{subject} {explain_error(detail)}")


def _subject(path: KeyPath) -> str:
    """What people call the value at a path."""
    match path:
        case ():
            return "a playbook"
        case (*_, str(key), int(index)):
            return f'item {index + 1} of "{key}"'
    return f'"{path[-1]}"'


def explain_with_field(detail: ErrorDetails, root: str) -> str:
    """One error of pydantic's with its field, such as `tail: expects a number, found "x"`.

    `root` names the whole value, for an error that belongs to no field.
    """
    path = ".".join(str(part) for part in detail["loc"] if part != "[key]")
    return f"{path or root}: {explain_error(detail)}"


def explain_error(detail: ErrorDetails) -> str:
    """One error of pydantic's without its field, such as `expects a number, found "x"`."""
    match detail["type"]:
        case "missing":
            return "missing"
        case "extra_forbidden":
            return "unknown key"
    demand = expectation(detail)
    if detail["type"] == "value_error" and not demand.startswith("expects "):
        return demand
    correction = _correction(detail)
    ending = f'; did you mean "{correction}"?' if correction else ""
    return f"{demand}, found {quoted(detail['input'])}{ending}"


def expectation(detail: ErrorDetails) -> str:
    """What a value must be, such as `expects a number`.

    A validator of ours says it in its ValueError: a text that begins with "expects" is followed by
    the value in `explain_error`, any other text stands alone.
    """
    context = detail.get("ctx", {})
    if detail["type"] == "value_error":
        return str(context["error"])
    context = {name: _bound(value) for name, value in context.items()}
    if detail["type"] in EXPECTED:
        return f"expects {EXPECTED[detail['type']].format_map(context)}"
    return f"is invalid: {detail['msg']}"


def _bound(value: Any) -> Any:
    """A bound as people write it: pydantic gives that of a duration as Python code."""
    found = TIMEDELTA.fullmatch(str(value))
    if found is None:
        return value
    days, seconds = (int(part or 0) for part in found.groups())
    return durations.describe(timedelta(days=days, seconds=seconds))


def _correction(detail: ErrorDetails) -> str | None:
    """The allowed text that was probably meant; None when there is none, or no text was given."""
    text = detail["input"]
    if not isinstance(text, str) or detail["type"] == "value_error":
        return None
    pattern = detail.get("ctx", {}).get("pattern")
    return _matching_slug(text, pattern) or closest_match(text, _allowed_values(detail))


def _matching_slug(text: str, pattern: str | None) -> str | None:
    """The text in lower-case letters, digits and hyphens, if that fits the pattern."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    try:
        return slug if pattern and re.search(pattern, slug) else None
    except re.error:  # pydantic's patterns are Rust's, and Python cannot read all of them
        return None


def _allowed_values(detail: ErrorDetails) -> list[str]:
    """The values of an enum or literal, which pydantic gives only as `'a', 'b' or 'c'`."""
    return re.findall(r"'([^']*)'", detail.get("ctx", {}).get("expected", ""))


def _known_keys(model: type[BaseModel], loc: KeyPath) -> Iterable[str]:
    """The keys that are allowed beside the one at `loc`; none below the params of an action."""
    if len(loc) == 1:
        return settable_fields(model)
    parent = next((MODELS[key] for key in reversed(loc[:-1]) if key in MODELS), None)
    return parent.model_fields if parent and model is Playbook else ()


def closest_match(word: str, known: Iterable[str]) -> str | None:
    """The known word most like this one; None when none is alike, or two are equally so."""
    matcher = difflib.SequenceMatcher(b=word.lower())
    by_likeness: dict[float, list[str]] = {}
    for name in known:
        matcher.set_seq1(name)
        by_likeness.setdefault(matcher.ratio(), []).append(name)
    best = max(by_likeness, default=0.0)
    return by_likeness[best][0] if best >= LIKENESS and len(by_likeness[best]) == 1 else None


def suggestion(word: str, known: Iterable[str]) -> str:
    """What follows an unknown word in a message: the most similar known word, else all of them."""
    closest = closest_match(word, known)
    if closest:
        return f'; did you mean "{closest}"?'
    return f"; expects one of: {', '.join(known)}" if known else ""


def quoted(value: Any) -> str:
    """A value as messages quote it, shortened to QUOTED_LENGTH characters."""
    match value:
        case None:
            return "nothing"
        case dict():
            return "keys and values"
        case list():
            return "a list"
        case timedelta():
            value = durations.describe(value)
    return truncate(json.dumps(value, ensure_ascii=False, default=str), QUOTED_LENGTH)


def settable_fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields that a file may set: all except those that the bot fills in when it reads it."""
    return {
        name: field
        for name, field in model.model_fields.items()
        if not any(isinstance(mark, SkipJsonSchema) for mark in field.metadata)  # type: ignore[misc]
    }
