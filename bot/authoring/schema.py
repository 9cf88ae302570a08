"""The JSON Schema of playbook files, for editors and other validators."""

import inspect
from collections.abc import Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from bot import durations
from bot.actions.base import Action
from bot.model import Model, Playbook, Severity
from bot.playbooks import loader, validation

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DURATION = {
    "type": "string",
    "pattern": rf"^\s*{durations.PATTERN}\s*$",
    "examples": ["15 min", "2 hours", "24 h", "1 day"],
}
Schema = dict[str, Any]


def schema(actions: Sequence[type[Action]]) -> Schema:
    """The schema, of draft 2020-12; the action of a step decides which params it takes."""
    models: list[type[Model]] = [Playbook, *actions]
    _, generated = models_json_schema([(model, "validation") for model in models])
    defs: dict[str, Schema] = _simplify(generated["$defs"])
    playbook = defs.pop("Playbook")
    playbook["properties"]["severities"]["required"] = [severity.value for severity in Severity]
    follow_ups = playbook["properties"]["post_incident"]
    follow_ups["items"] = {"anyOf": [_title_only(defs["FollowUp"]), follow_ups["items"]]}
    defs["Scenario"]["properties"]["steps"]["maxItems"] = loader.MAX_STEPS
    defs["Step"]["properties"]["action"]["oneOf"] = [_action_name(action) for action in actions]
    defs["Step"]["allOf"] = [_step_with_action(action, defs[action.__name__]) for action in actions]
    return {"$schema": DIALECT, **playbook, "title": "Runbolt playbook", "$defs": defs}


def _simplify(schema: Any) -> Any:
    """Leave out the titles that pydantic generates, and describe durations as people write them."""
    match schema:
        case {"format": "duration"}:
            return {**{key: schema[key] for key in schema.keys() & {"description"}}, **DURATION}
        case {"anyOf": [{"format": "duration"}, {"type": "null"}]}:
            return dict(DURATION)
        case dict():
            return {
                key: _simplify(value)
                for key, value in schema.items()
                if not _is_generated_title(key, value)
            }
        case list():
            return [_simplify(item) for item in schema]
    return schema


def _is_generated_title(key: str, value: Any) -> bool:
    """Whether an entry is a title of pydantic's; a field called `title` has a schema instead."""
    return key == "title" and isinstance(value, str)


def _title_only(follow_up: Schema) -> Schema:
    """The schema of a follow-up that is written as its title alone."""
    return dict(follow_up["properties"]["title"])


def _action_name(action: type[Action]) -> Schema:
    description = inspect.cleandoc(action.__doc__ or "")
    return {"const": action.name, "description": f"({action.risk}) {description}"}


def _step_with_action(action: type[Action], params: Schema) -> Schema:
    """The condition for steps with this action; required params are in `params` or in `ask`."""
    required = params.pop("required", [])
    then: Schema = {
        "properties": {
            "params": {"$ref": f"#/$defs/{action.__name__}"},
            "ask": {"items": {"enum": list(validation.settable_fields(action))}},
        }
    }
    if required:
        then["allOf"] = [_set_or_asked(name) for name in required]
    return {
        "if": {"properties": {"action": {"const": action.name}}, "required": ["action"]},
        "then": then,
    }


def _set_or_asked(name: str) -> Schema:
    set_in_file = {"properties": {"params": {"required": [name]}}, "required": ["params"]}
    asked = {"properties": {"ask": {"contains": {"const": name}}}, "required": ["ask"]}
    return {"anyOf": [set_in_file, asked]}
