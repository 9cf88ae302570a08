"""The Block Kit elements that we use, each within Slack's limits."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any

from bot.model import Cell, Chart
from bot.model.text import truncate as truncate

Block = dict[str, Any]
Element = dict[str, Any]

# Slack's limits, in characters unless stated otherwise.
MAX_BLOCKS = 50  # blocks of one message
SECTION_LENGTH = 3000
HEADER_LENGTH = 150
CONFIRM_LENGTH = 300
BUTTON_LENGTH = 75
MAX_TABLE_ROWS = 99  # and the header row
MAX_TABLE_COLUMNS = 20  # columns
TABLE_LENGTH = 9_000  # our own; Slack takes 10,000
TABLE_CELL_LENGTH = 200  # our own
TABLE_PAGE_ROWS = 10  # rows
MAX_OPTIONS = 100  # of a menu
MIN_QUERY_LENGTH = 1  # characters before Slack asks the app for options
NUMBER_LENGTH = 100
PREFORMATTED_LENGTH = 2_900
MAX_CHARTS = 2  # of one message
CHART_TITLE_LENGTH = 50
CHART_LABEL_LENGTH = 20
MAX_CHART_CATEGORIES = 20
MAX_CHART_SERIES = 6  # some of Slack's pages say twelve

# What must stay in one piece: an escape, a mention, link or date, a character.
ATOM = re.compile(r"&(?:amp|lt|gt);|<[^<>\n]*>|.", re.DOTALL)


def truncate_mrkdwn(text: str, limit: int) -> str:
    """Shorten mrkdwn to at most `limit` characters; no escape, mention or link is broken."""
    if len(text) <= limit:
        return text
    return text[: _break_points(text, limit - 1)[-1]].rstrip() + "…"


def split_mrkdwn(text: str, limit: int = SECTION_LENGTH) -> list[str]:
    """Split mrkdwn into parts of at most `limit` characters, between lines or else words."""
    parts = []
    while len(text) > limit:
        points = _break_points(text, limit)
        late = [point for point in points if point > limit // 2]
        lines = [point for point in late if text[point - 1] == "\n"]
        words = [point for point in late if text[point - 1].isspace()]
        point = (lines or words or points)[-1]
        parts.append(text[:point].rstrip())
        text = text[point:].lstrip("\n")
    return [*parts, text]


def _break_points(text: str, limit: int) -> list[int]:
    """The offsets up to `limit` at which a text may be broken; never empty."""
    atoms = takewhile(lambda atom: atom.end() <= limit, ATOM.finditer(text))
    return [atom.end() for atom in atoms] or [limit]


def plain_text(text: str, limit: int = BUTTON_LENGTH) -> Element:
    """A plain_text object; emoji codes are shown as emoji."""
    return {"type": "plain_text", "text": truncate(text, limit), "emoji": True}


def mrkdwn(text: str, limit: int = SECTION_LENGTH) -> Element:
    """A mrkdwn text object."""
    return {"type": "mrkdwn", "text": truncate_mrkdwn(text, limit)}


def header(text: str) -> Block:
    """One line in large letters."""
    return {"type": "header", "text": plain_text(text, HEADER_LENGTH)}


def section(text: str, accessory: Element | None = None, *, block_id: str = "") -> Block:
    """A paragraph, with an optional button beside it, which needs the `block_id`."""
    block: Block = {"type": "section", "text": mrkdwn(text)}
    return block if accessory is None else {**block, "accessory": accessory, "block_id": block_id}


def sections(text: str) -> list[Block]:
    """A long text in as many paragraphs as it needs."""
    return [section(part) for part in split_mrkdwn(text)]


def fields(*texts: str) -> Block:
    """Up to ten short texts in two columns."""
    return {"type": "section", "fields": [mrkdwn(text, 2000) for text in texts[:10]]}


def context(*texts: str) -> Block:
    """Small print."""
    return {"type": "context", "elements": [mrkdwn(text) for text in texts[:10]]}


def divider() -> Block:
    """A line."""
    return {"type": "divider"}


def actions(block_id: str, *elements: Element) -> Block:
    """A row of buttons.

    Without an id, Slack would make a new one at each edit, and a click during an edit would then
    belong to a block that no longer exists.
    """
    return {"type": "actions", "block_id": block_id, "elements": list(elements)}


def preformatted(text: str) -> Block:
    """Text in a fixed-width font; Slack finds no markup and no mentions in it."""
    return {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_preformatted",
                "elements": [{"type": "text", "text": truncate(text, PREFORMATTED_LENGTH) or " "}],
            }
        ],
    }


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> Block:
    """A table to sort and filter; what passes Slack's limits is left out."""
    header_row = [_raw(name) for name in columns[:MAX_TABLE_COLUMNS]]
    shown_rows = [header_row]
    remaining = TABLE_LENGTH - sum(map(_text_length, header_row))
    for row in rows[:MAX_TABLE_ROWS]:
        cells = [_cell(cell) for cell in row[:MAX_TABLE_COLUMNS]]
        remaining -= sum(map(_text_length, cells))
        if remaining < 0:
            break
        shown_rows.append(cells)
    return {
        "type": "data_table",
        "caption": truncate(caption, 255),
        "page_size": TABLE_PAGE_ROWS,
        "rows": shown_rows,
    }


