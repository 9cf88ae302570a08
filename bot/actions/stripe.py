"""The webhook events that Stripe could not deliver, each with a link to its dashboard."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import Field

from bot.actions import cell_format, stripe_dashboard
from bot.actions.base import Read
from bot.actions.kubernetes import pods
from bot.model import Cell, Link, ReadResult, Table
from bot.systems import Systems
from bot.systems.stripe import MAX_EVENTS, Event, StripeError

COLUMNS = ("created", "type", "endpoints waiting", "event")
DASHBOARD = Link(title="Webhooks in Stripe", url=f"{stripe_dashboard.DASHBOARD}/webhooks")
NO_KEY = (
    "Stripe was not asked: the bot has no key. Look in the dashboard, "
    "or set STRIPE_API_KEY to a restricted key that may read Events."
)
UNRESTRICTED_KEY = (
    "STRIPE_API_KEY is a secret key, which may move money. "
    "Looking needs only a restricted key (rk_…) that may read Events: replace it."
)
# A younger event may still be on its way.
FRESH = timedelta(minutes=1)
MAX_TYPES = 5


class StripeEvents(Read):
    """List the webhook events of the last hours that an endpoint has not taken.

    Stripe keeps events for 30 days, and tries to deliver each for three.
    """

    name: ClassVar = "stripe-events"
    hours: int = Field(default=24, ge=1, le=720)

    async def read(self, systems: Systems) -> ReadResult:
        """A count by type, and a row for each event; neither good nor bad without a key."""
        if not systems.stripe.is_configured:
            return ReadResult(ok=None, text=NO_KEY, link=DASHBOARD)
        notes = (UNRESTRICTED_KEY,) if systems.stripe.is_unrestricted_key else ()
        now = systems.now()
        try:
            events = await systems.stripe.undelivered_events(now - timedelta(hours=self.hours))
        except StripeError as error:
            return ReadResult(ok=False, text=str(error), link=DASHBOARD, notes=notes)
        return ReadResult(
            ok=_judge(events, now),
            is_unjudged=_judge(events, now) is None,
            text=self._verdict(events, now),
            link=DASHBOARD,
            table=Table(columns=COLUMNS, rows=tuple(map(_row, events))),
            notes=(*_fresh_note(events, now), *notes),
        )

    def _verdict(self, events: Sequence[Event], now: datetime) -> str:
        period = f"the last {self.hours} h" if self.hours > 1 else "the last hour"
        if not events:
            return f"Every webhook event of {period} was delivered"
        count = f"At least {MAX_EVENTS}" if len(events) == MAX_EVENTS else str(len(events))
        noun = "event" if len(events) == 1 else "events"
        age = pods.kubectl_age((now - events[-1].created).total_seconds())
        return (
            f"{count} webhook {noun} of {period} not delivered, the oldest {age} old\n"
            f"{_type_counts(events)}"
        )


def _type_counts(events: Sequence[Event]) -> str:
    """Like `charge.refunded 7, payout.paid 1, 2 other types`, the most frequent first."""
    types = Counter(event.type for event in events).most_common()
    counts = [f"{event_type} {count}" for event_type, count in types[:MAX_TYPES]]
    if len(types) > MAX_TYPES:
        counts.append(f"{len(types) - MAX_TYPES} other types")
    return ", ".join(counts)


def _row(event: Event) -> tuple[Cell | str, ...]:
    page = stripe_dashboard.page_url(event.id, live=event.livemode)
    waiting = Cell(text=str(event.pending_webhooks), number=event.pending_webhooks)
    return (cell_format.cell(event.created), event.type, waiting, Cell(text=event.id, link=page))


def _is_fresh(event: Event, now: datetime) -> bool:
    return now - event.created < FRESH


def _judge(events: Sequence[Event], now: datetime) -> bool | None:
    """Good without events; not known while all of them may still be on their way."""
    if not events:
        return True
    return None if all(_is_fresh(event, now) for event in events) else False


def _fresh_note(events: Sequence[Event], now: datetime) -> tuple[str, ...]:
    fresh = sum(_is_fresh(event, now) for event in events)
    if not fresh:
        return ()
    return (f"{fresh} of them happened within the last minute: they may be on their way.",)
