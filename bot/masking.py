"""Take out what nobody should read in a chat: keys, passwords, cards and addresses.

Every pattern is bounded, so that time grows with the length of a text and no faster.
"""

import re

MASK = "[masked]"

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
    # A word of its own, or a hump of camelCase: tickettoken-redis:6379 is no token.
    r"((?:(?<![a-z])|(?-i:(?<=[a-z])(?=[A-Z])))(?:passw(?:or)?d|passwort|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|signing[_-]?key|authorization|credentials?|cookie|cvc|cvv|pgpassword)"
    r"[\w.-]{0,40}\\?[\"']?\s{0,3}(?:=>|[=:])\s{0,3})"
    # A text that was cut off may lack its closing quote.
    r"(\\?\"[^\"\\]{0,300}(?:\\?\"|$)|'[^']{0,300}(?:'|$)|[^\s\"'\\,;&}\]]{1,4000})",
    re.IGNORECASE,
)
# One of these is in every pair; without them, four fifths of the time would go into looking.
IN_PAIRS = (
    *("passw", "passphrase", "pwd", "secret", "token", "api", "access", "private", "signing"),
    *("authorization", "credential", "cookie", "cvc", "cvv"),
)
CARD = re.compile(r"(?<![\d.])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\d])")
LOCAL = re.compile(r"[\w.%+-]")
DOMAIN = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,6}")


def mask(text: str) -> str:
    """The same text, with `[masked]` in the place of what is secret or personal."""
    if "PRIVATE KEY" in text:
        text = PEM.sub(MASK, text)
    return "\n".join(map(_mask_line, text.split("\n")))


def _mask_line(line: str) -> str:
    folded = line.casefold()
    if "eyJ" in line:
        line = JWT.sub(MASK, line)
    line = TOKEN.sub(MASK, line)
    if "bearer" in folded or "basic" in folded:
        line = BEARER.sub(rf"\1\2{MASK}", line)
    if "@" in line:
        line = URL_PASSWORD.sub(rf"\1{MASK}", line)
    if any(word in folded for word in IN_PAIRS):
        line = PAIR.sub(_without_value, line)
    line = CARD.sub(_without_card, line)
    return _without_addresses(line) if "@" in line else line


def _without_value(match: re.Match[str]) -> str:
    name, value = match.groups()
    opening = re.match(r"\\?[\"']?", value)
    quote = opening.group() if opening else ""
    done = value.lower() in ("bearer", "basic") or value.startswith("[masked")
    return match.group() if done else f"{name}{quote}{MASK}{quote}"


def _without_card(match: re.Match[str]) -> str:
    digits = [int(one) for one in match.group() if one.isdigit()]
    return MASK if _luhn(digits) else match.group()


def _luhn(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * one, 10)) for one in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _without_addresses(line: str) -> str:
    """Looks around each @ only: searching for an address from every letter would be slow."""
    parts, start = [], 0
    for at in (found.start() for found in re.finditer("@", line)):
        begin = _local_start(line, at, start)
        domain = DOMAIN.match(line, at + 1)
        if begin < at and domain:
            parts += [line[start:begin], MASK]
            start = domain.end()
    return "".join([*parts, line[start:]])


def _local_start(line: str, at: int, start: int) -> int:
    """Where the part before the @ begins, at most 64 characters back."""
    begin = at
    while begin > max(start, at - 64) and LOCAL.match(line[begin - 1]):
        begin -= 1
    return begin
