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

# Slack's limits, in characters where nothing else is said.
MOST = 50  # blocks of one message
SECTION = 3000
HEADER = 150
CONFIRM = 300
BUTTON = 75
TABLE_ROWS = 99  # and the header row
TABLE_CELLS = 20  # columns
TABLE_TEXT = 9_000  # our own; Slack takes 10,000
TABLE_CELL = 200  # our own
TABLE_PAGE = 10  # rows
NUMBER = 100
PREFORMATTED = 2_900
CHARTS = 2  # of one message
CHART_TITLE = 50
CHART_LABEL = 20
CHART_POINTS = 20
CHART_SERIES = 6  # some of Slack's pages say twelve

# What must stay in one piece: an escape, a mention, link or date, a character.
ATOM = re.compile(r"&(?:amp|lt|gt);|<[^<>\n]*>|.", re.DOTALL)


def cut_marked(text: str, limit: int) -> str:
    """Shorten mrkdwn to at most `limit` characters; no escape, mention or link is broken."""
    if len(text) <= limit:
        return text
    return text[: _break_points(text, limit - 1)[-1]].rstrip() + "…"


def split(text: str, limit: int = SECTION) -> list[str]:
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


def plain(text: str, limit: int = BUTTON) -> Element:
    """A plain_text object; emoji codes are shown as emoji."""
    return {"type": "plain_text", "text": truncate(text, limit), "emoji": True}


def mrkdwn(text: str, limit: int = SECTION) -> Element:
    """A mrkdwn text object."""
    return {"type": "mrkdwn", "text": cut_marked(text, limit)}


def header(text: str) -> Block:
    """One line in large letters."""
    return {"type": "header", "text": plain(text, HEADER)}


def section(text: str, accessory: Element | None = None, *, name: str = "") -> Block:
    """A paragraph, with an optional button beside it; then `name` is its block id."""
    block: Block = {"type": "section", "text": mrkdwn(text)}
    return block if accessory is None else {**block, "accessory": accessory, "block_id": name}


def sections(text: str) -> list[Block]:
    """A long text in as many paragraphs as it needs."""
    return [section(part) for part in split(text)]


def fields(*texts: str) -> Block:
    """Up to ten short texts in two columns."""
    return {"type": "section", "fields": [mrkdwn(text, 2000) for text in texts[:10]]}


def context(*texts: str) -> Block:
    """Small print."""
    return {"type": "context", "elements": [mrkdwn(text) for text in texts[:10]]}


def divider() -> Block:
    """A line."""
    return {"type": "divider"}


def actions(name: str, *elements: Element) -> Block:
    """A row of buttons; `name` is its block id.

    Without an id, Slack would make a new one at each edit, and a click during an edit would then
    belong to a block that no longer exists.
    """
    return {"type": "actions", "block_id": name, "elements": list(elements)}


def preformatted(text: str) -> Block:
    """Text in a fixed-width font; Slack finds no markup and no mentions in it."""
    return {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_preformatted",
                "elements": [{"type": "text", "text": truncate(text, PREFORMATTED) or " "}],
            }
        ],
    }


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> Block:
    """A table to sort and filter; what passes Slack's limits is left out."""
    header_row = [_raw(name) for name in columns[:TABLE_CELLS]]
    shown_rows = [header_row]
    remaining = TABLE_TEXT - sum(map(_text_length, header_row))
    for row in rows[:TABLE_ROWS]:
        cells = [_cell(cell) for cell in row[:TABLE_CELLS]]
        remaining -= sum(map(_text_length, cells))
        if remaining < 0:
            break
        shown_rows.append(cells)
    return {
        "type": "data_table",
        "caption": truncate(caption, 255),
        "page_size": TABLE_PAGE,
        "rows": shown_rows,
    }


def plain_table(block: Block) -> Block:
    """The same `data_table` as a `table`, for a Slack that does not know the newer block."""
    return {"type": "table", "rows": [[_plain_cell(cell) for cell in row] for row in block["rows"]]}


def _cell(cell: Cell | str) -> Element:
    if isinstance(cell, str):
        return _raw(cell)
    text = truncate(cell.text, TABLE_CELL)
    if cell.link is not None:
        return _rich({"type": "link", "url": cell.link, "text": text})
    if cell.at is not None:
        # In UTC, and in the reader's own time zone.
        return _rich({"type": "text", "text": f"{text} · "}, _date(cell.at, text))
    if cell.number is not None and len(text) <= NUMBER:
        return {"type": "raw_number", "value": cell.number, "text": text}
    return _raw(text)


