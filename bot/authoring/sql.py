"""Parse PostgreSQL, and find the parts of a query that do more than read.

This is an early warning for authors. At run time a read-only transaction and a role that can only
read keep a query from writing.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token

from bot import durations
from bot.playbooks.yaml_source import Position, position_at

# sqlglot logs what it cannot parse; here that is returned to the caller instead.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

DIALECT = "postgres"
PLACEHOLDER = re.compile(r"%\(\w+\)s|%%")
WRITING = exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.Into
# The volatile functions of PostgreSQL 18 that have side effects, or run a statement given as text.
SIDE_EFFECTS = re.compile(
    r"pg_(?:terminate|cancel)_backend|pg_sleep.*|pg_(?:try_)?advisory_.*|pg_notify|pg_promote"
    r"|pg_reload_conf|pg_rotate_logfile|pg_switch_wal|pg_backup_.*|pg_wal_replay_(?:pause|resume)"
    r"|pg_stat_(?:re)?set.*|pg_stat_statements_reset|pg_stat_(?:clear|force)_.*|pg_(?:clear|restore)_(?:attribute|relation)_.*"
    r"|pg_(?:copy|create|drop)_.*|pg_replication_(?:origin|slot)_.*|pg_logical_.*|pg_log_.*"
    r"|pg_sync_.*|pg_read_.*file|pg_ls_.*|pg_stat_file|pg_export_snapshot|pg_import_.*|pg_nextoid"
    r"|pg_stop_.*|pg_extension_config_dump|binary_upgrade_.*|brin_.*|gin_clean_.*|lo_.*|loread"
    r"|lowrite|dblink.*|nextval|setval|set_config|setseed|ts_stat|ts_rewrite|plpgsql_.*"
    r"|pg_prewarm|autoprewarm_.*|pg_buffercache_(?:evict|mark).*"
    # they take a transaction id, or run SQL that is given as text
    r"|txid_current|pg_current_xact_id|crosstab.*|connectby|xpath_table"
    r"|(?:query|cursor|table|schema|database)_to_xml.*"
    r"|.*\\.*"  # a name with escapes (U&"…"), which could be any of these
)
# The conditions that the action end-queries always applies, in any case.
IMPLIED_CONDITIONS = (
    *("state = 'active'", "backend_type = 'client backend'"),
    *("pid <> pg_backend_pid()", "pg_backend_pid() <> pid"),
)
TERMINATE = "pg_terminate_backend"


@dataclass(frozen=True)
class Statement:
    """One statement: its text without the semicolon, and its syntax tree."""

    text: str
    tree: exp.Expr


def split_statements(text: str) -> list[Statement]:
    """Split a text into its statements, with the comments before each; raises SqlglotError."""
    statements, start, end = [], 0, 0
    for token in [*sqlglot.tokenize(text, dialect=DIALECT), None]:
        if token is not None and token.token_type is not sqlglot.TokenType.SEMICOLON:
            end = token.end + 1
        elif end > start:
            part = text[start:end].strip()
            statements.append(Statement(part, sqlglot.parse_one(part, dialect=DIALECT)))
            start = token.end + 1 if token else end
    return statements


def read_only_violations(text: str) -> list[tuple[Position, str]]:
    """Why a text is not one statement that only reads, with positions; empty if it is one."""
    plain, has_placeholders = _fill_placeholders(text)
    try:
        tokens = sqlglot.tokenize(plain, dialect=DIALECT)
        trees = [
            tree for tree in sqlglot.parse(plain, dialect=DIALECT) if tree and _is_statement(tree)
        ]
    except ParseError as error:
        return [_unreadable(error)]
    except TokenError as error:
        return [((1, 1), f"is not valid PostgreSQL: {str(error).splitlines()[0]}")]
    if not trees:
        return [((1, 1), "expects a SELECT, found nothing")]
    violations = list(_statement_violations(trees[0], tokens))
    if len(trees) > 1:
        second = _second_statement_position(tokens)
        violations.append((second, "expects one statement, found another"))
    if has_placeholders:
        violations += [
            (match.start(), "write %% for a percent sign in a file with parameters")
            for match in re.finditer("%", plain)
        ]
    return [(position_at(text, offset), message) for offset, message in sorted(violations)]


def _fill_placeholders(text: str) -> tuple[str, bool]:
    """Replace psycopg's placeholders by SQL of the same length; also returns if there are any."""
    if not re.search(r"%\(\w+\)s", text):
        return text, False

    def same_length(match: re.Match[str]) -> str:
        # %% is the remainder operator for the server; any other operator parses the same way.
        return "* " if match[0] == "%%" else "NULL".ljust(len(match[0]))

    return PLACEHOLDER.sub(same_length, text), True


def _unreadable(error: ParseError) -> tuple[Position, str]:
    """Where a text is no SQL, and why; sqlglot gives the column of the last character."""
    first = error.errors[0]
    token = first.get("highlight") or ""
    line, last_column = first.get("line") or 1, first.get("col") or 1
    column = max(last_column - len(token) + 1, 1)
    return (line, column), f'is not valid PostgreSQL: unexpected "{token}"'


def _is_statement(tree: exp.Expr) -> bool:
    """Whether a tree is more than a comment after the last semicolon."""
    return not isinstance(tree, exp.Semicolon)


