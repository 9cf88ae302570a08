"""Which webhook events Stripe could not deliver, each linked to its page in the dashboard."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from pydantic import Field

from bot.actions import Read, Systems
from bot.model import Cell, Link, Reading, Table
from bot.stripe import MOST, Event, StripeError
from commands.actions import pods, stripe_pages, values

COLUMNS = ("event", "type", "created", "endpoints waiting")
DASHBOARD = Link(title="Webhooks in Stripe", url=f"{stripe_pages.DASHBOARD}/webhooks")
NO_KEY = (
    "Stripe was not asked: the bot has no key. Look in the dashboard, "
    "or set STRIPE_API_KEY to a restricted key that may read Events."
)
ALL_POWERFUL = (
    "STRIPE_API_KEY is a secret key, which may move money. "
    "Looking needs only a restricted key (rk_…) that may read Events: replace it."
)
# What has just happened is on its way.
YOUNG = timedelta(minutes=1)
TYPES = 5


class StripeEvents(Read):
    """List the webhook events of the last hours that an endpoint has not taken.

    Stripe keeps events for 30 days, and tries to deliver each for three.
    """

    name: ClassVar = "stripe-events"
    hours: int = Field(default=24, ge=1, le=720)

    async def read(self, systems: Systems) -> Reading:
        """A count by type, and a row for each; neither good nor bad without a key."""
        if not systems.stripe.known:
            return Reading(ok=None, text=NO_KEY, link=DASHBOARD)
        notes = (ALL_POWERFUL,) if systems.stripe.all_powerful else ()
        now = systems.now()
        try:
            found = await systems.stripe.undelivered(now - timedelta(hours=self.hours))
        except StripeError as error:
            return Reading(ok=False, text=str(error), link=DASHBOARD, notes=notes)
        return Reading(
            ok=all(now - one.created < YOUNG for one in found),
            text=self._verdict(found, now),
            link=DASHBOARD,
            table=Table(columns=COLUMNS, rows=tuple(map(_row, found))),
            notes=(*_fresh(found, now), *notes),
        )

    def _verdict(self, found: Sequence[Event], now: datetime) -> str:
        span = f"the last {self.hours} h" if self.hours > 1 else "the last hour"
        if not found:
            return f"Every webhook event of {span} was delivered"
        count = f"At least {MOST}" if len(found) == MOST else str(len(found))
        noun = "event" if len(found) == 1 else "events"
        age = pods.words((now - found[-1].created).total_seconds())
        kinds = Counter(one.type for one in found).most_common()
        told = [f"{kind} {times}" for kind, times in kinds[:TYPES]]
        told += [f"{len(kinds) - TYPES} other types"] if len(kinds) > TYPES else []
        return (
            f"{count} webhook {noun} of {span} not delivered, the oldest {age} old\n"
            f"{', '.join(told)}"
        )


def _row(event: Event) -> tuple[Cell | str, ...]:
    page = stripe_pages.link(event.id, live=event.live)
    waiting = Cell(text=str(event.waiting), number=event.waiting)
    return (Cell(text=event.id, link=page), event.type, values.cell(event.created), waiting)


def _fresh(found: Sequence[Event], now: datetime) -> tuple[str, ...]:
    fresh = sum(now - one.created < YOUNG for one in found)
    if not fresh:
        return ()
    return (f"{fresh} of them happened within the last minute: they may be on their way.",)
