"""Names with values: assignments, headers, JSON, YAML, XML, tables, and options of commands."""

import re

from bot.masking import values
from bot.masking.names import MARKERS, Kind, kind
from bot.masking.spans import Span, Spans, Text

MAX_NAME = 64
MARKS = ('"', "'", "`")
QUOTES = r"(?:\\{0,15}[\"'`]|&(?:quot|apos|#34|#39);|%2[27]|\\u002[27]|\\x2[27])"
MARKED = rf"(?:{'|'.join(map(re.escape, sorted(MARKERS, key=len, reverse=True)))})"
# What stands before the value of a variable that is not set: `||`, `?:`, `| default`.
DEFAULT = rf"(?:\|\||\?\?|\?:|\|[ \t]{{0,9}}default)(?=[ \t]{{0,9}}{QUOTES})"
SEPARATOR = (
    rf"(?:{DEFAULT}|::=|=>|:=|->|!?={{1,3}}|:{{1,2}}|→|\|(?!\|)|%3d|%3a|\\u003[ad]|\((?={QUOTES}))"
)
# “password for bob: hunter2”
ABOUT_WHOM = r"(?:[ \t]+(?:is|was|(?:for|of)[ \t]+(?:user[ \t]+)?[^\s:=]{1,40})(?=[ \t]*[:=]))?"
ASSIGNED = re.compile(
    rf"(?P<name>{MARKED}[\w.$-]{{0,64}}+)(?P<quote>{QUOTES})?[*_~]{{0,2}}{ABOUT_WHOM}[\])]{{0,2}}"
    r"(?:[ \t]*+\([^()\n]{0,30}\))?"
    r"(?:(?:[ \t]{0,9}:[ \t]*|[ \t]{1,9}(?=\w{3,6}[ \t]*=))(?:str|string|&str|any|text)\b)?"
    rf"[ \t]*+(?P<separator>{SEPARATOR})"
    r"(?:[*_~]{1,2}(?=[ \t]))?[ \t]*+"
)
# "password", "hunter2": the arguments of a call, or the parts of a tuple.
CALLED = re.compile(
    rf"{MARKED}[\w.$-]{{0,64}}+(?P<quote>{QUOTES})[ \t]*,[ \t]*"
    rf"(?:default[ \t]*=[ \t]*)?(?={QUOTES})"
)
OPTION = re.compile(
    rf"(?<![\w.-])-[\w.-]{{0,60}}?{MARKED}[\w.-]{{0,64}}+(?:[ \t]|\\\n)++(?=[^\s-])"
)
TAG = re.compile(r"(?:<|&lt;)(?P<name>[\w:.-]{1,60})(?P<rest>[^<>&\n]{0,200})(?:>|&gt;)")
TAG_END = re.compile(r"<|&lt;|\]\]>")
CDATA = re.compile(r"\s*<!\[cdata\[")
# `name: DB_PASSWORD` beside `value: hunter2`, in any order, also as attributes of XML.
NAMED = re.compile(
    rf"\b(?:name|key|field|header|variable|var|parameter|property|id)\b{QUOTES}?[ \t]*[:=][ \t]*"
    rf"(?P<quote>{QUOTES})?(?P<name>[\w.$-]{{2,80}}+)(?P=quote)?"
)
# "password": {"value": "hunter2"}
OWNER = re.compile(
    rf"(?P<name>[\w.$-]{{2,80}}){QUOTES}?[ \t]*(?:[:=][ \t]*(?:\{{|\n)|\{{)"
    r"[^{}\n]{0,100}\n?[^{}\n]{0,100}\Z"
)
VALUE = re.compile(rf"\b(?:value|val|content|default)\b{QUOTES}?[ \t]*[:=][ \t]*")
REACH = 200
BETWEEN_OBJECTS = re.compile(r"[}]|\n[ \t]*-[ \t]|/>|<(?!/)")
# After a name and a space: what is more like a secret than like a word of a sentence.
TOLD = re.compile(
    r"(?P<name>(?:passw(?:or)?d|passwort|passphrase|passcode|pwd|secret[_-]?key|access[_ -]?key"
    r"|api[_ -]?key|auth[_-]?token|access[_ -]?token|token|requirepass|masterauth|cvv2?|cvc"
    r"|(?:\b|root|bind)pw"
    r"|secret(?=[ \t]+(?:is|was)[ \t]))[\w-]{0,64}+)"
    r"(?:[ \t]+(?:for|to|of)(?:(?:[ \t]+[^\s:=]{1,40}){2,4}?(?=[ \t]+(?:is|was)[ \t])"
    r"|[ \t]+[^\s:=]{1,40}))?"
    r"(?:[ \t]+(?:is|was|to|be|of|from|reads|equals|i?like"
    r"|(?:set|changed|reset|rotated)[ \t]+(?:to|from)))?"
    r"[ \t]+"
    rf"(?P<quote>{QUOTES})?(?P<value>[^\s\"'`,;()\]}}<>]{{3,200}}+)(?!\()"
)
# “login with admin / hunter2”
PAIR = re.compile(
    r"\b(?:creds?|credentials|log[ -]?in|logins?)\b:?[^\n:=/|]{0,30}?[ \t]"
    r"(?P<user>[\w.@-]{2,40})[ \t]/[ \t]"
    r"(?P<value>[^\s/|,;]{6,100})(?=[\s,;]|$)"
)
# “the password for admin is below:”, and a line that is one word
ANNOUNCED = re.compile(
    r"\b(?:\w{0,30}password|passphrase|api key|secret key|access token)\b(?:[^\n:]{0,60}:)?[ \t]*\n"
    r"(?:[ \t]*\n)?[ \t]*(?P<value>[^\s:=\"'{}()<>]{8,200})[ \t]*(?=\n|$)"
)
TOLD_CODE = re.compile(
    r"\b(?:otp|totp|2fa[ -]code|mfa[ -]code|pin(?=[ \t]+(?:is|was)[ \t])"
    r"|(?:verification|security|one[ -]time|sms|backup|recovery|confirmation)[ -](?:pass)?codes?)"
    r"(?:[ \t]+(?:is|was|are))?:?[ \t]+(?P<value>\d[\d -]{2,40}\d)\b"
    r"|\b(?P<before>\d{4,8})[ \t]is[ \t]your[ \t][\w ]{0,40}(?:code|pin|otp)\b"
)
SQL_PASSWORD = re.compile(
    r"\b(?:password|identified[ \t]+(?:with[ \t]+[\w']{1,40}[ \t]+)?by(?:[ \t]+password)?)[ \t]+"
    r"(?=e?')"
)
# “failed to fetch token: no such host”: what follows is no value.
FAILED = re.compile(r"\b(?:failed|unable|error|cannot|couldn't|could not)\b[^\n:;|=]{0,60}\Z")
FAILURES = ("fail", "unable", "error", "cannot", "could")
OF_AWS = re.compile(r"\barn:\S{0,100}:\Z")
# Before the name of an emoji, as in :lock_with_key: of Slack.
EMOJI = re.compile(r"(?:^|[^\w.-]):\Z")
CHANGED = re.compile(rf"{QUOTES}?[ \t]{{1,5}}(?:->|=>|→|to)[ \t]{{1,5}}(?={QUOTES})")
SECOND_WORDS = ("key", "code", "id", "string", "phrase")
FIRST_WORD = re.compile(r"(\w[\w-]{1,15})[ \t]\Z")
SCHEME = re.compile(r"\b(?:bearer|basic)[ \t]{1,9}(?P<value>[\w.~+/=-]{6,}+)")
UNEXPECTED = re.compile(r"(?:unexpected|next|illegal|stray|end|parse|lexer|current)[ \t]+$")
# “passphrase for key '/home/bob/.ssh/id_rsa'”
PATH = re.compile(r"(?:~|/[\w.-]+)(?:/[\w.-]+)+")
# The name of a Kubernetes Secret, or of one of AWS, as in `secret: shop/orders-db`.
OBJECTS = ("secret", "secrets", "secretid")
OBJECT = re.compile(
    r"[\"']?[a-z][a-z-]{1,60}(?:/[a-z][a-z-]{1,60})+[\"']?(?=[\s,;)}\]]|$)"
    r"|\n(?:[ \t]*-[ \t]+[a-z]{2,30}(?:[-_][a-z]{2,30}){1,5}[ \t]*(?:\n|$))+"
)
# `-W, --password  force a prompt`, as a command explains itself
IN_HELP = re.compile(r"-[a-z],[ ]\Z")
# “token http_404”, “token v2.4.1”
CODE_OR_VERSION = re.compile(r"v?\d+(?:\.\d+)+[\w.-]*|[a-z]+(?:_[a-z]+)*_\d{1,4}[a-z]?")
START_OF_LINE = re.compile(
    r"[ \t>#*-]*[\"'`]?(?:(?:export|set|env|declare -x|let|const|var)[ \t]+)?"
)
DIRECTORY = re.compile(r"(?:/|[a-z]:[\\/]|~)")