def _statement_violations(tree: exp.Expr, tokens: list[Token]) -> Iterator[tuple[int, str]]:
    """The parts of a statement that do more than read, each with its offset in the text."""
    if not isinstance(tree, exp.Query | exp.Values | WRITING):
        word = tokens[0].text.upper()
        yield tokens[0].start, f"expects a SELECT, found {word}: a query step only reads"
        return
    for node in tree.walk():
        if isinstance(node, WRITING):
            word = type(node).__name__.upper()
            clause = "SELECT … INTO" if word == "INTO" else word
            message = f"expects a SELECT, found {clause}: a query step only reads"
            yield _keyword_position(word, node, tokens), message
        elif isinstance(node, exp.Lock):
            yield (
                _lock_position(tokens),
                "expects a SELECT without locks, found FOR UPDATE or SHARE",
            )
        elif isinstance(node, exp.Func):
            yield from _function_violations(node)


def _function_violations(node: exp.Func) -> Iterator[tuple[int, str]]:
    name = function_name(node)
    if SIDE_EFFECTS.fullmatch(name):
        hint = "; use the action end-queries" if name == TERMINATE else ""
        yield _start(node), f"{name}() has side effects: a query step only reads{hint}"


def function_name(node: exp.Func) -> str:
    """The name of a function, in lower-case letters."""
    return (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()


def _start(node: exp.Expr) -> int:
    """The lowest known offset of a node and its parts; 0 if none is known."""
    starts = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return int(min(starts, default=0))


def _keyword_position(word: str, node: exp.Expr, tokens: list[Token]) -> int:
    """The offset of the keyword of a node: the last one before the node's own parts."""
    end = _start(node)
    offsets = [token.start for token in tokens if token.text.upper() == word]
    return max((offset for offset in offsets if offset <= end), default=min(offsets, default=end))


def _lock_position(tokens: list[Token]) -> int:
    """The offset of FOR UPDATE, FOR SHARE and the like; sqlglot has some of them as one token."""
    strengths = ("UPDATE", "SHARE", "NO", "KEY")
    for token, following in pairwise(tokens):
        if token.text.upper() == "FOR" and following.text.upper() in strengths:
            return token.start
    return next((token.start for token in tokens if token.text.upper().startswith("FOR ")), 0)


def _second_statement_position(tokens: list[Token]) -> int:
    """The offset of the first token after the first semicolon."""
    types = [token.token_type for token in tokens]
    after_semicolon = types.index(sqlglot.TokenType.SEMICOLON) + 1
    return tokens[min(after_semicolon, len(tokens) - 1)].start


def counted_database(tree: exp.Expr) -> str | None:
    """The database whose connections a SELECT counts; None if the SELECT is any other."""
    if (
        not isinstance(tree, exp.Select)
        or not _selects_only(tree, exp.Count)
        or not _reads_only_activity(tree)
    ):
        return None
    where = tree.find(exp.Where)
    match where.this if where else None:
        case exp.EQ(
            this=exp.Column(name="datname"), expression=exp.Literal(is_string=True) as name
        ):
            return str(name.this)
    return None


def end_queries_params(tree: exp.Expr) -> dict[str, str] | None:
    """The params of the action end-queries for a SELECT of pg_terminate_backend.

    `longer_than` is always among them, `database` if there is such a condition. None for any other
    statement, and for conditions that the action cannot apply.
    """
    if (
        not isinstance(tree, exp.Select)
        or not _selects_only(tree, exp.Func)
        or not _reads_only_activity(tree)
    ):
        return None
    call, where = tree.expressions[0], tree.find(exp.Where)
    if not _terminates_each(call) or where is None:
        return None
    params: dict[str, str] = {}
    for condition in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        condition_params = _condition_params(condition)
        if condition_params is None:
            return None
        params |= condition_params
    return params if "longer_than" in params else None


def _terminates_each(call: exp.Expr) -> bool:
    """Whether a call terminates the session of each row; pg_cancel_backend does not count."""
    match call.expressions:
        case [exp.Column(name="pid")]:
            return isinstance(call, exp.Func) and function_name(call) == TERMINATE
    return False


def _condition_params(condition: exp.Expr) -> dict[str, str] | None:
    """The params for one condition: none for an implied condition; None for an unknown one."""
    text = condition.sql(dialect=DIALECT, normalize=True).lower()
    if text in IMPLIED_CONDITIONS:
        return {}
    match condition:
        case exp.EQ(this=exp.Column() as column, expression=exp.Literal() as name):
            return {"database": str(name.this)} if column.name == "datname" else None
        case exp.GT(this=span, expression=exp.Interval() as limit) if _is_query_duration(span):
            longer_than = _duration(limit)
            return {"longer_than": longer_than} if longer_than else None
    return None


def _is_query_duration(span: exp.Expr) -> bool:
    """Whether an expression is how long a query runs.

    `duration` counts too: pg_stat_activity has no such column, but runbooks often name it.
    """
    match span:
        case exp.Sub(this=exp.CurrentTimestamp(), expression=exp.Column(name="query_start")):
            return True
        case exp.Column(name="duration"):
            return True
    return False


def _duration(interval: exp.Interval) -> str | None:
    """An interval as exactly that duration, such as `30 s`; None for one that is no duration."""
    text = f"{interval.this.name} {interval.text('unit')}".lower()
    try:
        span = durations.parse(text)
    except ValueError:
        return None
    if not isinstance(span, timedelta):
        return None
    described = durations.describe(span)
    return described if durations.parse(described) == span else text


def _reads_only_activity(tree: exp.Select) -> bool:
    return [table.name for table in tree.find_all(exp.Table)] == ["pg_stat_activity"]


def _selects_only(tree: exp.Select, kind: type[exp.Expr]) -> bool:
    return len(tree.expressions) == 1 and isinstance(tree.expressions[0], kind)