def plain_table(block: Block) -> Block:
    """The same `data_table` as a `table`, for a Slack that does not know the newer block."""
    return {"type": "table", "rows": [[_plain_cell(cell) for cell in row] for row in block["rows"]]}


def _cell(cell: Cell | str) -> Element:
    if isinstance(cell, str):
        return _raw(cell)
    text = truncate(cell.text, TABLE_CELL_LENGTH)
    if cell.link is not None:
        return _rich({"type": "link", "url": cell.link, "text": text})
    if cell.at is not None:
        # In UTC, and in the reader's own time zone.
        return _rich({"type": "text", "text": f"{text} · "}, _date(cell.at, text))
    if cell.number is not None and len(text) <= NUMBER_LENGTH:
        return {"type": "raw_number", "value": cell.number, "text": text}
    return _raw(text)


def _raw(text: str) -> Element:
    return {"type": "raw_text", "text": truncate(text, TABLE_CELL_LENGTH) or " "}


def _rich(*elements: Element) -> Element:
    section = {"type": "rich_text_section", "elements": list(elements)}
    return {"type": "rich_text", "elements": [section]}


def _date(at: datetime, fallback: str) -> Element:
    return {
        "type": "date",
        "timestamp": int(at.timestamp()),
        "format": "{date_short_pretty} {time_secs}",
        "fallback": fallback,
    }


def _text_length(cell: Element) -> int:
    """How many characters of a table's text a cell takes; about right for a date."""
    if cell["type"] != "rich_text":
        return len(cell["text"])
    leaves = cell["elements"][0]["elements"]
    return sum(len(leaf.get("text", leaf.get("fallback", ""))) for leaf in leaves)


def _plain_cell(cell: Element) -> Element:
    return _raw(cell["text"]) if cell["type"] == "raw_number" else cell


def chart(chart: Chart) -> Block:
    """Bars or lines; categories and series beyond Slack's limits are left out."""
    categories = _labels(chart.categories[:MAX_CHART_CATEGORIES])
    names = _labels([series.name for series in chart.series[:MAX_CHART_SERIES]])
    named_series = [
        {"name": name, "data": _points(categories, series.values)}
        for name, series in zip(names, chart.series, strict=False)
    ]
    return {
        "type": "data_visualization",
        "title": truncate(chart.title, CHART_TITLE_LENGTH),
        "chart": {
            "type": chart.kind,
            "series": named_series,
            "axis_config": {"categories": categories},
        },
    }


def _points(categories: Sequence[str], values: Sequence[float]) -> list[Element]:
    pairs = zip(categories, values, strict=False)
    return [{"label": label, "value": value} for label, value in pairs]


def _labels(texts: Sequence[str]) -> list[str]:
    """Unique labels within Slack's limit; a number tells those apart that became equal."""
    labels: list[str] = []
    for number, text in enumerate(texts, 1):
        label = truncate(text, CHART_LABEL_LENGTH) or "–"
        if label in labels:
            label = f"{truncate(text, CHART_LABEL_LENGTH - 3)} {number}"
        labels.append(label)
    return labels


def confirm_dialog(title: str, text: str, confirm_label: str, *, style: str = "danger") -> Element:
    """A dialog to confirm a click."""
    return {
        "title": plain_text(title, 100),
        "text": plain_text(text, CONFIRM_LENGTH),
        "confirm": plain_text(confirm_label, 30),
        "deny": plain_text("Cancel", 30),
        "style": style,
    }


