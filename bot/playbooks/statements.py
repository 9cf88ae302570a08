"""Parse SQL with PostgreSQL's own grammar, and find what a query does beside reading.

Only functions and operators that are known to read are let pass. The names in `functions.txt` are
those of PostgreSQL 18 that are immutable or stable, and those volatile ones that only tell.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from operator import itemgetter

import postgast
from google.protobuf.message import DecodeError, Message
from postgast.pg_query_pb2 import A_Expr_Kind, Node, RawStmt, Token

from bot.playbooks.yaml_source import Position, position_at

# The parser recurses: a text of some 60 KB can overflow its stack, which ends the process.
MAX_BYTES = 32 * 1024
PLACEHOLDER = re.compile(r"%\(\w+\)s|%%")
PARAMETER = re.compile(r"%\(\w+\)s")
WRITING = {
    "InsertStmt": "INSERT",
    "UpdateStmt": "UPDATE",
    "DeleteStmt": "DELETE",
    "MergeStmt": "MERGE",
    "IntoClause": "INTO",
}
FUNCTIONS = frozenset((files(__package__) / "functions.txt").read_text(encoding="utf-8").split())
# Those that PostgreSQL 18 has in pg_catalog.
OPERATORS = frozenset(
    [
        r"!!",
        r"!~",
        r"!~*",
        r"!~~",
        r"!~~*",
        r"#",
        r"##",
        r"#-",
        r"#>",
        r"#>>",
        r"%",
        r"&",
        r"&&",
        r"&<",
        r"&<|",
        r"&>",
        r"*",
        r"*<",
        r"*<=",
        r"*<>",
        r"*=",
        r"*>",
        r"*>=",
        r"+",
        r"-",
        r"->",
        r"->>",
        r"-|-",
        r"/",
        r"<",
        r"<->",
        r"<<",
        r"<<=",
        r"<<|",
        r"<=",
        r"<>",
        r"<@",
        r"<^",
        r"=",
        r">",
        r">=",
        r">>",
        r">>=",
        r">^",
        r"?",
        r"?#",
        r"?&",
        r"?-",
        r"?-|",
        r"?|",
        r"?||",
        r"@",
        r"@-@",
        r"@>",
        r"@?",
        r"@@",
        r"@@@",
        r"^",
        r"^@",
        r"|",
        r"|&>",
        r"|/",
        r"|>>",
        r"||",
        r"||/",
        r"~",
        r"~*",
        r"~<=~",
        r"~<~",
        r"~=",
        r"~>=~",
        r"~>~",
        r"~~",
        r"~~*",
    ]
)
# In the syntax tree the names of these are words, and not the operators that PostgreSQL then uses.
BETWEEN = frozenset(
    [
        A_Expr_Kind.AEXPR_BETWEEN,
        A_Expr_Kind.AEXPR_NOT_BETWEEN,
        A_Expr_Kind.AEXPR_BETWEEN_SYM,
        A_Expr_Kind.AEXPR_NOT_BETWEEN_SYM,
    ]
)
SAMPLE_METHODS = frozenset({"bernoulli", "system"})
LOCK_STRENGTHS = ("UPDATE", "SHARE", "NO", "KEY")
TERMINATE = "pg_terminate_backend"

Violation = tuple[int, str]


class StatementError(ValueError):
    """Why a text is not SQL as PostgreSQL knows it, and at which byte of it."""

    def __init__(self, message: str, byte: int = 0) -> None:
        super().__init__(message)
        self.byte = byte


@dataclass(frozen=True)
class Statement:
    """One statement: its text without the semicolon, and its syntax tree."""

    text: str
    tree: Message


@dataclass(frozen=True)
class _Word:
    """A keyword, name, literal or sign, in capitals, and the byte at which it starts."""

    text: str
    byte: int


@dataclass(frozen=True)
class _SentText:
    """A text as psycopg sends it, and how many characters shorter it is from which offsets on."""

    text: str
    shortened: Sequence[tuple[int, int]]

    def author_offset(self, byte: int) -> int:
        """The offset in the text that people wrote."""
        offset = len(self.text.encode()[:byte].decode(errors="ignore"))
        before = bisect_right(self.shortened, offset, key=itemgetter(0))
        return offset + (self.shortened[before - 1][1] if before else 0)


def split(text: str) -> list[Statement]:
    """Split a text into its statements, with the comments before each; raises StatementError."""
    raw = text.encode()
    statements = []
    for statement in _parse(text):
        start = statement.stmt_location
        end = start + statement.stmt_len if statement.stmt_len else len(raw)
        tree = postgast.unwrap_node(statement.stmt)
        statements.append(Statement(raw[start:end].decode().strip(), tree))
    return statements


@lru_cache(maxsize=256)
def end(text: str) -> int:
    """The offset after the only statement of a text, and so of its semicolon, if it has one.

    What is not one statement has no such end: its length is returned. It is asked for whenever a
    query runs, so the answers are kept.
    """
    sent = _as_sent(text)
    try:
        [statement] = _parse(sent.text)
    except ValueError:
        return len(text)
    if not statement.stmt_len:
        return len(text)
    return sent.author_offset(statement.stmt_location + statement.stmt_len)


@lru_cache(maxsize=256)
def read_only_violations(text: str) -> tuple[tuple[Position, str], ...]:
    """Why a text is not one statement that only reads, with positions; empty if it is one.

    Each query is checked at the start and whenever it runs, so the answers are kept.
    """
    sent = _as_sent(text)
    try:
        statements = _parse(sent.text)
    except StatementError as error:
        found = [(error.byte, str(error))]
    else:
        found = list(_violations(statements, _words(sent.text)))
    placed = [(sent.author_offset(byte), message) for byte, message in found]
    placed += _percent_violations(text)
    return tuple((position_at(text, offset), message) for offset, message in sorted(placed))


def _as_sent(text: str) -> _SentText:
    """Replace psycopg's placeholders as psycopg does, which no other text has."""
    if not PARAMETER.search(text):
        return _SentText(text, ())
    shortened: list[tuple[int, int]] = []
    lost = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal lost
        short = "%" if match[0] == "%%" else "$1"
        lost += len(match[0]) - len(short)
        shortened.append((match.end() - lost, lost))
        return short

    return _SentText(PLACEHOLDER.sub(replace, text), shortened)


