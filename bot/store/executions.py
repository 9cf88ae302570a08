"""Executions: every change of state is a compare-and-set, so a race has one winner."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from bot.model import (
    Amounts,
    Approval,
    Attachment,
    BrokenGlass,
    Evidence,
    Execution,
    ExecutionId,
    ExecutionState,
    IncidentId,
    NewExecution,
    ReadResult,
    Requirement,
    UserId,
)
from bot.store import db
from bot.store.db import Conn
from bot.store.set_aside import DueRow

# What sweeps find by one statement, and change by another on the same condition.
OVERDUE = "state IN ('proposed', 'approved') AND expires_at <= %(now)s"
SILENT = "state = 'running' AND heartbeat_at < %(silent_since)s"


class AlreadyActive(Exception):
    """The step has an active execution already, or its target is being changed."""


@contextmanager
def _refuse_second() -> Iterator[None]:
    try:
        yield
    except UniqueViolation as error:
        raise AlreadyActive from error


async def insert(conn: Conn, new: NewExecution) -> Execution:
    """Insert an execution; raises AlreadyActive where its step, or its undo, has an active one."""
    query = """
        INSERT INTO executions (incident_id, place, step_id, title, action, params, risk, plan,
            plan_digest, state, requested_by, requested_at, reason, approvals_needed, expires_at,
            requirement, undo_of, second_step, heartbeat_at)
        VALUES (%(incident_id)s, %(place)s, %(step_id)s, %(title)s, %(action)s, %(params)s,
            %(risk)s, %(plan)s, %(plan_digest)s, %(state)s, %(requested_by)s, %(requested_at)s,
            %(reason)s, %(approvals_needed)s, %(expires_at)s, %(requirement)s, %(undo_of)s,
            %(second_step)s, %(requested_at)s)
        RETURNING {columns}
    """
    plan = None if new.plan is None else db.exact_json(new.plan)
    digest = None if new.plan is None else new.plan.digest
    row = dict(new) | {"params": db.exact_json(new.params), "plan": plan, "plan_digest": digest}
    row["place"] = db.exact_json(new.place)
    row["requirement"] = None if new.requirement is None else db.json(new.requirement)
    with _refuse_second():
        return await db.fetch_one(conn, Execution, query, **row)


async def get(conn: Conn, execution_id: ExecutionId) -> Execution | None:
    """The execution of that number."""
    return await db.fetch_optional(
        conn, Execution, "SELECT {columns} FROM executions WHERE id = %(id)s", id=execution_id
    )


async def lock(conn: Conn, execution_id: ExecutionId) -> Execution | None:
    """The execution of that number, locked until the transaction ends."""
    query = "SELECT {columns} FROM executions WHERE id = %(id)s FOR NO KEY UPDATE"
    return await db.fetch_optional(conn, Execution, query, id=execution_id)


async def of_incident(
    conn: Conn, incident_id: IncidentId, unreadable: list[str] | None = None
) -> tuple[Execution, ...]:
    """All executions of an incident, oldest first."""
    query = "SELECT {columns} FROM executions WHERE incident_id = %(incident_id)s ORDER BY id"
    return await db.fetch_all(conn, Execution, query, unreadable, incident_id=incident_id)


async def for_publishing(
    conn: Conn,
    incident_id: IncidentId,
    final: Collection[str],
    unreadable: list[str] | None = None,
) -> tuple[Execution, ...]:
    """All executions of an incident, oldest first, without large parts that are published already.

    `final` are the keys of messages that stay as they are: a read result, a decided plan, a diff.
    """
    query = """
        SELECT id, incident_id, place, step_id, title, action, params, risk, plan_digest, state,
            requested_by, requested_at, reason, approvals_needed, approvals, expires_at,
            requirement, started_at, heartbeat_at, finished_at, progress, outcome, check_passed,
            decided_by, undo_of, undo_until, undo_digest, interrupted_at, evidence, holds_target,
            nudged_at, shortage, edited, broken_glass, available, called, second_step,
            CASE WHEN 'execution:' || id <> ALL (%(final)s) THEN read_result END AS read_result,
            CASE WHEN 'diff:' || id = ANY (%(final)s) AND 'plan:' || id = ANY (%(final)s)
                THEN plan - 'diff' ELSE plan END AS plan
        FROM executions WHERE incident_id = %(incident_id)s ORDER BY id
    """
    return await db.fetch_all(
        conn, Execution, query, unreadable, incident_id=incident_id, final=list(final)
    )


async def undos_of(conn: Conn, execution_id: ExecutionId) -> tuple[Execution, ...]:
    """Every attempt to undo an execution, oldest first."""
    query = "SELECT {columns} FROM executions WHERE undo_of = %(id)s ORDER BY id"
    return await db.fetch_all(conn, Execution, query, strict=True, id=execution_id)


async def active_of_step(conn: Conn, incident_id: IncidentId, step_id: str) -> Execution | None:
    """The execution of a step that is proposed, approved or running."""
    query = """
        SELECT {columns} FROM executions
        WHERE incident_id = %(incident_id)s AND step_id = %(step_id)s
          AND state IN ('proposed', 'approved', 'running') AND undo_of IS NULL
    """
    return await db.fetch_optional(conn, Execution, query, incident_id=incident_id, step_id=step_id)


async def running_on(conn: Conn, target: str) -> Execution | None:
    """The change that has a target for itself, in whichever incident: its outcome is not known."""
    query = """
        SELECT {columns} FROM executions
        WHERE plan ->> 'target' = %(target)s AND risk IN ('change', 'destructive')
          AND (state = 'running' OR state = 'interrupted' AND holds_target)
    """
    return await db.fetch_first(conn, Execution, query, target=db.Key(target))


async def applied_since(
    conn: Conn, target: str, since: datetime, *, but: ExecutionId
) -> tuple[Execution, ...]:
    """The other changes of a target that were made and have ended since, in that order.

    One that ended in the minute before is among them: a plan is older than its request. A row that
    this version cannot read is left out.
    """
    query = """
        SELECT {columns} FROM executions
        WHERE plan ->> 'target' = %(target)s AND risk IN ('change', 'destructive')
          AND check_passed IS NOT NULL AND id <> %(but)s
          AND finished_at > %(since)s - interval '1 minute'
        ORDER BY finished_at, started_at, id
    """
    key = db.Key(target)
    return await db.fetch_all(conn, Execution, query, target=key, since=since, but=but)


async def applied_elsewhere(conn: Conn, change: Execution | None) -> tuple[Execution, ...]:
    """What other incidents changed of a change's target after it, in that order."""
    if change is None or change.plan is None or change.finished_at is None:
        return ()
    since, target = change.finished_at, change.plan.target
    others = await applied_since(conn, target, since, but=change.id)
    return tuple(
        other
        for other in others
        if other.incident_id != change.incident_id
        and other.finished_at is not None
        and (other.finished_at, other.id) > (since, change.id)
    )


