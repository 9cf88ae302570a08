"""SQL as PostgreSQL has it: what a query step may not hold, and where it stands.

This is the early word on it. What keeps a query from writing is that it runs in a read-only
transaction, by a role that can only read.
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
from bot.pages import Spot, spot_at

# It says there what it cannot read; here it is said by what is returned.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)

DIALECT = "postgres"
BOUND = re.compile(r"%\(\w+\)s|%%")
WRITES = exp.Insert | exp.Update | exp.Delete | exp.Merge | exp.Into
# The volatile functions of PostgreSQL 18 that do something, or run a statement given as text.
ACTS = re.compile(
    r"pg_(?:terminate|cancel)_backend|pg_sleep.*|pg_(?:try_)?advisory_.*|pg_notify|pg_promote"
    r"|pg_reload_conf|pg_rotate_logfile|pg_switch_wal|pg_backup_.*|pg_wal_replay_(?:pause|resume)"
    r"|pg_stat_(?:re)?set.*|pg_stat_statements_reset|pg_stat_(?:clear|force)_.*|pg_(?:clear|restore)_(?:attribute|relation)_.*"
    r"|pg_(?:copy|create|drop)_.*|pg_replication_(?:origin|slot)_.*|pg_logical_.*|pg_log_.*"
    r"|pg_sync_.*|pg_read_.*file|pg_ls_.*|pg_stat_file|pg_export_snapshot|pg_import_.*|pg_nextoid"
    r"|pg_stop_.*|pg_extension_config_dump|binary_upgrade_.*|brin_.*|gin_clean_.*|lo_.*|loread"
    r"|lowrite|dblink.*|nextval|setval|set_config|setseed|ts_stat|ts_rewrite|plpgsql_.*"
    r"|pg_prewarm|autoprewarm_.*|pg_buffercache_(?:evict|mark).*"
    r"|(?:query|cursor|table|schema|database)_to_xml.*"
    r"|.*\\.*"  # a name in escapes (U&"…"), which hides what it is
)
ALWAYS = (
    *("state = 'active'", "backend_type = 'client backend'"),
    *("pid <> pg_backend_pid()", "pg_backend_pid() <> pid"),
)
ENDS = "pg_terminate_backend"


@dataclass(frozen=True)
class Statement:
    """One statement: its text without the semicolon, and what it says."""

    text: str
    tree: exp.Expr


def split(text: str) -> list[Statement]:
    """The statements of a text, with the comments before them; raises SqlglotError."""
    found, start, end = [], 0, 0
    for token in [*sqlglot.tokenize(text, dialect=DIALECT), None]:
        if token is not None and token.token_type is not sqlglot.TokenType.SEMICOLON:
            end = token.end + 1
        elif end > start:
            part = text[start:end].strip()
            found.append(Statement(part, sqlglot.parse_one(part, dialect=DIALECT)))
            start = token.end + 1 if token else end
    return found


def mistakes(text: str) -> list[tuple[Spot, str]]:
    """Why a text is not one statement that only reads, and where; nothing, if it is."""
    plain, bound = _unbound(text)
    try:
        tokens = sqlglot.tokenize(plain, dialect=DIALECT)
        trees = [tree for tree in sqlglot.parse(plain, dialect=DIALECT) if tree and _says(tree)]
    except ParseError as error:
        return [_unreadable(error)]
    except TokenError as error:
        return [((1, 1), f"cannot be read as PostgreSQL: {str(error).splitlines()[0]}")]
    if not trees:
        return [((1, 1), "expects a SELECT, found nothing")]
    found = list(_of_statement(trees[0], tokens))
    if len(trees) > 1:
        found.append((_second(tokens), "expects one statement, found another"))
    if bound:
        found += [
            (hit.start(), "a per cent sign is written twice in a file with parameters")
            for hit in re.finditer("%", plain)
        ]
    return [(spot_at(text, at), words) for at, words in sorted(found)]


def _unbound(text: str) -> tuple[str, bool]:
    """The text with what psycopg fills in replaced by as many characters, and whether it does."""
    if not re.search(r"%\(\w+\)s", text):
        return text, False

    def stand_in(hit: re.Match[str]) -> str:
        # The operator for a remainder, as the server gets to see it, is no % here.
        return "* " if hit[0] == "%%" else "NULL".ljust(len(hit[0]))

    return BOUND.sub(stand_in, text), True


def _unreadable(error: ParseError) -> tuple[Spot, str]:
    first = error.errors[0]
    found = first.get("highlight") or ""
    line, end = first.get("line") or 1, first.get("col") or 1
    column = max(end - len(found) + 1, 1)
    return (line, column), f'cannot be read as PostgreSQL: not expected "{found}"'


def _says(tree: exp.Expr) -> bool:
    """Whether it is more than a comment after the last semicolon."""
    return not isinstance(tree, exp.Semicolon)


def _of_statement(tree: exp.Expr, tokens: list[Token]) -> Iterator[tuple[int, str]]:
    if not isinstance(tree, exp.Query | exp.Values | WRITES):
        word = tokens[0].text.upper()
        yield tokens[0].start, f"expects a SELECT, found {word}: a query step only reads"
        return
    for node in tree.walk():
        if isinstance(node, WRITES):
            word = type(node).__name__.upper()
            what = "SELECT … INTO" if word == "INTO" else word
            text = f"expects a SELECT, found {what}: a query step only reads"
            yield _keyword(word, node, tokens), text
        elif isinstance(node, exp.Lock):
            yield _locking(tokens), "expects a SELECT that locks nothing, found FOR UPDATE or SHARE"
        elif isinstance(node, exp.Func):
            yield from _of_function(node)


def _of_function(node: exp.Func) -> Iterator[tuple[int, str]]:
    name = function(node)
    if ACTS.fullmatch(name):
        instead = "; the action end-queries does" if name == ENDS else ""
        yield _start(node), f"{name}() does something: a query step only reads{instead}"


def function(node: exp.Func) -> str:
    """What a function is called, in lower-case letters."""
    return (node.name if isinstance(node, exp.Anonymous) else node.sql_name()).lower()


def _start(node: exp.Expr) -> int:
    """Where the first part of it stands of which that is known."""
    starts = [one.meta["start"] for one in node.walk() if "start" in one.meta]
    return int(min(starts, default=0))


def _keyword(word: str, node: exp.Expr, tokens: list[Token]) -> int:
    """The last time a word stands before what belongs to it."""
    end = _start(node)
    places = [one.start for one in tokens if one.text.upper() == word]
    return max((at for at in places if at <= end), default=min(places, default=end))


def _locking(tokens: list[Token]) -> int:
    ways = ("UPDATE", "SHARE", "NO", "KEY")
    for one, after in pairwise(tokens):
        if one.text.upper() == "FOR" and after.text.upper() in ways:
            return one.start
    return next((one.start for one in tokens if one.text.upper().startswith("FOR ")), 0)


def _second(tokens: list[Token]) -> int:
    ends = (at for at, one in enumerate(tokens) if one.token_type is sqlglot.TokenType.SEMICOLON)
    return tokens[min(next(ends) + 1, len(tokens) - 1)].start


def counts_connections(tree: exp.Expr) -> str | None:
    """The database whose connections are counted, and nothing else; or None."""
    if not isinstance(tree, exp.Select) or not _only(tree, exp.Count) or not _activity(tree):
        return None
    where = tree.find(exp.Where)
    match where.this if where else None:
        case exp.EQ(
            this=exp.Column(name="datname"), expression=exp.Literal(is_string=True) as name
        ):
            return str(name.this)
    return None


def ends_queries(tree: exp.Expr) -> dict[str, str] | None:
    """Which queries a statement ends: those that run for `longer_than`, of one `database`.

    None, if it ends others, or if its conditions are more than the action end-queries knows.
    """
    if not isinstance(tree, exp.Select) or not _only(tree, exp.Func) or not _activity(tree):
        return None
    call, where = tree.expressions[0], tree.find(exp.Where)
    if not _ends_each(call) or where is None:
        return None
    params: dict[str, str] = {}
    for condition in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        known = _condition(condition)
        if known is None:
            return None
        params |= known
    return params if "longer_than" in params else None


def _ends_each(call: exp.Expr) -> bool:
    """Whether it ends the session of each row; to cancel its query is another thing."""
    match call.expressions:
        case [exp.Column(name="pid")]:
            return isinstance(call, exp.Func) and function(call) == ENDS
    return False


def _condition(condition: exp.Expr) -> dict[str, str] | None:
    """What a condition asks of the action: nothing, if the action does so by itself."""
    words = condition.sql(dialect=DIALECT, normalize=True).lower()
    if words in ALWAYS:
        return {}
    match condition:
        case exp.EQ(this=exp.Column() as column, expression=exp.Literal() as name):
            return {"database": str(name.this)} if column.name == "datname" else None
        case exp.GT(this=span, expression=exp.Interval() as least) if _runs_for(span):
            longer_than = _words(least)
            return {"longer_than": longer_than} if longer_than else None
    return None


def _runs_for(span: exp.Expr) -> bool:
    """Whether it is how long a query runs, also by the column that people believe there is."""
    match span:
        case exp.Sub(this=exp.CurrentTimestamp(), expression=exp.Column(name="query_start")):
            return True
        case exp.Column(name="duration"):
            return True
    return False


def _words(interval: exp.Interval) -> str | None:
    """A span of time such as `30 s`."""
    text = f"{interval.this.name} {interval.text('unit')}".lower()
    try:
        span = durations.parse(text)
    except ValueError:
        return None
    return durations.words(span) if isinstance(span, timedelta) else None


def _activity(tree: exp.Select) -> bool:
    return [table.name for table in tree.find_all(exp.Table)] == ["pg_stat_activity"]


def _only(tree: exp.Select, kind: type[exp.Expr]) -> bool:
    return len(tree.expressions) == 1 and isinstance(tree.expressions[0], kind)
