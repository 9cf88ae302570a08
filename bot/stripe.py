"""The one door to Stripe: which webhook events were not delivered. It only looks."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from aiohttp import ClientConnectorError, ClientError, ClientTimeout
from yarl import URL

from bot import masking
from bot.model import Noun, UserError

if TYPE_CHECKING:
    from stripe import StripeClient

API_URL = "https://api.stripe.com"
# Of a request, and of all pages together with what is tried once more.
REQUEST_SECONDS = 8.0
SECONDS = 25.0
RETRIES = 1
PAGE = 100
MOST = 300
PERMISSION = re.compile(r"'(rak_[a-z_]+)'")
UNDONE = "Nothing was read."


class StripeError(UserError):
    """Stripe did not say what was asked."""


class Event(Noun):
    """A webhook event; `waiting` is how many endpoints have not taken it."""

    id: str
    type: str
    created: datetime
    live: bool
    waiting: int


class Stripe:
    """One account. Raises StripeError, written for people."""

    def __init__(
        self, key: str | None = None, url: str = API_URL, seconds: float = REQUEST_SECONDS
    ) -> None:
        self._key = key
        self._url = url.rstrip("/")
        self._seconds = seconds

    @property
    def known(self) -> bool:
        """Whether there is a key to ask with."""
        return self._key is not None

    @property
    def all_powerful(self) -> bool:
        """Whether the key may do everything, which looking does not need."""
        return self._key is not None and self._key.startswith("sk_")

    async def undelivered(self, since: datetime) -> tuple[Event, ...]:
        """Events since then that an endpoint has not taken, the newest first, at most 300."""
        async with self._client() as client:
            asked = {
                "delivery_success": False,
                "created": {"gte": int(since.timestamp())},
                "limit": PAGE,
            }
            found: list[Event] = []
            listed: Any = await client.v1.events.list_async(asked)  # type: ignore[arg-type]
            async for one in listed.auto_paging_iter():
                found.append(_event(one))
                if len(found) == MOST:
                    break
            return tuple(found)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator["StripeClient"]:
        """Bound the time, and put what can happen on the way into words."""
        # Half a second and 32 MB, which only those pay who ask; in a thread, since others wait.
        stripe: Any = await asyncio.to_thread(import_module, "stripe")
        stripe.enable_telemetry = False
        http = stripe.AIOHTTPClient(timeout=ClientTimeout(total=self._seconds))
        try:
            async with asyncio.timeout(SECONDS):
                yield stripe.StripeClient(
                    self._key,
                    base_addresses={"api": self._url},
                    max_network_retries=RETRIES,
                    http_client=http,
                )
        except stripe.StripeError as error:
            raise StripeError(self._in_words(error)) from error
        except (TimeoutError, ClientError) as error:
            raise StripeError(self._silence(error)) from error
        finally:
            await http.close_async()

    def _in_words(self, error: Any) -> str:
        if error.__cause__ is not None and error.http_status is None:
            return self._silence(error.__cause__)
        said = masking.mask(str(error.user_message or ""))[:200].rstrip(".")
        match error.http_status:
            case 401:
                return (
                    f"Stripe does not accept the key in STRIPE_API_KEY. {UNDONE} It was revoked "
                    "or is not whole: set a restricted key that may read Events."
                )
            case 403:
                needed = PERMISSION.search(str(error.user_message))
                permission = needed[1] if needed else "rak_event_read"
                return (
                    f"The key in STRIPE_API_KEY lacks the permission {permission}. {UNDONE} "
                    "In Stripe's dashboard, under API keys, let it read Events."
                )
            case 429:
                return f"Stripe was asked too often (429). {UNDONE} Try again in a minute."
            case int(status) if status < 500:
                return f"Stripe refused this ({status}): {said}. {UNDONE} Look in its dashboard."
            case status:
                return (
                    f"Stripe is in trouble itself ({status}). {UNDONE} "
                    "Look at status.stripe.com, and try again."
                )

    def _silence(self, error: BaseException) -> str:
        host = URL(self._url).host
        match error:
            case TimeoutError():
                return f"Stripe did not answer in time. {UNDONE} Look at status.stripe.com."
            case ClientConnectorError():
                return (
                    f"Stripe cannot be reached at {host}: {error.strerror}. {UNDONE} "
                    "Check that the bot may reach the internet."
                )
            case _:
                return f"The connection to Stripe broke off. {UNDONE} Try again."


def _event(raw: Any) -> Event:
    return Event(
        id=raw.id,
        type=raw.type,
        created=datetime.fromtimestamp(raw.created, UTC),
        live=raw.livemode,
        waiting=raw.pending_webhooks,
    )
