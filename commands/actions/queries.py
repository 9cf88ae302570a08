"""The answers of a playbook's SQL files: a table for people, and all of it as a file."""

import asyncio
import csv
import io
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.resources import files
from typing import Annotated, Any, ClassVar, LiteralString, Self

from pydantic import AfterValidator, Field, model_validator

from bot import masking
from bot.actions import Read, Systems
from bot.database import DatabaseError, Rows
from bot.model import Attachment, Reading, Table

SHIPPED = files("templates") / "playbooks" / "sql"
SHOWN_ROWS = 20
CELL = 120
LONGEST_CELL = 16 * 1024
# More than any secret is long that a cut might halve, and so hide from the mask.
BRINK = 500
FILE_BYTES = 1024 * 1024
NULL = "–"
BOUND = re.compile(r"%\((\w+)\)s")
# What PostgreSQL shows in place of what a role may not see.
HIDDEN = "<insufficient privilege>"
CENTS = "_cents"
# Stripe counts these in whole units.
WHOLE = "BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF UGX VND VUV XAF XOF XPF"
# What a spreadsheet would take for a formula, and is no number.
FORMULA = re.compile(r"[=+\-@\t](?![\d.,]*$)")


def _exists(name: str) -> str:
    if not (SHIPPED / name).is_file():
        known = sorted(one.name for one in SHIPPED.iterdir())
        raise ValueError(f"expects one of: {', '.join(known)}")
    return name


def _fills_in(words: str) -> str:
    """Words with nothing in braces but what is known."""
    if re.search(r"[{}]", words.replace("{count}", "").replace("{s}", "")):
        raise ValueError("expects no other braces than {count} and {s}")
    return words


File = Annotated[str, Field(max_length=80, pattern=r"^[a-z0-9-]+\.sql$"), AfterValidator(_exists)]
Words = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_fills_in)]


class RunQuery(Read):
    """Run a SELECT that is shipped with the playbooks, `params` bound to its `%(name)s`.

    `says` is the verdict on what was found, with `{count}` and the plural's `{s}`; `none` that on
    no rows. With `alarm`, rows mean that something is wrong.
    """

    name: ClassVar = "query"
    file: File
    params: dict[str, str | int | float | bool] = Field(default_factory=dict)
    says: Words = "{count} row{s}"
    none: str = Field(default="No rows", min_length=1, max_length=200)
    alarm: bool = False

    @model_validator(mode="after")
    def _check_params(self) -> Self:
        """What the file needs is what is given."""
        needed = set(BOUND.findall(_sql(self.file)))
        if needed != set(self.params):
            names = ", ".join(sorted(needed)) or "none"
            raise ValueError(f"expects these names for {self.file}: {names}")
        return self

    async def read(self, systems: Systems) -> Reading:
        """A verdict, the first rows, and a file with all of them."""
        found = await systems.database.select(_sql(self.file), self.params or None)
        _check_seen(found)
        if not found.rows:
            return Reading(ok=True, text=self.none)
        # Masking a thousand rows takes a while, in which the bot has to answer others.
        return await asyncio.to_thread(self._reading, found)

    def _reading(self, found: Rows) -> Reading:
        count = f"More than {len(found.rows)}" if found.more else str(len(found.rows))
        words = [[_mask(*pair) for pair in cells(found.columns, row)] for row in found.rows]
        whole, kept = _csv(found.columns, words)
        shown = tuple(tuple(map(_short, row)) for row in words[:SHOWN_ROWS])
        return Reading(
            ok=not self.alarm,
            text=self.says.format(count=count, s="" if count == "1" else "s"),
            table=Table(columns=found.columns, rows=shown),
            notes=_notes(found, kept),
            attachment=Attachment(name=self.file.replace(".sql", ".csv"), text=whole),
        )


def _sql(name: str) -> LiteralString:
    """The text of a file of ours: written by the playbook's authors, never put together."""
    return (SHIPPED / name).read_text(encoding="utf-8")


def _check_seen(found: Rows) -> None:
    """No rows and rows that are hidden are not the same."""
    hidden = sum(HIDDEN in row for row in found.rows)
    if hidden:
        raise DatabaseError(
            f"The bot's role may not see {hidden} of the sessions. Nothing was changed. "
            "Grant it pg_read_all_stats as in deploy/sql."
        )


def _notes(found: Rows, kept: int) -> tuple[str, ...]:
    notes = []
    if len(found.rows) > SHOWN_ROWS:
        notes.append(f"The first {SHOWN_ROWS} rows are shown; the file has {kept}.")
    if found.more:
        notes.append("There are more rows than that: the rest was not read.")
    return tuple(notes)


def cells(columns: Sequence[str], row: Sequence[Any]) -> list[tuple[str, str]]:
    """Each column's name and words; cents become money where the currency is known."""
    of_row = dict(zip(columns, row, strict=True))
    return [
        (name, _money(value, of_row.get("currency")) if name.endswith(CENTS) else _words(value))
        for name, value in zip(columns, row, strict=True)
    ]


def _money(cents: Any, currency: Any) -> str:
    """Of one currency, or of several: `{"EUR": 1250}`."""
    if isinstance(cents, dict):
        return " + ".join(_money(some, code) for code, some in sorted(cents.items())) or NULL
    if not isinstance(cents, int | Decimal) or not currency:
        return _words(cents)
    code = str(currency).strip().upper()
    if code in WHOLE.split():
        return f"{cents:,.0f} {code}"
    return f"{Decimal(cents) / 100:,.2f} {code}"


def _words(value: Any) -> str:
    """A value of the database as people read it."""
    match value:
        case None | []:
            return NULL
        case bool():
            return "yes" if value else "no"
        case datetime():
            return _moment(value)
        case timedelta():
            return _span(value)
        case list():
            return ", ".join(map(_words, value))
        case dict():
            return json.dumps(value, ensure_ascii=False, default=str)
        case bytes() | memoryview():
            return f"({len(value)} bytes)"
    return str(value)


def _moment(value: datetime) -> str:
    """In UTC to the second; a time without a zone stays without one."""
    if value.tzinfo is None:
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _span(value: timedelta) -> str:
    """Like `1 h 02 min 05 s`, without the units that are too large."""
    minutes, seconds = divmod(max(int(value.total_seconds()), 0), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min {seconds:02} s"
    return f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"


def _mask(column: str, words: str) -> str:
    """As in a text, and the whole of it in a column whose name says that it is a secret."""
    if words != NULL and masking.mask(f"{column}=x") != f"{column}=x":
        return masking.MASK
    if len(words) <= LONGEST_CELL:
        return masking.mask(words)
    return f"{masking.mask(words[:LONGEST_CELL])[:-BRINK]}…"


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= CELL else f"{line[: CELL - 1]}…"


def _csv(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, int]:
    """As many rows as a file may hold, and their number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    kept = 0
    while kept < len(rows) and out.tell() < FILE_BYTES:
        writer.writerow(map(inert, rows[kept]))
        kept += 1
    return out.getvalue(), kept


def inert(cell: str) -> str:
    """Empty for NULL; a text that looks like a formula gets an apostrophe."""
    if cell == NULL:
        return ""
    return f"'{cell}" if FORMULA.match(cell) else cell
