"""Personal data: numbers of cards and bank accounts, and e-mail addresses."""

import re
from collections.abc import Iterator

from bot.masking.spans import Span, Spans, Text

SEPARATOR = r"[ \t._/-]"
DIGITS = re.compile(rf"[0-9](?<![0-9][0-9])(?:{SEPARATOR}{{0,2}}+\d){{11,}}+")
GROUP = re.compile(r"\d+")
HEX_WORD = re.compile(r"[0-9A-Fa-f-]{20,}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
# First digits and lengths of the cards' schemes, by ISO/IEC 7812 and their own documents.
SCHEMES = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3[0689]\d{12,17}"
    r"|35\d{14,17}|6\d{15,18}|5[06-8]\d{14,17}"
)
IBAN = re.compile(r"[A-Z](?<![A-Za-z0-9][A-Z])[A-Z]\d\d(?: ?[A-Z0-9]){11,30}+(?![A-Za-z0-9])")
LOCAL_REVERSED = re.compile(r"[\w.%+!#$*^}~`'-]+")
AROUND = ".!#$*^}~`'-"
DOMAIN = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){0,7}\.[^\W\d_][\w-]{1,62}")
# Not a person: the user of a repository's address.
NOBODY = {"git", "hg", "svn"}
SHORTEST_GROUP, LONGEST_GROUP = 4, 8  # of digits of a card, where they stand in groups
MAX_LOCAL = 64  # RFC 5321


def spans(text: Text) -> Spans:
    """Every card, account and address."""
    yield from _cards(text.plain)
    yield from (match.span() for match in IBAN.finditer(text.plain) if _is_iban(match.group()))
    if "@" in text.plain or "%40" in text.plain:
        yield from _addresses(text.plain)


def _cards(plain: str) -> Spans:
    for match in DIGITS.finditer(plain):
        groups = [group.span() for group in GROUP.finditer(plain, *match.span())]
        for begin, end in _cards_in(plain, groups):
            if not _is_in_hexadecimal(plain, begin, end):
                yield (begin, end)


def _is_in_hexadecimal(plain: str, begin: int, end: int) -> bool:
    """Whether digits belong to a UUID, or to a longer number with the digits a to f."""
    around = plain[max(0, begin - 40) : end + 40]
    offset = begin - max(0, begin - 40)
    return any(
        match.start() <= offset < match.end() and _is_hexadecimal(match.group())
        for match in HEX_WORD.finditer(around)
    )


def _is_hexadecimal(word: str) -> bool:
    return UUID.search(word) is not None or any(letter in "abcdefABCDEF" for letter in word)


def _cards_in(plain: str, groups: list[Span]) -> Iterator[Span]:
    """Of groups of digits those that are a card together, from the left."""
    first = 0
    while first < len(groups):
        last = _last_of_card(plain, groups, first)
        if last is None:
            first += 1
        else:
            yield (groups[first][0], groups[last][1])
            first = last + 1


def _last_of_card(plain: str, groups: list[Span], first: int) -> int | None:
    begin, end = groups[first]
    if plain[begin] not in "23456":
        return None
    is_fraction = begin > 1 and plain[begin - 1] == "." and plain[begin - 2].isdigit()
    if is_fraction and end - begin > LONGEST_GROUP:
        return None
    digits = ""
    found = None
    for index in range(first, min(first + 8, len(groups))):
        begin, end = groups[index]
        digits += plain[begin:end]
        if len(digits) > 19:
            break
        if SCHEMES.fullmatch(digits) and _has_luhn_checksum(digits):
            found = index
            if len(digits) in (15, 16):
                break
        if end - begin < SHORTEST_GROUP:
            break  # only the last group of a card is shorter
    return found


def _has_luhn_checksum(digits: str) -> bool:
    numbers = [int(digit) for digit in digits]
    doubled = [sum(divmod(2 * number, 10)) for number in numbers[-2::-2]]
    return (sum(numbers[-1::-2]) + sum(doubled)) % 10 == 0


def _is_iban(text: str) -> bool:
    """Whether the check digits are right, by ISO 13616."""
    compact = text.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    digits = "".join(str(int(character, 36)) for character in compact[4:] + compact[:4])
    return int(digits) % 97 == 1


def _addresses(plain: str) -> Spans:
    """Search around each @ only: to try an address at every letter would be slow."""
    rest = 0
    for match in re.finditer("@|%40", plain):
        domain = DOMAIN.match(plain, match.end())
        begin = _local_part(plain, match.start(), rest)
        if domain and begin < match.start() and plain[begin : match.start()] not in NOBODY:
            yield (begin, domain.end())
            rest = domain.end()


def _local_part(plain: str, at_sign: int, earliest: int) -> int:
    """Where the part before the @ begins: quotation marks around it do not belong to it."""
    reverse = plain[max(earliest, at_sign - MAX_LOCAL) : at_sign][::-1]
    if reverse.startswith('"') and (opening := reverse.find('"', 1)) > 0:
        return at_sign - opening - 1
    found = LOCAL_REVERSED.match(reverse)
    return at_sign - (len(found.group().rstrip(AROUND)) if found else 0)
