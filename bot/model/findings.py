"""Findings: rows of a query's result that people deal with one by one, with a title and a link."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, Field

from bot.model import Cell, Model, Table
from bot.model.text import truncate

TITLE_LENGTH = 120
LINK_LENGTH = 300
# How a table shows a NULL of the database.
NULL = "–"
COLUMN = re.compile(r"\{(\w+)\}")


def _check_braces(template: str) -> str:
    """The template itself; raises ValueError for a brace that is not around a column's name."""
    if re.search(r"[{}]", COLUMN.sub("", template)):
        raise ValueError("expects names of columns in braces, such as {id}")
    return template


Template = Annotated[str, Field(max_length=LINK_LENGTH), AfterValidator(_check_braces)]


class RowTemplate(Model):
    """The title and the link of each row: templates with names of columns in braces.

    `since` is the column with the time since when it lasts: its age is shown first.
    """

    title: Annotated[Template, Field(min_length=1)]
    link: Template = ""
    since: Annotated[str, Field(max_length=63, pattern=r"^\w*$")] = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the templates use, each once."""
        names = [*COLUMN.findall(self.title + self.link), self.since]
        return tuple(dict.fromkeys(filter(None, names)))


class Finding(Model):
    """The title of one row, the web page where people deal with it, and since when it lasts."""

    title: str
    link: str = ""
    since: datetime | None = None


def from_table(template: RowTemplate, table: Table | None) -> tuple[Finding, ...]:
    """The findings of a query's result, in its order; rows with the same title and link are one."""
    if table is None:
        return ()
    rows = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    found: dict[tuple[str, str], Finding] = {}
    for finding in (_finding(template, row) for row in rows):
        found.setdefault((finding.title, finding.link), finding)
    return tuple(found.values())


def _finding(template: RowTemplate, cells: Mapping[str, Cell | str]) -> Finding:
    """Fill in both templates; the link is left out if it is too long or lacks a column's value."""
    row = {column: str(cell) for column, cell in cells.items()}
    since = cells.get(template.since)
    title = COLUMN.sub(lambda match: row.get(match[1], match[0]), template.title)
    link = ""
    if all(row.get(column, NULL) != NULL for column in COLUMN.findall(template.link)):
        link = COLUMN.sub(lambda match: quote(row[match[1]], safe=""), template.link)
    return Finding(
        title=truncate(" ".join(title.split()), TITLE_LENGTH),
        link=link if len(link) <= LINK_LENGTH else "",
        since=since.at if isinstance(since, Cell) else None,
    )