def spans(text: Text) -> Spans:
    """The value of every name that is one of a secret."""
    if not any(marker in text.lower for marker in MARKERS):
        return
    yield from _assigned(text)
    yield from _called(text)
    yield from _options(text)
    if "<" in text.plain or "&lt;" in text.plain:
        yield from _tags(text)
    if VALUE.search(text.lower):
        yield from _named(text)
    yield from _told(text)


def name_before(text: Text, position: int, end: int) -> tuple[int, str]:
    """Where the name around a position begins, and the name up to `end`."""
    begin = position
    earliest = max(0, position - MAX_NAME)
    while begin > earliest and _is_of_name(text.plain[begin - 1]):
        begin -= 1
    return begin, text.plain[begin:end]


def _tells_failure(before: str) -> bool:
    """Whether a sentence before a name says that something failed."""
    return any(word in before for word in FAILURES) and FAILED.search(before) is not None


def _after_change(text: Text, position: int, found: Kind) -> Spans:
    """The second value of a change, such as "old" -> "new"."""
    arrow = CHANGED.match(text.plain, position)
    span = values.span(text, arrow.end(), found, spaced=False) if arrow else None
    if span is not None:
        yield span


def _kind_of_two(text: Text, begin: int, name: str) -> Kind | None:
    """The kind of a name of two words, such as “API key”."""
    if name.lower() not in SECOND_WORDS:
        return None
    first = FIRST_WORD.search(text.plain, max(0, begin - 20), begin)
    return kind(f"{first[1]}_{name}") if first else None


