"""Where the value of a secret's name begins and ends, and which values are no secrets."""

import re

from bot.masking import expressions
from bot.masking.names import Kind
from bot.masking.spans import MASK, Span, Text

QUOTE = re.compile(
    r"(\\{0,15})([\"'`])|&(?:quot|apos|#34|#39|#x22|#x27);|%2[27]|\\u002[27]|\\x2[27]"
)
# What stands between a separator and the value in some languages.
DECORATION = re.compile(
    r"(?:!!?\w*[ \t]+|&\w+[ \t]+|(?:some|ok|just|optional|secret|secretstr|string)[(\[]"
    r"|new \w{1,20}\(|[brfu@]{1,2}(?=[\"']))?"
)
MAX_VALUE = 20_000
# Of what has to look random, which many names come before.
MAX_KEY = 500
MAX_SLASHES = 31
BLOCK = re.compile(r"[|>][+-]?\d?[ \t]*(?:#[^\n]*)?(?=\n)")
ITEM = re.compile(r"[ \t]*-[ \t]+(?![^\n]{0,80}?:(?:[ \t]|\n|$))[^\n]+")
BLANK = re.compile(r"(?:[ \t]*\n){0,2}")
# A value that is one word on a line of its own.
SINGLE = re.compile(r"[ \t>]*((?![\w.-]{1,60}[ \t]*[:=](?:\s|$))[^\s#]\S*)[ \t]*(?=\n|$)")
# The value stops here, unless it goes on at once: a password may contain all of them.
STOP = re.compile(
    r"[,;&](?=\s|$|[\"']|[\w.$-]{1,40}[ \t]?[=:])|[)\]}>]+(?=[\s,;:.)\]}>\"'`]|$)"
    r"|\\{0,15}[\"'`](?=[\s,;:.)\]}>\\&|/]|$)|\\[nrt](?=[\w.-]{1,40}[=:])|&(?:quot|apos|lt|gt);"
    r"|(?<=[^,;])\|(?=\s|$)|</|%26(?=[\w.-]{1,40}(?:=|%3d))|\s"
)
MORE_WORDS = re.compile(
    r"(?:[ \t]+(?![\w.$-]{1,40}[ \t]?[=:]|[#|(\"'`<\[{]|-{1,2}(?:\w|[ \t]|$)|=>)[^\s,;\"'`]+)+"
)
NUMBER = re.compile(r"[+-]?\d{1,6}(?:[.,]\d{1,3})?(?:ms|s|m|h|d|%|[kmg]i?b?|/\d{1,6})?")
# As ODBC quotes a value.
BRACES = re.compile(r"\{([^{}:=\"'\n]{1,200})\}(?=[\s;,\"']|$)")
CODE = re.compile(r"\d{3,8}")
PORT = re.compile(r"\d{2,5}/(?:[a-z_-]{1,20}/){0,4}[\w.-]*")
PLACEHOLDER = re.compile(
    r"![a-z]{1,20}|\$\d{1,2}|\?|[a-z0-9.-]+-token-[a-z0-9]{5}|[\w.+-]{1,20}(?:…|\.{3})|"
    r"(?:process\.env|os\.environ|env|secrets|vars?|config|settings|self|this)\.[a-z_.]+|"
    r"[\w./-]{1,100}\.(?:crt|pem|key|json|ya?ml|txt|conf|cfg|env|properties|p12|jks)|"
    r"(?:\[(?:masked|redacted|filtered|hidden|removed|secret)\]|<[a-z][a-z _./'-]{0,80}>|\*+|x{3,}"
    r"|\.{2,}|…|•+|\(?(?:redacted|masked|hidden|filtered|removed|sensitive|sensitive value)\)?"
    r"|\$\{\{?[^{}\n]{1,200}\}\}?|\$\([^()\n]{1,200}\)|\$[a-z_]{1,60}|%[a-z_]{1,60}%|%[sdvqr]"
    r"|\{\{[^{}\n]{0,200}\}\}|\{[a-z_.]{0,60}\}|@[a-z_]+@|[\[\](){}.,;:\"'~-]*)"
)
# At the place of a value: a reference to one, or what `kubectl describe` says of one.
REFERENCE = re.compile(
    r"(?:\$\{\{?[^{}\n]{1,200}\}\}?|\$\([^()\n]{1,200}\)|\{\{[^{}\n]{0,200}\}\}|<[a-z_ .-]{1,80}>"
    r"|<set to the key [^<>\n]{0,200}>|ssh-(?:rsa|ed25519)|ecdsa-sha2-\w{1,20})"
    r"(?=[\s,;\"'`)}\]]|$)"
)
STATES_TEXT = """
null none nil undefined true false yes no on off ok string str text bool boolean int integer
number bytes object optional any varchar empty unknown missing required expired invalid
wrong incorrect valid set unset present absent not is are was were be has been must should
cannot can't could too short long weak strong mismatch does do did doesn't match matches
changed unchanged denied refused rejected accepted authentication failed failure fails error
errors field disabled enabled default n/a na in use used expires soon at least characters updated
reset rotated revoked verified and or the a an oauth oauth2 basic bearer digest ldap saml
saml2 jwt oidc iam hs256 rs256 es256 md5 sha1 sha256 scram-sha-256 trust peer cert all
"""
STATES = frozenset(STATES_TEXT.split())
# A sentence that begins so tells of a secret, and names none.
TELLING_TEXT = """
wrong invalid incorrect must is not cannot should required missing expired too
authentication does has was failed failure error mismatch changed reset updated rotated
verification no unable please verify could will set field
"""
TELLING = frozenset(TELLING_TEXT.split())
INSIDE_WORDS = dict.fromkeys(map(ord, "'-"))
SYMBOLS = re.compile(r"[!#$%^&*+=?@~|\\]")
# Among 16 letters and digits by chance, some 6 changes are usual.
LONG_WORD = re.compile(r"(?<![A-Za-z0-9./:-])[A-Za-z0-9]{16,}(?![.:]\w)")
DIGIT_CHANGE = re.compile(r"(?<=[a-zA-Z])(?=\d)|(?<=\d)(?=[a-zA-Z])")
FEWEST_DIGIT_CHANGES = 4
NAMES_SOMETHING = re.compile(r"[\w.-]*[/:][\w./:-]*")


