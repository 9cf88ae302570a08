"""Decisions about time: when updates, responses and reminders are due."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from bot.config import SHORTEST_CADENCE, Cadence, ServiceConfig, WorkingHours
from bot.model import Incident, Severity, Status, Task

SATURDAY = 5
MAX_SNOOZES = 2
MAX_NAGS = 3
NAG_INTERVAL = timedelta(minutes=5)
HEADS_UP = timedelta(minutes=3)
FORM_OPEN_TIME = timedelta(minutes=2)
# When people are reminded of a task, counted from when it is due.
TASK_REMINDERS = (timedelta(hours=-24), timedelta(hours=-4), timedelta(0), timedelta(days=1))


def update_interval(config: ServiceConfig, severity: Severity, status: Status) -> timedelta | None:
    """How often an update is due; None when the incident is resolved."""
    cadence: Cadence = config.cadence(severity)
    if status is Status.RESOLVED:
        return None
    return cadence.monitoring if status is Status.MONITORING else cadence.update


def next_update_at(
    config: ServiceConfig, severity: Severity, status: Status, since: datetime, now: datetime
) -> datetime | None:
    """When the next update is due, counted from the last one, and not before `now`."""
    interval = update_interval(config, severity, status)
    if interval is None:
        return None
    return next_working_time(config, severity, max(since + interval, now))


def update_due_after_change(
    config: ServiceConfig,
    incident: Incident,
    severity: Severity,
    status: Status,
    promise: datetime | None,
    now: datetime,
) -> datetime | None:
    """When the next update is due after a change of severity or status.

    `promise` is the time that the last update announced. Readers wait for it: a new status leaves
    it as it is, a new severity may only bring it forward. A new status tells readers nothing, so it
    does not put off the first update either.
    """
    never_posted = incident.last_update_at is None and status is not Status.RESOLVED
    stays = incident.next_update_at is not None and (promise is not None or never_posted)
    if severity is incident.severity and stays:
        return incident.next_update_at
    since = incident.last_update_at or incident.declared_at
    counted = Status.INVESTIGATING if never_posted else status
    due = next_update_at(config, severity, counted, since, now)
    if promise is not None:
        return promise if due is None else min(promise, due)
    if due is None or incident.next_update_at is None:
        return due
    # An update that is overdue before and after the change was due at its former time.
    late = incident.next_update_at <= now and due <= now
    return incident.next_update_at if late else due


def next_working_time(config: ServiceConfig, severity: Severity, due: datetime) -> datetime:
    """`due`, or the start of the next working hours if this severity waits for them."""
    hours = config.hours
    local = due.astimezone(hours.timezone)
    if severity not in hours.severities or _works(hours, local):
        return due
    day = local.date() if local.time() < hours.begin else local.date() + timedelta(days=1)
    while day.weekday() >= SATURDAY:
        day += timedelta(days=1)
    return datetime.combine(day, hours.begin, hours.timezone).astimezone(due.tzinfo)


def _works(hours: WorkingHours, local: datetime) -> bool:
    return local.weekday() < SATURDAY and hours.begin <= local.time() < hours.end


def promise_bounds(interval: int) -> tuple[int, int]:
    """The fewest and the most minutes to the next update, where so many are usual."""
    return SHORTEST_CADENCE // timedelta(minutes=1), 2 * interval


def promised_update_at(
    config: ServiceConfig, incident: Incident, minutes: int | None, now: datetime
) -> datetime | None:
    """When the author promises the next update: at most twice the cadence from now."""
    interval = update_interval(config, incident.severity, incident.status)
    if interval is None:
        return None
    promised = interval if minutes is None else timedelta(minutes=minutes)
    return next_working_time(config, incident.severity, now + min(promised, 2 * interval))


def is_due_soon(incident: Incident, now: datetime) -> bool:
    """Whether the next update is due within the next minutes, and not overdue."""
    due = incident.next_update_at
    return due is not None and now < due <= now + HEADS_UP


def first_response_at(config: ServiceConfig, incident: Incident) -> datetime | None:
    """When somebody must be in command, by the playbook's severity table."""
    level = incident.playbook.severities.get(incident.severity)
    if level is None:
        return None
    return next_working_time(config, incident.severity, incident.declared_at + level.response)


def next_task_reminder(tasks: Iterable[Task], now: datetime) -> datetime | None:
    """When the next reminder of an open task with a due time fires."""
    due = [task.due_at for task in tasks if task.open and task.due_at]
    times = [at + span for at in due for span in TASK_REMINDERS]
    return min((time for time in times if time > now), default=None)


def tasks_due_at(tasks: Iterable[Task], at: datetime) -> tuple[Task, ...]:
    """The tasks that a reminder at that time is about."""
    return tuple(task for task in tasks if task.due_at and at - task.due_at in TASK_REMINDERS)
