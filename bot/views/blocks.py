"""The few Block Kit shapes we use, each cut to what Slack takes."""

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

Block = dict[str, Any]
Element = dict[str, Any]

SECTION = 3000
HEADER = 150
BUTTON = 75
TABLE_ROWS = 99  # and the header row
TABLE_CELLS = 20
TABLE_TEXT = 9_000
PREFORMATTED = 2_900

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


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Block:
    """Rows under column names, as many as Slack takes."""
    kept: list[list[Element]] = [[_cell(name) for name in columns[:TABLE_CELLS]]]
    room = TABLE_TEXT - sum(map(len, columns))
    for row in rows[:TABLE_ROWS]:
        cells = [cut(cell, 200) or " " for cell in row[:TABLE_CELLS]]
        room -= sum(map(len, cells))
        if room < 0:
            break
        kept.append([_cell(cell) for cell in cells])
    return {"type": "table", "rows": kept}


def _cell(text: str) -> Element:
    return {"type": "raw_text", "text": text}


def confirm(title: str, text: str, yes: str, *, style: str = "danger") -> Element:
    """Ask once more."""
    return {
        "title": plain(title, 100),
        "text": plain(text, 300),
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
