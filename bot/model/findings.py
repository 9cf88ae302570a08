"""Findings: rows of a query's result that people deal with one by one, with a title and a link."""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, Field

from bot.model import Model, Table
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
    """The title and the link of each row: templates with names of columns in braces."""

    title: Annotated[Template, Field(min_length=1)]
    link: Template = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the templates use, each once."""
        return tuple(dict.fromkeys(COLUMN.findall(self.title + self.link)))


class Finding(Model):
    """The title of one row, and the web page where people deal with it."""

    title: str
    link: str = ""


def from_table(template: RowTemplate, table: Table | None) -> tuple[Finding, ...]:
    """The findings of a query's result, in its order; rows with the same title and link are one."""
    if table is None:
        return ()
    rows = (dict(zip(table.columns, map(str, row), strict=True)) for row in table.rows)
    return tuple(dict.fromkeys(_finding(template, row) for row in rows))


def _finding(template: RowTemplate, row: Mapping[str, str]) -> Finding:
    """Fill in both templates; the link is left out if it is too long or lacks a column's value."""
    title = COLUMN.sub(lambda match: row.get(match[1], match[0]), template.title)
    link = ""
    if all(row.get(column, NULL) != NULL for column in COLUMN.findall(template.link)):
        link = COLUMN.sub(lambda match: quote(row[match[1]], safe=""), template.link)
    return Finding(
        title=truncate(" ".join(title.split()), TITLE_LENGTH),
        link=link if len(link) <= LINK_LENGTH else "",
    )
