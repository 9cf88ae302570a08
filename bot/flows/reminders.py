"""Reminders: claimed once among any number of replicas, and quiet as soon as somebody did it."""

from datetime import datetime, timedelta

from bot import rules, store
from bot.model import EntryKind, Incident, Reminder, ReminderId, ReminderKind, UserError, UserId
from bot.publisher import publish
from bot.store.db import Conn
from bot.world import World


async def wait_for_response(conn: Conn, incident: Incident) -> None:
    """Remind when nobody has taken command in time."""
    due = rules.first_response_at(incident)
    if due is not None and incident.commander is None:
        await store.reminders.insert(conn, incident.id, ReminderKind.FIRST_RESPONSE, due)


async def wait_for_update(conn: Conn, incident: Incident) -> None:
    """Remind when the next update is due."""
    if incident.next_update_at is not None:
        kind = ReminderKind.UPDATE
        await store.reminders.insert(conn, incident.id, kind, incident.next_update_at)


async def count_again(conn: Conn, incident: Incident, now: datetime) -> None:
    """The severity or status changed, and with it what is due."""
    await store.reminders.settle(conn, incident.id, now)
    await wait_for_response(conn, incident)
    await wait_for_update(conn, incident)


async def fire_due(world: World) -> None:
    """Claim what is due, say it, and wait for the next nag: late once, never once per period."""
    now = world.now()
    async with world.pool.connection() as conn:
        due = await store.reminders.claim_due(conn, now)
        for reminder in due:
            await _fire(world, conn, reminder, now)
    for incident_id in sorted({reminder.incident_id for reminder in due}):
        await publish(world, incident_id)


async def _fire(world: World, conn: Conn, reminder: Reminder, now: datetime) -> None:
    what = reminder.kind.value.replace("_", " ")
    kind = EntryKind.REMINDED
    await store.timeline.add(conn, reminder.incident_id, kind, at=now, what=what)
    if reminder.nags + 1 < rules.NAGS:
        again = now + rules.NAG_AGAIN
        nags = reminder.nags + 1
        await store.reminders.insert(
            conn, reminder.incident_id, reminder.kind, again, snoozes=reminder.snoozes, nags=nags
        )
    await store.pictures.want(conn, reminder.incident_id)


async def snooze(world: World, id: ReminderId, minutes: int, *, by: UserId) -> datetime:
    """Be quiet for a while, at most twice in a row; the cadence stays."""
    async with world.pool.connection() as conn:
        reminder = await store.reminders.lock(conn, id)
        if reminder is None or reminder.settled_at is not None:
            raise UserError("This reminder is settled, so there was nothing to snooze.")
        if reminder.snoozes >= rules.SNOOZES_IN_A_ROW:
            raise UserError(
                "This was snoozed twice in a row, so it was not snoozed again. Post an update, "
                "even a short one."
            )
        now = world.now()
        until = now + timedelta(minutes=minutes)
        await store.reminders.settle(conn, reminder.incident_id, now, reminder.kind)
        await store.reminders.insert(
            conn, reminder.incident_id, reminder.kind, until, snoozes=reminder.snoozes + 1
        )
        kind = EntryKind.SNOOZED
        await store.timeline.add(conn, reminder.incident_id, kind, at=now, by=by, minutes=minutes)
        await store.pictures.want(conn, reminder.incident_id)
    await publish(world, reminder.incident_id)
    return until
