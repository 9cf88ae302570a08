"""The few Block Kit shapes we use, each cut to what Slack takes."""

import re
from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any

from bot.model import Cell, Chart

Block = dict[str, Any]
Element = dict[str, Any]

MOST = 50
SECTION = 3000
HEADER = 150
CONFIRM = 300  # characters that are asked once more
BUTTON = 75
TABLE_ROWS = 99  # and the header row
TABLE_CELLS = 20
TABLE_TEXT = 9_000
TABLE_CELL = 200
TABLE_PAGE = 10
NUMBER = 100
PREFORMATTED = 2_900
CHARTS = 2
CHART_TITLE = 50
CHART_LABEL = 20
CHART_POINTS = 20
CHART_SERIES = 6  # some of Slack's pages say twelve

# What is not cut in two: an escape, a mark (a person, a link, a time), a character.
ATOM = re.compile(r"&(?:amp|lt|gt);|<[^<>\n]*>|.", re.DOTALL)


def cut(text: str, limit: int) -> str:
    """The text, ended by … where it is too long."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def cut_marked(text: str, limit: int) -> str:
    """The text with Slack's marks, ended by … where it is too long, and no mark cut in two."""
    if len(text) <= limit:
        return text
    return text[: _ends(text, limit - 1)[-1]].rstrip() + "…"


def split(text: str, limit: int = SECTION) -> list[str]:
    """The text with Slack's marks in as many parts as it needs: by lines, else by words."""
    parts = []
    while len(text) > limit:
        ends = _ends(text, limit)
        fit = [end for end in ends if end > limit // 2]
        lines = [end for end in fit if text[end - 1] == "\n"]
        words = [end for end in fit if text[end - 1].isspace()]
        end = (lines or words or ends)[-1]
        parts.append(text[:end].rstrip())
        text = text[end:].lstrip("\n")
    return [*parts, text]


def _ends(text: str, limit: int) -> list[int]:
    """Where a text may be cut so that at most `limit` characters come before."""
    atoms = takewhile(lambda atom: atom.end() <= limit, ATOM.finditer(text))
    return [atom.end() for atom in atoms] or [limit]


def plain(text: str, limit: int = BUTTON) -> Element:
    """Plain text; emoji codes are shown as emoji."""
    return {"type": "plain_text", "text": cut(text, limit), "emoji": True}


def mrkdwn(text: str, limit: int = SECTION) -> Element:
    """Text with Slack's marks."""
    return {"type": "mrkdwn", "text": cut_marked(text, limit)}


def header(text: str) -> Block:
    """One large line."""
    return {"type": "header", "text": plain(text, HEADER)}


def section(text: str, accessory: Element | None = None, *, name: str = "") -> Block:
    """A paragraph, with a button at its side; what can be pressed has a name (see `actions`)."""
    block: Block = {"type": "section", "text": mrkdwn(text)}
    return block if accessory is None else {**block, "accessory": accessory, "block_id": name}


def sections(text: str) -> list[Block]:
    """A long text, whole, in as many paragraphs as it needs."""
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
    """A row of buttons.

    The name is the block's id and stays the same: without one Slack gives a new id at each edit,
    and a press that crosses an edit is a press on something that is no longer there.
    """
    return {"type": "actions", "block_id": name, "elements": list(elements)}


def preformatted(text: str) -> Block:
    """Foreign text as it is: nothing in it is a mark or a mention."""
    return {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_preformatted",
                "elements": [{"type": "text", "text": cut(text, PREFORMATTED) or " "}],
            }
        ],
    }


def table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[Cell | str]]) -> Block:
    """Rows under column names, to sort and filter; as many as Slack takes."""
    kept: list[list[Element]] = [[_raw(name) for name in columns[:TABLE_CELLS]]]
    room = TABLE_TEXT - sum(map(_length, kept[0]))
    for row in rows[:TABLE_ROWS]:
        cells = [_cell(cell) for cell in row[:TABLE_CELLS]]
        room -= sum(map(_length, cells))
        if room < 0:
            break
        kept.append(cells)
    return {
        "type": "data_table",
        "caption": cut(caption, 255),
        "page_size": TABLE_PAGE,
        "rows": kept,
    }


def plain_table(block: Block) -> Block:
    """The same table for a Slack that knows none that can be sorted."""
    return {"type": "table", "rows": [[_plain_cell(cell) for cell in row] for row in block["rows"]]}


def _cell(cell: Cell | str) -> Element:
    if isinstance(cell, str):
        return _raw(cell)
    text = cut(cell.text, TABLE_CELL)
    if cell.link is not None:
        return _rich({"type": "link", "url": cell.link, "text": text})
    if cell.at is not None:
        # In UTC for the records, and as the reader's own clock has it.
        return _rich({"type": "text", "text": f"{text} · "}, _date(cell.at, text))
    if cell.number is not None and len(text) <= NUMBER:
        return {"type": "raw_number", "value": cell.number, "text": text}
    return _raw(text)


def _raw(text: str) -> Element:
    return {"type": "raw_text", "text": cut(text, TABLE_CELL) or " "}