def _percent_violations(text: str) -> Iterator[Violation]:
    """The single per cent signs of a text with parameters, by their offsets."""
    if PARAMETER.search(text):
        without = PLACEHOLDER.sub(lambda match: " " * len(match[0]), text)
        for match in re.finditer("%", without):
            yield match.start(), "write %% for a percent sign in a file with parameters"


def _parse(text: str) -> Sequence[RawStmt]:
    """The statements of a text; raises StatementError."""
    if len(text.encode()) > MAX_BYTES:
        raise StatementError(f"is longer than {MAX_BYTES // 1024} KiB")
    if "\0" in text:  # where the parser would end, and the server not
        raise StatementError("is not valid PostgreSQL: it has a NUL")
    try:
        return tuple(postgast.parse(text).stmts)
    except postgast.PgQueryError as error:
        message = f"is not valid PostgreSQL: {error.message}"
        raise StatementError(message, max(error.cursorpos - 1, 0)) from error
    except DecodeError as error:
        raise StatementError("is nested too deeply to be checked: split it up") from error


def _words(text: str) -> list[_Word]:
    """The words of a text that was parsed, without its comments."""
    raw = text.encode()
    return [
        _Word(raw[token.start : token.end].decode().upper(), token.start)
        for token in postgast.scan(text).tokens
        if token.token not in (Token.SQL_COMMENT, Token.C_COMMENT)
    ]


def _violations(statements: Sequence[RawStmt], words: Sequence[_Word]) -> Iterator[Violation]:
    if not statements:
        yield 0, "expects a SELECT, found nothing"
        return
    yield from _statement_violations(postgast.unwrap_node(statements[0].stmt), words)
    if len(statements) > 1:
        start = statements[1].stmt_location
        second = next(word.byte for word in words if word.byte >= start and word.text != ";")
        yield second, "expects one statement, found another"


def _statement_violations(tree: Message, words: Sequence[_Word]) -> Iterator[Violation]:
    """The parts of a statement that do more than read, each with its byte in the text."""
    if _kind(tree) not in {"SelectStmt", *WRITING}:
        yield words[0].byte, _not_a_select(words[0].text)
        return
    for _, node in postgast.walk(tree):
        kind = _kind(node)
        if kind in WRITING:
            word = WRITING[kind]
            clause = "SELECT … INTO" if word == "INTO" else word
            yield _keyword_byte(word, node, words), _not_a_select(clause)
        elif kind == "LockingClause":
            message = "expects a SELECT without locks, found FOR UPDATE or SHARE"
            yield _lock_byte(words), message
        else:
            yield from _called(node)


def _not_a_select(clause: str) -> str:
    return f"expects a SELECT, found {clause}: a query step only reads"


def _kind(node: Message) -> str:
    return str(node.DESCRIPTOR.name)


def _called(node: Message) -> Iterator[Violation]:
    """The functions and operators that a node calls and that may do more than read."""
    match _kind(node):
        case "FuncCall" if not _is_known(node.funcname, FUNCTIONS):
            name = _name(node.funcname)
            hint = "; use the action end-queries" if name.endswith(TERMINATE) else ""
            yield node.location, f"{name}() isn't a function that is known to only read{hint}"
        case "RangeTableSample" if not _is_known(node.method, SAMPLE_METHODS):
            yield node.location, f"{_name(node.method)} isn't a known method of TABLESAMPLE"
        case "A_Expr" if node.kind not in BETWEEN:
            yield from _operator(node.name, node.location)
        case "SubLink" if node.oper_name:
            yield from _operator(node.oper_name, node.location)
        case "SortBy" if node.use_op:
            yield from _operator(node.use_op, node.location)


def _operator(names: Sequence[Node], byte: int) -> Iterator[Violation]:
    if not _is_known(names, OPERATORS):
        yield byte, f"{_name(names)} isn't an operator that is known to only read"


def _is_known(names: Sequence[Node], known: frozenset[str]) -> bool:
    """Whether it is one of PostgreSQL's own; what other schemas have may do anything."""
    *schema, name = (part.string.sval for part in names)
    return schema in ([], ["pg_catalog"]) and name in known


def _name(names: Iterable[Node]) -> str:
    return ".".join(part.string.sval for part in names).removeprefix("pg_catalog.")


def _keyword_byte(word: str, node: Message, words: Sequence[_Word]) -> int:
    """Where the keyword of a node is: the last one before the node's own parts."""
    parts = [part.location for _, part in postgast.walk(node) if getattr(part, "location", 0) > 0]
    end = min(parts, default=0)
    bytes_of_word = [found.byte for found in words if found.text == word]
    return max((byte for byte in bytes_of_word if byte <= end), default=min(bytes_of_word))


def _lock_byte(words: Sequence[_Word]) -> int:
    """Where FOR UPDATE, FOR SHARE and the like begin."""
    return next(
        word.byte
        for word, following in pairwise(words)
        if word.text == "FOR" and following.text in LOCK_STRENGTHS
    )
