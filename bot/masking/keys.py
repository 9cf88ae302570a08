"""Private keys: blocks of several lines, also within a log, on one line, or cut off."""

import re

from bot.masking.spans import Spans, Text

KIND = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?|[A-Z0-9 ]{0,40}SECRET KEY(?: BLOCK)?"
BEGIN = re.compile(rf"-{{4,5}} ?BEGIN (?:{KIND}) ?-{{4,5}}")
END = re.compile(rf"-{{4,5}} ?END (?:{KIND}) ?-{{4,5}}")
# A block of another kind, such as a certificate, begins: the key before it was cut off.
OTHER = re.compile(r"-{4,5} ?BEGIN ")
MAX_KEY = 20_000
BODY = re.compile(r"[A-Za-z0-9+/=]{2,}|[A-Z][A-Za-z-]+: [^\n]*|")
PUTTY = re.compile(r"Private-Lines: \d+\n((?:[A-Za-z0-9+/=]+(?:\n|$))+)")


def spans(text: Text) -> Spans:
    """Every private key, and what is left of one."""
    plain = text.plain
    if "PRIVATE KEY" not in plain and "SECRET KEY" not in plain:
        if "Private-Lines" in plain:
            yield from (match.span(1) for match in PUTTY.finditer(plain))
        return
    rest = 0
    for match in END.finditer(plain):
        begin = BEGIN.search(plain, rest, match.start())
        if begin is None:
            yield (_start_of_body(text, rest, match.start()), match.end())
        rest = match.end()
    yield from _begun(text)


def _begun(text: Text) -> Spans:
    rest = 0
    while begin := BEGIN.search(text.plain, rest):
        rest = _end_of_key(text, begin.start(), begin.end())
        yield (begin.start(), rest)


def _end_of_key(text: Text, begin: int, body: int) -> int:
    """After the end line; without one, as long as lines look like those of a key."""
    limit = body + MAX_KEY
    other = OTHER.search(text.plain, body, limit)
    stop = other.start() if other else limit
    end = END.search(text.plain, body, stop)
    if end is not None:
        return end.end()
    prefix = len(text.plain[text.line_start(begin) : begin].split())
    position = text.line_end(body)
    while position < min(stop, len(text.plain)):
        line_end = text.line_end(position + 1)
        words = text.plain[position + 1 : line_end].split(None, prefix)
        if len(words) > prefix and not BODY.fullmatch(words[prefix].strip(" \t\"'\\")):
            break
        position = line_end
    return min(position, stop)


def _start_of_body(text: Text, earliest: int, end: int) -> int:
    """Where the lines of base64 before an end line begin."""
    begin = end
    line_start = text.line_start(end)
    while line_start > earliest:
        line = text.plain[text.line_start(line_start - 1) : line_start - 1]
        if not _is_base64((line.split() or [""])[-1]):
            break
        begin, line_start = line_start - 1 - len(line), text.line_start(line_start - 1)
    words = text.plain[text.line_start(end) : end].split()
    if begin == end and words and _is_base64(words[-1].removesuffix("\\n")):
        return max(earliest, text.plain.rindex(words[-1], 0, end))
    return max(earliest, begin)


def _is_base64(word: str) -> bool:
    """Whether a word can be a line of a key, of which only the last one is short."""
    if BODY.fullmatch(word) is None or not word:
        return False
    return len(word) >= 32 or word.endswith("=") or not (word.islower() or word.isdigit())