def _is_of_name(character: str) -> bool:
    return character.isalnum() or character in "_.$-"


def _assigned(text: Text) -> Spans:
    position = 0
    while match := ASSIGNED.search(text.lower, position):
        position = match.end()
        begin, name = name_before(text, match.start(), match.end("name"))
        found = kind(name) or _kind_of_two(text, begin, name)
        is_emoji = match["separator"] == ":" and EMOJI.search(text.lower, max(0, begin - 2), begin)
        before = text.lower[max(0, begin - REACH) : begin].rpartition("\n")[2]
        if "arn:" in before and OF_AWS.search(before):
            continue
        if found is not Kind.HEADER and _tells_failure(before):
            found = found and Kind.WEAK
        if found is not None and not is_emoji and not _is_of_parser(text, begin, found):
            span = _value(text, match, begin, name, found)
            if span is not None:
                yield span
                position = max(position, span[1])
                yield from _after_change(text, position, found)


def _is_of_parser(text: Text, begin: int, found: Kind) -> bool:
    """Whether it is a sentence such as “unexpected token: }”."""
    return (
        found is Kind.TOKEN and UNEXPECTED.search(text.lower, max(0, begin - 20), begin) is not None
    )


def _value(text: Text, match: re.Match[str], begin: int, name: str, found: Kind) -> Span | None:
    after_name = match["quote"] or ""
    opening = _mark_before(text.plain, begin)
    # The mark after the name may be the end of what both stand in: 'password' = or 'a password: b'.
    quoted = "" if after_name else opening
    separator, gap = match["separator"], match.end() - match.end("separator")
    if separator == "|" and not _is_cell(text, match, gap, name):
        return None
    if name.lower() in OBJECTS and OBJECT.match(text.lower, match.end()):
        return None
    if _is_same_name(text, match.end(), name, found):
        return None
    if name.lower() in ("pwd", "oldpwd") and DIRECTORY.match(text.lower, match.end()):
        return None
    colon = separator.startswith(":") or separator == "|"
    spaced = gap > 0 and (colon or _begins_line(text, begin))
    # Words may follow too where the whole is in quotation marks, or a part between semicolons.
    spaced = spaced or bool(quoted) or text.plain[max(0, begin - 1) : begin] == ";"
    return values.span(text, match.end(), found, spaced=spaced, quoted=quoted)