def button(
    text: str,
    action_id: str,
    value: object = "",
    *,
    style: str | None = None,
    confirm: Element | None = None,
) -> Element:
    """A button; Slack sends `value` back with the click."""
    element: Element = {"type": "button", "text": plain_text(text), "action_id": action_id}
    if str(value):
        element["value"] = str(value)
    if style is not None:
        element["style"] = style
    if confirm is not None:
        element["confirm"] = confirm
    return element


def link_button(text: str, action_id: str, url: str) -> Element:
    """A button that opens a page; Slack sends its click to the bot as well."""
    return {"type": "button", "text": plain_text(text), "action_id": action_id, "url": url}


def option(text: str, value: str, description: str = "") -> Element:
    """One option of a select menu, checkbox group or overflow menu."""
    shown: Element = {"text": plain_text(text), "value": value}
    return {**shown, "description": plain_text(description)} if description else shown


def select(
    action_id: str, placeholder: str, options: Sequence[Element], initial: str | None = None
) -> Element:
    """A menu in which people choose one option."""
    element: Element = {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": plain_text(placeholder),
        "options": list(options),
    }
    initial_options = [option for option in options if option["value"] == initial]
    return {**element, "initial_option": initial_options[0]} if initial_options else element


def menu(
    action_id: str, placeholder: str, options: Sequence[Element], initial: str = ""
) -> Element:
    """A menu, or where it has too many options a search: Slack then asks the app for some."""
    element = select(action_id, placeholder, options, initial)
    if len(options) <= MAX_OPTIONS:
        return element
    del element["options"]
    return {**element, "type": "external_select", "min_query_length": MIN_QUERY_LENGTH}


def multi_select(placeholder: str, options: Sequence[Element]) -> Element:
    """A menu in which people choose any number of options."""
    return {
        "type": "multi_static_select",
        "placeholder": plain_text(placeholder),
        "options": list(options),
    }


def overflow(action_id: str, options: Sequence[Element]) -> Element:
    """A menu behind three dots, for what is needed less often."""
    return {"type": "overflow", "action_id": action_id, "options": list(options)}


def input_block(
    name: str, label: str, element: Element, *, hint: str = "", optional: bool = False
) -> Block:
    """An input of a form; its block id is the name of the form's field."""
    block: Block = {
        "type": "input",
        "block_id": name,
        "label": plain_text(label, 2000),
        "element": {"action_id": name, **element},
        "optional": optional,
    }
    return {**block, "hint": plain_text(hint, 2000)} if hint else block


def checkboxes(name: str, label: str, action_id: str, options: Sequence[Element]) -> Block:
    """Checkboxes; Slack sends each tick at once, and all of them again with the form."""
    element: Element = {"type": "checkboxes", "action_id": action_id, "options": list(options)}
    return {**input_block(name, label, element, optional=True), "dispatch_action": True}


def tick_boxes(name: str, label: str, options: Sequence[Element]) -> Block:
    """Checkboxes that Slack sends with the form."""
    return input_block(name, label, {"type": "checkboxes", "options": list(options)}, optional=True)


def radio_buttons(name: str, label: str, options: Sequence[Element]) -> Block:
    """Options of which one is chosen; at first it is the first."""
    element: Element = {"type": "radio_buttons", "options": list(options)}
    return input_block(name, label, {**element, "initial_option": options[0]})


def text_input(
    *,
    initial: str = "",
    max_length: int = 150,
    multiline: bool = False,
    placeholder: str = "",
    focus: bool = False,
) -> Element:
    """A text input; with `focus` the cursor is in it when the form opens."""
    element: Element = {
        "type": "plain_text_input",
        "multiline": multiline,
        "max_length": max_length,
    }
    if initial:
        element["initial_value"] = initial[:max_length]
    if placeholder:
        element["placeholder"] = plain_text(placeholder, 150)
    if focus:
        element["focus_on_load"] = True
    return element


def number_input(*, min_value: int | None, max_value: int | None, initial: int | None) -> Element:
    """An input for a whole number."""
    element: Element = {"type": "number_input", "is_decimal_allowed": False}
    for key, value in (
        ("min_value", min_value),
        ("max_value", max_value),
        ("initial_value", initial),
    ):
        if value is not None:
            element[key] = str(value)
    return element


def modal(
    callback_id: str, title: str, blocks: Sequence[Block], *, submit: str, metadata: str
) -> dict[str, Any]:
    """A form; `metadata` comes back with it."""
    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain_text(title, 24),
        "submit": plain_text(submit, 24),
        "close": plain_text("Cancel", 24),
        "private_metadata": metadata,
        "blocks": list(blocks),
    }