def _rich(*elements: Element) -> Element:
    section = {"type": "rich_text_section", "elements": list(elements)}
    return {"type": "rich_text", "elements": [section]}


def _date(at: datetime, fallback: str) -> Element:
    form = "{date_short_pretty} {time_secs}"
    return {"type": "date", "timestamp": int(at.timestamp()), "format": form, "fallback": fallback}


def _length(cell: Element) -> int:
    """How much of a table's text a cell takes; a date is counted as it is drawn, about."""
    if cell["type"] != "rich_text":
        return len(cell["text"])
    leaves = cell["elements"][0]["elements"]
    return sum(len(leaf.get("text", leaf.get("fallback", ""))) for leaf in leaves)


def _plain_cell(cell: Element) -> Element:
    return _raw(cell["text"]) if cell["type"] == "raw_number" else cell


def chart(chart: Chart) -> Block:
    """Bars or lines; what Slack has no room for at the end of categories and series is left out."""
    categories = _labels(chart.categories[:CHART_POINTS])
    names = _labels([one.name for one in chart.series[:CHART_SERIES]])
    series = [
        {"name": name, "data": _points(categories, one.values)}
        for name, one in zip(names, chart.series, strict=False)
    ]
    drawn = {"type": chart.kind, "series": series, "axis_config": {"categories": categories}}
    return {"type": "data_visualization", "title": cut(chart.title, CHART_TITLE), "chart": drawn}


def _points(categories: Sequence[str], values: Sequence[float]) -> list[Element]:
    pairs = zip(categories, values, strict=False)
    return [{"label": label, "value": value} for label, value in pairs]


def _labels(texts: Sequence[str]) -> list[str]:
    """Each short enough, and none twice: where cutting made two the same, numbered."""
    labels: list[str] = []
    for number, text in enumerate(texts, 1):
        label = cut(text, CHART_LABEL) or "–"
        labels.append(f"{cut(text, CHART_LABEL - 3)} {number}" if label in labels else label)
    return labels


def confirm(title: str, text: str, yes: str, *, style: str = "danger") -> Element:
    """Ask once more."""
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
    """Something to press; `value` comes back with the press."""
    element: Element = {"type": "button", "text": plain(text), "action_id": press}
    if str(value):
        element["value"] = str(value)
    if style is not None:
        element["style"] = style
    if ask is not None:
        element["confirm"] = ask
    return element


def link_button(text: str, press: str, url: str) -> Element:
    """A page to open; Slack tells of the press all the same."""
    return {"type": "button", "text": plain(text), "action_id": press, "url": url}


def option(text: str, value: str) -> Element:
    """One thing to choose."""
    return {"text": plain(text), "value": value}


def select(
    press: str, placeholder: str, options: Sequence[Element], initial: str | None = None
) -> Element:
    """One of several."""
    element: Element = {
        "type": "static_select",
        "action_id": press,
        "placeholder": plain(placeholder),
        "options": list(options),
    }
    chosen = [choice for choice in options if choice["value"] == initial]
    return {**element, "initial_option": chosen[0]} if chosen else element


def several(placeholder: str, options: Sequence[Element]) -> Element:
    """Any number of them."""
    return {
        "type": "multi_static_select",
        "placeholder": plain(placeholder),
        "options": list(options),
    }


def overflow(press: str, options: Sequence[Element]) -> Element:
    """What is needed less often, behind three dots."""
    return {"type": "overflow", "action_id": press, "options": list(options)}


def field(
    name: str, label: str, element: Element, *, hint: str = "", optional: bool = False
) -> Block:
    """One thing to fill in; its block id is the name of the form's field."""
    block: Block = {
        "type": "input",
        "block_id": name,
        "label": plain(label, 2000),
        "element": {"action_id": name, **element},
        "optional": optional,
    }
    return {**block, "hint": plain(hint, 2000)} if hint else block


def boxes(name: str, label: str, press: str, options: Sequence[Element]) -> Block:
    """Some of several, or none; each tick is told at once, besides with the form."""
    element: Element = {"type": "checkboxes", "action_id": press, "options": list(options)}
    return {**field(name, label, element, optional=True), "dispatch_action": True}


def line(
    *, initial: str = "", longest: int = 150, lines: bool = False, example: str = ""
) -> Element:
    """A text to type."""
    element: Element = {"type": "plain_text_input", "multiline": lines, "max_length": longest}
    if initial:
        element["initial_value"] = initial[:longest]
    if example:
        element["placeholder"] = plain(example, 150)
    return element


def number(*, lowest: int | None, highest: int | None, initial: int | None) -> Element:
    """A whole number to type."""
    element: Element = {"type": "number_input", "is_decimal_allowed": False}
    for key, value in (("min_value", lowest), ("max_value", highest), ("initial_value", initial)):
        if value is not None:
            element[key] = str(value)
    return element


def modal(
    callback: str, title: str, blocks: Sequence[Block], *, submit: str, metadata: str
) -> dict[str, Any]:
    """A form."""
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain(title, 24),
        "submit": plain(submit, 24),
        "close": plain("Cancel", 24),
        "private_metadata": metadata,
        "blocks": list(blocks),
    }
