"""Block Kit validation, field by field, for messages, modals and Homes."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from sandbox.slack import charts, elements, richtext, tables
from sandbox.slack.elements import plain, text
from sandbox.slack.errors import Obj, refuse_arguments
from sandbox.slack.shapes import (
    Check,
    Location,
    all_of,
    flag,
    items,
    one_of,
    rule,
    shape,
    string,
    typed,
)

MESSAGE, MODAL, HOME = "message", "modal", "home"
MAX_BLOCKS = {MESSAGE: 50, MODAL: 100, HOME: 100}
MAX_CHARTS = 2
MAX_MARKDOWN = 12_000

_image = typed({"image": elements.image}, "image")
_rich_text = typed({"rich_text": richtext.block}, "rich text")
_task = shape(
    {"task_id": string(255), "title": string(500)},
    {
        "block_id": elements.name,
        "type": one_of("task_card"),
        "details": _rich_text,
        "output": _rich_text,
        "sources": items(
            shape({"url": string(3000, pattern=elements.URL), "text": string(500)}), 20
        ),
        "status": one_of("pending", "in_progress", "complete", "error"),
    },
)
_card = all_of(
    shape(
        {},
        {
            "hero_image": _image,
            "icon": _image,
            "title": text(150),
            "subtitle": text(150),
            "body": text(200),
            "actions": items(typed({"button": elements.button}, "element"), 3),
            "block_id": elements.name,
        },
    ),
    rule(
        lambda card: any(part in card for part in ("hero_image", "title", "actions", "body")),
        "at least one of hero_image, title, actions or body is required",
    ),
)
_feedback = shape({"text": plain(75), "value": string(2000)}, {"accessibility_label": string(75)})
_context_actions = {
    "feedback_buttons": shape(
        {"positive_button": _feedback, "negative_button": _feedback}, {"action_id": elements.name}
    ),
    "icon_button": shape(
        {"icon": one_of("trash"), "text": plain(75)},
        {
            "action_id": elements.name,
            "value": string(2000),
            "confirm": elements.confirm,
            "accessibility_label": string(75),
            "visible_to_user_ids": items(string(30), 100),
        },
    ),
}


def _block(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    return shape(required, {"block_id": elements.name, **(optional or {})})


_section = all_of(
    _block(
        {},
        {
            "text": text(3000),
            "fields": items(text(2000), 10),
            "accessory": typed(elements.ACCESSORIES, "accessory"),
            "expand": flag,
        },
    ),
    rule(lambda block: "text" in block or "fields" in block, "text or fields is required"),
)

SIMPLE: dict[str, Check] = {
    "section": _section,
    "header": _block({"text": plain(150)}),
    "divider": _block({}),
    "image": all_of(
        _block(
            {"alt_text": string(2000)},
            {
                "image_url": string(3000, pattern=elements.URL),
                "slack_file": shape({}, {"id": string(255), "url": string(3000)}),
                "title": plain(2000),
            },
        ),
        rule(
            lambda block: ("image_url" in block) != ("slack_file" in block),
            "either image_url or slack_file must be given",
        ),
    ),
    "actions": _block({"elements": items(typed(elements.ACTIONS, "element"), 25)}),
    "context": _block({"elements": items(typed(elements.CONTEXT, "element"), 10)}),
    "rich_text": richtext.block,
}
INPUT: dict[str, Check] = {
    "input": _block(
        {"label": plain(2000), "element": typed(elements.INPUTS, "element")},
        {"hint": plain(2000), "optional": flag, "dispatch_action": flag},
    ),
}
DISPLAY: dict[str, Check] = {
    "markdown": _block({"text": string(MAX_MARKDOWN)}),
    "table": tables.table,
    "data_table": tables.data_table,
    "data_visualization": charts.chart,
    "context_actions": _block({"elements": items(typed(_context_actions, "element"), 5)}),
    "plan": _block({"title": string(500)}, {"tasks": items(_task, 50, least=0)}),
    "task_card": _task,
    "card": _card,
    "carousel": _block({"elements": items(typed({"card": _card}, "card"), 10)}),
}
_container = all_of(
    _block(
        {"child_blocks": items(typed({**SIMPLE, **INPUT, **DISPLAY}, "block"), 10)},
        {
            "title": plain(150),
            "rich_text_title": _rich_text,
            "subtitle": text(150),
            "width": one_of("narrow", "standard", "wide", "full"),
            "icon": _image,
            "is_collapsible": flag,
            "default_collapsed": flag,
            "has_header_divider": flag,
        },
    ),
    rule(lambda block: "title" in block or "rich_text_title" in block, "a title is required"),
    rule(
        lambda block: not block.get("default_collapsed") or block.get("is_collapsible"),
        "default_collapsed requires is_collapsible",
    ),
)
_alert = _block(
    {"text": text(3000)},
    {"level": one_of("default", "info", "warning", "error", "success")},
)

BLOCKS: dict[str, dict[str, Check]] = {
    MESSAGE: {**SIMPLE, **INPUT, **DISPLAY, "container": _container},
    MODAL: {**SIMPLE, **INPUT, "alert": _alert},
    HOME: {**SIMPLE, **INPUT},
}


def problems(blocks: Any, surface: str) -> list[str]:
    """Every error in a list of blocks; empty when Slack would accept it."""
    messages: list[str] = []
    where = Location(messages, surface, "/blocks")
    items(typed(BLOCKS[surface], "block"), MAX_BLOCKS[surface], least=0)(blocks, where)
    if not messages:
        _check_combination(blocks, where)
    return messages


def prepare(blocks: Any, surface: str, name: Callable[[], str], code: str) -> list[Obj]:
    """A validated copy in which every block and element has an id; raises SlackError."""
    if messages := problems(blocks, surface):
        raise refuse_arguments(code, messages)
    copied: list[Obj] = json.loads(json.dumps(blocks))
    for block in iter_blocks(copied):
        block.setdefault("block_id", name())
        for element in interactive_elements(block):
            element.setdefault("action_id", name())
    return copied


def iter_blocks(blocks: list[Obj]) -> Iterator[Obj]:
    """Blocks, and the blocks inside of them."""
    for block in blocks:
        yield block
        yield from iter_blocks(block.get("child_blocks", []))
        if block["type"] == "carousel":
            yield from block["elements"]


def interactive_elements(block: Obj) -> Iterator[Obj]:
    """The interactive elements of a block."""
    candidates = [block.get("accessory"), block.get("element"), *block.get("actions", [])]
    if block["type"] in ("actions", "context_actions"):
        candidates += block["elements"]
    for element in candidates:
        if element and element["type"] not in ("image", "plain_text", "mrkdwn"):
            yield element


def _check_combination(blocks: list[Obj], where: Location) -> None:
    all_blocks = list(iter_blocks(blocks))
    kinds = Counter(block.get("type", "card") for block in all_blocks)
    _check_ids(all_blocks, where)
    if kinds["data_visualization"] > MAX_CHARTS:
        where.fail(f"no more than {MAX_CHARTS} data_visualization blocks allowed")
    if kinds["table"] > 1:
        where.fail("only_one_table_allowed")
    if kinds["plan"] and kinds["task_card"]:
        where.fail("plan and task_card cannot be used together")
    if (
        sum(len(block["text"]) for block in all_blocks if block.get("type") == "markdown")
        > MAX_MARKDOWN
    ):
        where.fail(f"markdown blocks must be no more than {MAX_MARKDOWN} characters together")


def _check_ids(all_blocks: list[Obj], where: Location) -> None:
    for block_id in _duplicates(block["block_id"] for block in all_blocks if "block_id" in block):
        where.fail(f"block_id already exists: {block_id}")
    focused = 0
    for block in all_blocks:
        elements_used = list(interactive_elements(block))
        for action_id in _duplicates(
            element["action_id"] for element in elements_used if "action_id" in element
        ):
            where.fail(f"action_id already exists: {action_id}")
        focused += sum(bool(element.get("focus_on_load")) for element in elements_used)
    if focused > 1:
        where.fail("only one element can have focus_on_load")


def _duplicates(names: Iterator[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]
