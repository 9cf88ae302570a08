"""Reminders: each is claimed by one replica, and settled once somebody did what it reminds of."""

from datetime import datetime, timedelta
from functools import partial

from bot import rules, store, sweeps
from bot.flows.transactions import changing_several, lock_open
from bot.model import (
    Incident,
    IncidentId,
    Reminder,
    ReminderId,
    ReminderKind,
    UserError,
    UserId,
    entries,
)
from bot.publishing import publisher
from bot.store.db import Conn
from bot.world import World


async def schedule_first_response(world: World, conn: Conn, incident: Incident) -> None:
    """Schedule the reminder to take command; one that is late already is due now."""
    due = rules.deadlines.first_response_at(world.config.of(incident.service), incident)
    if due is not None and incident.commander is None:
        fires_at = max(due, world.now())
        kind = ReminderKind.FIRST_RESPONSE
        await store.reminders.insert(conn, incident.id, kind, fires_at, deadline=due)


async def schedule_update(conn: Conn, incident: Incident, now: datetime) -> None:
    """Schedule the reminder of the next update, and the heads-up for the commander before it."""
    due = incident.next_update_at
    if due is None:
        return
    kind, fires_at = ReminderKind.UPDATE, max(due, now)
    await store.reminders.insert(conn, incident.id, kind, fires_at, deadline=due)
    if due - rules.deadlines.HEADS_UP > now:
        soon = due - rules.deadlines.HEADS_UP
        await store.reminders.insert(conn, incident.id, ReminderKind.HEADS_UP, soon)


async def reschedule(world: World, conn: Conn, incident: Incident, *, previous: Incident) -> None:
    """Reschedule after a change of severity or status; `previous` is the incident before it.

    A reminder that people have been sent already is not sent again.
    """
    now = world.now()
    due = rules.deadlines.first_response_at(world.config.of(incident.service), incident)
    if not await _still_reminds(conn, incident, ReminderKind.FIRST_RESPONSE, due, now):
        await store.reminders.settle(conn, incident.id, now, ReminderKind.FIRST_RESPONSE)
        await schedule_first_response(world, conn, incident)
    due = incident.next_update_at
    if due != previous.next_update_at:
        await settle_updates(conn, incident.id, now)
        await schedule_update(conn, incident, now)


async def _still_reminds(
    conn: Conn, incident: Incident, kind: ReminderKind, due: datetime | None, now: datetime
) -> bool:
    """Whether it is overdue after the change, too, and people were reminded of it."""
    overdue = due is not None and due <= now
    return overdue and await store.reminders.is_nagging(conn, incident.id, kind)


async def settle_updates(conn: Conn, incident_id: IncidentId, now: datetime) -> None:
    """Settle the reminders of an update that was posted."""
    await store.reminders.settle(conn, incident_id, now, ReminderKind.UPDATE)
    await store.reminders.settle(conn, incident_id, now, ReminderKind.HEADS_UP)


async def schedule_tasks(conn: Conn, incident_id: IncidentId, now: datetime) -> None:
    """Schedule the next reminder of the follow-ups that are not done."""
    await store.reminders.settle(conn, incident_id, now, ReminderKind.TASKS)
    due = rules.deadlines.next_task_reminder(await store.tasks.of_incident(conn, incident_id), now)
    if due is not None:
        await store.reminders.insert(conn, incident_id, ReminderKind.TASKS, due)


async def pause_nagging(world: World, incident_id: IncidentId) -> None:
    """Send no reminder while somebody writes the update."""
    seconds = int(rules.deadlines.FORM_OPEN_TIME.total_seconds())
    await world.cache.set(_writing(incident_id), "yes", seconds)


async def resume_nagging(world: World, incident_id: IncidentId) -> None:
    """Send reminders again: the update was written."""
    await world.cache.delete(_writing(incident_id))


def _writing(incident_id: IncidentId) -> str:
    return f"writing:{incident_id}"


