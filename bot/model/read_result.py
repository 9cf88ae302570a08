"""What a read step saw: words, a table, charts, a file."""

from datetime import datetime
from typing import Literal

from bot.model.base import Model
from bot.model.playbook import Link


class Cell(Model):
    """A value in words, and what it is besides: a number to sort by, a page to open, a moment."""

    text: str
    number: float | None = None
    link: str | None = None
    at: datetime | None = None

    def __str__(self) -> str:
        return self.text


class Table(Model):
    """Rows of words under column names; `total` counts the rows that there are, if more."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell | str, ...], ...]
    total: int | None = None


class Attachment(Model):
    """A text too long for a message."""

    name: str
    text: str


class Series(Model):
    """One line of a chart, or one colour of its bars: a value for each category."""

    name: str
    values: tuple[float, ...]


class Chart(Model):
    """Numbers for a chart, in a few series over the same categories; views cut what is too much."""

    title: str
    kind: Literal["bar", "line"]
    categories: tuple[str, ...]
    series: tuple[Series, ...]


class ReadResult(Model):
    """What a read step saw: a verdict of at most two lines, and the details behind it.

    `ok` is None when nothing was there to judge by. With `is_unjudged` that is always so: people
    have to look themselves. `link` is where they can see more.
    """

    ok: bool | None
    text: str
    is_unjudged: bool = False
    link: Link | None = None
    table: Table | None = None
    charts: tuple[Chart, ...] = ()
    excerpt: str = ""
    notes: tuple[str, ...] = ()
    attachment: Attachment | None = None
