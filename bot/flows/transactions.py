"""What flows write in: a transaction that is shown afterwards, locked rows, and entries."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TypeVar

from bot import rules, store
from bot.model import Execution, Incident, IncidentId, UserError, UserId
from bot.model.entries import ExecutionDetail
from bot.publishing.publisher import request_publishing
from bot.store import db
from bot.store.db import Conn
from bot.world import World

log = logging.getLogger(__name__)

T = TypeVar("T")


async def retry_unwritten(world: World, work: Callable[[], Awaitable[T]]) -> T:
    """Do what a person asked for; once more where the database is lost before anything is written.

    Raises UserError where that fails too, or where something was written or may have been.
    """
    with db.watching_writes() as writes:
        try:
            try:
                return await work()
            except db.ERRORS as error:
                if writes.any or not db.is_lost_session(error):
                    raise
                log.warning("the database was lost before anything was written: %s", error)
            return await work()
        except db.ERRORS as error:
            log.warning("the database was lost", exc_info=error)
            raise _lost(world, written=writes.any) from error


def _lost(world: World, *, written: bool) -> UserError:
    """What people read where the database was lost."""
    if written:
        return UserError(
            "The bot lost its database while it worked on this, so it may be done only in part. "
            "Look at the incident's card, then do what is missing."
        )
    state = "can only be read" if world.pool.is_read_only else "does not answer"
    return UserError(
        f"The bot's database {state} at the moment. Nothing was done. Try again in a minute."
    )


@asynccontextmanager
async def changing(world: World, incident_id: IncidentId) -> AsyncIterator[Conn]:
    """A transaction that changes an incident; after the commit, publishing is requested.

    An error rolls it back. Nothing waits for Slack.
    """
    async with changing_several(world) as (conn, changed):
        yield conn
        changed.add(incident_id)


@asynccontextmanager
async def changing_several(world: World) -> AsyncIterator[tuple[Conn, set[IncidentId]]]:
    """The same for incidents that are known only inside: add each that was changed to the set."""
    changed: set[IncidentId] = set()
    async with world.pool.connection() as conn:
        yield conn, changed
        for incident_id in sorted(changed):
            await store.publications.mark_stale(conn, incident_id)
    for incident_id in sorted(changed):
        request_publishing(world, incident_id)


async def log_execution(
    conn: Conn,
    execution: Execution,
    detail: ExecutionDetail,
    *,
    at: datetime,
    by: UserId | None = None,
) -> None:
    """Write what became of an execution into the timeline, with what it was bound to."""
    summary = execution.plan.summary if execution.plan else execution.title
    detail = detail.of(execution)
    await store.timeline.add(conn, execution.incident_id, detail, at=at, by=by, text=summary)


async def lock(conn: Conn, incident_id: IncidentId) -> Incident:
    """The incident, open or not, locked until the transaction ends; raises UserError for none."""
    incident = await store.incidents.lock(conn, incident_id)
    if incident is None:
        raise UserError(f"INC-{incident_id} does not exist. Nothing was done.")
    return incident


async def lock_open(conn: Conn, incident_id: IncidentId) -> Incident:
    """The incident, locked until the transaction ends; raises UserError when it is resolved."""
    incident = await lock(conn, incident_id)
    rules.incidents.check_open(incident)
    return incident


async def check_customer_message_allowed(conn: Conn, execution: Execution) -> None:
    """Raise UserError where customers are no longer informed at the incident's severity.

    That it is over is told whatever the severity was at the end.
    """
    is_all_clear = rules.customers.is_all_clear(execution)
    if execution.action == rules.permissions.CUSTOMER_MESSAGE and not is_all_clear:
        incident = await store.incidents.get(conn, execution.incident_id)
        assert incident is not None
        rules.permissions.check_informs_customers(incident)