def _is_cell(text: Text, match: re.Match[str], gap: int, name: str) -> bool:
    """Whether a value stands in the next cell of a table: it is no sentence, and no pipe."""
    if name.startswith("$") or not gap or text.plain[match.start("separator") - 1] not in " \t":
        return False
    cell, _, _ = text.plain[match.end() : text.line_end(match.end())].partition("|")
    words = cell.split()
    return len(words) == 1 or (len(words) > 1 and values.looks_secret(words[0]))


def _is_same_name(text: Text, position: int, name: str, found: Kind) -> bool:
    """Whether code hands on a variable, as in `self.token = token`."""
    own = name.rpartition(".")[2]
    if not text.plain.startswith(own, position) or not ("_" in own or found is Kind.TOKEN):
        return False
    following = text.plain[position + len(own) : position + len(own) + 1]
    return not following or following in " \t\n,;)"


def _mark_before(plain: str, begin: int) -> str:
    mark = plain[max(0, begin - 2) : begin]
    if mark[-1:] not in MARKS:
        return ""
    return mark if mark[0] == "\\" else mark[-1]


def _begins_line(text: Text, begin: int) -> bool:
    before = text.lower[max(0, begin - REACH) : begin]
    line = before.rpartition("\n")[2]
    return len(line) < REACH and START_OF_LINE.fullmatch(line) is not None


def _called(text: Text) -> Spans:
    for match in CALLED.finditer(text.lower):
        begin, name = name_before(text, match.start(), match.start("quote"))
        start = begin - len(match["quote"])
        is_argument = (
            name.startswith("-") or text.plain[max(0, start - 9) : start].rstrip()[-1:] == "("
        )
        found = kind(name)
        if found is not None:
            # In a list such as ["token", "session"] both are names.
            found = found if is_argument else Kind.RANDOM
            span = values.span(text, match.end(), found, spaced=False)
            if span is not None:
                yield span


def _options(text: Text) -> Spans:
    for match in OPTION.finditer(text.lower):
        if IN_HELP.search(text.lower, max(0, match.start() - 4), match.start()):
            continue
        if match.group().startswith("--secret-id") and OBJECT.match(text.lower, match.end()):
            continue
        found = kind(match.group().strip(" \t\\\n"))
        if found is not None and found is not Kind.HEADER:
            found = Kind.TOKEN if found is Kind.WEAK else found
            span = values.span(text, match.end(), found, spaced=False)
            if span is not None:
                yield span


