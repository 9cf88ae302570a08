"""Block elements and composition objects of Block Kit."""

import re
from collections.abc import Mapping
from typing import Any

from sandbox.slack.shapes import (
    Check,
    all_of,
    flag,
    integer,
    items,
    one_of,
    rule,
    shape,
    string,
    typed,
)

URL = r"(https?|mailto):\S+"
DATE = r"\d{4}-\d{2}-\d{2}"
TIME = r"\d{2}:\d{2}"
DECIMAL = r"-?\d+(\.\d+)?"

name = string(255)


def _text(kind: str, most: int) -> Check:
    more: dict[str, Check] = {"emoji": flag} if kind == "plain_text" else {"verbatim": flag}
    return shape({"text": string(most)}, more)


def plain(most: int) -> Check:
    """A plain_text object."""
    return typed({"plain_text": _text("plain_text", most)}, "text")


def text(most: int) -> Check:
    """A text object, plain or mrkdwn."""
    return typed({kind: _text(kind, most) for kind in ("plain_text", "mrkdwn")}, "text")


confirm = shape(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": one_of("primary", "danger")},
)


def _option(words: Check, *, url: bool = False) -> Check:
    more: dict[str, Check] = {"description": text(75)}
    if url:
        more["url"] = string(3000, pattern=URL)
    return shape({"text": words, "value": string(150)}, more)


option = _option(plain(75))
rich_option = _option(text(75))
overflow_option = _option(plain(75), url=True)
option_group = shape({"label": plain(75), "options": items(option, 100)})
dispatch_config = shape(
    {}, {"trigger_actions_on": items(one_of("on_enter_pressed", "on_character_entered"), 2)}
)