async def fire_due(world: World) -> None:
    """Fire every reminder that is due, once however late, and schedule the next one."""
    await sweeps.each(world, "reminder", store.reminders.due, partial(_fire_one, world))


async def _fire_one(world: World, row_id: int) -> None:
    async with changing_several(world) as (conn, changed):
        now = world.now()
        reminder = await store.reminders.claim(conn, ReminderId(row_id), now)
        if reminder is None:
            return
        await _fire(world, conn, reminder, now)
        changed.add(reminder.incident_id)
    if reminder.kind is ReminderKind.HEADS_UP:
        publisher.request_heads_up(world, reminder.incident_id)


async def _fire(world: World, conn: Conn, reminder: Reminder, now: datetime) -> None:
    if reminder.kind is ReminderKind.HEADS_UP:
        return  # for the commander alone: no timeline entry
    if reminder.kind is ReminderKind.UPDATE and await _is_being_written(world, reminder):
        await store.reminders.postpone(conn, reminder.id, now + rules.deadlines.FORM_OPEN_TIME)
        return
    reminded = entries.Reminded(what=reminder.kind.value.replace("_", " "))
    await store.timeline.add(conn, reminder.incident_id, reminded, at=now)
    if reminder.kind is ReminderKind.TASKS:
        await schedule_tasks(conn, reminder.incident_id, now)
    elif reminder.nags + 1 < rules.deadlines.MAX_NAGS:
        await _nag_again(conn, reminder, now)


async def _is_being_written(world: World, reminder: Reminder) -> bool:
    return await world.cache.get(_writing(reminder.incident_id)) is not None


async def _nag_again(conn: Conn, reminder: Reminder, now: datetime) -> None:
    again, nags = now + rules.deadlines.NAG_INTERVAL, reminder.nags + 1
    await store.reminders.insert(
        conn,
        reminder.incident_id,
        reminder.kind,
        again,
        deadline=reminder.due_originally_at,
        snoozes=reminder.snoozes,
        nags=nags,
    )


async def snooze(world: World, reminder_id: ReminderId, minutes: int, *, by: UserId) -> datetime:
    """Snooze a reminder for some minutes, at most twice in a row; raises UserError."""
    async with changing_several(world) as (conn, changed):
        found = await store.reminders.get(conn, reminder_id)
        if found is None:
            raise UserError("This reminder no longer exists. Nothing was snoozed.")
        incident = await lock_open(conn, found.incident_id)
        reminder = await store.reminders.get(conn, reminder_id)
        _check_may_snooze(reminder)
        assert reminder is not None
        now = world.now()
        until = now + timedelta(minutes=minutes)
        await _put_off(conn, reminder, now, until, by)
        snoozed = entries.Snoozed(minutes=minutes, until=until)
        await store.timeline.add(conn, incident.id, snoozed, at=now, by=by)
        changed.add(incident.id)
    return until


async def _put_off(
    conn: Conn, reminder: Reminder, now: datetime, until: datetime, by: UserId
) -> None:
    """Fire again at the end of the snooze instead of at the next nag; the deadline stays."""
    of, kind = reminder.incident_id, reminder.kind
    await store.reminders.snooze(conn, of, kind, now, until=until, by=by)
    await store.reminders.settle(conn, of, now, kind)
    due, snoozes = reminder.due_originally_at, reminder.snoozes + 1
    await store.reminders.insert(conn, of, kind, until, deadline=due, snoozes=snoozes)


def _check_may_snooze(reminder: Reminder | None) -> None:
    if reminder is None or reminder.settled_at is not None:
        raise UserError("This reminder is no longer active. Nothing was snoozed.")
    if reminder.snoozes >= rules.deadlines.MAX_SNOOZES:
        raise UserError(
            "This was already snoozed twice in a row. It was not snoozed again; post an update, "
            "even a short one."
        )
