"""The page on which people confirm an approval, behind the firm's own sign-in.

Who somebody is, the proxy says: a request is taken only from its addresses and with its secret. A
GET changes nothing. A POST needs a token that only the page has.
"""

import hmac
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import parse_qs

from bot.config import SignIn
from bot.flows import second_step
from bot.flows.transactions import retry_unwritten
from bot.model import UserError, UserId
from bot.views import pages, text
from bot.world import World

PREFIX = "/approve/"
SECRET_HEADER = "x-runbolt-secret"
MAX_FORM_BYTES = 4096
NOT_APPROVED = "Nothing was approved"
MAX_ADDRESS = 254

Headers = list[tuple[bytes, bytes]]
SECURE = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
        b"frame-ancestors 'none'",
    ),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class Answer(NamedTuple):
    """A status and a page."""

    status: int
    html: str


class NotSignedIn(Exception):
    """A request that does not come through the firm's sign-in."""


class ApprovePage:
    """Shows what somebody confirms, and takes their confirmation."""

    def __init__(self, world: World, sign_in: SignIn, secret: str) -> None:
        self._world = world
        self._sign_in = sign_in
        self._secret = secret.encode()

    def signed_in(self, peer: str, headers: Headers) -> str:
        """The e-mail address of who signed in, lower-case; raises NotSignedIn."""
        is_proxy = self._sign_in.trusts(peer)
        secret = _only(headers, SECRET_HEADER)
        if not (is_proxy and hmac.compare_digest(secret, self._secret)):
            raise NotSignedIn
        address = _only(headers, self._sign_in.email_header.lower()).decode("latin-1").strip()
        name, _, domain = address.partition("@")
        if not (name and domain) or "@" in domain or len(address) > MAX_ADDRESS:
            raise NotSignedIn
        return address.lower()

    async def show(self, token: str, email: str) -> Answer:
        """The plan and a button, for the owner of the link alone; changes nothing."""
        try:
            work = partial(second_step.opened, self._world, token, email)
            link = await retry_unwritten(self._world, work)
        except UserError as error:
            return await self._refusal(error)
        execution = link.execution
        users = [execution.requested_by, link.confirmation.user_id]
        name = await self._names(*filter(None, users))
        html = pages.approve(
            execution,
            requested_by=name(execution.requested_by),
            person=name(link.confirmation.user_id),
            csrf=self._csrf(token, email),
            until=link.confirmation.expires_at,
        )
        return Answer(200, html)

    async def confirm(self, token: str, email: str, headers: Headers, body: bytes) -> Answer:
        """Count the approval, where the form is the page's own."""
        sites = {value for header, value in headers if header == b"sec-fetch-site"}
        if not sites <= {b"same-origin"} or not self._is_own(token, email, body):
            sentence = "This form is not of this page. Open the link again."
            return Answer(403, pages.message(NOT_APPROVED, sentence))
        try:
            work = partial(second_step.confirm, self._world, token, email)
            approved = await retry_unwritten(self._world, work)
        except UserError as error:
            return await self._refusal(error)
        sentence = f"Your approval of “{approved.title}” counts. Slack shows what becomes of it."
        return Answer(200, pages.message("Approved", sentence))

    def _is_own(self, token: str, email: str, body: bytes) -> bool:
        try:
            form = parse_qs(body.decode("ascii"), strict_parsing=True, max_num_fields=4)
        except ValueError:
            return False
        given = form.get("csrf", [])
        return len(given) == 1 and hmac.compare_digest(
            given[0].encode(), self._csrf(token, email).encode()
        )

    def _csrf(self, token: str, email: str) -> str:
        return hmac.new(self._secret, f"csrf|{token}|{email}".encode(), sha256).hexdigest()

    async def _refusal(self, error: UserError) -> Answer:
        sentence = str(error)
        names = await self._world.directory.display_names(text.mentioned_users(sentence))
        shown = text.for_text_file(sentence, names).replace("*", "")
        return Answer(403, pages.message(NOT_APPROVED, shown))

    async def _names(self, *users: UserId) -> Callable[[UserId | None], str]:
        names = await self._world.directory.display_names(users)
        return lambda user: names.get(user, user) if user else "The clock"


def _only(headers: Headers, name: str) -> bytes:
    """The value of a header that is there once; empty otherwise, since two may be a forgery."""
    values = [value for header, value in headers if header.decode("latin-1") == name]
    return values[0] if len(values) == 1 else b""
