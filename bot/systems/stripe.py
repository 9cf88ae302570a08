"""Webhook events that Stripe could not deliver; Stripe is only read."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from aiohttp import ClientConnectorError, ClientError, ClientTimeout
from yarl import URL

from bot import redaction
from bot.model import Model, UserError
from bot.model.text import printable

if TYPE_CHECKING:
    from stripe import StripeClient

API_URL = "https://api.stripe.com"
REQUEST_SECONDS = 8.0
TOTAL_SECONDS = 25.0  # of all pages, retries included
RETRIES = 1
PAGE_SIZE = 100  # Stripe's maximum
MAX_EVENTS = 300
MESSAGE_LENGTH = 200
PERMISSION = re.compile(r"'(rak_[a-z_]+)'")
NOTHING_READ = "Nothing was read."


class StripeError(UserError):
    """A request to Stripe failed."""


class Event(Model):
    """A webhook event; `pending_webhooks` is how many endpoints have not received it."""

    id: str
    type: str
    created: datetime
    livemode: bool
    pending_webhooks: int


class Stripe:
    """One Stripe account."""

    def __init__(
        self, key: str | None = None, url: str = API_URL, seconds: float = REQUEST_SECONDS
    ) -> None:
        self._key = key
        self._url = url.rstrip("/")
        self._seconds = seconds

    @property
    def is_configured(self) -> bool:
        """Whether there is an API key."""
        return self._key is not None

    @property
    def is_unrestricted_key(self) -> bool:
        """Whether the key is a secret key, which may do everything; reads need less."""
        return self._key is not None and self._key.startswith("sk_")

    async def undelivered_events(self, since: datetime) -> tuple[Event, ...]:
        """Events since then that an endpoint has not received, newest first, at most 300.

        Raises StripeError.
        """
        params = {
            "delivery_success": False,
            "created": {"gte": int(since.timestamp())},
            "limit": PAGE_SIZE,
        }
        events: list[Event] = []
        async with self._client() as client:
            listed: Any = await client.v1.events.list_async(params)  # type: ignore[arg-type]
            async for raw in listed.auto_paging_iter():
                events.append(_parse_event(raw))
                if len(events) == MAX_EVENTS:
                    break
        return tuple(events)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator["StripeClient"]:
        """Limit the time of all requests, and raise StripeError for whatever goes wrong."""
        # Half a second and 32 MB, for those only who use it; in a thread, since others wait.
        stripe: Any = await asyncio.to_thread(import_module, "stripe")
        stripe.enable_telemetry = False
        http = stripe.AIOHTTPClient(timeout=ClientTimeout(total=self._seconds))
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                yield stripe.StripeClient(
                    self._key,
                    base_addresses={"api": self._url},
                    max_network_retries=RETRIES,
                    http_client=http,
                )
        except stripe.StripeError as error:
            raise StripeError(self._error_text(error)) from error
        except (TimeoutError, ClientError) as error:
            raise StripeError(self._connection_error_text(error)) from error
        finally:
            await http.close_async()

    def _error_text(self, error: Any) -> str:
        """The text for an error of Stripe's library."""
        if error.__cause__ is not None and error.http_status is None:
            return self._connection_error_text(error.__cause__)
        message = str(error.user_message or "")
        match error.http_status:
            case 401:
                return (
                    f"Stripe does not accept the key in STRIPE_API_KEY. {NOTHING_READ} It was "
                    "revoked or is incomplete: set a restricted key that may read Events."
                )
            case 403:
                found = PERMISSION.search(message)
                permission = found[1] if found else "rak_event_read"
                return (
                    f"The key in STRIPE_API_KEY lacks the permission {permission}. {NOTHING_READ} "
                    "In Stripe's dashboard, under API keys, let it read Events."
                )
            case 429:
                return (
                    f"Stripe limits the bot's requests at the moment (429). {NOTHING_READ} "
                    "Try again in a minute."
                )
            case int(status) if status < 500:
                reason = redaction.redact(message)[:MESSAGE_LENGTH].rstrip(".")
                return (
                    f"Stripe refused the request ({status}): {reason}. {NOTHING_READ} "
                    "Look in its dashboard."
                )
            case status:
                return (
                    f"Stripe failed ({status}). {NOTHING_READ} "
                    "Look at status.stripe.com, then try again."
                )

    def _connection_error_text(self, error: BaseException) -> str:
        """The text for an error without a response of Stripe."""
        match error:
            case TimeoutError():
                return f"Stripe did not answer in time. {NOTHING_READ} Look at status.stripe.com."
            case ClientConnectorError():
                return (
                    f"Stripe cannot be reached at {URL(self._url).host}: {error.strerror}. "
                    f"{NOTHING_READ} Check that the bot may reach the internet."
                )
            case _:
                return f"The connection to Stripe broke off. {NOTHING_READ} Try again."


def _parse_event(raw: Any) -> Event:
    return Event(
        id=raw.id,
        type=printable(raw.type),
        created=datetime.fromtimestamp(raw.created, UTC),
        livemode=raw.livemode,
        pending_webhooks=raw.pending_webhooks,
    )
