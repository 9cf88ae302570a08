"""The inputs of a form for an action's parameters, each with its bounds in words."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, get_args

from pydantic.fields import FieldInfo

from bot import durations
from bot.model import Model
from bot.model.choices import Options
from bot.views import blocks
from bot.views.blocks import Block, Element

TEXT_LENGTH = 150  # where the parameter says nothing


def parameter_input(
    action: type[Model], name: str, params: Mapping[str, Any], choices: Options | None
) -> Block:
    """The input of a parameter: a menu where there are options, with its value of before."""
    label = name.replace("_", " ").capitalize()
    optional = not action.model_fields[name].is_required() and name not in params
    element = _element(action, name, params.get(name), choices)
    if choices is not None and choices.options:
        element = _menu(choices, name, params.get(name))
    hint = parameter_hint(action, name, choices)
    return blocks.input_block(name, label, element, hint=hint, optional=optional)


def parameter_hint(action: type[Model], name: str, choices: Options | None) -> str:
    """What stands below the input, and behind a refusal: the value now, and the bounds."""
    if choices is not None and choices.hint:
        return choices.hint
    field = action.model_fields[name]
    return " ".join(filter(None, (field.description, _bounds_text(field))))


def _bounds_text(field: FieldInfo) -> str:
    least, most = _bounds(field)
    if least is None or most is None:
        return ""
    return f"From {_described(least)} to {_described(most)}."


def _bounds(field: FieldInfo) -> tuple[Any, Any]:
    """The least and the most that the action takes; None where it has no such bound."""
    marks = tuple(_marks(field))
    least = next((mark.ge for mark in marks if hasattr(mark, "ge")), None)
    most = next((mark.le for mark in marks if hasattr(mark, "le")), None)
    return least, most


def _marks(field: FieldInfo) -> Iterator[Any]:
    """What limits a field, also one that may be left empty: `Annotated[int, …] | None`."""
    yield from field.metadata
    for argument in get_args(field.annotation):
        for mark in get_args(argument)[1:]:
            yield from mark.metadata if isinstance(mark, FieldInfo) else (mark,)


def _described(value: Any) -> str:
    return durations.describe(value) if isinstance(value, timedelta) else str(value)


def _menu(choices: Options, name: str, value: Any) -> Element:
    """A menu of what exists now, with the earlier value or else the default chosen."""
    options = [blocks.option(choice.text, choice.value) for choice in choices.options[:100]]
    values = {choice.value for choice in choices.options}
    initial = str(value) if str(value) in values else choices.default
    return blocks.select(name, "Choose", options, initial)


def _element(action: type[Model], name: str, value: Any, choices: Options | None) -> Element:
    """The input for a parameter, by its JSON schema, and by the bounds of this moment."""
    schema = action.model_json_schema()["properties"][name]
    if value is not None:
        value = _as_stored(action, name, value)
    types = [each for each in schema.get("anyOf", [schema]) if each.get("type") != "null"]
    if types[0].get("type") == "integer":
        least, most = _bounds(action.model_fields[name])
        if choices is not None and choices.least is not None:
            least, most = choices.least, choices.most
        fits = value is not None and (least or value) <= value <= (most or value)
        initial = value if fits else None  # Slack opens no form with a number out of its bounds
        return blocks.number_input(min_value=least, max_value=most, initial=initial)
    length = types[0].get("maxLength", TEXT_LENGTH)
    return blocks.text_input(initial="" if value is None else str(value), max_length=length)


def _as_stored(action: type[Model], name: str, value: Any) -> Any:
    """A parameter's value as the action stores it: 30 where the playbook says “30 min”."""
    model = action.model_construct()
    action.__pydantic_validator__.validate_assignment(model, name, value)
    return model.model_dump(mode="json", include={name})[name]