def all_options(element: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every option of an element, grouped or not."""
    grouped = [entry for group in element.get("option_groups", []) for entry in group["options"]]
    return [*element.get("options", []), *grouped]


def _initials_are_options(element: Any) -> bool:
    initial = element.get("initial_options") or []
    if "initial_option" in element:
        initial = [element["initial_option"]]
    return all(entry in all_options(element) for entry in initial)


def _values_differ(element: Any) -> bool:
    values = [entry["value"] for entry in all_options(element)]
    return len(values) == len(set(values))


initials = rule(_initials_are_options, "the initial option must be exactly one of the options")
distinct = rule(_values_differ, "two options have the same value")
either = rule(
    lambda element: ("options" in element) != ("option_groups" in element),
    "either options or option_groups must be given",
)

COMMON: dict[str, Check] = {"action_id": name, "confirm": confirm}
FIELD: dict[str, Check] = {"action_id": name, "focus_on_load": flag}
PICK: dict[str, Check] = {**COMMON, "focus_on_load": flag, "placeholder": plain(150)}
MANY: dict[str, Check] = {**PICK, "max_selected_items": integer(1, 100)}
LISTS: dict[str, Check] = {
    "options": items(option, 100),
    "option_groups": items(option_group, 100),
}
conversation_filter = shape(
    {},
    {
        "include": items(one_of("im", "mpim", "private", "public"), 4),
        "exclude_external_shared_channels": flag,
        "exclude_bot_users": flag,
    },
)
CONVERSATION: dict[str, Check] = {
    "default_to_current_conversation": flag,
    "filter": conversation_filter,
}

button = shape(
    {"text": plain(75)},
    {
        **COMMON,
        "url": string(3000, pattern=URL),
        "value": string(2000),
        "style": one_of("primary", "danger"),
        "accessibility_label": string(75),
    },
)
image = all_of(
    shape(
        {"alt_text": string(2000)},
        {
            "image_url": string(3000, pattern=URL),
            "slack_file": shape({}, {"id": name, "url": string(3000)}),
        },
    ),
    rule(
        lambda value: ("image_url" in value) != ("slack_file" in value),
        "either image_url or slack_file must be given",
    ),
)


def _choice_boxes(many: bool) -> Check:
    initial: dict[str, Check] = (
        {"initial_options": items(rich_option, 10)} if many else {"initial_option": rich_option}
    )
    fields = {**COMMON, "focus_on_load": flag, **initial}
    return all_of(shape({"options": items(rich_option, 10)}, fields), distinct, initials)


def _typed_text(most: int) -> Check:
    lengths = {"min_length": integer(0, 3000), "max_length": integer(1, 3000)}
    return all_of(
        shape(
            {},
            {
                **FIELD,
                **lengths,
                "placeholder": plain(150),
                "initial_value": string(most, least=0),
                "multiline": flag,
                "dispatch_action_config": dispatch_config,
            },
        ),
        rule(_lengths_fit, "initial_value, min_length and max_length do not fit together"),
    )


def _lengths_fit(element: Any) -> bool:
    least, most = element.get("min_length", 0), element.get("max_length", 3000)
    initial = element.get("initial_value")
    return least <= most and (not initial or len(initial) <= most)


def _one_line(pattern: str) -> Check:
    return shape(
        {},
        {
            **FIELD,
            "placeholder": plain(150),
            "initial_value": string(3000, pattern=pattern),
            "dispatch_action_config": dispatch_config,
        },
    )


number_input = all_of(
    shape(
        {"is_decimal_allowed": flag},
        {
            **FIELD,
            "placeholder": plain(150),
            "initial_value": string(50, pattern=DECIMAL),
            "min_value": string(50, pattern=DECIMAL),
            "max_value": string(50, pattern=DECIMAL),
            "dispatch_action_config": dispatch_config,
        },
    ),
    rule(
        lambda element: (
            float(element.get("min_value", "-inf"))
            <= float(element.get("initial_value", element.get("min_value", "-inf")))
            <= float(element.get("max_value", "inf"))
        ),
        "initial_value is outside of min_value and max_value",
    ),
)

_user_ids = items(string(30, pattern=r"[UW][A-Z0-9]+"), 100)
_channel_ids = items(string(30, pattern=r"[CDG][A-Z0-9]+"), 100)
_any_ids = items(string(30, pattern=r"[CDGUW][A-Z0-9]+"), 100)
_user_id = string(30, pattern=r"[UW][A-Z0-9]+")
_channel_id = string(30, pattern=r"[CDG][A-Z0-9]+")
_any_id = string(30, pattern=r"[CDGUW][A-Z0-9]+")
RESPOND: dict[str, Check] = {"response_url_enabled": flag}

SELECTS: dict[str, Check] = {
    "static_select": all_of(
        shape({}, {**PICK, **LISTS, "initial_option": option}), either, distinct, initials
    ),
    "external_select": shape(
        {}, {**PICK, "min_query_length": integer(0, 1000), "initial_option": option}
    ),
    "multi_static_select": all_of(
        shape({}, {**MANY, **LISTS, "initial_options": items(option, 100)}),
        either,
        distinct,
        initials,
    ),
    "users_select": shape({}, {**PICK, "initial_user": _user_id}),
    "multi_users_select": shape({}, {**MANY, "initial_users": _user_ids}),
    "conversations_select": shape(
        {}, {**PICK, **CONVERSATION, **RESPOND, "initial_conversation": _any_id}
    ),
    "multi_conversations_select": shape(
        {}, {**MANY, **CONVERSATION, "initial_conversations": _any_ids}
    ),
    "channels_select": shape({}, {**PICK, **RESPOND, "initial_channel": _channel_id}),
    "multi_channels_select": shape({}, {**MANY, "initial_channels": _channel_ids}),
}
PICKERS: dict[str, Check] = {
    "datepicker": shape({}, {**PICK, "initial_date": string(10, pattern=DATE)}),
    "timepicker": shape(
        {}, {**PICK, "initial_time": string(5, pattern=TIME), "timezone": string(100)}
    ),
    "datetimepicker": shape(
        {}, {**COMMON, "focus_on_load": flag, "initial_date_time": integer(10**9, 10**10 - 1)}
    ),
    "radio_buttons": _choice_boxes(many=False),
    "checkboxes": _choice_boxes(many=True),
}
FIELDS: dict[str, Check] = {
    "plain_text_input": _typed_text(3000),
    "number_input": number_input,
    "email_text_input": _one_line(r"\S+@\S+"),
    "url_text_input": _one_line(URL),
}
overflow = all_of(
    shape({"options": items(overflow_option, 5)}, COMMON),
    distinct,
)

# What the app answers to what was typed in an external select; none found is an empty list.
suggested = all_of(
    shape(
        {},
        {"options": items(option, 100, least=0), "option_groups": items(option_group, 100)},
    ),
    either,
    distinct,
)

ACTIONS: dict[str, Check] = {"button": button, "overflow": overflow, **SELECTS, **PICKERS}
INPUTS: dict[str, Check] = {**SELECTS, **PICKERS, **FIELDS}
ACCESSORIES: dict[str, Check] = {**ACTIONS, "image": image}
CONTEXT: dict[str, Check] = {
    "image": image,
    "plain_text": _text("plain_text", 3000),
    "mrkdwn": _text("mrkdwn", 3000),
}
NUMBER = re.compile(DECIMAL)
