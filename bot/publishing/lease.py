"""The lease on one incident: who has it publishes the incident, and renews it meanwhile."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import uuid4

from bot import slack, store
from bot.model import Incident, IncidentId
from bot.publishing.database import connection
from bot.store import db
from bot.store.db import Conn
from bot.store.messages import SentItem
from bot.store.publications import Publication
from bot.views import text
from bot.world import World

log = logging.getLogger(__name__)

LEASE_DURATION = timedelta(seconds=90)
FIRST_RETRY = timedelta(seconds=2)
# What passes by itself, such as an outage of Slack, may end at any time.
LAST_TRANSIENT_RETRY = timedelta(seconds=15)
LAST_RETRY = timedelta(minutes=5)


@dataclass(frozen=True)
class Claim:
    """What publishing starts from: the version, the incident, and what was sent."""

    publication: Publication
    incident: Incident
    sent: dict[str, SentItem]
    at: datetime


class Lease:
    """One process's lease on one incident."""

    def __init__(self, world: World, incident_id: IncidentId) -> None:
        self._world = world
        self._incident_id = incident_id
        self._id = uuid4()
        self._held = False
        self._until = world.now()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        # Who is cancelled, by a time-out or because the bot stops, gives the lease back first.
        await asyncio.shield(self._give_back())

    async def acquire_new(self, conn: Conn, incident: Incident) -> Claim:
        """Acquire it in the transaction that inserts the incident: nobody else can have it."""
        now = self._world.now()
        self._held, self._until = True, now + LEASE_DURATION
        publication = await store.publications.insert(conn, incident.id, self._id, self._until)
        return Claim(publication, incident, {}, now)

    async def acquire(self) -> Claim | None:
        """Acquire or keep it; None when another has it or nothing is to be published now."""
        self._held = True  # set before it is true: who is cancelled here gives it back as well
        now = self._world.now()
        self._until = now + LEASE_DURATION
        async with connection(self._world) as conn:
            publication = await store.publications.claim(
                conn, self._incident_id, self._id, now, self._until
            )
            self._held = publication is not None
            return None if publication is None else await _load_claim(conn, publication, now)

    async def renew(self) -> bool:
        """Whether it is still held, renewed when a third of it has passed."""
        now = self._world.now()
        if self._held and self._until - now < LEASE_DURATION * 2 / 3:
            self._until = now + LEASE_DURATION
            async with connection(self._world) as conn:
                self._held = await store.publications.renew(
                    conn, self._incident_id, self._id, self._until
                )
        return self._held

    async def complete(self, publication: Publication) -> bool:
        """Everything was sent: give it back; False when more became stale meanwhile."""
        async with connection(self._world) as conn:
            await store.publications.mark_published(
                conn, self._incident_id, self._id, publication.wanted_version
            )
            released = await store.publications.release(conn, self._incident_id, self._id)
        self._held = not released  # only after the commit: until then nothing is given back
        return released

    async def fail(self, claim: Claim, failures: Sequence[Exception]) -> None:
        """Something was not sent: give it back until the scheduler tries again."""
        now = self._world.now()
        async with connection(self._world) as conn:
            await store.publications.mark_failed(
                conn,
                self._incident_id,
                self._id,
                now=now,
                retry_at=_retry_at(claim, failures, now),
                error=_lasting_error(failures),
                refused_version=None
                if any(map(_is_transient, failures))
                else claim.publication.wanted_version,
            )
        self._held = False

    async def _give_back(self) -> None:
        """Leave it to whoever comes next, however publishing ended."""
        if not self._held:
            return
        try:
            async with connection(self._world) as conn:
                await store.publications.abandon(conn, self._incident_id, self._id)
        except db.ERRORS:  # the lease ends by itself, and what is raised already says more
            log.exception("the lease of INC-%s was not given back", self._incident_id)


async def _load_claim(conn: Conn, publication: Publication, now: datetime) -> Claim:
    incident = await store.incidents.get(conn, publication.incident_id)
    assert incident is not None
    return Claim(publication, incident, await store.messages.of_incident(conn, incident.id), now)


def _is_transient(failure: Exception) -> bool:
    """Whether it passes by itself: Slack or the database is away, or limits the rate."""
    if isinstance(failure, slack.client.SlackError):
        return failure.is_transient
    return isinstance(failure, db.ERRORS)


def _retry_at(claim: Claim, failures: Sequence[Exception], now: datetime) -> datetime:
    """When Slack allows it, else twice as long each time, from the start of the last attempt.

    A call that waited for its whole time limit has waited long enough.
    """
    waits = [getattr(failure, "retry_after", None) for failure in failures]
    demanded = [now + timedelta(seconds=seconds) for seconds in waits if seconds is not None]
    if demanded and len(demanded) == len(waits):
        return max(demanded)
    longest = LAST_TRANSIENT_RETRY if any(map(_is_transient, failures)) else LAST_RETRY
    doublings = min(claim.publication.failures, 10)
    return max([claim.at + min(FIRST_RETRY * int(2**doublings), longest), *demanded])


def _lasting_error(failures: Sequence[Exception]) -> str | None:
    """What people can act on; a rate limit or a hiccup passes by itself."""
    lasting = [failure for failure in failures if not _is_transient(failure)]
    if not lasting:
        return None
    refused = [failure for failure in lasting if isinstance(failure, slack.client.SlackError)]
    others = [failure for failure in lasting if not isinstance(failure, slack.client.SlackError)]
    return text.render_unescaped(
        "publish_failed",
        reasons=sorted({failure.reason for failure in refused}),
        fixes=sorted({failure.fix for failure in refused}),
        error_types=sorted({type(failure).__name__ for failure in others}),
    )
