"""Chosen values, in the form that Slack sends to the app."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.slack.blocks import interactive_elements, iter_blocks
from sandbox.slack.elements import all_options
from sandbox.slack.errors import Obj, Refusal

Values = Mapping[str, Mapping[str, Any]]

# The key under which each kind of element keeps what was chosen.
KEYS = {
    "static_select": "selected_option",
    "external_select": "selected_option",
    "radio_buttons": "selected_option",
    "overflow": "selected_option",
    "multi_static_select": "selected_options",
    "checkboxes": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
    "plain_text_input": "value",
    "number_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
}
MANY = ("multi_", "checkboxes")
TYPED = ("plain_text_input", "number_input", "email_text_input", "url_text_input")
REQUIRED = "Please complete this required field."

Resolve = Callable[[str, str], str]


def is_filled(element: Obj) -> bool:
    """Whether the element has a value in the state of its view or message."""
    return element["type"] in KEYS and element["type"] != "overflow"


def _initial(element: Obj) -> Any:
    for key, value in element.items():
        if key.startswith("initial_"):
            return value
    return [] if element["type"].startswith(MANY) else None


def initial_state(blocks: list[Obj]) -> dict[str, Obj]:
    """The state with the initial values."""
    state: dict[str, Obj] = {}
    for block in iter_blocks(blocks):
        for element in filter(is_filled, interactive_elements(block)):
            filled = {"type": element["type"], KEYS[element["type"]]: _initial(element)}
            state.setdefault(block["block_id"], {})[element["action_id"]] = filled
    return state


def fill_in(
    blocks: list[Obj], before: dict[str, Obj], values: Values, resolve: Resolve
) -> dict[str, Obj]:
    """The state after a user entered values; raises Refusal for unknown elements."""
    state = {block_id: dict(actions) for block_id, actions in before.items()}
    for block_id, actions in values.items():
        for action_id, value in actions.items():
            element = find_element(blocks, action_id, block_id)
            if is_filled(element):
                state.setdefault(block_id, {})[action_id] = chosen_state(element, value, resolve)
    return state


def carry_over(blocks: list[Obj], before: dict[str, Obj]) -> dict[str, Obj]:
    """The state of an updated view: elements with the same ids and type keep their values."""
    state = initial_state(blocks)
    for block_id, actions in state.items():
        for action_id, filled in actions.items():
            old = before.get(block_id, {}).get(action_id)
            if old and old["type"] == filled["type"]:
                actions[action_id] = old
    return state


def find_element(blocks: list[Obj], action_id: str, block_id: str | None = None) -> Obj:
    """The element with this action_id; raises Refusal when there is none."""
    elements = [
        element
        for block in iter_blocks(blocks)
        if block_id in (None, block["block_id"])
        for element in interactive_elements(block)
        if element["action_id"] == action_id
    ]
    if not elements:
        place = f" in the block {block_id}" if block_id else ""
        raise Refusal(f"There is nothing with the action_id {action_id}{place}.")
    return elements[0]


def chosen_state(element: Obj, value: Any, resolve: Resolve) -> Obj:
    """One element's state with a value; raises Refusal when the element does not offer it."""
    kind = element["type"]
    key = KEYS[kind]
    if value is None or value == "":
        return {"type": kind, key: [] if kind.startswith(MANY) else None}
    if key in ("selected_option", "selected_options"):
        return {"type": kind, key: _options(element, value)}
    if kind.startswith("multi_"):
        return {"type": kind, key: [resolve(kind, name) for name in _choice_list(element, value)]}
    if kind.endswith("_select"):
        return {"type": kind, key: resolve(kind, str(value))}
    if kind == "datetimepicker":
        return {"type": kind, key: int(value)}
    return {"type": kind, key: str(value)}


def _choice_list(element: Obj, value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise Refusal(f"{element['action_id']} takes a list.")
    most = element.get("max_selected_items", 100)
    if len(value) > most:
        raise Refusal(f"{element['action_id']} takes no more than {most}.")
    return [str(choice) for choice in value]


def _options(element: Obj, value: Any) -> Any:
    offered = {option["value"]: option for option in all_options(element)}
    many = element["type"].startswith(MANY)
    wanted = _choice_list(element, value) if many else [str(value)]
    for choice in wanted:
        if choice not in offered:
            choices = ", ".join(offered)
            raise Refusal(f"{element['action_id']} does not offer {choice}, only: {choices}.")
    picked = [offered[choice] for choice in wanted]
    return picked if many else picked[0]


def problems(blocks: list[Obj], state: dict[str, Obj]) -> dict[str, str]:
    """The errors that Slack's client shows before it submits: block_id to sentence."""
    sentences = {}
    for block in iter_blocks(blocks):
        if block["type"] == "input":
            filled = state[block["block_id"]][block["element"]["action_id"]]
            if problem := _problem(block, filled[KEYS[filled["type"]]]):
                sentences[block["block_id"]] = problem
    return sentences


def _problem(block: Obj, value: Any) -> str | None:
    if value in (None, "", []) or (isinstance(value, str) and not value.strip()):
        return None if block.get("optional") else REQUIRED
    element = block["element"]
    check = CHECKS.get(element["type"])
    return check(element, value) if check else None


def _text(element: Obj, value: str) -> str | None:
    least, most = element.get("min_length", 0), element.get("max_length", 3000)
    if len(value) < least:
        return f"Must be at least {least} characters."
    return f"Must be no more than {most} characters." if len(value) > most else None


def _number(element: Obj, value: str) -> str | None:
    if not re.fullmatch(r"-?\d+(\.\d+)?", value):
        return "Must be a number."
    if not element["is_decimal_allowed"] and "." in value:
        return "Must be a whole number."
    if float(value) < float(element.get("min_value", "-inf")):
        return f"Must be at least {element['min_value']}."
    if float(value) > float(element.get("max_value", "inf")):
        return f"Must be at most {element['max_value']}."
    return None


def _matches(pattern: str, sentence: str) -> Callable[[Obj, str], str | None]:
    return lambda element, value: None if re.fullmatch(pattern, value) else sentence


CHECKS: dict[str, Callable[[Obj, str], str | None]] = {
    "plain_text_input": _text,
    "number_input": _number,
    "email_text_input": _matches(r"\S+@\S+\.\S+", "Must be a valid email address."),
    "url_text_input": _matches(r"https?://\S+", "Must be a valid URL."),
    "datepicker": _matches(r"\d{4}-\d{2}-\d{2}", "Must be a valid date."),
    "timepicker": _matches(r"\d{2}:\d{2}", "Must be a valid time."),
}
