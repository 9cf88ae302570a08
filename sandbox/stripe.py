"""A simulated Stripe API: the list of events, refusing what Stripe refuses, in Stripe's words.

https://docs.stripe.com/api/events/list, /api/pagination and /api/errors.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from sandbox.loopback import LoopbackServer

Obj = dict[str, Any]

API_VERSION = "2026-10-28.endive"
VERSION = re.compile(r"20\d\d-\d\d-\d\d(\.[a-z]+)?")
EVENT_READ = "rak_event_read"
RETENTION = timedelta(days=30)
MAX_PAGE = 100
PARAMETERS = {
    *("limit", "starting_after", "ending_before", "delivery_success", "type"),
    *(f"created[{bound}]" for bound in ("gt", "gte", "lt", "lte")),
}


class Refusal(Exception):
    """An error as Stripe answers it."""

    def __init__(self, status: int, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        kind = "api_error" if status >= 500 else "invalid_request_error"
        self.body = {"error": {"message": message, "type": kind, **more}}


@dataclass(frozen=True)
class Event:
    """An event, and whether every webhook endpoint has accepted it."""

    id: str
    type: str
    created: int
    delivered: bool
    live: bool

    def as_json(self) -> Obj:
        """The event as the API shows it; of its object only the id."""
        about = {"id": f"pi_{self.id.removeprefix('evt_')}", "object": "payment_intent"}
        return {
            "id": self.id,
            "object": "event",
            "api_version": API_VERSION,
            "created": self.created,
            "data": {"object": about},
            "livemode": self.live,
            "pending_webhooks": 0 if self.delivered else 1,
            "request": {"id": None, "idempotency_key": None},
            "type": self.type,
        }


@dataclass
class Fault:
    """A fault for the next `times` requests; without a status they hang until `over` is set."""

    status: int | None
    times: int
    over: asyncio.Event = field(default_factory=asyncio.Event)


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Stripe(LoopbackServer):
    """One account, on loopback; `key` may read events, and `blind_key` may not."""

    def __init__(self, now: Callable[[], datetime] = utc_now, *, live: bool = False) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        super().__init__(web.AppRunner(app, access_log=None, shutdown_timeout=0.2))
        mode = "live" if live else "test"
        self.key = f"rk_{mode}_{secrets.token_hex(24)}"
        self.secret_key = f"sk_{mode}_{secrets.token_hex(24)}"
        self.blind_key = f"rk_{mode}_{secrets.token_hex(24)}"
        self.requests: list[web.Request] = []
        self._live = live
        self._now = now
        self._events: dict[str, Event] = {}
        self._faults: list[Fault] = []

    async def __aexit__(self, *_: object) -> None:
        self.heal()
        await super().__aexit__()

    # What happens in the account.

    def add_event(
        self, kind: str, *, ago: float = 0.0, delivered: bool = True, event_id: str | None = None
    ) -> str:
        """Add an event that happened `ago` seconds ago; returns its id."""
        created = int(self._now().timestamp() - ago)
        event_id = event_id or f"evt_1Q{secrets.token_hex(11)}"
        event = Event(event_id, kind, created, delivered, self._live)
        self._events[event.id] = event
        return event.id

    def deliver(self, event_id: str | None = None) -> None:
        """Mark an event as delivered, or all of them."""
        for delivered_id in [event_id] if event_id else list(self._events):
            self._events[delivered_id] = replace(self._events[delivered_id], delivered=True)

    @property
    def undelivered(self) -> set[str]:
        """The ids of the events that some endpoint has not accepted."""
        return {event.id for event in self._events.values() if not event.delivered}

    def fail(self, status: int, times: int = 1) -> None:
        """Make the next requests fail with a status: 429, or 500 and above."""
        self._faults.append(Fault(status, times))

    def hang(self, times: int = 1) -> None:
        """Make the next requests hang until `heal`."""
        self._faults.append(Fault(None, times))

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        for fault in self._faults:
            fault.over.set()
        self._faults.clear()

    # The API.

    async def _handle(self, request: web.Request) -> web.Response:
        self.requests.append(request)
        headers = {"Request-Id": f"req_{secrets.token_hex(7)}"}
        try:
            await self._apply_fault()
            headers["Stripe-Version"] = _version(request)
            self._authenticate(request)
            return web.json_response(self._answer(request), headers=headers)
        except Refusal as refusal:
            return web.json_response(refusal.body, status=refusal.status, headers=headers)

    async def _apply_fault(self) -> None:
        fault = next((candidate for candidate in self._faults if candidate.times > 0), None)
        if fault is None:
            return
        fault.times -= 1
        if fault.status is None:
            await fault.over.wait()
        elif fault.status == 429:
            raise Refusal(429, "Request rate limit exceeded.", code="rate_limit")
        else:
            raise Refusal(fault.status, "An unknown error occurred")

    def _authenticate(self, request: web.Request) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            raise Refusal(401, "You did not provide an API key. You need to provide your API key.")
        if key not in (self.key, self.secret_key, self.blind_key):
            masked = f"{key[:8]}{'*' * max(0, len(key) - 12)}{key[-4:]}"
            raise Refusal(401, f"Invalid API Key provided: {masked}")
        if key == self.blind_key:
            masked = f"{key[:8]}{'*' * (len(key) - 14)}{key[-6:]}"
            raise Refusal(
                403,
                f"The provided key '{masked}' does not have the required permissions for this "
                f"endpoint on account 'acct_1Q0000000000AbCd'. Having the '{EVENT_READ}' "
                "permission would allow this request to continue.",
            )

    def _answer(self, request: web.Request) -> Obj:
        if (request.method, request.path) != ("GET", "/v1/events"):
            raise Refusal(404, f"Unrecognized request URL ({request.method}: {request.path}).")
        return self._list(_params(request))

    def _list(self, params: Mapping[str, str]) -> Obj:
        oldest = (self._now() - RETENTION).timestamp()
        newest_first = sorted(self._events.values(), key=_sort_key)
        events = [
            event for event in newest_first if event.created >= oldest and _matches(event, params)
        ]
        page, more = self._page(events, params)
        data = [event.as_json() for event in page]
        return {"object": "list", "url": "/v1/events", "has_more": more, "data": data}

    def _page(self, events: list[Event], params: Mapping[str, str]) -> tuple[list[Event], bool]:
        limit = _number(params, "limit", 10)
        if not 1 <= limit <= MAX_PAGE:
            raise _invalid("limit", f"Limit must be between 1 and {MAX_PAGE}")
        after, before = params.get("starting_after"), params.get("ending_before")
        if after and before:
            raise _invalid("ending_before", "You cannot parameterize both cursors")
        for name, cursor in (("starting_after", after), ("ending_before", before)):
            if cursor and cursor not in self._events:
                message = f"No such notification event: '{cursor}'"
                raise Refusal(400, message, code="resource_missing", param=name)
        if before:
            earlier = events[: _position(events, self._events[before])]
            return earlier[-limit:], len(earlier) > limit
        rest = events[_position(events, self._events[after]) :] if after else events
        rest = [event for event in rest if event.id != after]
        return rest[:limit], len(rest) > limit


def _position(events: list[Event], cursor: Event) -> int:
    """The index of an event in a list with the newest first."""
    return sum(_sort_key(event) < _sort_key(cursor) for event in events)


def _sort_key(event: Event) -> tuple[int, str]:
    return -event.created, event.id


def _version(request: web.Request) -> str:
    version = request.headers.get("Stripe-Version", API_VERSION)
    if VERSION.fullmatch(version) is None:
        raise Refusal(400, f"Invalid Stripe API version: {version}")
    return version


def _params(request: web.Request) -> Mapping[str, str]:
    for name in request.query:
        if name not in PARAMETERS:
            raise Refusal(
                400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name
            )
        if len(request.query.getall(name)) > 1:
            raise _invalid(name, f"Invalid string: {name} was given more than once")
    return request.query


def _matches(event: Event, params: Mapping[str, str]) -> bool:
    wanted = params.get("delivery_success")
    if wanted not in (None, "true", "false"):
        raise _invalid("delivery_success", f"Invalid boolean: {wanted}")
    since = max(_number(params, "created[gte]", 0), _number(params, "created[gt]", -1) + 1)
    until = min(
        _number(params, "created[lte]", 2**40), _number(params, "created[lt]", 2**40 + 1) - 1
    )
    kind = re.escape(params.get("type", "*")).replace(r"\*", ".*")
    return (
        since <= event.created <= until
        and (wanted is None or event.delivered is (wanted == "true"))
        and re.fullmatch(kind, event.type) is not None
    )


def _number(params: Mapping[str, str], name: str, default: int) -> int:
    text = params.get(name)
    if text is not None and not text.isdecimal():
        raise Refusal(400, f"Invalid integer: {text}", code="parameter_invalid_integer", param=name)
    return default if text is None else int(text)


def _invalid(name: str, message: str) -> Refusal:
    return Refusal(400, message, param=name)
