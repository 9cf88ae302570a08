"""The JSON Schema of playbook files, for editors and other validators."""

import inspect
from collections.abc import Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from bot import durations
from bot.actions.base import Action
from bot.model import Model, Playbook, Severity
from bot.playbooks import loader, rendering, serving, validation

DIALECT = "https://json-schema.org/draft/2020-12/schema"
DURATION = {
    "type": "string",
    "pattern": rf"^\s*{durations.PATTERN}\s*$",
    "examples": ["15 min", "2 hours", "24 h", "1 day"],
}
Schema = dict[str, Any]

# A text with a value of the service, which may stand for what is no free text.
EXPRESSION = {
    "type": "string",
    "pattern": r"\{\{.*\bservice\b.*\}\}",
    "description": "With a value of the service, such as {{ service.deployment }}.",
}
WITH_VALUES = {"$ref": "#/$defs/Expression"}
ANNOTATIONS = ("description", "default")
STRUCTURE = rendering.STRUCTURE | {"file", "step"}
SERVICES = {
    "description": "The services, instead of one: a list of them, or all that are configured.",
    "oneOf": [
        {"const": serving.ALL},
        {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True},
    ],
}


def schema(actions: Sequence[type[Action]]) -> Schema:
    """The schema, of draft 2020-12; the action of a step decides which params it takes."""
    models: list[type[Model]] = [Playbook, *actions]
    _, generated = models_json_schema([(model, "validation") for model in models])
    simple: dict[str, Schema] = _simplify(generated["$defs"])
    defs = {name: _allow_values(part) for name, part in simple.items()}
    playbook = _serve_several(defs.pop("Playbook"))
    playbook["properties"]["severities"]["required"] = [severity.value for severity in Severity]
    follow_ups = playbook["properties"]["post_incident"]
    follow_ups["items"] = {"anyOf": [_title_only(defs["FollowUp"]), follow_ups["items"]]}
    defs["Scenario"]["properties"]["steps"]["maxItems"] = loader.MAX_STEPS
    defs["Step"]["properties"]["action"]["oneOf"] = [_action_name(action) for action in actions]
    defs["Step"]["allOf"] = [_step_with_action(action, defs[action.__name__]) for action in actions]
    defs["Expression"] = EXPRESSION
    return {"$schema": DIALECT, **playbook, "title": "Runbolt playbook", "$defs": defs}


def _serve_several(playbook: Schema) -> Schema:
    """The schema of a playbook that names one service, or several instead."""
    required = [name for name in playbook["required"] if name not in ("service", "title")]
    properties = {
        "service": playbook["properties"]["service"],
        "services": SERVICES,
        **playbook["properties"],
    }
    one = {"required": ["service", "title"], "properties": {"services": False}}
    several = {"required": ["services"], "properties": {"service": False}}
    return playbook | {
        "required": required,
        "properties": properties,
        "oneOf": [one, several],
    }


def _allow_values(model: Schema) -> Schema:
    """Allow an expression for each property of a model that is no free text."""
    properties = {
        name: value if name in STRUCTURE else _allow_expression(value)
        for name, value in model.get("properties", {}).items()
    }
    return model | {"properties": properties} if properties else model


def _allow_expression(value: Schema) -> Schema:
    match value:
        case {"anyOf": [*kinds]}:
            return value | {"anyOf": [*map(_allow_in_items, kinds), WITH_VALUES]}
        case {"type": "integer" | "number" | "boolean"} | {"type": "string", "pattern": _}:
            kind = {key: item for key, item in value.items() if key not in ANNOTATIONS}
            about = {key: item for key, item in value.items() if key in ANNOTATIONS}
            return {"anyOf": [kind, WITH_VALUES], **about}
    return _allow_in_items(value)


def _allow_in_items(value: Schema) -> Schema:
    """The same for the items of a list, and for the values of a mapping."""
    for key in ("items", "additionalProperties"):
        if isinstance(value.get(key), dict):
            value = value | {key: _allow_expression(value[key])}
    return value


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