def span(text: Text, position: int, kind: Kind, *, spaced: bool, quoted: str = "") -> Span | None:
    """The value that begins at a position, or None where there is no secret.

    `spaced` says that words may follow, `quoted` in which quotation mark the name stands.
    """
    if kind is Kind.HEADER:
        return _header(text, position, quoted)
    position = _after(DECORATION, text.lower, position)
    quote = QUOTE.match(text.plain, position)
    if quote is not None and (quote.group() != quoted or position < _end_of(text, quote, quoted)):
        return _quoted(text, quote, kind)
    if text.plain[position : position + 1] in ("", "\n"):
        return _below(text, position, kind)
    if BLOCK.match(text.plain, position) and kind is not Kind.WEAK:
        return _block(text, position)
    if text.plain.startswith("[", position) and not text.lower.startswith(MASK, position):
        return _list(text, position)
    return _bare(text, position, kind, spaced=spaced)


def _after(pattern: re.Pattern[str], string: str, position: int) -> int:
    match = pattern.match(string, position)
    return match.end() if match else position


def _end_of(text: Text, quote: re.Match[str], quoted: str) -> int:
    """Past the quotation mark, or before it where it closes what the name stands in."""
    following = text.plain[quote.end() : quote.end() + 1]
    closes = quote.group() == quoted and (not following or following in " \t\n,;)]}")
    return quote.start() if closes else quote.end()


def _header(text: Text, position: int, quoted: str) -> Span | None:
    """Up to the end of the line, or of the quotation; the scheme stays."""
    quote = QUOTE.match(text.plain, position)
    if quote is not None:
        begin, end = _closing(text, quote)
    else:
        begin, end = position, text.line_end(position)
        closing = text.plain.find(quoted, position, end) if quoted else -1
        end = closing if closing >= 0 else end
    scheme = SCHEME.match(text.lower, begin, end)
    begin = scheme.end() if scheme else begin
    value = text.lower[begin:end].strip()
    return None if not value or is_innocent(value, Kind.HEADER) else (begin, end)


