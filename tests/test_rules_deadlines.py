"""When something is due: within working hours, soon, and again; a table for each question."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot import rules
from bot.config import MemberSelector, ServiceConfig, WorkingHours
from bot.model import IncidentId, Severity, Status, Task, TaskId, TaskKind, TaskState
from tests.test_rules import incident

TUESDAY = datetime(2026, 11, 24, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TEAM = ServiceConfig(approvers=MemberSelector(users=("U1",)))
BERLIN = TEAM.model_copy(
    update={"hours": WorkingHours(timezone=ZoneInfo("Europe/Berlin"), severities=(Severity.SEV3,))}
)
ALWAYS = TEAM.model_copy(update={"hours": WorkingHours(severities=())})


def task(due_at: datetime | None, state: TaskState = TaskState.OPEN, number: int = 1) -> Task:
    return Task(
        id=TaskId(number),
        incident_id=IncidentId(7),
        kind=TaskKind.FOLLOW_UP,
        step_id="",
        title="Write the report",
        link="",
        due_at=due_at,
        state=state,
        owner=None,
        owned_at=None,
        note="",
        added_by=None,
        added_at=TUESDAY,
        decided_by=None,
        decided_at=None,
        missing_since=None,
    )


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        (TUESDAY + 9 * HOUR, TUESDAY + 9 * HOUR),
        (TUESDAY + 17 * HOUR + 59 * MINUTE, TUESDAY + 17 * HOUR + 59 * MINUTE),
        (TUESDAY + 18 * HOUR, TUESDAY + DAY + 9 * HOUR),
        (TUESDAY + 8 * HOUR + 59 * MINUTE, TUESDAY + 9 * HOUR),
        (TUESDAY, TUESDAY + 9 * HOUR),
        (TUESDAY + 23 * HOUR, TUESDAY + DAY + 9 * HOUR),
        (TUESDAY + 3 * DAY + 18 * HOUR, TUESDAY + 6 * DAY + 9 * HOUR),
        (TUESDAY + 4 * DAY + 10 * HOUR, TUESDAY + 6 * DAY + 9 * HOUR),
        (TUESDAY + 4 * DAY, TUESDAY + 6 * DAY + 9 * HOUR),
        (TUESDAY + 5 * DAY + 23 * HOUR, TUESDAY + 6 * DAY + 9 * HOUR),
        (TUESDAY + 6 * DAY + 8 * HOUR, TUESDAY + 6 * DAY + 9 * HOUR),
    ],
)
def test_mild_severities_wait_for_work(due: datetime, expected: datetime) -> None:
    assert rules.deadlines.next_working_time(TEAM, Severity.SEV3, due) == expected
    assert rules.deadlines.next_working_time(TEAM, Severity.SEV4, due) == expected


@pytest.mark.parametrize("severity", [Severity.SEV1, Severity.SEV2])
@pytest.mark.parametrize("due", [TUESDAY, TUESDAY + 4 * DAY, TUESDAY + 18 * HOUR])
def test_severe_ones_wait_for_nobody(severity: Severity, due: datetime) -> None:
    assert rules.deadlines.next_working_time(TEAM, severity, due) == due


@pytest.mark.parametrize(
    ("due", "expected"),
    [
        # Nine in the morning is 8:00 UTC in winter and 7:00 UTC in summer.
        (datetime(2026, 1, 13, 3, tzinfo=UTC), datetime(2026, 1, 13, 8, tzinfo=UTC)),
        (datetime(2026, 7, 14, 3, tzinfo=UTC), datetime(2026, 7, 14, 7, tzinfo=UTC)),
        (datetime(2026, 7, 14, 7, 30, tzinfo=UTC), datetime(2026, 7, 14, 7, 30, tzinfo=UTC)),
        (datetime(2026, 1, 13, 7, 30, tzinfo=UTC), datetime(2026, 1, 13, 8, tzinfo=UTC)),
        # 23:30 UTC on Sunday is Monday there already.
        (datetime(2026, 1, 11, 23, 30, tzinfo=UTC), datetime(2026, 1, 12, 8, tzinfo=UTC)),
        # The clocks change between Friday evening and Monday morning.
        (datetime(2026, 3, 27, 17, tzinfo=UTC), datetime(2026, 3, 30, 7, tzinfo=UTC)),
        (datetime(2026, 10, 23, 16, tzinfo=UTC), datetime(2026, 10, 26, 8, tzinfo=UTC)),
    ],
)
def test_hours_follow_the_time_zone(due: datetime, expected: datetime) -> None:
    found = rules.deadlines.next_working_time(BERLIN, Severity.SEV3, due)

    assert found == expected
    assert found.tzinfo is UTC


def test_hours_are_for_named_severities() -> None:
    night = TUESDAY + 3 * HOUR
    assert rules.deadlines.next_working_time(BERLIN, Severity.SEV4, night) == night
    assert rules.deadlines.next_working_time(ALWAYS, Severity.SEV3, night) == night


@pytest.mark.parametrize(
    ("severity", "status", "since", "now", "expected"),
    [
        (Severity.SEV1, Status.INVESTIGATING, 10 * HOUR, 10 * HOUR, 10 * HOUR + 15 * MINUTE),
        (Severity.SEV1, Status.MONITORING, 10 * HOUR, 10 * HOUR, 10 * HOUR + 30 * MINUTE),
        (Severity.SEV2, Status.IDENTIFIED, 10 * HOUR, 10 * HOUR + 29 * MINUTE, 10.5 * HOUR),
        (
            Severity.SEV2,
            Status.IDENTIFIED,
            10 * HOUR,
            10 * HOUR + 31 * MINUTE,
            10 * HOUR + 31 * MINUTE,
        ),
        (Severity.SEV3, Status.INVESTIGATING, 17.5 * HOUR, 17.5 * HOUR, DAY + 9 * HOUR),
        (Severity.SEV3, Status.INVESTIGATING, 10 * HOUR, 20 * HOUR, DAY + 9 * HOUR),
        (Severity.SEV4, Status.INVESTIGATING, 10 * HOUR, 10 * HOUR, DAY + 10 * HOUR),
        (Severity.SEV4, Status.MONITORING, 10 * HOUR, 10 * HOUR, None),
        (Severity.SEV1, Status.RESOLVED, 10 * HOUR, 10 * HOUR, None),
    ],
)
def test_when_the_next_update_is_due(
    severity: Severity,
    status: Status,
    since: timedelta,
    now: timedelta,
    expected: timedelta | None,
) -> None:
    due = rules.deadlines.next_update_at(TEAM, severity, status, TUESDAY + since, TUESDAY + now)
    assert due == (None if expected is None else TUESDAY + expected)


@pytest.mark.parametrize(
    ("severity", "status", "minutes", "expected"),
    [
        (Severity.SEV1, Status.INVESTIGATING, None, 15 * MINUTE),
        (Severity.SEV1, Status.INVESTIGATING, 30, 30 * MINUTE),
        (Severity.SEV1, Status.INVESTIGATING, 31, 30 * MINUTE),
        (Severity.SEV1, Status.INVESTIGATING, 1, MINUTE),
        (Severity.SEV1, Status.MONITORING, 45, 45 * MINUTE),
        (Severity.SEV1, Status.MONITORING, 61, HOUR),
        (Severity.SEV2, Status.IDENTIFIED, 90, HOUR),
        (Severity.SEV4, Status.MONITORING, 30, None),
        (Severity.SEV1, Status.RESOLVED, 30, None),
    ],
)
def test_a_promise_is_bounded(
    severity: Severity, status: Status, minutes: int | None, expected: timedelta | None
) -> None:
    now = TUESDAY + 10 * HOUR
    given = incident(severity=severity, status=status)

    promise = rules.deadlines.promised_update_at(TEAM, given, minutes, now)

    assert promise == (None if expected is None else now + expected)


def test_a_mild_promise_waits_too() -> None:
    evening = TUESDAY + 17 * HOUR + 45 * MINUTE
    mild = incident(severity=Severity.SEV3)

    promise = rules.deadlines.promised_update_at(TEAM, mild, 30, evening)

    assert promise == TUESDAY + DAY + 9 * HOUR


@pytest.mark.parametrize(
    ("due", "soon"),
    [
        (None, False),
        (-MINUTE, False),
        (timedelta(0), False),
        (timedelta(seconds=1), True),
        (3 * MINUTE, True),
        (3 * MINUTE + timedelta(seconds=1), False),
    ],
)
def test_soon_is_three_minutes(due: timedelta | None, soon: bool) -> None:
    given = incident(next_update_at=None if due is None else TUESDAY + due)
    assert rules.deadlines.is_due_soon(given, TUESDAY) is soon


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (-2 * DAY, -DAY),
        (-DAY, -4 * HOUR),
        (-5 * HOUR, -4 * HOUR),
        (-4 * HOUR, timedelta(0)),
        (-MINUTE, timedelta(0)),
        (timedelta(0), DAY),
        (DAY - MINUTE, DAY),
        (DAY, None),
        (3 * DAY, None),
    ],
)
def test_a_task_is_reminded_four_times(now: timedelta, expected: timedelta | None) -> None:
    found = rules.deadlines.next_task_reminder([task(TUESDAY)], TUESDAY + now)
    assert found == (None if expected is None else TUESDAY + expected)


@pytest.mark.parametrize(
    ("state", "reminded"),
    [
        (TaskState.OPEN, True),
        (TaskState.ESCALATED, True),
        (TaskState.DONE, False),
        (TaskState.SKIPPED, False),
    ],
)
def test_only_open_tasks_remind(state: TaskState, reminded: bool) -> None:
    found = rules.deadlines.next_task_reminder([task(TUESDAY, state)], TUESDAY - HOUR)
    assert found == (TUESDAY if reminded else None)


def test_the_earliest_task_reminds_first() -> None:
    tasks = [task(None), task(TUESDAY + 2 * DAY), task(TUESDAY + 5 * HOUR), task(TUESDAY - DAY)]
    assert rules.deadlines.next_task_reminder(tasks, TUESDAY) == TUESDAY + HOUR
    assert rules.deadlines.next_task_reminder([task(None)], TUESDAY) is None
    assert rules.deadlines.next_task_reminder([], TUESDAY) is None


def test_a_reminder_names_its_tasks() -> None:
    today, tomorrow, never = task(TUESDAY, number=1), task(TUESDAY + DAY, number=2), task(None)
    other = task(TUESDAY + HOUR, number=4)

    due = rules.deadlines.tasks_due_at([today, tomorrow, never, other], TUESDAY)

    assert due == (today, tomorrow)


@pytest.mark.parametrize(
    ("severity", "promise", "before", "expected"),
    [
        # Worse: the next update comes sooner, but never in the past.
        (Severity.SEV1, None, HOUR, 15 * MINUTE),
        (Severity.SEV2, None, HOUR, 30 * MINUTE),
        (Severity.SEV1, HOUR, HOUR, 15 * MINUTE),
        (Severity.SEV1, 10 * MINUTE, 10 * MINUTE, 10 * MINUTE),
        # Milder: what was promised stays.
        (Severity.SEV4, HOUR, HOUR, HOUR),
        (Severity.SEV4, None, HOUR, DAY),
    ],
)
def test_a_new_severity_moves_it(
    severity: Severity, promise: timedelta | None, before: timedelta, expected: timedelta
) -> None:
    now = TUESDAY + 10 * HOUR
    mild = incident(severity=Severity.SEV3, declared_at=now, next_update_at=now + before)
    promised = None if promise is None else now + promise

    due = rules.deadlines.update_due_after_change(
        TEAM, mild, severity, Status.INVESTIGATING, promised, now
    )

    assert due == now + expected


@pytest.mark.parametrize(
    ("before", "after", "severity", "posted", "expected"),
    [
        (Status.INVESTIGATING, Status.MONITORING, Severity.SEV1, False, 15 * MINUTE),
        (Status.MONITORING, Status.IDENTIFIED, Severity.SEV1, False, 15 * MINUTE),
        (Status.MONITORING, Status.MONITORING, Severity.SEV2, False, 30 * MINUTE),
        # Nothing was due of what was posted, and now something is.
        (Status.MONITORING, Status.INVESTIGATING, Severity.SEV4, True, DAY),
    ],
)
def test_a_status_alone_tells_nobody(
    before: Status, after: Status, severity: Severity, posted: bool, expected: timedelta
) -> None:
    now = TUESDAY + 10 * HOUR
    given = incident(
        severity=Severity.SEV4 if posted else Severity.SEV1,
        status=before,
        declared_at=now,
        last_update_at=now if posted else None,
        next_update_at=None if posted else now + 15 * MINUTE,
    )

    due = rules.deadlines.update_due_after_change(TEAM, given, severity, after, None, now)

    assert due == now + expected


def test_resolving_leaves_only_promises() -> None:
    now = TUESDAY + 10 * HOUR
    given = incident(next_update_at=now + HOUR)

    def due(promise: datetime | None, severity: Severity) -> datetime | None:
        return rules.deadlines.update_due_after_change(
            TEAM, given, severity, Status.RESOLVED, promise, now
        )

    assert due(None, Severity.SEV1) is None
    assert due(now + 5 * MINUTE, Severity.SEV2) == now + 5 * MINUTE


def test_a_response_waits_for_work() -> None:
    book = incident().playbook
    table = {Severity.SEV3: book.severities[Severity.SEV1]}
    given = incident(
        severity=Severity.SEV3,
        declared_at=TUESDAY + 17 * HOUR + 50 * MINUTE,
        playbook=book.model_copy(update={"severities": table}),
    )

    assert rules.deadlines.first_response_at(TEAM, given) == TUESDAY + DAY + 9 * HOUR
    assert rules.deadlines.first_response_at(ALWAYS, given) == TUESDAY + 18 * HOUR + 5 * MINUTE
