"""Run the SQL files of a playbook: a table of the first rows, and all of them as a CSV file."""

import asyncio
import csv
import io
import re
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from bot.actions.base import IN_DATABASE, Read
from bot.actions.cell_format import cells
from bot.actions.database import column_order
from bot.model import Attachment, Cell, ReadResult, Table
from bot.model.findings import NULL, RowTemplate
from bot.model.text import truncate
from bot.playbooks import sql_files, statements
from bot.systems import Systems
from bot.systems.database import DatabaseError, Rows

MAX_TABLE_ROWS = 99
MAX_CELL_CHARACTERS = 120
MAX_FILE_CHARACTERS = 1024 * 1024
PARAMETER = re.compile(r"%\((\w+)\)s")
# What PostgreSQL shows instead of a query that the role may not see.
NO_PRIVILEGE = "<insufficient privilege>"
# Text that a spreadsheet takes for a formula; not a number such as -1.
FORMULA = re.compile(r"[=+\-@\t](?![\d.,]*$)")


def _check_braces(template: str) -> str:
    """Raises ValueError when it has other braces than `{count}` and `{s}`."""
    if re.search(r"[{}]", template.replace("{count}", "").replace("{s}", "")):
        raise ValueError("expects no other braces than {count} and {s}")
    return template


File = Annotated[str, Field(max_length=80, pattern=sql_files.NAME_PATTERN)]
VerdictTemplate = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_check_braces)]


class RunQuery(Read):
    """Run the SELECT in `sql/FILE` next to the playbook, with `params` as its `%(name)s`.

    `says` is the verdict when there are rows, with `{count}` and the plural's `{s}`; `none` the one
    when there are none. With `alarm`, rows mean that something is wrong; without, no result is
    good or bad, and people read “Look”. With `tasks`, people can work through the rows; it is the
    title and link of each.
    """

    name: ClassVar = "query"
    place_keys: ClassVar = IN_DATABASE
    file: File
    params: dict[str, str | int | float | bool] = Field(default_factory=dict)
    says: VerdictTemplate = "{count} row{s}"
    none: str = Field(default="No rows", min_length=1, max_length=200)
    alarm: bool = False
    tasks: RowTemplate | None = None
    # The text of the file, filled in when the playbook is loaded; else that of the shipped file.
    sql: SkipJsonSchema[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _load_sql(cls, data: Any) -> Any:
        if (
            isinstance(data, dict)
            and "sql" not in data
            and sql_files.is_valid_name(data.get("file"))
        ):
            return {**data, "sql": sql_files.read(data["file"])}
        return data

    @model_validator(mode="after")
    def _check_params(self) -> Self:
        """The params are those that the file uses. Raises ValueError."""
        used = set(PARAMETER.findall(self.sql))
        if self.sql and used != set(self.params):
            names = ", ".join(sorted(used)) or "none"
            raise ValueError(f"expects these names for {self.file}: {names}")
        return self

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        """The columns in `tasks` appear in the file, or it selects `*`. Raises ValueError."""
        for column in self.tasks.columns if self.tasks else ():
            if not re.search(rf"\b{column}\b|\*", self.sql):
                raise ValueError(f"expects columns of {self.file} in braces, which has no {column}")
        return self

    async def read(self, systems: Systems) -> ReadResult:
        """A verdict, the first rows, and a file with all of them. Raises DatabaseError."""
        _check_reads_only(self.file, self.sql)
        # The SQL is the text of the playbook's file; it is never composed.
        result = await systems.database.select(self.sql, self.params or None)
        _check_visible(result, systems.database.inside)
        if not result.rows:
            return self._judged(self.none, ok=True)
        # Masking a thousand rows is slow, and the bot has to answer others meanwhile.
        return await asyncio.to_thread(self._result, result)

    def _result(self, result: Rows) -> ReadResult:
        result = _ordered(result)
        count = f"More than {len(result.rows)}" if result.truncated else str(len(result.rows))
        rows = [cells(result.columns, row) for row in result.rows]
        csv_text, row_count = _csv(result.columns, rows)
        table_rows = tuple(tuple(map(_table_cell, row)) for row in rows[:MAX_TABLE_ROWS])
        details = {
            "table": Table(columns=result.columns, rows=table_rows, total=len(rows)),
            "notes": _notes(result, row_count),
            "attachment": Attachment(name=self.file.replace(".sql", ".csv"), text=csv_text),
        }
        text = self.says.format(count=count, s="" if count == "1" else "s")
        return self._judged(text, ok=False).model_copy(update=details)

    def _judged(self, text: str, *, ok: bool) -> ReadResult:
        """Good or bad with `alarm`; else nobody said what is good, and people have to look."""
        return ReadResult(ok=ok if self.alarm else None, text=text, is_unjudged=not self.alarm)


def _ordered(result: Rows) -> Rows:
    """The columns in the order in which people read them."""
    order = column_order.reading_order(result.columns, result.rows)
    rows = [tuple(row[at] for at in order) for row in result.rows]
    columns = tuple(result.columns[at] for at in order)
    return result._replace(columns=columns, rows=rows)


def _check_reads_only(file: str, sql: str) -> None:
    """Raises DatabaseError: an open incident may have a copy from before this was checked."""
    for _, message in statements.read_only_violations(sql)[:1]:
        raise DatabaseError(
            f"The query in {file} was not run, as it may do more than read: {message}. Nothing "
            "was read or changed. Correct the file and start the bot again; the incident gets it "
            "with `/incident playbook`."
        )


def _check_visible(result: Rows, inside: str) -> None:
    """Raises DatabaseError when rows are hidden: they must not pass for no rows."""
    hidden = sum(NO_PRIVILEGE in row for row in result.rows)
    if hidden:
        raise DatabaseError(
            f"The bot's role may not see {hidden} of the sessions{inside}. Nothing was changed. "
            "Grant it pg_read_all_stats as in deploy/sql."
        )


def _notes(result: Rows, in_file: int) -> tuple[str, ...]:
    if result.truncated:
        return (f"The file has the first {in_file} rows; there are more, which were not read.",)
    if in_file == len(result.rows):
        return ("The file has all of it.",)
    return (f"The file has the first {in_file} rows.",)


def _table_cell(cell: Cell) -> Cell:
    """In one line, and not too long for a table."""
    text = truncate(" ".join(cell.text.split()), MAX_CELL_CHARACTERS)
    return cell.model_copy(update={"text": text})


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> tuple[str, int]:
    """The CSV with as many rows as a file may have, and their number."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    count = 0
    while count < len(rows) and out.tell() < MAX_FILE_CHARACTERS:
        writer.writerow(escape_formula(cell.text) for cell in rows[count])
        count += 1
    return out.getvalue(), count


def escape_formula(cell: str) -> str:
    """A cell of the CSV: empty for NULL, with an apostrophe before a possible formula."""
    if cell == NULL:
        return ""
    return f"'{cell}" if FORMULA.match(cell) else cell
