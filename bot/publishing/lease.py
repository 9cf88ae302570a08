"""The lease on one incident: who has it publishes the incident, and renews it meanwhile."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self
from uuid import uuid4

from bot import slack, store
from bot.model import Incident, IncidentId
from bot.store import db
from bot.store.db import Conn
from bot.store.messages import SentItem
from bot.store.publications import Publication
from bot.views import text
from bot.world import World

log = logging.getLogger(__name__)

LEASE_DURATION = timedelta(seconds=90)
FIRST_RETRY = timedelta(seconds=2)
LAST_RETRY = timedelta(minutes=5)


@dataclass(frozen=True)
class Claim:
    """What publishing starts from: the version, the incident, and what was sent."""

    publication: Publication
    incident: Incident
    sent: dict[str, SentItem]


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
        self._held, self._until = True, self._world.now() + LEASE_DURATION
        publication = await store.publications.insert(conn, incident.id, self._id, self._until)
        return Claim(publication, incident, {})

    async def acquire(self) -> Claim | None:
        """Acquire or keep it; None when another has it or nothing is to be published now."""
        self._held = True  # set before it is true: who is cancelled here gives it back as well
        now = self._world.now()
        self._until = now + LEASE_DURATION
        async with self._world.pool.connection() as conn:
            publication = await store.publications.claim(
                conn, self._incident_id, self._id, now, self._until
            )
            self._held = publication is not None
            return None if publication is None else await _load_claim(conn, publication)

    async def renew(self) -> bool:
        """Whether it is still held, renewed when a third of it has passed."""
        now = self._world.now()
        if self._held and self._until - now < LEASE_DURATION * 2 / 3:
            self._until = now + LEASE_DURATION
            async with self._world.pool.connection() as conn:
                self._held = await store.publications.renew(
                    conn, self._incident_id, self._id, self._until
                )
        return self._held

    async def complete(self, publication: Publication) -> bool:
        """Everything was sent: give it back; False when more became stale meanwhile."""
        async with self._world.pool.connection() as conn:
            await store.publications.mark_published(
                conn, self._incident_id, self._id, publication.wanted_version
            )
            self._held = not await store.publications.release(conn, self._incident_id, self._id)
        return not self._held

    async def fail(self, publication: Publication, failures: Sequence[Exception]) -> None:
        """Something was not sent: give it back until the scheduler tries again."""
        now = self._world.now()
        async with self._world.pool.connection() as conn:
            await store.publications.mark_failed(
                conn,
                self._incident_id,
                self._id,
                now=now,
                retry_at=now + _retry_delay(publication, failures),
                error=_lasting_error(failures),
                refused_version=None
                if any(map(_is_transient, failures))
                else publication.wanted_version,
            )
        self._held = False

    async def _give_back(self) -> None:
        """Leave it to whoever comes next, however publishing ended."""
        if not self._held:
            return
        try:
            async with self._world.pool.connection() as conn:
                await store.publications.abandon(conn, self._incident_id, self._id)
        except db.ERRORS:  # the lease ends by itself, and what is raised already says more
            log.exception("the lease of INC-%s was not given back", self._incident_id)


async def _load_claim(conn: Conn, publication: Publication) -> Claim:
    incident = await store.incidents.get(conn, publication.incident_id)
    assert incident is not None
    return Claim(publication, incident, await store.messages.of_incident(conn, incident.id))


def _is_transient(failure: Exception) -> bool:
    return isinstance(failure, slack.client.SlackError) and failure.is_transient


def _retry_delay(publication: Publication, failures: Sequence[Exception]) -> timedelta:
    """As long as Slack demands, else twice as long each time."""
    waits = [getattr(failure, "retry_after", None) for failure in failures]
    demanded = [timedelta(seconds=seconds) for seconds in waits if seconds is not None]
    if demanded and len(demanded) == len(waits):
        return max(demanded)
    doublings = min(publication.failures, 10)
    return max([min(FIRST_RETRY * int(2**doublings), LAST_RETRY), *demanded])


def _lasting_error(failures: Sequence[Exception]) -> str | None:
    """What people can act on; a rate limit or a hiccup passes by itself."""
    lasting = [failure for failure in failures if not _is_transient(failure)]
    if not lasting:
        return None
    refused = sorted(
        {failure.code for failure in lasting if isinstance(failure, slack.client.SlackError)}
    )
    errors = sorted(
        {
            type(failure).__name__
            for failure in lasting
            if not isinstance(failure, slack.client.SlackError)
        }
    )
    return text.render("publish_failed", slack_codes=refused, error_types=errors)
