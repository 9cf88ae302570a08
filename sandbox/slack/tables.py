"""The table and data_table blocks."""

import json
from typing import Any

from sandbox.slack import richtext
from sandbox.slack.shapes import (
    Check,
    all_of,
    flag,
    integer,
    items,
    number,
    one_of,
    rule,
    shape,
    string,
    typed,
)

MAX_ROWS, MAX_CELLS, MAX_TEXT = 100, 20, 10_000

_raw_text = shape({"text": string(MAX_TEXT, least=0)})
_raw_number = shape({"value": number}, {"text": string(100)})
_cells: dict[str, Check] = {
    "raw_text": _raw_text,
    "raw_number": _raw_number,
    "rich_text": richtext.block,
}


def _words(cell: Any) -> str:
    if isinstance(cell, list):
        return "".join(map(_words, cell))
    if not isinstance(cell, dict):
        return ""
    own = str(cell.get("text", cell.get("value", "")))
    return own + _words(cell.get("elements", []))


def _few_enough_characters(block: Any) -> bool:
    return len(_words(block["rows"])) <= MAX_TEXT


def _same_length(block: Any) -> bool:
    return len({len(row) for row in block["rows"]}) == 1


def _header_is_plain(block: Any) -> bool:
    return "rich_text" not in json.dumps(block["rows"][0])


_few = rule(_few_enough_characters, f"no more than {MAX_TEXT} characters allowed in a table")
_even = rule(_same_length, "all rows must have the same number of cells")
_row = items(typed(_cells, "cell"), MAX_CELLS)

table = all_of(
    shape(
        {"rows": items(_row, MAX_ROWS)},
        {
            "block_id": string(255),
            "column_settings": items(
                shape({}, {"align": one_of("left", "center", "right"), "is_wrapped": flag}),
                MAX_CELLS,
            ),
        },
    ),
    _few,
)
data_table = all_of(
    shape(
        {"rows": items(_row, MAX_ROWS + 1, least=2), "caption": string(255)},
        {
            "block_id": string(255),
            "page_size": integer(1, 100),
            "row_header_column_index": integer(0, MAX_CELLS - 1),
        },
    ),
    _even,
    rule(_header_is_plain, "rich_text cannot be used in the header row"),
    _few,
)