async def incidents_that_changed(conn: Conn, target: str) -> tuple[IncidentId, ...]:
    """The open incidents in which a target was changed."""
    query = """
        SELECT DISTINCT incident_id FROM executions
        JOIN incidents ON incidents.id = incident_id
        WHERE plan ->> 'target' = %(target)s AND check_passed IS NOT NULL AND status <> 'resolved'
    """
    cursor = await conn.execute(query, {"target": db.Key(target)})
    return tuple(IncidentId(row[0]) for row in await cursor.fetchall())


async def used_amounts(conn: Conn, incident_id: IncidentId, service: str) -> Amounts:
    """What an incident's changes of a service that were made, or may still be, take away together.

    Rows that this version cannot read count too.
    """
    query = """
        SELECT coalesce(sum((plan #>> '{blast_radius,pods}')::int), 0) AS pods,
            coalesce(sum((plan #>> '{blast_radius,capacity}')::int), 0) AS capacity,
            coalesce(sum((plan #>> '{blast_radius,sessions}')::int), 0) AS sessions
        FROM executions
        WHERE incident_id = %(incident_id)s AND place ->> 'service' = %(service)s
          AND risk IN ('change', 'destructive') AND (
              check_passed IS NOT NULL
              OR state NOT IN ('denied', 'expired', 'voided', 'succeeded', 'failed')
          )
    """
    return await db.fetch_one(conn, Amounts, query, incident_id=incident_id, service=service)