def _raw(text: str) -> Element:
    return {"type": "raw_text", "text": truncate(text, TABLE_CELL) or " "}


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
    categories = _labels(chart.categories[:CHART_POINTS])
    names = _labels([series.name for series in chart.series[:CHART_SERIES]])
    named_series = [
        {"name": name, "data": _points(categories, series.values)}
        for name, series in zip(names, chart.series, strict=False)
    ]
    return {
        "type": "data_visualization",
        "title": truncate(chart.title, CHART_TITLE),
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
        label = truncate(text, CHART_LABEL) or "–"
        if label in labels:
            label = f"{truncate(text, CHART_LABEL - 3)} {number}"
        labels.append(label)
    return labels


def confirm(title: str, text: str, yes: str, *, style: str = "danger") -> Element:
    """A dialog that asks for confirmation of a click."""
    return {
        "title": plain(title, 100),
        "text": plain(text, CONFIRM),
        "confirm": plain(yes, 30),
        "deny": plain("Cancel", 30),
        "style": style,
    }


def button(
    text: str,
    press: str,
    value: object = "",
    *,
    style: str | None = None,
    ask: Element | None = None,
) -> Element:
    """A button; Slack sends `value` back with the click."""
    element: Element = {"type": "button", "text": plain(text), "action_id": press}
    if str(value):
        element["value"] = str(value)
    if style is not None:
        element["style"] = style
    if ask is not None:
        element["confirm"] = ask
    return element


def link_button(text: str, press: str, url: str) -> Element:
    """A button that opens a page; Slack sends its click to the bot as well."""
    return {"type": "button", "text": plain(text), "action_id": press, "url": url}


def option(text: str, value: str) -> Element:
    """One option of a select menu, checkbox group or overflow menu."""
    return {"text": plain(text), "value": value}


def select(
    press: str, placeholder: str, options: Sequence[Element], initial: str | None = None
) -> Element:
    """A menu in which people choose one option."""
    element: Element = {
        "type": "static_select",
        "action_id": press,
        "placeholder": plain(placeholder),
        "options": list(options),
    }
    initial_options = [option for option in options if option["value"] == initial]
    return {**element, "initial_option": initial_options[0]} if initial_options else element


def several(placeholder: str, options: Sequence[Element]) -> Element:
    """A menu in which people choose any number of options."""
    return {
        "type": "multi_static_select",
        "placeholder": plain(placeholder),
        "options": list(options),
    }


def overflow(press: str, options: Sequence[Element]) -> Element:
    """A menu behind three dots, for what is needed less often."""
    return {"type": "overflow", "action_id": press, "options": list(options)}


def field(
    name: str, label: str, element: Element, *, hint: str = "", optional: bool = False
) -> Block:
    """An input of a form; its block id is the name of the form's field."""
    block: Block = {
        "type": "input",
        "block_id": name,
        "label": plain(label, 2000),
        "element": {"action_id": name, **element},
        "optional": optional,
    }
    return {**block, "hint": plain(hint, 2000)} if hint else block


def boxes(name: str, label: str, press: str, options: Sequence[Element]) -> Block:
    """Checkboxes; Slack sends each tick at once, and all of them again with the form."""
    element: Element = {"type": "checkboxes", "action_id": press, "options": list(options)}
    return {**field(name, label, element, optional=True), "dispatch_action": True}


def line(
    *, initial: str = "", longest: int = 150, lines: bool = False, example: str = ""
) -> Element:
    """A text input."""
    element: Element = {"type": "plain_text_input", "multiline": lines, "max_length": longest}
    if initial:
        element["initial_value"] = initial[:longest]
    if example:
        element["placeholder"] = plain(example, 150)
    return element


def number(*, lowest: int | None, highest: int | None, initial: int | None) -> Element:
    """An input for a whole number."""
    element: Element = {"type": "number_input", "is_decimal_allowed": False}
    for key, value in (("min_value", lowest), ("max_value", highest), ("initial_value", initial)):
        if value is not None:
            element[key] = str(value)
    return element


def modal(
    callback: str, title: str, blocks: Sequence[Block], *, submit: str, metadata: str
) -> dict[str, Any]:
    """A form; `metadata` comes back with it."""
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain(title, 24),
        "submit": plain(submit, 24),
        "close": plain("Cancel", 24),
        "private_metadata": metadata,
        "blocks": list(blocks),
    }
