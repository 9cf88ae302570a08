"""The right to draw one incident: held by one drawer at a time, renewed while it draws."""

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
from bot.store.messages import SentMessage
from bot.store.publications import Publication
from bot.views import text
from bot.world import World

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=90)
FIRST_RETRY = timedelta(seconds=2)
LAST_RETRY = timedelta(minutes=5)


@dataclass(frozen=True)
class Claim:
    """What a drawer starts from: the picture's version, the incident, and what Slack shows."""

    publication: Publication
    incident: Incident
    sent: dict[str, SentMessage]


class Lease:
    """One drawer's hold on one incident's picture."""

    def __init__(self, world: World, incident_id: IncidentId) -> None:
        self._world = world
        self._incident_id = incident_id
        self._id = uuid4()
        self._held = False
        self._until = world.now()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        # Whoever is stopped meanwhile, by a time-out or because the bot stops, lets go first.
        await asyncio.shield(self._let_go())

    async def acquire_new(self, conn: Conn, incident: Incident) -> Claim:
        """Take it in the transaction that makes the incident: nobody else can have it."""
        self._held, self._until = True, self._world.now() + LEASE
        picture = await store.publications.insert(conn, incident.id, self._id, self._until)
        return Claim(picture, incident, {})

    async def acquire(self) -> Claim | None:
        """Take it or keep it; None when another drawer has it or nothing is to be drawn now."""
        self._held = True  # before it is: a drawer that is stopped here has to let go as well
        now = self._world.now()
        self._until = now + LEASE
        async with self._world.pool.connection() as conn:
            picture = await store.publications.claim(
                conn, self._incident_id, self._id, now, self._until
            )
            self._held = picture is not None
            return None if picture is None else await _start(conn, picture)

    async def renew(self) -> bool:
        """Whether it is still held, renewed when a third of it has passed."""
        now = self._world.now()
        if self._held and self._until - now < LEASE * 2 / 3:
            self._until = now + LEASE
            async with self._world.pool.connection() as conn:
                self._held = await store.publications.renew(
                    conn, self._incident_id, self._id, self._until
                )
        return self._held

    async def complete(self, picture: Publication) -> bool:
        """All of it is shown: let go, unless more was wanted meanwhile; then False."""
        async with self._world.pool.connection() as conn:
            await store.publications.mark_published(
                conn, self._incident_id, self._id, picture.wanted_version
            )
            self._held = not await store.publications.release(conn, self._incident_id, self._id)
        return not self._held

    async def fail(self, picture: Publication, failures: Sequence[Exception]) -> None:
        """A part of it is not shown: let go until the clock tries again."""
        now = self._world.now()
        async with self._world.pool.connection() as conn:
            await store.publications.mark_failed(
                conn,
                self._incident_id,
                self._id,
                now=now,
                retry_at=now + _pause(picture, failures),
                error=_trouble(failures),
                refused_version=None if any(map(_passes, failures)) else picture.wanted_version,
            )
        self._held = False

    async def _let_go(self) -> None:
        """Leave it to whoever comes next, however drawing ended."""
        if not self._held:
            return
        try:
            async with self._world.pool.connection() as conn:
                await store.publications.abandon(conn, self._incident_id, self._id)
        except db.ERRORS:  # the lease ends by itself, and what is raised already says more
            log.exception("the lease of INC-%s was not given back", self._incident_id)


async def _start(conn: Conn, picture: Publication) -> Claim:
    incident = await store.incidents.get(conn, picture.incident_id)
    assert incident is not None
    return Claim(picture, incident, await store.messages.of_incident(conn, incident.id))


def _passes(failure: Exception) -> bool:
    return isinstance(failure, slack.client.SlackError) and failure.is_transient


def _pause(picture: Publication, failures: Sequence[Exception]) -> timedelta:
    """As long as Slack asks for, and twice as long each time for what it does not say."""
    waits = [getattr(failure, "retry_after", None) for failure in failures]
    asked = [timedelta(seconds=seconds) for seconds in waits if seconds is not None]
    if asked and len(asked) == len(waits):
        return max(asked)
    doublings = min(picture.failures, 10)
    return max([min(FIRST_RETRY * int(2**doublings), LAST_RETRY), *asked])


def _trouble(failures: Sequence[Exception]) -> str | None:
    """What people can do something about; a rate limit or a hiccup passes by itself."""
    lasting = [failure for failure in failures if not _passes(failure)]
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
