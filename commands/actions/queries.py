"""The answers of a playbook's SQL files: a table for people, and all of it as a file."""

import asyncio
import csv
import io
import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from bot import statements
from bot.actions import Read, Systems
from bot.database import DatabaseError, Rows
from bot.findings import NULL, Each
from bot.model import Attachment, Cell, Reading, Table
from commands.actions.values import cells

SHOWN_ROWS = 99
CELL = 120
FILE_BYTES = 1024 * 1024
BOUND = re.compile(r"%\((\w+)\)s")
# What PostgreSQL shows in place of what a role may not see.
HIDDEN = "<insufficient privilege>"
# What a spreadsheet would take for a formula, and is no number.
FORMULA = re.compile(r"[=+\-@\t](?![\d.,]*$)")


def _fills_in(words: str) -> str:
    """Words with nothing in braces but what is known."""
    if re.search(r"[{}]", words.replace("{count}", "").replace("{s}", "")):
        raise ValueError("expects no other braces than {count} and {s}")
    return words


File = Annotated[str, Field(max_length=80, pattern=statements.FORM)]
Words = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_fills_in)]


class RunQuery(Read):
    """Run the SELECT in `sql/FILE` beside the playbook, `params` bound to its `%(name)s`.

    `says` is the verdict on what was found, with `{count}` and the plural's `{s}`; `none` that on
    no rows. With `alarm`, rows mean that something is wrong. With `tasks`, people may work through
    the rows one by one; it says what each is called.
    """

    name: ClassVar = "query"
    file: File
    params: dict[str, str | int | float | bool] = Field(default_factory=dict)
    says: Words = "{count} row{s}"
    none: str = Field(default="No rows", min_length=1, max_length=200)
    alarm: bool = False
    tasks: Each | None = None
    # The file's text, kept from when the playbook was read; without it, the shipped one is meant.
    sql: SkipJsonSchema[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _take_in(cls, given: Any) -> Any:
        if isinstance(given, dict) and "sql" not in given and statements.is_name(given.get("file")):
            return {**given, "sql": statements.read(given["file"])}
        return given

    @model_validator(mode="after")
    def _check_params(self) -> Self:
        """What the file needs is what is given."""
        needed = set(BOUND.findall(self.sql))
        if self.sql and needed != set(self.params):
            names = ", ".join(sorted(needed)) or "none"
            raise ValueError(f"expects these names for {self.file}: {names}")
        return self

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        """What the tasks are called by is what the file selects, as far as it says so."""
        for column in self.tasks.columns if self.tasks else ():
            if not re.search(rf"\b{column}\b|\*", self.sql):
                raise ValueError(f"expects columns of {self.file} in braces, which has no {column}")
        return self

    async def read(self, systems: Systems) -> Reading:
        """A verdict, the first rows, and a file with all of them."""
        # Written by the playbook's authors, never put together.
        found = await systems.database.select(self.sql, self.params or None)
        _check_seen(found)
        if not found.rows:
            return Reading(ok=True, text=self.none)
        # Masking a thousand rows takes a while, in which the bot has to answer others.
        return await asyncio.to_thread(self._reading, found)

    def _reading(self, found: Rows) -> Reading:
        count = f"More than {len(found.rows)}" if found.more else str(len(found.rows))
        rows = [cells(found.columns, row) for row in found.rows]
        whole, kept = _csv(found.columns, rows)
        shown = tuple(tuple(map(_short, row)) for row in rows[:SHOWN_ROWS])
        return Reading(
            ok=not self.alarm,
            text=self.says.format(count=count, s="" if count == "1" else "s"),
            table=Table(columns=found.columns, rows=shown, total=len(rows)),
            notes=_notes(found, kept),
            attachment=Attachment(name=self.file.replace(".sql", ".csv"), text=whole),
        )


def _check_seen(found: Rows) -> None:
    """No rows and rows that are hidden are not the same."""
    hidden = sum(HIDDEN in row for row in found.rows)
    if hidden:
        raise DatabaseError(
            f"The bot's role may not see {hidden} of the sessions. Nothing was changed. "
            "Grant it pg_read_all_stats as in deploy/sql."
        )


def _notes(found: Rows, kept: int) -> tuple[str, ...]:
    if found.more:
        return (f"The file has the first {kept} rows; there are more, which were not read.",)
    whole = kept == len(found.rows)
    return ("The file has all of it." if whole else f"The file has the first {kept} rows.",)


def _short(found: Cell) -> Cell:
    line = " ".join(found.text.split())
    words = line if len(line) <= CELL else f"{line[: CELL - 1]}…"
    return found.model_copy(update={"text": words})


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> tuple[str, int]:
    """As many rows as a file may hold, and their number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    kept = 0
    while kept < len(rows) and out.tell() < FILE_BYTES:
        writer.writerow(inert(cell.text) for cell in rows[kept])
        kept += 1
    return out.getvalue(), kept


def inert(cell: str) -> str:
    """Empty for NULL; a text that looks like a formula gets an apostrophe."""
    if cell == NULL:
        return ""
    return f"'{cell}" if FORMULA.match(cell) else cell