def _tags(text: Text) -> Spans:
    for match in TAG.finditer(text.plain):
        attribute = NAMED.search(text.lower, *match.span("rest"))
        written = text.plain[slice(*attribute.span("name"))] if attribute else ""
        found = kind(match["name"]) or kind(written)
        if found is None or match["rest"].endswith("/"):
            continue
        cdata = CDATA.match(text.lower, match.end())
        begin = cdata.end() if cdata else match.end()
        end = TAG_END.search(text.plain, begin, begin + values.MAX_VALUE)
        stop = end.start() if end else text.line_end(begin)
        inside = text.lower[begin:stop].strip()
        if end is None and len(inside.split()) > 1:
            continue  # a sentence that names a placeholder, such as “AUTH <password> was called”
        is_closed = end is None or text.plain.startswith(("</", "&lt;/", "<!--", "]]>"), stop)
        if inside and is_closed and not values.is_innocent(inside, found):
            yield (begin, stop)


def _named(text: Text) -> Spans:
    """For each value the name that stands beside it, before it or after it."""
    for match in VALUE.finditer(text.lower):
        before = _last(NAMED, text.lower, max(0, match.start() - REACH), match.start())
        found = _kind_of(text, before, match.start())
        if found is None:
            after = NAMED.search(text.lower, match.end(), match.end() + REACH)
            found = _kind_of(text, after, match.end(), is_after=True)
        if found is None:
            owner = OWNER.search(text.lower, max(0, match.start() - REACH), match.start())
            found = kind(text.plain[slice(*owner.span("name"))]) if owner else None
        if found is not None:
            found = Kind.PASSWORD if found is Kind.HEADER else found
            span = values.span(text, match.end(), found, spaced=True)
            if span is not None:
                yield span


def _last(pattern: re.Pattern[str], string: str, begin: int, end: int) -> re.Match[str] | None:
    matches = list(pattern.finditer(string, begin, end))
    return matches[-1] if matches else None


def _kind_of(
    text: Text, named: re.Match[str] | None, value: int, *, is_after: bool = False
) -> Kind | None:
    if named is None:
        return None
    between = text.lower[value : named.start()] if is_after else text.lower[named.end() : value]
    if BETWEEN_OBJECTS.search(between):
        return None
    return kind(text.plain[slice(*named.span("name"))])


def _told(text: Text) -> Spans:
    for match in SQL_PASSWORD.finditer(text.lower):
        position = text.plain.index("'", match.end())
        span = values.span(text, position, Kind.PASSWORD, spaced=False)
        if span is not None:
            yield span
    for match in SCHEME.finditer(text.lower):
        before = text.plain[max(0, match.start() - 9) : match.start()].rstrip(" \t\"'")
        if before.endswith((":", "=")) or values.looks_secret(match["value"]):
            yield match.span("value")
    for match in PAIR.finditer(text.lower):
        if values.looks_secret(match["value"]):
            yield match.span("value")
    for match in ANNOUNCED.finditer(text.lower):
        if values.looks_random(match["value"]):
            yield match.span("value")
    for match in TOLD_CODE.finditer(text.lower):
        yield match.span("value" if match["value"] else "before")
    for match in TOLD.finditer(text.lower):
        begin, name = name_before(text, match.start(), match.end("name"))
        found = kind(name.replace(" ", "_"))
        if found is None or _is_of_parser(text, begin, found):
            continue
        if match["quote"] and found is Kind.PASSWORD:
            span = values.span(text, match.start("quote"), found, spaced=False)
            if span is not None and not PATH.fullmatch(text.plain, *span):
                yield span
                yield from _after_change(text, span[1], found)
        elif _is_told(match, name):
            yield match.span("value")


def _is_told(match: re.Match[str], name: str) -> bool:
    """Whether what follows a name and a space is a secret: a word of a sentence is none."""
    value = match["value"].rstrip(".:!?")
    if values.PLACEHOLDER.fullmatch(value) or values.NAMES_SOMETHING.fullmatch(value):
        return False
    if CODE_OR_VERSION.fullmatch(value):
        return False
    if name.lower().startswith(("cvv", "cvc")):
        return value.isdigit()
    has_digit = any(map(str.isdigit, value))
    has_letter = any(map(str.isalpha, value))
    has_symbol = values.SYMBOLS.search(value) is not None and "=" not in value
    return len(value) >= 6 and ((has_digit and has_letter) or (has_symbol and has_letter))
