"""Code at the place of a value that says where the secret comes from, and has none itself."""

import re

from bot.masking.names import kind

NAME = r"[a-z_]+(?:[A-Z][a-z]+)*"
PATH = r"(?:(?:\.|::)[A-Za-z_]{1,40}){0,5}"
# `Some("hunter2")` and the like only wrap a value.
NO_WRAPPER = r"(?<!some)(?<!secret)(?<!string)"
# Names, small numbers, and in quotation marks what names a variable or a header.
ARGUMENT = (
    r"(?:(?:[A-Za-z_.]{1,40}|\d{1,4})(?:, ?|(?=[)\]]))"
    r"|(?<=get\()[\"'][a-z_]{1,40}[\"'](?:, ?)?"
    r"|[\"'](?:[A-Z_]{2,40}|Authorization)?[\"'](?:, ?)?)"
)
# `get_password()`, `os.getenv("DB_PASSWORD")`
CALL = re.compile(
    rf"(?:await |new )?{NAME}{PATH}{NO_WRAPPER}[(\[]{ARGUMENT}{{0,4}}[)\]](?=[\s;,:.)]|$)"
)
# `req.body.password`, `sessions.id`
MEMBER = re.compile(
    r"[A-Za-z]{1,20}(?:\.[A-Za-z_]{1,30}){0,3}\.(?P<last>[A-Za-z_]{2,30})(?=[\s;,)]|$)"
)
CONSTANT = re.compile(r"[A-Z]{2,20}(?:_[A-Z]{2,20}){1,4}(?=[\s\"',;:.)]|$)")


def is_code(plain: str, position: int) -> bool:
    """Whether a call, a member of an object or the name of a secret stands there."""
    if CALL.match(plain, position) or is_constant(plain, position, len(plain)):
        return True
    member = MEMBER.match(plain, position)
    return member is not None and (member["last"] == "id" or kind(member["last"]) is not None)


def is_constant(plain: str, begin: int, end: int) -> bool:
    """Whether the name of another secret stands there, such as DB_PASSWORD."""
    constant = CONSTANT.match(plain, begin, end)
    return constant is not None and kind(constant.group()) is not None
