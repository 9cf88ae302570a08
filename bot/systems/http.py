"""GET requests to the URLs that a playbook names, with limits."""

import asyncio
import errno
from typing import NamedTuple

import aiohttp
from yarl import URL

from bot import redaction
from bot.model import UserError

MAX_BODY_BYTES = 64 * 1024
MAX_REDIRECTS = 3
REDIRECT_STATUSES = (301, 302, 303, 307, 308)
NOTHING_CHANGED = "Nothing was changed."
MESSAGE_LENGTH = 200


class HttpError(UserError):
    """A URL gave no HTTP response."""


class Response(NamedTuple):
    """A response: `seconds` until it began, `body` its first 64 KiB.

    `redirect_host` is the `host:port` of a redirect that was not followed, or empty.
    """

    status: int
    reason: str
    seconds: float
    body: str
    redirect_host: str


class HttpClient:
    """An HTTP client. Opens a connection for each request, as requests are rare.

    `proxy` is the URL of an HTTP proxy for all of them: the way to a cluster's Services for a bot
    that runs outside of it. The usual HTTP_PROXY would not do, since the libraries for Slack and
    Kubernetes obey it too.
    """

    def __init__(self, proxy: str | None = None) -> None:
        self.proxy = proxy

    async def get(self, url: str, timeout: float) -> Response:
        """GET a URL and follow redirects on the same host; `timeout` in seconds covers all of it.

        Raises HttpError.
        """
        host = _host_and_port(URL(url))
        try:
            async with asyncio.timeout(timeout), _session() as session:
                return await _follow_redirects(session, URL(url), self.proxy)
        except TimeoutError as error:
            raise HttpError(
                f"{host} gave no complete response within {timeout:g} s. {NOTHING_CHANGED} "
                "It is overloaded, it hangs, or a firewall is in between: look at its pods."
            ) from error
        except aiohttp.ClientError as error:
            raise HttpError(self._error_text(host, error)) from error

    def _error_text(self, host: str, error: aiohttp.ClientError) -> str:
        if self.proxy and isinstance(error, aiohttp.ClientConnectorError):
            proxy = _host_and_port(URL(self.proxy))
            return (
                f"The proxy {proxy} cannot be reached, so {host} was not asked. {NOTHING_CHANGED} "
                "Check that it is running, or correct PLAYBOOK_PROXY."
            )
        return _error_text(host, error)


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        # Without decompression a body cannot grow beyond its limit.
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "runbolt", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None),
    )


async def _follow_redirects(
    session: aiohttp.ClientSession, url: URL, proxy: str | None
) -> Response:
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    for redirects_left in reversed(range(MAX_REDIRECTS + 1)):
        async with session.get(url, allow_redirects=False, proxy=proxy) as response:
            seconds = loop.time() - started_at
            target = _redirect_target(response)
            if target is None or not redirects_left:
                return await _read(response, seconds)
            if not _is_same_host(url, target):
                return await _read(response, seconds, elsewhere=_host_and_port(target))
            url = target
    raise AssertionError("the last iteration always returns")


def _redirect_target(response: aiohttp.ClientResponse) -> URL | None:
    location = response.headers.get("Location")
    if response.status not in REDIRECT_STATUSES or not location:
        return None
    try:
        return response.url.join(URL(location))
    except ValueError:
        return None


def _is_same_host(source: URL, target: URL) -> bool:
    """Whether host and port are the same, or only HTTP became HTTPS, on their default ports."""
    ports = (source.port, target.port)
    return source.host == target.host and (source.port == target.port or ports == (80, 443))


async def _read(response: aiohttp.ClientResponse, seconds: float, elsewhere: str = "") -> Response:
    body = bytearray()
    async for chunk in response.content.iter_chunked(MAX_BODY_BYTES):
        body += chunk[: MAX_BODY_BYTES - len(body)]
        if len(body) >= MAX_BODY_BYTES:
            break
    text = body.decode("utf-8", "replace")
    return Response(response.status, response.reason or "", seconds, text, elsewhere)


def _error_text(host: str, error: aiohttp.ClientError) -> str:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return (
                f"There is no host {host.partition(':')[0]}: its name is unknown. "
                f"{NOTHING_CHANGED} Check the name in the playbook: a Service of another "
                "namespace needs its full name."
            )
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return (
                f"{host} cannot be trusted (TLS): {_tls_reason(error)}. {NOTHING_CHANGED} "
                "Check its certificate, and that it uses HTTPS on this port."
            )
        case aiohttp.ClientConnectorError() if error.os_error.errno == errno.ECONNREFUSED:
            return (
                f"{host} refused the connection. {NOTHING_CHANGED} "
                "Nothing listens on that port: check that its pods are running."
            )
        case aiohttp.ClientConnectorError():
            reason = error.os_error.strerror
            return f"{host} cannot be reached: {reason}. {NOTHING_CHANGED} Try again."
    reason = redaction.redact(str(error) or type(error).__name__)[:MESSAGE_LENGTH].rstrip(".")
    return (
        f"{host} broke off or gave no HTTP response: {reason}. {NOTHING_CHANGED} "
        "Look at its pods and logs."
    )


def _tls_reason(error: aiohttp.ClientError) -> str:
    """OpenSSL's reason, such as `self-signed certificate`."""
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", None)
    reason = getattr(cause, "verify_message", "") or getattr(cause, "reason", "") or str(error)
    return str(reason).lower().replace("_", " ").rstrip(".")[:MESSAGE_LENGTH]


def _host_and_port(url: URL) -> str:
    """Like `payment-service:3006`: the rest of a URL may have secrets."""
    return f"{url.host}:{url.port}"