async def latest_with_template(conn: Conn, target: str, template: str) -> Execution | None:
    """The latest change that left a Deployment with the pod template of this digest."""
    query = """
        SELECT {columns} FROM executions
        WHERE plan ->> 'target' = %(target)s AND check_passed IS NOT NULL
          AND evidence -> 'answers' ->> 'template' = %(template)s
        ORDER BY finished_at DESC, started_at DESC, id DESC LIMIT 1
    """
    return await db.fetch_first(
        conn, Execution, query, target=db.Key(target), template=db.Key(template)
    )


async def applied_after_failures(
    conn: Conn, executions: Sequence[Execution]
) -> tuple[Execution, ...]:
    """The later changes, of all incidents, on the targets of those whose check failed."""
    found: tuple[Execution, ...] = ()
    for failed in executions:
        if failed.check_passed is False and failed.plan and failed.finished_at:
            since, target = failed.finished_at, failed.plan.target
            found += await applied_since(conn, target, since, but=failed.id)
    return found


async def set_approvals(
    conn: Conn, execution_id: ExecutionId, approvals: tuple[Approval, ...], state: ExecutionState
) -> Execution:
    """Write the approvals and the state; the caller has locked the row."""
    query = """
        UPDATE executions SET approvals = %(approvals)s, state = %(state)s
        WHERE id = %(id)s RETURNING {columns}
    """
    return await db.fetch_one(
        conn, Execution, query, id=execution_id, approvals=db.json(list(approvals)), state=state
    )


async def set_requirement(
    conn: Conn, execution_id: ExecutionId, requirement: Requirement, state: ExecutionState
) -> Execution | None:
    """Write what a request needs by now, and its state; None when it waits no longer."""
    query = """
        UPDATE executions SET requirement = %(requirement)s, approvals_needed = %(approvals)s,
            state = %(state)s
        WHERE id = %(id)s AND state = 'proposed'
        RETURNING {columns}
    """
    values: dict[str, Any] = {"approvals": requirement.approvals, "state": state}
    values["requirement"] = db.json(requirement)
    return await db.fetch_optional(conn, Execution, query, id=execution_id, **values)


async def raise_requirement(
    conn: Conn, execution_id: ExecutionId, requirement: Requirement
) -> Execution:
    """Write that a request needs more than it had, and waits again; the row is locked."""
    query = """
        UPDATE executions SET requirement = %(requirement)s, approvals_needed = %(approvals)s,
            state = 'proposed', progress = NULL
        WHERE id = %(id)s
        RETURNING {columns}
    """
    values: dict[str, Any] = {"approvals": requirement.approvals}
    values["requirement"] = db.json(requirement)
    return await db.fetch_one(conn, Execution, query, id=execution_id, **values)


async def break_glass(conn: Conn, execution_id: ExecutionId, broken: BrokenGlass) -> Execution:
    """Write that a request runs without the approvals that it lacks; the row is locked."""
    query = """
        UPDATE executions SET state = 'approved', broken_glass = %(broken)s
        WHERE id = %(id)s AND state = 'proposed' RETURNING {columns}
    """
    return await db.fetch_one(conn, Execution, query, id=execution_id, broken=db.json(broken))


async def was_denied(conn: Conn, execution: Execution) -> bool:
    """Whether an approver has denied the same change of its target in its incident."""
    query = """
        SELECT FROM executions
        WHERE incident_id = %(incident_id)s AND action = %(action)s AND state = 'denied'
          AND plan ->> 'target' = %(target)s AND NOT edited
          AND decided_by IS DISTINCT FROM requested_by
        LIMIT 1
    """
    target = execution.plan.target if execution.plan else ""
    values = {"incident_id": execution.incident_id, "action": execution.action}
    return (await conn.execute(query, {**values, "target": db.Key(target)})).rowcount > 0


