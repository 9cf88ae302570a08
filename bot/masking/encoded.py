"""Secrets in another coding: base64, percent-encoding, and the data of a Kubernetes Secret."""

import base64
import binascii
import re
from collections.abc import Callable
from itertools import pairwise
from urllib.parse import unquote

from bot.masking.spans import Spans, Text

WORD = re.compile(r"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/_-]{16,}+={0,2}(?![A-Za-z0-9=])")
SHORTEST = 16
URL_SAFE = bytes.maketrans(b"-_", b"+/")
MAX_DECODED = 8192
PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e]+")
PART = re.compile(r"[^\s\"'<>=&?]++")
PERCENT = re.compile(r"%[0-9A-Fa-f]{2}")
OF_SECRET = re.compile(r"\bkind\\{0,7}[\"']?[ \t]*:[ \t]*\\{0,7}[\"']?Secret(?:List)?\b")
DOCUMENT = re.compile(r"(?m)^---")
DATA = re.compile(r"(?m)^(?P<indent>[ \t]*)(?:-[ \t]+)?(?:stringData|data):[ \t]*$")
DATA_IN_LINE = re.compile(r"\b(?:stringData|data):[ \t]*\{([^{}\n]{1,20000})\}")
VALUE_IN_LINE = re.compile(r":[ \t]+([^,}\s]+)")
ENTRY = re.compile(r"(?m)^[ \t]*[\"']?[\w.-]+[\"']?:[ \t]*(?P<value>[^\n]*)$")
DATA_OBJECT = re.compile(
    r"\\{0,7}\"(?:stringData|data)\\{0,7}\"\s{0,20}:\s{0,20}\{([^{}]{0,200000})\}"
)
JSON_VALUE = re.compile(r":\s{0,20}\\{0,7}\"([^\"]{1,100000}?)\\{0,7}\"")


def spans(text: Text, find: Callable[[Text], Spans]) -> Spans:
    """Every word that has a secret in it once it is decoded; `find` finds those of plain text."""
    if text.longest_word >= SHORTEST:
        for match in WORD.finditer(text.plain):
            decoded = _from_base64(match.group())
            if decoded and any(True for _ in find(Text(decoded))):
                yield match.span()
    if "%" in text.plain:
        for match in PART.finditer(text.plain):
            if PERCENT.search(match.group()):
                decoded = unquote(match.group(), errors="replace")
                if any(True for _ in find(Text(decoded))):
                    yield match.span()
    if "Secret" in text.plain and "ata" in text.plain and OF_SECRET.search(text.plain):
        yield from _secrets(text.plain)


def _from_base64(word: str) -> str:
    """What a word says, if it is printable; else empty."""
    raw = word[:MAX_DECODED].rstrip("=").encode().translate(URL_SAFE)
    try:
        decoded = base64.b64decode(
            raw[: len(raw) // 4 * 4] if len(raw) % 4 == 1 else raw + b"=" * (-len(raw) % 4)
        )
    except binascii.Error:
        return ""
    return decoded.decode("ascii") if PRINTABLE.fullmatch(decoded) else ""


def _secrets(plain: str) -> Spans:
    borders = [0, *(match.start() for match in DOCUMENT.finditer(plain)), len(plain)]
    for begin, end in pairwise(borders):
        if OF_SECRET.search(plain, begin, end):
            yield from _data(plain, begin, end)


def _data(plain: str, begin: int, end: int) -> Spans:
    for data in DATA_OBJECT.finditer(plain, begin, end):
        for value in JSON_VALUE.finditer(plain, *data.span(1)):
            yield value.span(1)
    for data in DATA_IN_LINE.finditer(plain, begin, end):
        for value in VALUE_IN_LINE.finditer(plain, *data.span(1)):
            yield value.span(1)
    for data in DATA.finditer(plain, begin, end):
        yield from _entries(plain, data.end() + 1, end, len(data["indent"]))


def _entries(plain: str, begin: int, end: int, indent: int) -> Spans:
    """The lines below `data:` that are indented more: the values of their entries, and the rest."""
    position = begin
    while position < end:
        line_end = plain.find("\n", position, end)
        line_end = end if line_end < 0 else line_end
        line = plain[position:line_end]
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            return
        entry = ENTRY.match(plain, position, line_end)
        start = entry.start("value") if entry else position + len(line) - len(line.lstrip())
        if plain[start:line_end].strip(" |>-+\"'"):
            yield (start, line_end)
        position = line_end + 1
