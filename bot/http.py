"""The one door to web addresses: GET what a playbook names, with limits, and nothing else."""

import asyncio
import errno
from typing import NamedTuple

import aiohttp
from yarl import URL

from bot import masking
from bot.model import UserError

BODY_CAP = 64 * 1024
REDIRECTS = 3
UNDONE = "Nothing was changed."


class HttpError(UserError):
    """No answer came from a web address."""


class Answer(NamedTuple):
    """What came back: `seconds` until it began, `body` its start, `elsewhere` a host not asked."""

    status: int
    reason: str
    seconds: float
    body: str
    elsewhere: str


class Http:
    """A connection for each question, which is asked rarely. Raises HttpError.

    `proxy` is the URL of an HTTP proxy that is asked instead of the host itself: the way to a
    cluster's Services for a bot that runs outside of it. The usual HTTP_PROXY would not do, since
    the libraries for Slack and Kubernetes obey it too.
    """

    def __init__(self, proxy: str | None = None) -> None:
        self.proxy = proxy

    async def get(self, url: str, timeout: float) -> Answer:
        """GET it, following redirects on the same host only; `timeout` in seconds covers all."""
        place = _place(URL(url))
        try:
            async with asyncio.timeout(timeout), _session() as session:
                return await _follow(session, URL(url), self.proxy)
        except TimeoutError as error:
            raise HttpError(
                f"{place} gave no whole answer within {timeout:g} s. {UNDONE} "
                "It is overloaded or hangs, or a firewall is in between: look at its pods."
            ) from error
        except aiohttp.ClientError as error:
            raise HttpError(self._in_words(place, error)) from error

    def _in_words(self, place: str, error: aiohttp.ClientError) -> str:
        if self.proxy and isinstance(error, aiohttp.ClientConnectorError):
            proxy = _place(URL(self.proxy))
            return (
                f"The proxy {proxy} cannot be reached, so {place} was not asked. {UNDONE} "
                "Look whether it runs, or correct PLAYBOOK_PROXY."
            )
        return _in_words(place, error)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # What is not unpacked cannot grow, and no proxy or password of ours is of use here.
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "runbolt", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None),
    )


async def _follow(session: aiohttp.ClientSession, url: URL, proxy: str | None) -> Answer:
    begun = asyncio.get_running_loop().time()
    for left in reversed(range(REDIRECTS + 1)):
        async with session.get(url, allow_redirects=False, proxy=proxy) as response:
            seconds = asyncio.get_running_loop().time() - begun
            target = _target(response)
            if target is None or not left:
                return await _answer(response, seconds, "")
            if not _same_host(url, target):
                return await _answer(response, seconds, _place(target))
            url = target
    raise AssertionError("the last round always answers")


def _target(response: aiohttp.ClientResponse) -> URL | None:
    """Where a redirect leads, or None."""
    place = response.headers.get("Location")
    if response.status not in (301, 302, 303, 307, 308) or not place:
        return None
    try:
        return response.url.join(URL(place))
    except ValueError:
        return None


def _same_host(one: URL, other: URL) -> bool:
    """The same host and port, or the step from HTTP to HTTPS on their own ports."""
    ports = (one.port, other.port)
    return one.host == other.host and (one.port == other.port or ports == (80, 443))


async def _answer(response: aiohttp.ClientResponse, seconds: float, elsewhere: str) -> Answer:
    body = bytearray()
    async for piece in response.content.iter_chunked(BODY_CAP):
        body += piece[: BODY_CAP - len(body)]
        if len(body) >= BODY_CAP:
            break
    text = body.decode("utf-8", "replace")
    return Answer(response.status, response.reason or "", seconds, text, elsewhere)


def _in_words(place: str, error: aiohttp.ClientError) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return (
                f"There is no host {place.partition(':')[0]}: its name is not known. {UNDONE} "
                "Check the name in the playbook; a Service of another namespace needs it in full."
            )
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return (
                f"{place} cannot be trusted (TLS): {_tls(error)}. {UNDONE} "
                "Check its certificate, and whether it speaks HTTPS at this port."
            )
        case aiohttp.ClientConnectorError() if error.os_error.errno == errno.ECONNREFUSED:
            return (
                f"{place} refused the connection. {UNDONE} "
                "Nothing listens there: look whether its pods are running."
            )
        case aiohttp.ClientConnectorError():
            return f"{place} cannot be reached: {error.os_error.strerror}. {UNDONE} Try again."
    said = masking.mask(str(error) or type(error).__name__)[:200].rstrip(".")
    return f"{place} broke off or gave no HTTP answer: {said}. {UNDONE} Look at its pods and logs."


def _tls(error: aiohttp.ClientError) -> str:
    """OpenSSL's own words, such as `self-signed certificate`."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
    words = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or str(error)
    return str(words).lower().replace("_", " ").rstrip(".")[:200]


def _place(url: URL) -> str:
    """Host and port: a path may hold what nobody should read."""
    return f"{url.host}:{url.port}"
