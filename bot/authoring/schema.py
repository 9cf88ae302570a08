"""The playbook file as a JSON Schema, for editors and for checks elsewhere."""

import inspect
from collections.abc import Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from bot import durations, parsing, playbooks
from bot.actions import Action
from bot.model import Noun, Playbook, Severity

DRAFT = "https://json-schema.org/draft/2020-12/schema"
DURATION = {
    "type": "string",
    "pattern": rf"^\s*{durations.WORDS}\s*$",
    "examples": ["15 min", "2 hours", "24 h", "1 day"],
}
Schema = dict[str, Any]


def schema(actions: Sequence[type[Action]]) -> Schema:
    """Of draft 2020-12; the params of each step are those of its action."""
    nouns: list[type[Noun]] = [Playbook, *actions]
    _, whole = models_json_schema([(noun, "validation") for noun in nouns])
    defs: dict[str, Schema] = _tidy(whole["$defs"])
    playbook = defs.pop("Playbook")
    playbook["properties"]["severities"]["required"] = [one.value for one in Severity]
    due = playbook["properties"]["post_incident"]
    due["items"] = {"anyOf": [_line(defs["FollowUp"]), due["items"]]}
    defs["Scenario"]["properties"]["steps"]["maxItems"] = playbooks.MAX_STEPS
    defs["Step"]["properties"]["action"]["oneOf"] = [_named(action) for action in actions]
    defs["Step"]["allOf"] = [_step_of(action, defs[action.__name__]) for action in actions]
    return {"$schema": DRAFT, **playbook, "title": "Runbolt playbook", "$defs": defs}


def _tidy(found: Any) -> Any:
    """Without the titles that pydantic makes up; times are words, as people write them."""
    match found:
        case {"format": "duration"}:
            return {**{key: found[key] for key in found.keys() & {"description"}}, **DURATION}
        case {"anyOf": [{"format": "duration"}, {"type": "null"}]}:
            return dict(DURATION)
        case dict():
            kept = {key: value for key, value in found.items() if not _made_up(key, value)}
            return {key: _tidy(value) for key, value in kept.items()}
        case list():
            return [_tidy(one) for one in found]
    return found


def _made_up(key: str, value: Any) -> bool:
    return key == "title" and isinstance(value, str)


def _line(follow_up: Schema) -> Schema:
    """A follow-up without a time is its title alone."""
    return dict(follow_up["properties"]["title"])


def _named(action: type[Action]) -> Schema:
    words = inspect.cleandoc(action.__doc__ or "")
    return {"const": action.name, "description": f"({action.risk}) {words}"}


def _step_of(action: type[Action], params: Schema) -> Schema:
    """What a step with this action may hold; what is needed is given, or asked of people."""
    needed = params.pop("required", [])
    then: Schema = {
        "properties": {
            "params": {"$ref": f"#/$defs/{action.__name__}"},
            "ask": {"items": {"enum": list(parsing.fields(action))}},
        }
    }
    if needed:
        then["allOf"] = [_given_or_asked(name) for name in needed]
    return {
        "if": {"properties": {"action": {"const": action.name}}, "required": ["action"]},
        "then": then,
    }


def _given_or_asked(name: str) -> Schema:
    given = {"properties": {"params": {"required": [name]}}, "required": ["params"]}
    asked = {"properties": {"ask": {"contains": {"const": name}}}, "required": ["ask"]}
    return {"anyOf": [given, asked]}
