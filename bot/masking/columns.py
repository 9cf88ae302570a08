"""Secrets below the name of their column: tables of text, and rows that SQL inserts."""

import re
from collections.abc import Iterator

from bot.masking import values
from bot.masking.names import Kind, kind
from bot.masking.spans import Span, Spans, Text

# The line below the names, as psql, mysql and Markdown draw it.
RULE = re.compile(r"(?m)^[ \t]*[|+]?[ \t]*:?-{2,}[-+|: \t]*$")
CELL = re.compile(r"[^|\n]+")
MAX_ROWS = 1000
INSERT = re.compile(
    r"\b(?:insert|replace)\s+into\s+[^\s(]{1,100}\s*\((?P<names>[^()]{1,2000})\)\s*values\s*(?=\()"
)
ROW = re.compile(r"\s*,?\s*\(")
# A text in quotation marks, in which they are doubled, or anything else without a comma.
ITEM = re.compile(
    r"\s*(?:'(?P<text>(?:[^'\\]|''|\\.){0,2000}+)'|[^,()']{0,200}+(?:\([^()]{0,200}\))?)\s*(?P<end>[,)]|$)"
)
# `auth=("bob", "hunter2")`, `getConnection(url, "bob", "hunter2")`
CALLED = ("auth", "getconnection", "credentials", "login")
CALL = re.compile(
    r"(?:\bauth[ \t]*=[ \t]*|basicauth|\.auth|getconnection|credentials|\blogin)"
    r"\([^()\n]{0,300}?,[ \t]*([\"'])"
    r"(?P<value>[^\"'\n]{1,200})\1[ \t]*\)"
)


def spans(text: Text) -> Spans:
    """Every value whose name stands above it, or before it in a list."""
    if "--" in text.plain and "|" in text.plain:
        for rule in RULE.finditer(text.plain):
            yield from _below(text, rule)
    if "into" in text.lower:
        for insert in INSERT.finditer(text.lower):
            yield from _inserted(text, insert)
    if any(marker in text.lower for marker in CALLED):
        yield from (match.span("value") for match in CALL.finditer(text.lower))


def _below(text: Text, rule: re.Match[str]) -> Spans:
    """The cells below the names of secrets."""
    start = text.line_start(rule.start() - 1) if rule.start() else 0
    kinds = [kind(name.strip()) for name in _names(text.plain[start : rule.start()])]
    if not any(kinds):
        return
    position = rule.end() + 1
    for _ in range(MAX_ROWS):
        end = text.line_end(position)
        line = text.plain[position:end]
        if "|" not in line or RULE.fullmatch(line):
            return  # below another rule, its own names count
        for found, (begin, stop) in zip(kinds, _cells(line), strict=False):
            if _is_secret(text.lower[position + begin : position + stop], found):
                yield (position + begin, position + stop)
        position = end + 1


def _names(line: str) -> list[str]:
    return [line[begin:end] for begin, end in _cells(line.rstrip("\n"))]


def _cells(line: str) -> Iterator[Span]:
    for cell in CELL.finditer(line):
        word = cell.group().strip()
        if word or cell.end() < len(line):
            begin = cell.start() + len(cell.group()) - len(cell.group().lstrip())
            yield (begin, max(begin, cell.start() + len(cell.group().rstrip())))


def _inserted(text: Text, insert: re.Match[str]) -> Spans:
    kinds = [_kind_of_column(name) for name in text.plain[slice(*insert.span("names"))].split(",")]
    position = insert.end()
    while any(kinds) and (row := ROW.match(text.lower, position)):
        position = row.end()
        for found in kinds:
            item = ITEM.match(text.plain, position)
            if item is None:
                return
            position = item.end()
            if item["text"] and _is_secret(item["text"].lower(), found):
                yield item.span("text")
            if item["end"] != ",":
                break


def _kind_of_column(name: str) -> Kind | None:
    plain = name.strip(' \t\n"`[]')
    return Kind.RANDOM if plain.lower() == "key" else kind(plain)


def _is_secret(value: str, found: Kind | None) -> bool:
    if found is None or not value.strip():
        return False
    return not values.is_innocent(value.strip(), Kind.TOKEN if found is Kind.HEADER else found)
