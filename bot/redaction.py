"""Redact secrets and personal data: keys, tokens, passwords, card numbers and e-mail addresses.

No pattern can backtrack far, so that the time is linear in the length of the text.
"""

import re

from bot.model.text import printable

REDACTED = "[masked]"

PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----(?:[^-]|-(?!----)){0,20000}"
    r"(?:-----END [^-]{0,40}-----)?"
)
JWT = re.compile(r"(?<![\w-])eyJ[\w-]{6,}\.[\w-]{6,}(?:\.[\w-]*)?")
TOKEN = re.compile(
    r"xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}"
    r"|(?:sk|rk|pk)_(?:live|test)_\w{8,}|whsec_\w{8,}|sk-[\w-]{20,}|AIza[\w-]{30,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|ya29\.[\w-]{20,}|npm_\w{30,}|sandbox-token-\w+"
)
BEARER = re.compile(r"\b(bearer|basic)( {1,3})[\w.~+/=-]{6,}", re.IGNORECASE)
URL_PASSWORD = re.compile(r"(://[^\s/:@]{0,100}:)[^\s/@]{1,200}(?=@)")
PAIR = re.compile(
    # The name begins a word, also within camelCase: so tickettoken-redis:6379 is no token.
    r"((?:(?<![a-z])|(?-i:(?<=[a-z])(?=[A-Z])))(?:passw(?:or)?d|passwort|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|signing[_-]?key|authorization|credentials?|cookie|cvc|cvv|pgpassword)"
    r"[\w.-]{0,40}\\?[\"']?\s{0,3}(?:=>|[=:])\s{0,3})"
    # Truncated text may lack its closing quote.
    r"(\\?\"[^\"\\]{0,300}(?:\\?\"|$)|'[^']{0,300}(?:'|$)|[^\s\"'\\,;&}\]]{1,4000})",
    re.IGNORECASE,
)
# Each match of PAIR contains one of these. Most lines contain none, and without this test the
# search with PAIR would take four fifths of the time.
PAIR_WORDS = (
    *("passw", "passphrase", "pwd", "secret", "token", "api", "access", "private", "signing"),
    *("authorization", "credential", "cookie", "cvc", "cvv"),
)
CARD = re.compile(r"(?<![\d.])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\d])")
LOCAL_PART_CHARACTER = re.compile(r"[\w.%+-]")
DOMAIN = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}")


def redact(text: str) -> str:
    """Printable text with `[masked]` instead of each secret and each piece of personal data."""
    text = printable(text)
    if "PRIVATE KEY" in text:
        text = PEM.sub(REDACTED, text)
    return "\n".join(map(_mask_line, text.split("\n")))


def _mask_line(line: str) -> str:
    folded = line.casefold()
    if "eyJ" in line:
        line = JWT.sub(REDACTED, line)
    line = TOKEN.sub(REDACTED, line)
    if "bearer" in folded or "basic" in folded:
        line = BEARER.sub(rf"\1\2{REDACTED}", line)
    if "@" in line:
        line = URL_PASSWORD.sub(rf"\1{REDACTED}", line)
    if any(word in folded for word in PAIR_WORDS):
        line = PAIR.sub(_mask_value, line)
    line = CARD.sub(_mask_card_number, line)
    return _mask_email_addresses(line) if "@" in line else line


def _mask_value(match: re.Match[str]) -> str:
    """Mask the value of a pair, but neither an authorization scheme nor what is masked already."""
    name, value = match.groups()
    opening = re.match(r"\\?[\"']?", value)
    quote = opening.group() if opening else ""
    if value.lower() in ("bearer", "basic") or value.startswith("[masked"):
        return match.group()
    return f"{name}{quote}{REDACTED}{quote}"


def _mask_card_number(match: re.Match[str]) -> str:
    digits = [int(character) for character in match.group() if character.isdigit()]
    return REDACTED if _has_luhn_checksum(digits) else match.group()


def _has_luhn_checksum(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _mask_email_addresses(line: str) -> str:
    """Search around each @ only: to try an address at every letter would be slow."""
    parts, rest = [], 0
    for at_sign in (match.start() for match in re.finditer("@", line)):
        begin = _local_part_start(line, at_sign, rest)
        domain = DOMAIN.match(line, at_sign + 1)
        if begin < at_sign and domain:
            parts += [line[rest:begin], REDACTED]
            rest = domain.end()
    return "".join([*parts, line[rest:]])


def _local_part_start(line: str, at_sign: int, earliest: int) -> int:
    """Where the part before the @ begins: at most 64 characters back, the limit of RFC 5321."""
    begin = at_sign
    while begin > max(earliest, at_sign - 64) and LOCAL_PART_CHARACTER.match(line[begin - 1]):
        begin -= 1
    return begin