SCHEME = re.compile(
    r"(?:bearer|basic|digest|negotiate|ntlm|token|apikey|ssws|bot|key|hmac|signature|splunk|aws"
    r"|aws4-hmac-sha256|hawk|scram-sha-256|dpop|gssapi)[ \t]{1,20}(?=\S)"
)


def _quoted(text: Text, quote: re.Match[str], kind: Kind) -> Span | None:
    begin = quote.end()
    if text.plain.startswith(quote.group() * 2, begin):  # three in a row quote several lines
        closing = text.plain.find(quote.group() * 3, begin + 2, begin + MAX_VALUE)
        begin, end = begin + 2, closing if closing >= 0 else text.line_end(begin)
    else:
        begin, end = _closing(text, quote)
    if expressions.is_constant(text.plain, begin, end):
        return None
    value = text.lower[begin:end].strip()
    # In quotation marks even a weak name's value is one, unless it is a state or an amount.
    kind = Kind.TOKEN if kind is Kind.WEAK and len(value) > 3 else kind
    if not value or is_innocent(value, kind):
        return None
    return (begin, end)


def _closing(text: Text, quote: re.Match[str]) -> Span:
    """The inside of a quotation: to its closing mark, which may come lines later, or may lack."""
    begin, line_end = quote.end(), text.line_end(quote.end())
    end = _closing_mark(text.plain, quote, begin, line_end)
    if end is None and line_end < len(text.plain):
        end = _closing_mark(text.plain, quote, line_end, min(begin + MAX_VALUE, len(text.plain)))
        # What follows on the same line tells whether the mark opens another quotation.
        following = text.plain[end : end + 40].partition("\n")[0] if end is not None else ""
        if end is not None and not _continues(text.plain[line_end:end] + following):
            end = None
    return (begin, line_end if end is None else end)


def _continues(rest: str) -> bool:
    """Whether lines belong to a quotation that began before: they assign nothing themselves."""
    return not re.search(r"\n[ \t]*[\"']?[\w.-]{1,60}[\"']?[ \t]*[:=]", rest) and "{" not in rest


def _closing_mark(plain: str, quote: re.Match[str], begin: int, limit: int) -> int | None:
    mark = quote.group(2)
    if mark is None:
        found = plain.lower().find(quote.group().lower(), begin, limit)
        return found if found >= 0 else None
    depth = len(quote.group(1))
    position = begin
    while (found := plain.find(mark, position, limit)) >= 0:
        before = plain[max(begin, found - MAX_SLASHES) : found]
        slashes = len(before) - len(before.rstrip("\\"))
        is_doubled = plain.startswith(mark * 2, found) and depth == 0 and found > begin
        if slashes <= depth or (depth == 0 and slashes % 2 == 0):
            if not is_doubled:
                return found - min(slashes, depth)
            position = found + 2
        else:
            position = found + 1
    return None


def _below(text: Text, position: int, kind: Kind) -> Span | None:
    """The value on the next line, or a list of them."""
    if position >= len(text.plain) or kind is Kind.WEAK:
        return None
    begin = end = _after(BLANK, text.plain, position + 1)
    while (item := ITEM.match(text.plain, end)) and item.end() > end:
        end = min(item.end() + 1, len(text.plain))
    if end > begin:
        return (begin, end - 1 if text.plain[end - 1] == "\n" else end)
    single = SINGLE.match(text.plain, begin)
    if single is None or is_innocent(single[1].lower(), kind):
        return None
    return single.span(1)


def _block(text: Text, position: int) -> Span | None:
    """The lines of a YAML block: those that are indented more than the name's."""
    start = text.line_start(position)
    indent = _indent(text.plain, start)
    begin = end = text.line_end(position)
    while end < len(text.plain) and end - begin < MAX_VALUE:
        line_end = text.line_end(end + 1)
        is_blank = not text.plain[end + 1 : line_end].strip()
        if not is_blank and _indent(text.plain, end + 1) <= indent:
            break
        end = line_end
    return (begin + 1, end) if end > begin + 1 else None


def _indent(plain: str, start: int) -> int:
    position = start
    while plain[position : position + 1] in (" ", "\t"):
        position += 1
    return position - start