async def move(
    conn: Conn,
    execution_id: ExecutionId,
    *,
    from_state: ExecutionState,
    to_state: ExecutionState,
    outcome: str | None = None,
    by: UserId | None = None,
    edited: bool = False,
) -> Execution | None:
    """Change the state, or return None when it is another one by now.

    Raises AlreadyActive where the step or the target has an active execution already.
    """
    query = """
        UPDATE executions SET state = %(to_state)s, outcome = coalesce(%(outcome)s, outcome),
            decided_by = coalesce(%(by)s, decided_by), edited = %(edited)s
        WHERE id = %(id)s AND state = %(from_state)s
        RETURNING {columns}
    """
    values: dict[str, Any] = {"from_state": from_state, "to_state": to_state}
    values |= {"outcome": outcome, "by": by, "edited": edited}
    with _refuse_second():
        return await db.fetch_optional(conn, Execution, query, id=execution_id, **values)


async def start(conn: Conn, execution_id: ExecutionId, now: datetime) -> Execution | None:
    """Start an approved execution, once; raises AlreadyActive while another has its target."""
    query = """
        UPDATE executions SET state = 'running', started_at = %(now)s, heartbeat_at = %(now)s,
            progress = NULL, holds_target = true, evidence = '{"sent": {}}'
        WHERE id = %(id)s AND state = 'approved' AND (expires_at IS NULL OR expires_at > %(now)s)
        RETURNING {columns}
    """
    with _refuse_second():
        return await db.fetch_optional(conn, Execution, query, id=execution_id, now=now)


async def set_waiting_for(conn: Conn, execution_id: ExecutionId, text: str) -> bool:
    """Write what an approved execution waits for; False when that was written already."""
    query = """
        UPDATE executions SET progress = %(text)s
        WHERE id = %(id)s AND state = 'approved' AND progress IS DISTINCT FROM %(text)s
    """
    return await db.execute(conn, query, id=execution_id, text=text) == 1


async def set_unchecked(conn: Conn, execution_id: ExecutionId, text: str | None) -> bool:
    """Write why an interrupted execution cannot be checked yet; False when that was there."""
    query = """
        UPDATE executions SET progress = %(text)s
        WHERE id = %(id)s AND state = 'interrupted' AND progress IS DISTINCT FROM %(text)s
    """
    return await db.execute(conn, query, id=execution_id, text=text) == 1


async def record_heartbeat(conn: Conn, execution: Execution, now: datetime) -> bool:
    """Record that its process is alive; False when it ended or another process runs it."""
    query = """
        UPDATE executions SET heartbeat_at = %(now)s
        WHERE id = %(id)s AND state = 'running'
          AND interrupted_at IS NOT DISTINCT FROM %(interrupted_at)s
    """
    values: dict[str, Any] = {"interrupted_at": execution.interrupted_at, "now": now}
    return await db.execute(conn, query, id=execution.id, **values) == 1


async def record_evidence(
    conn: Conn, execution: Execution, evidence: Evidence, now: datetime
) -> bool:
    """Write what it sent and what was answered; False when it ended or another process runs it."""
    query = """
        UPDATE executions SET evidence = %(evidence)s, heartbeat_at = %(now)s
        WHERE id = %(id)s AND state = 'running'
          AND interrupted_at IS NOT DISTINCT FROM %(interrupted_at)s
    """
    values: dict[str, Any] = {"interrupted_at": execution.interrupted_at, "now": now}
    values["evidence"] = db.exact_json(evidence)
    return await db.execute(conn, query, id=execution.id, **values) == 1


async def set_unknown(
    conn: Conn,
    execution: Execution,
    outcome: str,
    evidence: Evidence,
    now: datetime,
    *,
    holds_target: bool,
) -> Execution | None:
    """Write that its outcome is not known, or return None when another process runs it."""
    query = """
        UPDATE executions SET state = 'interrupted', interrupted_at = %(now)s, progress = NULL,
            outcome = %(outcome)s, evidence = %(evidence)s, heartbeat_at = %(now)s,
            holds_target = holds_target AND %(holds_target)s
        WHERE id = %(id)s AND state = 'running'
          AND interrupted_at IS NOT DISTINCT FROM %(interrupted_at)s
        RETURNING {columns}
    """
    values: dict[str, Any] = {"interrupted_at": execution.interrupted_at, "now": now}
    values |= {"outcome": outcome, "evidence": db.exact_json(evidence)}
    values["holds_target"] = holds_target
    return await db.fetch_optional(conn, Execution, query, id=execution.id, **values)


