"""Credentials in URLs: of the user, as a token, and among the parameters."""

import re

from bot.masking import values
from bot.masking.spans import Spans, Text

AUTHORITY = re.compile(r"(?<=:)//|(?<![:/\w])//(?=[^\s/:@]{1,64}:[^\s/@]{1,200}@)")
# Up to the next address, so that no part is looked at twice.
REST = re.compile(r"(?:(?!//)[^\s\"'`<>\\|]){1,600}")
HOST = re.compile(r"(?:[\w.-]{1,253}|\[[0-9a-fA-F:.%]{2,60}\])(?::\w{1,20})?(?=[/?#,;)\]}:&]|$)")
PORT = re.compile(r"\d{1,5}(?=[/?#]|$)")
PARAMETER = re.compile(
    r"[?&;](?:amp;)?(?:sig|signature|code|key|auth|hmac|x-amz-signature|x-amz-credential"
    r"|x-amz-security-token|x-goog-signature|x-goog-credential|awsaccesskeyid|subscription-key"
    r"|apikey|api_key|client_secret|id_token|access_token|refresh_token|assertion|samlresponse"
    r"|samlrequest|code_verifier|otp|pin|sid|ticket|jwt|sessionid|p|pw)=([^\s&#\"'<>\\)\]}|]+)"
)
# A link that lets in whoever has it.
LINK = re.compile(
    r"/(?:reset|password|magic|invit(?:e|ation)|verif(?:y|ication)|confirm|activate|unsubscribe)[\w-]{0,20}/"
    r"(?P<value>[\w.~-]{16,400})"
)
# `admin:hunter2@db:5432`, without a scheme.
BARE = re.compile(
    r"(?<![\w/:.@-])[\w.-]{1,64}:([^\s@:/\"'`<>]{3,100})@[\w-]{1,63}[\w.-]{0,190}(?:[:/]|$|\s)"
)
# As in postgresql://role:password@host:5432/database, which shows how to write one.
EXAMPLES = ("password", "passwd", "pass", "pwd", "yourpassword", "your-password", "your_password")
NO_USERS = ("x-access-token", "oauth2", "git", "user", "username")


def spans(text: Text) -> Spans:
    """Every password and token in an address."""
    plain = text.plain
    if "@" in plain:
        if "//" in plain:
            yield from _users(plain)
        yield from (match.span(1) for match in BARE.finditer(plain) if _is_given(match[1]))
    if "/" in plain:
        for match in LINK.finditer(text.lower):
            if values.looks_random(match["value"]):
                yield match.span("value")
    if "=" in plain and ("?" in plain or "&" in plain):
        for match in PARAMETER.finditer(text.lower):
            if _is_given(match[1]) and values.looks_secret(match[1]):
                yield match.span(1)


def _is_given(value: str) -> bool:
    """Whether a value is one, and no placeholder for one."""
    if value.lower() in EXAMPLES:
        return False
    return not values.PLACEHOLDER.fullmatch(value.lower()) and not value.startswith("[masked")


def _users(plain: str) -> Spans:
    for match in AUTHORITY.finditer(plain):
        rest = REST.match(plain, match.end())
        if rest is None or "@" not in rest.group():
            continue
        begin, end = match.end(), _end_of_user(rest.group()) + match.end()
        if end <= begin:
            continue
        user, colon, password = plain[begin:end].partition(":")
        if colon and password and _is_given(password) and not PORT.match(password):
            yield (begin + len(user) + 1, end)
        elif not colon and _is_token(user):
            yield (begin, end)
        if colon and _is_token(user):
            yield (begin, begin + len(user))


def _end_of_user(rest: str) -> int:
    """How long the part before the host is: up to the last @ that a host follows; else 0."""
    position = rest.rfind("@")
    while position > 0:
        before = rest[:position]
        is_user = ":" in before.partition("/")[0] or "/" not in before
        if is_user and HOST.match(rest, position + 1):
            return position
        position = rest.rfind("@", 0, position)
    return 0


def _is_token(user: str) -> bool:
    if user in NO_USERS or len(user) < 16 or not user.isascii():
        return False
    return any(map(str.isdigit, user)) and not user.isdigit() and "/" not in user