def _list(text: Text, position: int) -> Span | None:
    """All values of a list."""
    limit = min(position + MAX_VALUE, len(text.plain))
    end = text.plain.find("]", position, limit)
    nested = text.plain.find("{", position, end if end >= 0 else limit)
    inside = text.lower[position + 1 : end]
    if PLACEHOLDER.fullmatch(f"[{inside.strip()}]"):
        return None
    if nested >= 0 or not inside.replace(MASK[:-1], "").strip(" \t\n\"'"):
        return None
    return (position + 1, end if end >= 0 else text.line_end(position))


def _bare(text: Text, position: int, kind: Kind, *, spaced: bool) -> Span | None:
    if text.plain[position] == "{" and kind is Kind.PASSWORD:
        braces = BRACES.match(text.plain, position)
        if braces is not None:
            return braces.span(1)
    if text.plain[position] in "{(" and kind is not Kind.PASSWORD:
        return None
    if REFERENCE.match(text.lower, position) or expressions.is_code(text.plain, position):
        return None
    masked = len(MASK) if text.lower.startswith(MASK, position) else 1
    latest = position + (MAX_KEY if kind is Kind.RANDOM else MAX_VALUE)
    stop = STOP.search(text.plain, position + masked, latest)
    end = stop.start() if stop else min(latest, len(text.plain))
    while text.plain.startswith("\\\n", end - 1):  # it goes on in the next line
        stop = STOP.search(text.plain, end + 1, end + MAX_VALUE)
        end = stop.start() if stop else min(end + MAX_VALUE, len(text.plain))
    word = text.lower[position:end]
    if spaced and kind in (Kind.PASSWORD, Kind.TOKEN):
        end = _with_more_words(text, end)
    value = text.lower[position:end]
    if text.plain[position] in "{<(" and not SYMBOLS.search(word) and not word[1:].isalnum():
        return None
    return None if _is_innocent_bare(word, value, kind) else (position, end)


def _with_more_words(text: Text, end: int) -> int:
    """The end of the words that follow, the last one up to where a value stops."""
    after = _after(MORE_WORDS, text.plain, end)
    if after == end:
        return end
    stop = STOP.search(text.plain, after, after + MAX_VALUE)
    return stop.start() if stop else min(after + MAX_VALUE, len(text.plain))


def _is_innocent_bare(word: str, value: str, kind: Kind) -> bool:
    words = value.split()
    if words[0].rstrip(".:,") in TELLING and len(words) > 1:
        return all(
            part.strip(".,:'()").translate(INSIDE_WORDS).isalpha() or len(part) < 3
            for part in words
        )
    if kind is Kind.TOKEN and NUMBER.fullmatch(word.rstrip(".")):
        return True
    if kind is Kind.TOKEN and len(words) > 1 and not looks_secret(word):
        return True  # a token has no spaces, so it is a sentence
    return is_innocent(value, kind) or PLACEHOLDER.fullmatch(word) is not None


def is_innocent(value: str, kind: Kind) -> bool:
    """Whether a value (in lower case) is a placeholder, a state, an amount or a reference."""
    if PLACEHOLDER.fullmatch(value) or not value.replace(MASK, "").strip(" \t\"'.,;"):
        return True
    if all(word.strip(".,:!()") in STATES for word in value.split()):
        return True
    if kind in (Kind.PASSWORD, Kind.HEADER):
        return False
    if kind is Kind.RANDOM:
        return not looks_random(value)
    if kind is Kind.CODE:
        return CODE.fullmatch(value) is None and not looks_secret(value)
    if NUMBER.fullmatch(value) or PORT.fullmatch(value):
        return True
    return kind is Kind.WEAK and not looks_secret(value)


def looks_random(value: str) -> bool:
    """Whether letters and digits alternate in a long word, as in no word that a person made."""
    return any(
        len(DIGIT_CHANGE.findall(word)) >= FEWEST_DIGIT_CHANGES for word in LONG_WORD.findall(value)
    )


def looks_secret(value: str) -> bool:
    """Whether one word is more like a secret than like a word: with digits or symbols, or long."""
    if len(value) < 4 or " " in value or value.startswith(("http:", "https:", "/")):
        return False
    has_digit = any(map(str.isdigit, value))
    has_letter = any(map(str.isalpha, value))
    return (
        (has_digit and has_letter)
        or SYMBOLS.search(value) is not None
        or value.isdigit()
        or len(value) >= 20
    )