async def unsettled(
    conn: Conn,
    *,
    silent_since: datetime,
    unknown_since: datetime,
    lost_since: datetime,
    but: Sequence[int],
) -> tuple[DueRow, ...]:
    """The interrupted changes to look at, except some rows.

    They are silent for so long, or of unknown outcome for so long. One that does not hold its
    target any more was begun after `lost_since`.
    """
    query = """
        SELECT id, incident_id FROM executions
        WHERE state = 'interrupted' AND risk IN ('change', 'destructive')
          AND (holds_target OR outcome IS NOT NULL AND started_at > %(lost_since)s)
          AND heartbeat_at <
            CASE WHEN outcome IS NULL THEN %(silent_since)s ELSE %(unknown_since)s END
          AND id <> ALL(%(but)s)
        ORDER BY id
    """
    values: dict[str, Any] = {"silent_since": silent_since, "unknown_since": unknown_since}
    values["lost_since"] = lost_since
    return await db.fetch_all(conn, DueRow, query, but=list(but), **values)


async def set_progress(conn: Conn, execution_id: ExecutionId, text: str, now: datetime) -> None:
    """Write the progress of a running execution."""
    query = """
        UPDATE executions SET progress = %(text)s, heartbeat_at = %(now)s
        WHERE id = %(id)s AND state = 'running'
    """
    await db.execute(conn, query, id=execution_id, text=text, now=now)


async def finish(
    conn: Conn,
    execution_id: ExecutionId,
    *,
    to_state: ExecutionState,
    at: datetime,
    outcome: str,
    check_passed: bool | None = None,
    read_result: ReadResult | None = None,
    undo_until: datetime | None = None,
    undo_digest: str | None = None,
    evidence: Evidence | None = None,
) -> Execution | None:
    """Write the outcome, or return None when one was written before.

    "Interrupted" is overwritten, and so is "not done" by a process that went on and knows better
    (it has `check_passed`). Raises AlreadyActive where its undo was requested again meanwhile.
    """
    query = """
        UPDATE executions
        SET state = %(to_state)s, finished_at = %(at)s, outcome = %(outcome)s,
            check_passed = %(check_passed)s, read_result = %(read_result)s,
            undo_until = %(undo_until)s, undo_digest = %(undo_digest)s, progress = NULL,
            evidence = coalesce(%(evidence)s, evidence)
        WHERE id = %(id)s AND (
            state IN ('running', 'interrupted')
            OR (state = 'failed' AND check_passed IS NULL AND %(check_passed)s::boolean IS NOT NULL)
        )
        RETURNING {columns}
    """
    values: dict[str, Any] = {"to_state": to_state, "at": at, "outcome": outcome}
    values |= {"check_passed": check_passed, "read_result": _without_attachment(read_result)}
    values |= {"undo_until": undo_until, "undo_digest": undo_digest}
    values["evidence"] = None if evidence is None else db.exact_json(evidence)
    with _refuse_second():
        return await db.fetch_optional(conn, Execution, query, id=execution_id, **values)


def _without_attachment(read_result: ReadResult | None) -> Jsonb | None:
    """As it is stored: the attachment has a table of its own."""
    if read_result is None:
        return None
    return db.json(read_result.model_copy(update={"attachment": None}))


async def set_undo_digest(conn: Conn, execution_id: ExecutionId, digest: str) -> None:
    """Write the digest of its undo, if it was not known when the execution ended."""
    query = """
        UPDATE executions SET undo_digest = %(digest)s WHERE id = %(id)s AND undo_digest IS NULL
    """
    await db.execute(conn, query, id=execution_id, digest=digest)


