"""Search log lines with a regular expression, in a time that grows with their length only."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

import re2
from pydantic import AfterValidator, Field

STAMP_PATTERN = r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ?"
# A usual expression searches 500 MB a second; one of this size, on text made for it, 0.1 MB.
MAX_PROGRAM_SIZE = 10_000
TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|\{,|.", re.DOTALL)
MULTILINE = "(?m)"
# A flag for what follows, also beyond a bar; a quotation, in which a bar is none.
NEEDS_WHOLE = re.compile(r"\(\?[A-Za-z-]+\)|\\Q")
# What RE2 says of an expression that other libraries know, and what to write instead.
HINTS = (
    (
        re.compile(r"operator: \(\?<?[=!]"),
        "RE2 has no look-ahead and no look-behind: search for the words themselves, such as "
        "`refund failed` for `(?<=refund )failed`",
    ),
    (
        re.compile(r"escape sequence: \\[1-9]|operator: \(\?P"),
        "RE2 has no reference back to a group: write out what the group stands for",
    ),
    (
        re.compile(r"operator: (?:[*+?]\+|\{.*\}\+|\(\?>)"),
        "RE2 has no possessive repetition and needs none: leave out its second `+`, or its `?>`",
    ),
    (
        re.compile(r"operator: \(\?[A-Za-z]"),
        "RE2 has only the flags i, m and s: leave out the others",
    ),
    (
        re.compile(r"operator: \(\?[#(]"),
        "RE2 has no comments and no conditions in an expression: leave them out",
    ),
    (
        re.compile(r"escape sequence: \\[uUN]"),
        "RE2 writes a character by its number as `\\x{e4}`: write that, or the character itself",
    ),
    (
        re.compile(r"repetition size"),
        "RE2 repeats 1000 times at most, also within a repetition: write smaller numbers, or `*`",
    ),
)


def _check_expression(text: str) -> str:
    """Raises ValueError when it cannot be searched for."""
    try:
        size = _compiled(text).programsize
    except re2.error as error:
        raise ValueError(f"expects a regular expression ({_hint(error)})") from error
    except UnicodeEncodeError as error:
        raise ValueError("expects a regular expression of whole characters") from error
    if size > MAX_PROGRAM_SIZE:
        raise ValueError("expects a shorter regular expression: write smaller repetitions")
    return text


def _hint(error: re2.error) -> str:
    """What to write instead, or what RE2 says where nothing better is known."""
    said: str = error.args[0].decode("utf-8", "replace").replace(MULTILINE, "")
    return next((hint for pattern, hint in HINTS if pattern.search(said)), said)


Expression = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_check_expression)]


def _compiled(pattern: str, start: str = "^") -> Any:
    try:
        return re2.compile(_spelt(pattern, start), _options())
    finally:
        re2.purge()  # it would keep the last 128 of them, with their memory


def _options() -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.never_capture = True
    options.never_nl = True
    return options


def _spelt(pattern: str, start: str = "^") -> str:
    """The expression as RE2 knows it, for lines that begin with `start`."""
    spellings = {"^": start, r"\A": start, r"\Z": "$", r"\z": "$", "{,": "{0,"}
    return MULTILINE + "".join(spellings.get(token, token) for token in TOKEN.findall(pattern))


def alternatives(pattern: str) -> tuple[str, ...]:
    """The parts between the outer bars: `a(b|c)|d` has `a(b|c)` and `d`.

    Only the whole pattern when its parts cannot be searched for one by one.
    """
    parts, depth = [""], 0
    for token in TOKEN.findall(pattern):
        depth += (token == "(") - (token == ")")
        if token == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += token
    separable = NEEDS_WHOLE.search(pattern) is None and all(map(_is_expression, parts))
    return tuple(dict.fromkeys(parts)) if separable else (pattern,)


def _is_expression(text: str) -> bool:
    try:
        return bool(text) and _compiled(text) is not None
    except re2.error:
        return False


def searched_together(*patterns: str) -> Any:
    """A `re2.Set`, whose `Match` says which of the patterns are in a line, or None."""
    expressions = re2.Set.SearchSet(_options())
    for pattern in patterns:
        expressions.Add(_spelt(pattern))
    expressions.Compile()
    return expressions


class Search:
    """A regular expression and its alternatives, in upper or lower case."""

    def __init__(self, pattern: str) -> None:
        self._with_times = _compiled(pattern, start=f"(?:^(?:{STAMP_PATTERN})?)")
        self._alternatives = searched_together(*alternatives(pattern))

    def candidates(self, block: bytes) -> Iterator[slice]:
        """Where the lines are that may match: all that do, and those that do by their times.

        The lines are UTF-8, each with its time before it and a newline after it.
        """
        position = 0
        while match := self._with_times.search(block, position):
            start = block.rfind(b"\n", position, match.start()) + 1 or position
            end = block.find(b"\n", match.start())
            if end < 0:
                break
            yield slice(start, end)
            position = end + 1

    def found(self, text: str) -> tuple[int, ...]:
        """The indexes of the alternatives that are in a line, without its time; none if none."""
        return tuple(sorted(self._alternatives.Match(text) or ()))
