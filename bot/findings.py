"""Rows that a query found, as things that people deal with one by one: a title and a link each."""

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import quote

from pydantic import AfterValidator, Field

from bot.model import Noun, Table

TITLE = 120
LINK = 300
# How a table shows what the database does not know.
NULL = "–"
COLUMN = re.compile(r"\{(\w+)\}")


def _fills_in(words: str) -> str:
    if re.search(r"[{}]", COLUMN.sub("", words)):
        raise ValueError("expects names of columns in braces, such as {id}")
    return words


Words = Annotated[str, Field(max_length=LINK), AfterValidator(_fills_in)]


class Each(Noun):
    """What each row is called: words with columns in braces, and a link made the same way."""

    title: Annotated[Words, Field(min_length=1)]
    link: Words = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it fills in."""
        return tuple(dict.fromkeys(COLUMN.findall(self.title + self.link)))


class Finding(Noun):
    """One row, as people call it, and the page where it is dealt with."""

    title: str
    link: str = ""


def of_table(each: Each, table: Table | None) -> tuple[Finding, ...]:
    """The rows of a reading under their titles, each once."""
    if table is None:
        return ()
    rows = (map(str, row) for row in table.rows)
    found = [_finding(each, dict(zip(table.columns, row, strict=True))) for row in rows]
    return tuple(dict.fromkeys(found))


def _finding(each: Each, row: Mapping[str, str]) -> Finding:
    """A link that lacks a column leads nowhere, so it is left out."""
    title = " ".join(COLUMN.sub(lambda name: row.get(name[1], name[0]), each.title).split())
    title = title if len(title) <= TITLE else title[: TITLE - 1].rstrip() + "…"
    known = all(row.get(name, NULL) != NULL for name in COLUMN.findall(each.link))
    link = COLUMN.sub(lambda name: quote(row[name[1]], safe=""), each.link) if known else ""
    return Finding(title=title, link=link if len(link) <= LINK else "")