async def add_attachment(conn: Conn, execution_id: ExecutionId, attachment: Attachment) -> None:
    """Store a text that is too long for a message."""
    query = """
        INSERT INTO attachments (execution_id, name, body) VALUES (%(id)s, %(name)s, %(body)s)
        ON CONFLICT (execution_id) DO NOTHING
    """
    await db.execute(conn, query, id=execution_id, name=attachment.name, body=attachment.text)


async def attachment(conn: Conn, execution_id: ExecutionId) -> Attachment | None:
    """The text that is too long for a message."""
    query = "SELECT name, body AS text FROM attachments WHERE execution_id = %(id)s"
    return await db.fetch_optional(conn, Attachment, query, id=execution_id)


async def attachment_names(conn: Conn, incident_id: IncidentId) -> dict[ExecutionId, str]:
    """Which executions of an incident have an attachment, and what it is called."""
    query = """
        SELECT a.execution_id, a.name FROM attachments a JOIN executions e ON e.id = a.execution_id
        WHERE e.incident_id = %(incident_id)s
    """
    cursor = await conn.execute(query, {"incident_id": incident_id})
    return {ExecutionId(execution_id): str(name) for execution_id, name in await cursor.fetchall()}


async def overdue(conn: Conn, now: datetime, but: Sequence[int]) -> tuple[DueRow, ...]:
    """The requests whose time is over, except some rows."""
    query = """
        SELECT id, incident_id FROM executions WHERE {overdue} AND id <> ALL(%(but)s)
    """.replace("{overdue}", OVERDUE)
    return await db.fetch_all(conn, DueRow, query, now=now, but=list(but))


async def expire(conn: Conn, execution_id: ExecutionId, now: datetime) -> Execution | None:
    """Expire a request whose time is over; it is returned to one caller only."""
    query = """
        UPDATE executions SET state = 'expired', finished_at = %(now)s
        WHERE id = %(id)s AND {overdue}
        RETURNING {columns}
    """.replace("{overdue}", OVERDUE)
    return await db.fetch_optional(conn, Execution, query, id=execution_id, now=now)


async def void(
    conn: Conn, incident_id: IncidentId, now: datetime, unreadable: list[str] | None = None
) -> tuple[Execution, ...]:
    """Void the pending requests of an incident, except undos of temporary changes in force."""
    query = """
        UPDATE executions SET state = 'voided', finished_at = %(now)s
        WHERE incident_id = %(incident_id)s AND state IN ('proposed', 'approved')
          AND NOT EXISTS (
              SELECT FROM temporary_changes WHERE execution_id = undo_of AND ended_at IS NULL
          )
        RETURNING {columns}
    """
    return await db.fetch_all(conn, Execution, query, unreadable, incident_id=incident_id, now=now)


async def silent(conn: Conn, silent_since: datetime, but: Sequence[int]) -> tuple[DueRow, ...]:
    """The executions without a heartbeat, except some rows."""
    query = """
        SELECT id, incident_id FROM executions WHERE {silent} AND id <> ALL(%(but)s)
    """.replace("{silent}", SILENT)
    return await db.fetch_all(conn, DueRow, query, silent_since=silent_since, but=list(but))


async def interrupt(
    conn: Conn, execution_id: ExecutionId, silent_since: datetime, now: datetime
) -> Execution | None:
    """Interrupt an execution without a heartbeat; it is returned to one caller only."""
    query = """
        UPDATE executions SET state = 'interrupted', interrupted_at = %(now)s, progress = NULL
        WHERE id = %(id)s AND {silent}
        RETURNING {columns}
    """.replace("{silent}", SILENT)
    times = {"silent_since": silent_since, "now": now}
    return await db.fetch_optional(conn, Execution, query, id=execution_id, **times)


async def approved(conn: Conn, but: Sequence[int]) -> tuple[DueRow, ...]:
    """The approved executions that are not started, except some rows."""
    query = """
        SELECT id, incident_id FROM executions WHERE state = 'approved' AND id <> ALL(%(but)s)
        ORDER BY id
    """
    return await db.fetch_all(conn, DueRow, query, but=list(but))
